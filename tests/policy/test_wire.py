"""Are modules read from a request's bytes as protobuf reads them?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planogram.policy.v1 import policy_pb2
from services.policy import wire

INT32 = st.integers(-(2**31), 2**31 - 1)
# Of fields that this contract does not have: a varint, a fixed64, a text, a group with a group in it, a fixed32.
UNKNOWN = b"".join(
    bytes(field)
    for field in (
        [0xA0, 0x06, 0xFF, 0x01],
        [0xA1, 0x06, *range(8)],
        [0xA2, 0x06, 2, 0x22, 0x00],
        [0xA3, 0x06, 0x22, 1, 0x2A, 0xAB, 0x06, 0x08, 0x07, 0xAC, 0x06, 0xA4, 0x06],
        [0xA5, 0x06, *range(4)],
    )
)


@st.composite
def modules(draw):
    made = policy_pb2.Module(
        module_id=draw(st.text(max_size=5)),
        category=draw(st.text(max_size=200)),
        rows=draw(st.lists(INT32, max_size=20)),
        is_filler=draw(st.booleans()),
    )
    for _ in range(draw(st.integers(0, 2))):
        made.templates.add(template_id=draw(st.text(max_size=3)), max_item_count=draw(INT32))
    if draw(st.booleans()):
        made.relevance = draw(st.floats(width=32))
    return _with_unknown(draw, made)


@st.composite
def requests(draw):
    made = policy_pb2.PlanPageRequest(seed=draw(st.integers(0, 2**62)))
    made.session.category_click_counts["c"] = 3
    made.modules.extend(draw(st.lists(modules(), max_size=4)))
    for _ in range(draw(st.integers(0, 3))):
        made.slots.add(slot_id=draw(st.text(max_size=3)), allowed_module_ids=["m"])
    for _ in range(draw(st.integers(0, 2))):
        made.module_limits.add(module_ids=["m"], min_gap=draw(INT32))
    return _with_unknown(draw, made)


def _with_unknown(draw, message):
    """The message, as a newer caller might have written it."""
    return type(message).FromString(message.SerializeToString() + draw(st.sampled_from([b"", UNKNOWN])))


@settings(max_examples=200, deadline=None)
@given(requests())
def test_modules_are_read_as_protobuf_reads_them(request):
    found = wire.modules_of(request, 2_000)
    assert found.length.tolist() == [len(module.rows) for module in request.modules]
    assert found.rows.shape == (len(request.modules), max([1, *found.length]))
    for module, rows, length in zip(request.modules, found.rows, found.length, strict=True):
        assert rows.tolist() == [*module.rows] + [0] * (len(rows) - length)
    relevance = [(module.HasField("relevance"), module.relevance) for module in request.modules]
    np.testing.assert_array_equal(found.relevance, np.array(relevance, np.float32).reshape(-1, 2))


@settings(max_examples=200, deadline=None)
@given(requests(), st.lists(INT32, max_size=9), st.integers(0, 9))
def test_pages_of_one_blueprint_differ_in_rows_relevance_items_and_shopper_alone(request, rows, place):
    other = policy_pb2.PlanPageRequest.FromString(request.SerializeToString())
    other.seed += 1
    other.context.category = "c"
    other.items.margin.data = b"1234"
    for module in other.modules:
        module.rows[:] = rows
        module.relevance = 0.5
    blueprint = wire.modules_of(request, 2_000).blueprint
    assert wire.modules_of(other, 2_000).blueprint == blueprint
    entries = [*other.modules, *other.slots, *other.module_limits]
    if entries:
        changed = entries[place % len(entries)]
        name = {"Module": "family", "Slot": "pinned_module_id", "ModuleLimit": "module_ids"}
        field = name[changed.DESCRIPTOR.name]
        setattr(changed, field, "x") if field != "module_ids" else changed.module_ids.append("x")
        assert wire.modules_of(other, 2_000).blueprint != blueprint


def test_a_module_with_more_rows_than_may_be_costs_no_memory():
    request = policy_pb2.PlanPageRequest(modules=[policy_pb2.Module(rows=[1, 2])] * 60)
    request.modules[3].rows.extend(range(100_000))
    found = wire.modules_of(request, 2_000)
    assert found.length[3] == 100_002 and found.rows.shape == (60, 2_000)
    assert found.rows[2, :3].tolist() == [1, 2, 0] and not found.rows[3].any()


@pytest.mark.parametrize("count", [1, 2])
def test_a_module_is_not_taken_for_a_slot(count):
    """A template in a module and a slot on a page have the same number in their messages."""
    within = policy_pb2.PlanPageRequest(modules=[policy_pb2.Module(module_id="m")])
    beside = policy_pb2.PlanPageRequest(modules=[policy_pb2.Module(module_id="m")])
    for _ in range(count):
        within.modules[0].templates.add(template_id="t")
        beside.slots.add(slot_id="t")
    assert wire.modules_of(within, 2_000).blueprint != wire.modules_of(beside, 2_000).blueprint
