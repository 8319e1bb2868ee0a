"""Are the candidates of an answer read as they were written?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import ranking_pb2
from services.layout import columns as compiled
from services.layout.columns import ABSENT, NOBODY, Candidates, column_of, texts_of

int64, int32 = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)
text = st.text(max_size=200) | st.sampled_from(("", "oak", "oaks", "ash"))
item = st.tuples(text, text, int64, int32, st.floats(width=32, allow_nan=False), st.booleans())
SHELVES = [f"shelf-{place}" for place in range(12)]


@pytest.fixture(scope="module", autouse=True)
def warm():
    compiled.warm_up()


def answer(count, facts=None, modules=(), kind=feature_pb2.GatherPageResponse):
    return kind(item_ids=[f"i{row}" for row in range(count)], item_facts=facts, modules=modules)


def values(candidates, name):
    return candidates.values[column_of(name)].tolist()


def numbers(candidates, name):
    return candidates.numbers[column_of(name)].tolist()


def shelf(module_id, rows):
    return feature_pb2.ModuleCandidates(module_id=module_id, rows=rows)


def module_ids(names):
    return texts_of([("item", name) for name in names])


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
    candidates = Candidates(answer(len(items), facts))
    for name, given_values in (
        ("margin_micros", margins),
        ("stock", stocks),
        ("discount", discounts),
        ("is_under_review", flags),
    ):
        assert values(candidates, name) == [float(value) for value in given_values]
    for name, texts in (("brand", brands), ("seller", sellers)):
        known = {"": -1} | {each: place for place, each in enumerate(filter(None, dict.fromkeys(texts)))}
        assert list(candidates.number_of(name).items()) == list(known.items())
        assert numbers(candidates, name) == [known[each] for each in texts]
        asked = [*sorted(known), "a stranger", "oa", *texts]
        wanted = texts_of([(name, each) for each in asked])
        assert candidates.numbers_of(wanted).tolist() == [known.get(each, ABSENT) for each in asked]
    assert known[""] == NOBODY


def test_a_list_that_the_message_has_not_is_zero_and_one_that_is_too_long_is_cut():
    facts = feature_pb2.ItemFacts(stock=[3, 4, 5], popularity=[0.5, 0.25, 1.0], brand=["oak", "ash", "elm"])
    candidates = Candidates(answer(2, facts))
    assert values(candidates, "is_under_review") == [0.0, 0.0]
    assert values(candidates, "stock") == [3.0, 4.0]
    assert values(candidates, "popularity") == [0.5, 0.25]
    assert dict(candidates.number_of("brand")) == {"": -1, "oak": 0, "ash": 1}
    assert Candidates(answer(0, facts)).values.shape == (13, 0)


@given(st.lists(text.filter(bool), max_size=40, unique=True), st.lists(text, max_size=10))
def test_items_are_found_by_their_ids(ids, strangers):
    for kind in (feature_pb2.GatherPageResponse, ranking_pb2.RankingInputs):
        facts = feature_pb2.ItemFacts(brand=ids[::-1])
        candidates = Candidates(kind(item_ids=ids, item_facts=facts))
        assert candidates.ids == ids and numbers(candidates, "item") == list(range(len(ids)))
        row_of = {item_id: row for row, item_id in enumerate(ids)} | {"": NOBODY}
        asked = [*strangers, *ids]
        wanted = texts_of([("item", each) for each in asked])
        assert candidates.numbers_of(wanted).tolist() == [row_of.get(each, ABSENT) for each in asked]


@given(
    st.lists(st.none() | st.lists(int32, max_size=40), min_size=12, max_size=12),
    st.permutations(SHELVES),
    st.integers(0, 12),
)
def test_rows_are_those_of_the_modules_that_are_wanted(rows, order, count):
    of = dict(zip(SHELVES, rows, strict=True))
    given_modules = [shelf(name, of[name]) for name in order if of[name] is not None]
    wanted = [of[name] or [] for name in SHELVES[:count]]
    for kind in (feature_pb2.GatherPageResponse, ranking_pb2.RankingInputs):
        candidates = Candidates(answer(1, None, given_modules, kind), module_ids(SHELVES[:count]))
        assert candidates.rows.shape == (count, max(map(len, wanted), default=0))
        assert candidates.rows.dtype == candidates.length.dtype == np.int64
        for row, own_count, each in zip(candidates.rows, candidates.length, wanted, strict=True):
            assert row[:own_count].tolist() == each and not row[own_count:].any()


def test_a_module_that_comes_twice_has_the_later_rows():
    found = Candidates(answer(3, None, [shelf("a", [0]), shelf("b", [1]), shelf("a", [2])]), module_ids("ab"))
    assert found.rows.tolist() == [[2], [1]]


def test_fields_of_a_newer_sender_are_passed_over():
    alone = (
        b"\xa0\x06\x96\x01" + b"\xa5\x06abcd" + b"\xa9\x06abcdefgh" + b"\xb2\x06\x03xyz"
    )  # fields 100 to 102
    facts = feature_pb2.ItemFacts(stock=[3, 4], brand=["oak", "ash"])
    facts.MergeFromString(alone)
    module = shelf("shelf", [7, 300])
    module.MergeFromString(alone)
    message = answer(2, facts, [module])
    message.MergeFromString(alone)
    assert message.SerializeToString().count(alone) == 3
    candidates = Candidates(message, module_ids(["other", "shelf"]))
    assert values(candidates, "stock") == [3.0, 4.0] and numbers(candidates, "brand") == [0, 1]
    assert candidates.rows.tolist() == [[0, 0], [7, 300]] and candidates.length.tolist() == [0, 2]
