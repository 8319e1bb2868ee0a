"""Is what is written by hand what protobuf and base64 would write?"""

from __future__ import annotations

import base64

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from planogram.layout.v1 import layout_pb2, token_pb2
from planogram.policy.v1 import policy_pb2
from services.layout import wire
from services.layout.rules.order import Shelves
from services.layout.tokens import Signer
from services.layout.wire import Signable

SIGNER = Signer(b"secret")

items = st.tuples(st.text(max_size=130), st.integers(0, 2**62))
slots = st.lists(st.tuples(st.binary(max_size=300), st.lists(items, max_size=13)), max_size=5)


def item(item_id, charge_micros, tracking_token=""):
    return layout_pb2.Item(item_id=item_id, charge_micros=charge_micros, tracking_token=tracking_token)


def ending(item_id, charge_micros):
    return token_pb2.TrackingToken(item_id=item_id, charge_micros=charge_micros).SerializeToString()


def token(content):
    signature = SIGNER.stem("track", content).sign([b""])[0]
    return base64.urlsafe_b64encode(signature + content).decode().rstrip("=")


@settings(deadline=None)  # the first one compiles
@given(slots)
def test_tokens_and_items_are_those_of_the_libraries(page):
    signable = [
        Signable(SIGNER.stem("track", stem), [name for name, _ in items], [charge for _, charge in items])
        for stem, items in page
    ]
    assert [layout_pb2.Slot.FromString(content) for content in wire.signed(signable)] == [
        layout_pb2.Slot(
            tracking_token=token(stem),
            items=[item(*given, token(stem + ending(*given))) for given in items],
        )
        for stem, items in page
    ]


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
