"""Within which limits offers are chosen: what offers.yaml says, and what of it binds an item."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import services.feature
from services.common.errors import ConfigurationError
from services.feature.offers import choosing, demand, document, evidence
from services.feature.offers.document import CategoryRules, Floor, Rules
from services.feature.offers.evidence import DAY_US
from services.feature.offers.standing import Bound, PricedItem, choices

NOW = 20_000 * DAY_US
RULES = Rules(levels=(0.1, 0.2, 0.3), margin_floor=Floor(share=0.1), min_days=7, longest_days=28)
SHIPPED = Path(next(iter(services.feature.__path__))) / "config" / "offers.yaml"


def item(price=100.0, listed=100.0, cost=60.0, item_id="a", category="garden"):
    return PricedItem(item_id, category, *(round(1e6 * amount) for amount in (listed, price, cost)))


def levels(found):
    return [round(candidate.level, 3) for candidate in found.candidates]


def days_ago(*changes):
    return [(NOW - round(days * DAY_US), round(1e6 * price)) for days, price in changes]


def test_the_shipped_file_is_read():
    rules = document.load(SHIPPED)
    assert 0 < rules.margin_floor.share < 1
    assert rules.reference_days == 30


@pytest.mark.parametrize(
    ("text", "line", "key", "problem"),
    [
        ("levels: [0.1]\nmargin_floor:\n  share: 1.2\n", 3, "margin_floor.share", "less than 1"),
        ("levels: [0.2, 0.1]\n", 1, "levels", "must rise"),
        ("levels: [0.1, 0.95]\n", 1, "levels.1", "less than or equal to 0.9"),
        ("levels: [0.1]\nmin_day: 3\n", 2, "min_day", "not permitted"),
        ("levels: [.nan]\n", 1, "levels.0", "finite"),
        ("levels: [0.1]\nlongest_days: .inf\n", 2, "longest_days", "finite"),
        ("levels: [0.1]\nreference_days: 1e300\n", 2, "reference_days", "less than or equal to 3650"),
        ("levels: [0.1]\nmargin_floor: {amount: 1.0e+308}\n", 2, "margin_floor.amount", "less than or equal"),
        ("levels: [0.1]\nlevels: [0.2]\n", 2, "levels", "stands in line 1 already"),
        ("levels: [0.1]\nlongest_days: 5\nmin_days: 6\n", 3, "min_days", "at most longest_days (5)"),
        (
            "levels: [0.1]\ncategories:\n  garden:\n    most_offers: -1\n",
            4,
            "categories.garden.most_offers",
            "greater",
        ),
    ],
)
def test_mistakes_are_told_with_line_and_key(tmp_path, text, line, key, problem):
    path = tmp_path / "offers.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        document.load(path)
    assert str(caught.value).startswith(f"{path}:{line}: {key}: ")
    assert problem in str(caught.value)


def test_an_item_at_its_list_price_may_have_any_level_that_the_floor_leaves():
    assert levels(choices(item(), (), RULES, NOW)) == [0.0, 0.1, 0.2, 0.3]
    # 100 x .8 - 73 = 7 is less than a tenth of 80; 90 - 73 = 17 is more than a tenth of 90.
    assert levels(choices(item(cost=73), (), RULES, NOW)) == [0.0, 0.1]
    bound = choices(item(cost=95), (), RULES, NOW)
    assert (levels(bound), bound.bound) == ([0.0], Bound.FLOOR)


def test_a_floor_in_currency_holds_as_well():
    rules = RULES.model_copy(update={"margin_floor": Floor(share=0.0, amount=15.0)})
    assert levels(choices(item(cost=66), (), rules, NOW)) == [0.0, 0.1]


def test_a_category_has_its_own_levels_and_floor():
    own = CategoryRules(levels=(0.05,), margin_floor=Floor(share=0.0, amount=0.0))
    rules = RULES.model_copy(update={"categories": {"garden": own}})
    assert levels(choices(item(cost=95), (), rules, NOW)) == [0.0, 0.05]
    assert levels(choices(item(category="living"), (), rules, NOW)) == [0.0, 0.1, 0.2, 0.3]


def test_prices_are_rounded_up_to_whole_steps_so_that_the_floor_holds():
    rules = RULES.model_copy(update={"price_step": 0.5})
    found = choices(item(price=9.99, listed=9.99, cost=1), (), rules, NOW)
    assert [candidate.price_micros for candidate in found.candidates] == [
        9_990_000,
        9_000_000,
        8_000_000,
        7_000_000,
    ]
    assert found.candidates[1].level == pytest.approx(1 - 9 / 9.99)


def test_a_price_stands_for_its_days():
    held = choices(item(price=90), days_ago((60, 100), (3, 90)), RULES, NOW)
    assert (levels(held), held.bound, held.is_held) == ([0.1], Bound.RECENT, True)
    free = choices(item(price=90), days_ago((60, 100), (8, 90)), RULES, NOW)
    assert (levels(free), free.bound) == ([0.0, 0.1, 0.2, 0.3], Bound.FREE)


def test_an_offer_that_runs_stays_deepens_or_ends_and_never_shrinks():
    assert levels(choices(item(price=80), days_ago((60, 100), (8, 80)), RULES, NOW)) == [0.0, 0.2, 0.3]


def test_an_offer_ends_after_its_longest_time_counted_from_its_first_cut():
    found = choices(item(price=80), days_ago((90, 100), (29, 90), (10, 80)), RULES, NOW)
    assert (levels(found), found.bound) == ([0.0], Bound.LONG)


def test_no_cut_follows_a_rise_until_the_list_price_was_the_lowest_for_thirty_days():
    ended = choices(item(), days_ago((60, 100), (40, 80), (20, 100)), RULES, NOW)
    assert (levels(ended), ended.bound) == ([0.0], Bound.RESTS)
    # A list price that was raised is no reference, either.
    raised = choices(item(price=110, listed=110), days_ago((60, 100), (20, 110)), RULES, NOW)
    assert (levels(raised), raised.bound) == ([0.0], Bound.RESTS)
    rested = choices(item(), days_ago((90, 100), (60, 80), (31, 100)), RULES, NOW)
    assert levels(rested) == [0.0, 0.1, 0.2, 0.3]


def test_an_offer_below_the_floor_ends_at_once():
    found = choices(item(price=80, cost=75), days_ago((60, 100), (1, 80)), RULES, NOW)
    assert (levels(found), found.bound) == ([0.0], Bound.FLOOR)


def shop(count=60, elasticity=8.0, deviation=0.01):
    """Items whose category is believed to answer strongly to price, so that a cut earns most."""
    items = [
        item(item_id=f"item-{number:02d}", category=("garden", "kitchen")[number % 2])
        for number in range(count)
    ]
    cells = evidence.count({}, {}, {one.item_id: one.category for one in items})
    believed = dataclasses.replace(
        demand.fit(cells),
        elasticity=np.full(2, elasticity),
        deviation=np.full(2, deviation),
        shape=np.linspace(1, 60, count),
        rate=np.full(count, 1_000.0),
    )
    return items, cells, believed


def test_no_more_items_of_a_category_are_on_offer_than_allowed_and_those_that_earn_most():
    items, cells, believed = shop()
    rules = RULES.model_copy(
        update={
            "most_offers": 5,
            "exploration_share": 0.0,
            "categories": {"kitchen": CategoryRules(most_offers=0)},
        }
    )
    decided = choosing.choose(items, {}, cells, believed, rules, 0, NOW)
    assert Counter(one.item.category for one in decided if one.level > 0) == {"garden": 5}
    chosen = {one.item.item_id for one in decided if one.level > 0}
    assert min(chosen) >= "item-30"  # the later an item, the more it sells
    crowded = [one for one in decided if one.item.category == "kitchen"]
    assert all(one.why == choosing.CROWDED for one in crowded)


def test_prices_that_must_stand_take_their_places_first():
    items, cells, believed = shop()
    items = [
        dataclasses.replace(one, price_micros=90_000_000) if one.item_id < "item-06" else one for one in items
    ]
    history = {one.item_id: days_ago((60, 100), (1, 90)) for one in items[:6]}
    rules = RULES.model_copy(update={"most_offers": 2, "exploration_share": 0.0})
    decided = choosing.choose(items, history, cells, believed, rules, 0, NOW)
    on_offer = {one.item.item_id for one in decided if one.level > 0}
    assert on_offer == {f"item-{number:02d}" for number in range(6)}


def test_the_same_seed_and_day_decide_the_same_and_another_day_otherwise():
    items, cells, believed = shop(deviation=3.0, elasticity=2.5)

    def prices(seed, now):
        return [one.price_micros for one in choosing.choose(items, {}, cells, believed, RULES, seed, now)]

    assert prices(1, NOW) == prices(1, NOW + 1_000)
    assert prices(1, NOW) != prices(1, NOW + DAY_US)
    assert prices(1, NOW) != prices(2, NOW)


def test_what_is_not_known_is_tried_and_what_surely_loses_is_not():
    items, cells, believed = shop(elasticity=1.0, deviation=0.01)
    rules = RULES.model_copy(update={"exploration_share": 0.0})
    assert not any(one.level for one in choosing.choose(items, {}, cells, believed, rules, 0, NOW))
    unsure = dataclasses.replace(believed, deviation=np.full(2, 3.0))
    share = np.mean([one.level > 0 for one in choosing.choose(items, {}, cells, unsure, rules, 0, NOW)])
    assert 0.1 < share < 0.5


def test_exploration_takes_allowed_levels_alone_and_is_named():
    items, cells, believed = shop(elasticity=1.0, deviation=0.01)
    rules = RULES.model_copy(update={"exploration_share": 1.0, "most_offers": 100})
    decided = choosing.choose(
        [dataclasses.replace(one, cost_micros=73_000_000) for one in items],
        {},
        cells,
        believed,
        rules,
        0,
        NOW,
    )
    assert {round(one.level, 2) for one in decided} == {0.0, 0.1}
    assert {one.why for one in decided} == {choosing.EXPLORED}


def test_the_figures_of_a_decision_are_those_of_its_belief():
    items, cells, believed = shop(count=1)
    believed = dataclasses.replace(believed, elasticity=np.array([4.0]), deviation=np.array([1e-9]))
    believed = dataclasses.replace(believed, shape=np.array([1e9]), rate=np.array([1e11]))
    rules = RULES.model_copy(update={"levels": (0.2,), "exploration_share": 0.0})
    (decided,) = choosing.choose(items, {}, cells, believed, rules, 0, NOW)
    # One in a hundred buys at 100 and earns 40; at 80, .8 ** -4 times as many earn 20 each.
    assert decided.level == pytest.approx(0.2)
    assert decided.list_purchases == pytest.approx(10)
    assert decided.purchases == pytest.approx(10 * 0.8**-4)
    assert decided.list_margin_micros == pytest.approx(400e6)
    assert decided.margin_micros == pytest.approx(10 * 0.8**-4 * 20e6)
    assert decided.deviation_micros < 1e-3 * decided.margin_micros
    assert decided.chance == pytest.approx(1.0)
