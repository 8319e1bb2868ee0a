"""Are lists of messages read as they were written?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planogram.feature.v1 import feature_pb2
from services.layout import columns as compiled
from services.layout.columns import ABSENT, NOBODY, Columns, lists, texts_of

int64, int32 = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)
text = st.text(max_size=200) | st.sampled_from(("", "oak", "oaks", "ash"))
item = st.tuples(text, text, int64, int32, st.floats(width=32, allow_nan=False), st.booleans())


@pytest.fixture(scope="module", autouse=True)
def warm():
    compiled.warm_up()


@given(st.lists(item, max_size=60))
def test_columns_hold_what_the_message_holds(items):
    brands, sellers, margins, stocks, discounts, flags = zip(*items, strict=True) if items else ((),) * 6
    facts = feature_pb2.ItemFacts(
        brand=brands,
        seller=sellers,
        margin_micros=margins,
        stock=stocks,
        discount=discounts,
        is_under_review=flags,
    )
    columns = Columns(facts, len(items))
    for name, given_values in (
        ("margin_micros", margins),
        ("stock", stocks),
        ("discount", discounts),
        ("is_under_review", flags),
    ):
        assert columns.values(name).tolist() == [float(value) for value in given_values]
    for name, texts in (("brand", brands), ("seller", sellers)):
        known = {"": -1} | {each: place for place, each in enumerate(filter(None, dict.fromkeys(texts)))}
        assert list(columns.number_of(name).items()) == list(known.items())
        assert columns.numbers(name).tolist() == [known[each] for each in texts]
        asked = [*sorted(known), "a stranger", "oa", *texts]
        wanted = texts_of(feature_pb2.ItemFacts, [(name, each) for each in asked])
        assert columns.numbers_of(wanted).tolist() == [known.get(each, ABSENT) for each in asked]
    assert known[""] == NOBODY


def test_a_list_that_the_message_has_not_is_zero_and_one_that_is_too_long_is_cut():
    facts = feature_pb2.ItemFacts(stock=[3, 4, 5], popularity=[0.5, 0.25, 1.0], brand=["oak", "ash", "elm"])
    columns = Columns(facts, 2)
    assert columns.values("is_under_review").tolist() == [0.0, 0.0]
    assert columns.values("stock").tolist() == [3.0, 4.0]
    assert columns.values("popularity").tolist() == [0.5, 0.25]
    assert dict(columns.number_of("brand")) == {"": -1, "oak": 0, "ash": 1}
    assert Columns(facts, 0).values("stock").shape == (0,)


@given(st.lists(st.none() | st.lists(int32, max_size=40), max_size=12))
def test_lists_of_many_messages_are_padded(rows):
    messages = [
        None if each is None else feature_pb2.ModuleCandidates(module_id="shelf", rows=each) for each in rows
    ]
    values, length = lists(messages, "rows")
    assert values.shape == (len(rows), max((len(each or ()) for each in rows), default=0))
    assert values.dtype == length.dtype == np.int64
    for row, count, each in zip(values, length, rows, strict=True):
        assert row[:count].tolist() == list(each or ()) and not row[count:].any()


def test_fields_of_a_newer_sender_are_passed_over():
    alone = (
        b"\xa0\x06\x96\x01" + b"\xa5\x06abcd" + b"\xa9\x06abcdefgh" + b"\xb2\x06\x03xyz"
    )  # fields 100 to 102
    facts = feature_pb2.ItemFacts(stock=[3, 4], brand=["oak", "ash"])
    facts.MergeFromString(alone)
    assert alone in facts.SerializeToString()
    columns = Columns(facts, 2)
    assert columns.values("stock").tolist() == [3.0, 4.0] and columns.numbers("brand").tolist() == [0, 1]
    candidates = feature_pb2.ModuleCandidates(module_id="shelf", rows=[7, 300])
    candidates.MergeFromString(alone)
    values, length = lists([candidates, None, candidates], "rows")
    assert values.tolist() == [[7, 300], [0, 0], [7, 300]] and length.tolist() == [2, 0, 2]
