"""Do rules mean the items that their words name?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.layout import columns
from services.layout.columns import Candidates
from services.layout.rules import matching
from services.layout.rules.document import Exclude, Match, Sensitive
from services.layout.rules.items import Items
from services.layout.rules.matching import DAY_S, wanted

NOW_S = 1_800_000_000.5
NAMES = ("", "oak", "ash", "Ölbaum", "nobody")
name = st.sampled_from(NAMES[:4])
item = st.fixed_dictionaries(
    {
        "brand": name,
        "seller": name,
        "category": name,
        "price_micros": st.integers(1, 5).map(lambda price: price * 1_000_000),
        "discount": st.sampled_from((0.0, 0.25, 0.5)),
        "first_seen_unix_s": st.integers(1, 6).map(lambda days: int(NOW_S - days * DAY_S)),
        "age_rating": st.sampled_from((0, 12, 18)),
        "stock": st.integers(0, 2),
        "is_under_review": st.booleans(),
    }
)
names = st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)
limit = st.none() | st.integers(1, 5)
match = st.builds(
    dict,
    items=st.lists(st.sampled_from(("i0", "i1", "i5", "i99")), max_size=2).map(tuple),
    brands=names,
    sellers=names,
    categories=names,
    below_price=limit,
    above_price=limit,
    least_discount=st.none() | st.sampled_from((0.25, 0.5)),
    newer_than_days=limit,
    older_than_days=limit,
    least_age_rating=st.none() | st.just(12),
    what=st.none() | st.just("under_review"),
).map(lambda given: {key: value for key, value in given.items() if value not in ((), None)})


@pytest.fixture(scope="module", autouse=True)
def warm():
    columns.warm_up()
    matching.warm_up()


def items_of(entries):
    facts = feature_pb2.ItemFacts(**{key: [entry[key] for entry in entries] for key in entries[0]})
    context = context_pb2.PageContext(item_id="i1", cart_item_ids=["i0", "i2", "elsewhere"])
    past = feature_pb2.ShopperPast(
        purchased_rows=[0, len(entries) - 1],
        purchased_unix_s=[int(NOW_S - 9 * DAY_S), int(NOW_S - DAY_S)],
    )
    ids = [f"i{row}" for row in range(len(entries))]
    return Items(
        Candidates(feature_pb2.GatherPageResponse(item_ids=ids, item_facts=facts)), context, NOW_S, past
    )


def is_meant(said, row, entry):
    """Whether a match means an item, in plain words."""
    price, age_days = entry["price_micros"] / 1e6, (NOW_S - entry["first_seen_unix_s"]) / DAY_S
    checks = {
        "items": lambda given: f"i{row}" in given,
        "brands": lambda given: entry["brand"] in given,
        "sellers": lambda given: entry["seller"] in given,
        "categories": lambda given: entry["category"] in given,
        "below_price": lambda given: price < given,
        "above_price": lambda given: price > given,
        "least_discount": lambda given: entry["discount"] >= given,
        "newer_than_days": lambda given: age_days < given,
        "older_than_days": lambda given: age_days > given,
        "least_age_rating": lambda given: entry["age_rating"] >= given,
        "what": lambda given: entry["is_under_review"],
    }
    return all(checks[key](given) for key, given in said.items())


@given(entries=st.lists(item, min_size=1, max_size=8), said=st.lists(match.filter(bool), max_size=4))
def test_a_match_means_the_items_for_which_all_that_it_says_holds(entries, said):
    meant = items_of(entries).meant(wanted([Match.model_validate(each) for each in said]))
    assert meant.shape == (len(said), len(entries))
    expected = [[is_meant(each, row, entry) for row, entry in enumerate(entries)] for each in said]
    assert meant.tolist() == expected


@given(entries=st.lists(item, min_size=3, max_size=8))
def test_state_view_past_and_categories_rule_items_out(entries):
    said = [
        *({"what": what} for what in ("sold_out", "under_review", "in_cart", "current_item", "purchased")),
        {"what": "purchased", "within_days": 5},
        {"what": "dismissed"},
    ]
    sensitive = Sensitive(categories=("oak", "ash"))
    meant = items_of(entries).meant(wanted([*map(Exclude.model_validate, said), sensitive]))
    rows = range(len(entries))
    last = len(entries) - 1
    assert [line.nonzero()[0].tolist() for line in meant] == [
        [row for row in rows if entries[row]["stock"] == 0],
        [row for row in rows if entries[row]["is_under_review"]],
        [0, 2],
        [1],
        [0, last],
        [last],
        [],
        [row for row in rows if entries[row]["category"] in ("oak", "ash")],
    ]


def test_a_page_without_items_is_asked_nothing():
    items = Items(Candidates(feature_pb2.GatherPageResponse()), context_pb2.PageContext(), NOW_S)
    said = (Match(brands=("oak",), items=("i1",)), Exclude(what="in_cart"))
    assert items.meant(wanted(said)).shape == (2, 0)
    assert items.meant(wanted(())).dtype == np.bool_
