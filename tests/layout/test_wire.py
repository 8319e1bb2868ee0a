"""Is what is written by hand what protobuf, base64 and hashlib would write?"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2, token_pb2
from planogram.policy.v1 import policy_pb2
from services.layout import wire
from services.layout.columns import Candidates
from services.layout.rules.order import Shelves
from services.layout.tokens import Signer
from services.layout.wire import Signable

SIGNER = Signer(b"secret")

ids = st.lists(st.text(min_size=1, max_size=130), min_size=1, max_size=13, unique=True)
items = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2**62)), max_size=13)
slots = st.lists(st.tuples(st.binary(min_size=1, max_size=300), items), max_size=5)


def ending(item_id, charge_micros):
    return token_pb2.TrackingToken(item_id=item_id, charge_micros=charge_micros).SerializeToString()


@settings(deadline=None)  # the first one compiles
@given(ids, slots)
def test_slots_are_those_of_the_libraries(item_ids, page):
    candidates = Candidates(feature_pb2.GatherPageResponse(item_ids=item_ids))
    named = [
        (stem, [(item_ids[row % len(item_ids)], charge_micros) for row, charge_micros in items])
        for stem, items in page
    ]
    signable = [
        Signable(
            plain=layout_pb2.Slot(slot_id=f"s{place}").SerializeToString(),
            stem=stem,
            rows=[item_ids.index(item_id) for item_id, _ in items],
            charges_micros=[charge_micros for _, charge_micros in items],
        )
        for place, (stem, items) in enumerate(named)
    ]
    content = wire.slots(signable, SIGNER.tracking, candidates)
    assert list(layout_pb2.Page.FromString(content).slots) == [
        layout_pb2.Slot(
            slot_id=f"s{place}",
            tracking_token=SIGNER.sign("track", stem),
            items=[
                layout_pb2.Item(
                    item_id=item_id,
                    charge_micros=charge_micros,
                    tracking_token=SIGNER.sign("track", stem + ending(item_id, charge_micros)),
                )
                for item_id, charge_micros in items
            ],
        )
        for place, (stem, items) in enumerate(named)
    ]


@given(st.floats(width=64, allow_nan=False))
def test_a_double_is_that_of_the_library(value):
    number = layout_pb2.Slot.DESCRIPTOR.fields_by_name["propensity"].number
    assert layout_pb2.Slot.FromString(wire.double(number, value)).propensity == value
    assert wire.double(number, 0.0) == layout_pb2.Slot().SerializeToString()


@settings(deadline=None)
@given(st.lists(st.integers(-1, 1_000), max_size=300))
def test_limits_of_groups_are_those_of_the_library(most):
    limits = [
        policy_pb2.GroupLimit(group_id=group, max_item_count=count)
        for group, count in enumerate(most)
        if count >= 0
    ]
    found = policy_pb2.PlanPageRequest.FromString(wire.group_limits(np.array(most, np.int64)))
    assert list(found.group_limits) == limits


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=150), st.lists(st.integers(0, 2**20), max_size=60)), max_size=6))
def test_modules_are_those_of_the_library(page):
    plain = [policy_pb2.Module(module_id=name, family="deep") for name, _ in page]
    shelves = Shelves(np.zeros((len(page), 60), np.int64), np.zeros(len(page), np.int64))
    for place, (_, rows) in enumerate(page):
        shelves.put(place, rows)
    content = wire.modules(wire.pieces([module.SerializeToString() for module in plain]), shelves)
    for module, (_, rows) in zip(plain, page, strict=True):
        module.rows.extend(rows)
    assert content == policy_pb2.PlanPageRequest(modules=plain).SerializeToString()
