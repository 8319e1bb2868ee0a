"""Does each rule do to a page what it says, and does the page say so?"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml

from planogram.client import category, home, product, search
from planogram.common.v1 import context_pb2
from services.layout import configuration, event_log, replay
from services.layout.conditions import When
from tests.layout.conftest import gathered
from tests.layout.test_receipts import planned_shop

CONFIG = Path(configuration.__file__).parent / "config"


@pytest.fixture
def ruled(tmp_path, open_shop):
    """Opens a shop whose rules are these, with facts as `change` leaves them."""

    def opened(*rules, change=None, **settings):
        folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
        content = {"value": {"click": 1.0, "purchase": 0.0}, "rules": list(rules)}
        (folder / "rules.yaml").write_text(yaml.safe_dump(content))
        opening = open_shop(config_path=folder, **settings)

        class Opened:
            async def __aenter__(self):
                shop = await opening.__aenter__()
                if change is not None:
                    shop.gather.default = lambda request: changed(request, change)
                return shop

            async def __aexit__(self, *error):
                return await opening.__aexit__(*error)

        return Opened()

    return opened


def changed(request, change):
    response = gathered(request)
    change(response)
    return response


def rows_of(shop):
    return {module.module_id: list(module.rows) for module in shop.plan.requests[-1].modules}


def effects(page):
    return {effect.rule: (effect.action, effect.count) for effect in page.rule_effects}


async def compose(shop, request=None):
    return await shop.layout.compose(request or home("ada", "visit"), deadline_s=2)


async def test_a_rule_that_changes_nothing_says_nothing(ruled):
    async with ruled({"name": "none", "hide": {"brands": ["nobody"]}}) as shop:
        page = await compose(shop)
    assert effects(page) == {}
    assert not page.rule_conflicts


async def test_hidden_items_stand_nowhere_or_not_in_the_modules_named(ruled):
    rules = (
        {"name": "recall", "hide": {"items": ["i8", "i9"]}},
        {"name": "discreet", "hide": {"brands": ["b1"], "in_modules": ["for-*"]}},
    )
    async with ruled(*rules) as shop:
        page = await compose(shop)
    rows = rows_of(shop)
    assert not {8, 9} & {row for module in rows.values() for row in module}
    assert not {row for row in rows["for-you"] if row % 10 == 1}
    assert any(row % 10 == 1 for module in rows.values() for row in module)
    assert effects(page)["recall"] == ("hide", 2)
    assert effects(page)["discreet"][1] in (1, 2)


def half_garden(response):
    """Items by turns of kitchen and garden, and a shopper who clicked in both."""
    del response.item_facts.category[:]
    response.item_facts.category.extend(
        ("kitchen", "garden")[row % 2] for row in range(len(response.item_ids))
    )
    session = response.session
    for counts in (session.category_click_counts, session.category_dwell_counts):
        counts.update({"kitchen": 1, "garden": 2})
    for weights in (session.category_recent_interests, session.category_passes):
        weights.update({"kitchen": 1.0, "garden": 2.0})
    session.category_affinities.update({"kitchen": 0.25, "garden": 0.75})
    session.last_click_category, session.is_last_click_dwelled = "garden", True
    session.module_unclicked_counts.update({"deals-garden": 3, "deals-kitchen": 2})
    response.past.purchased_rows.extend([1, 2])
    response.past.purchased_unix_s.extend([1_700_000_000] * 2)


SENSITIVE = {"name": "discreet", "sensitive": {"categories": ["garden"]}}


async def test_sensitive_items_stand_only_where_the_page_is_about_them(ruled):
    async with ruled(SENSITIVE, change=half_garden) as shop:
        page = await compose(shop)
        elsewhere = rows_of(shop)
        assert effects(page)["discreet"] == ("sensitive", 60)
        for request in (category("ada", "visit", "garden"), search("ada", "visit", "rake")):
            await compose(shop, request)
            there = rows_of(shop)
            assert any(row % 2 for rows in there.values() for row in rows)
            assert not any(row % 2 for row in there["for-you"])
        await compose(shop, category("ada", "visit", "kitchen"))
        other = rows_of(shop)
    for found in (elsewhere, other):
        shown = [row for rows in found.values() for row in rows]
        assert shown and not any(row % 2 for row in shown)


async def test_what_was_done_with_sensitive_categories_enters_no_plan_and_no_log(ruled):
    async with ruled(SENSITIVE, change=half_garden) as shop:
        await compose(shop, category("ada", "visit", "garden"))
        session = shop.plan.requests[-1].session
        await compose(shop)
        assert "garden" not in str(shop.plan.requests[-1].session)
    logged = [one for one, _ in event_log.exposures_after(shop.settings.log_path, {}, 10)]
    assert len(logged) == 2
    for exposure in logged:
        inputs = replay.inflate(exposure.ranking_inputs)
        rows = {module.module_id: list(module.rows) for module in inputs.modules}
        assert list(inputs.past.purchased_rows) == [2]
        assert not any(row % 2 for name in ("for-you", "recently-viewed") for row in rows.get(name, ()))
    assert "garden" not in str(session)
    assert session.category_click_counts == {"kitchen": 1}
    assert session.category_affinities["kitchen"] == pytest.approx(1)
    assert not session.last_click_category and not session.is_last_click_dwelled


async def test_shares_that_are_nothing_beside_sensitive_categories_stay_nothing(ruled):
    def change(response):
        half_garden(response)
        response.session.category_affinities["kitchen"] = 0.0

    async with ruled(SENSITIVE, change=change) as shop:
        page = await compose(shop)
        assert shop.plan.requests[-1].session.category_affinities == {"kitchen": 0.0}
    assert not page.degraded


@pytest.mark.parametrize(
    ("match", "is_meant"),
    [
        ({"below_price": 20}, lambda row: row < 20),
        ({"above_price": 50}, lambda row: row > 50),
        ({"sellers": ["s3"]}, lambda row: row % 4 == 3),
        ({"categories": ["garden"]}, lambda row: row % 2 == 1),
        ({"least_discount": 0.5}, lambda row: row >= 60),
        ({"least_age_rating": 18}, lambda row: row >= 100),
        ({"sellers": ["s3"], "above_price": 50}, lambda row: row % 4 == 3 and row > 50),
    ],
)
async def test_items_are_meant_where_all_that_is_given_holds(ruled, match, is_meant):
    def change(response):
        facts = response.item_facts
        count = len(response.item_ids)
        for name in ("seller", "category", "price_micros", "discount", "age_rating"):
            facts.ClearField(name)
        facts.seller.extend(f"s{row % 4}" for row in range(count))
        facts.category.extend(("kitchen", "garden")[row % 2] for row in range(count))
        facts.price_micros.extend(row * 1_000_000 for row in range(count))
        facts.discount.extend(row / count for row in range(count))
        facts.age_rating.extend(18 * (row >= 100) for row in range(count))

    async with ruled({"name": "it", "hide": match}, change=change) as shop:
        await compose(shop)
        shown = {row for module in rows_of(shop).values() for row in module}
    assert shown
    assert not any(is_meant(row) for row in shown)


async def test_what_was_bought_or_waved_away_lately_is_not_shown_but_where_it_is_asked_for(ruled):
    now_s = int(datetime.now(UTC).timestamp())

    def change(response):
        past = response.past
        past.purchased_rows.extend([8, 9, 10])
        past.purchased_unix_s.extend([now_s - 86_400 * days for days in (1, 20, 200)])
        past.dismissed_rows.append(11)
        past.dismissed_unix_s.append(now_s - 60)

    others = ["deals-*", "bestsellers-*", "guides-*", "popular", "new-in", "for-you", "hero"]
    rules = (
        {"name": "bought", "exclude": {"what": "purchased", "within_days": 90, "in_modules": others}},
        {"name": "waved-away", "exclude": {"what": "dismissed"}},
    )
    async with ruled(*rules, change=change) as shop:
        page = await compose(shop)
    rows = rows_of(shop)
    shown = {
        row
        for name, module in rows.items()
        for row in module
        if name not in ("buy-again", "recently-viewed", "sponsored")
    }
    assert not {8, 9, 11} & shown
    assert 10 in shown
    assert {"bought", "waved-away"} <= set(effects(page))


async def test_boosted_items_come_earlier_and_buried_ones_last(ruled):
    rules = (
        {"name": "own-brand", "boost": {"brands": ["b0"], "factor": 1000}},
        {"name": "slow", "bury": {"brands": ["b9", "b8"]}},
    )
    async with ruled(*rules) as shop:
        page = await compose(shop)
    popular = rows_of(shop)["popular"]
    brands = [row % 10 for row in popular]
    first = [brand for brand in brands if brand == 0]
    last = [brand for brand in brands if brand in (8, 9)]
    assert first and last
    assert brands[: len(first)] == first
    assert brands[-len(last) :] == last
    assert {"own-brand", "slow"} <= set(effects(page))


async def test_what_keeps_its_sources_order_is_weighed_only_where_it_is_named(ruled):
    rules = ({"name": "own-brand", "boost": {"items": ["i9"], "factor": 1000}},)
    async with ruled(*rules) as shop:
        await compose(shop, search("ada", "visit", "pan"))
        assert rows_of(shop)["results"][0] == 0
    named = ({"name": "own-brand", "boost": {"items": ["i9"], "factor": 1000, "in_modules": ["results"]}},)
    shutil.rmtree(shop.settings.config_path)
    async with ruled(*named) as shop:
        await compose(shop, search("ada", "visit", "pan"))
        assert rows_of(shop)["results"][:3] == [9, 0, 1]


async def test_a_pinned_module_stands_and_the_first_of_two_pins_holds(ruled):
    phone = {"devices": ["desktop"]}
    rules = (
        {"name": "campaign", "pin": {"slot": "second", "module": "new-in"}, "when": phone},
        {"name": "rival", "pin": {"slot": "second", "module": "hero"}},
        {"name": "elsewhere", "pin": {"slot": "listing", "module": "category-new"}},
    )
    async with ruled(*rules) as shop:
        page = await compose(shop)
    assert page.slots[1].module_id == "new-in"
    assert "Always in this place" in page.slots[1].reason
    assert effects(page) == {"campaign": ("pin", 1)}
    (conflict,) = page.rule_conflicts
    assert list(conflict.rules) == ["rival", "campaign"]


async def test_a_pin_that_does_not_stand_says_why(open_shop, tmp_path):
    rules = [
        {"name": "campaign", "pin": {"slot": "top", "module": "new-in"}},
        {"name": "again", "pin": {"slot": "second", "module": "new-in"}},
        {"name": "emptied", "pin": {"slot": "third", "module": "for-you"}},
        {"name": "sold", "hide": {"above_price": 0, "in_modules": ["for-you"]}},
    ]
    async with planned_shop(open_shop, tmp_path, rules) as shop:
        page = await compose(shop)
    assert effects(page)["campaign"] == ("pin", 1)
    assert not effects(page).keys() & {"again", "emptied"}
    said = {tuple(conflict.rules): conflict.problem for conflict in page.rule_conflicts}
    assert said[("again",)] == (
        "new-in does not stand in second, where it is pinned: it stands in a slot above"
    )
    assert "wants" in said[("emptied", "sold")] and "does not stand" in said[("emptied", "sold")]


async def test_items_lead_a_module_unless_they_may_not_be_shown(ruled):
    rules = (
        {"name": "gone", "hide": {"items": ["i170", "i110"]}},
        {"name": "launch", "lead": {"module": "popular", "items": ["i110", "i109", "i107"]}},
    )

    def change(response):
        for module in response.modules:
            if module.module_id == "popular":
                module.rows[:] = range(100, 116)

    async with ruled(*rules, change=change) as shop:
        page = await compose(shop)
    assert rows_of(shop)["popular"][:3] == [109, 107, 115]
    asked = {module.module_id: list(module.item_ids) for module in shop.gather.requests[-1].modules}
    assert asked["popular"] == ["i110", "i109", "i107"]
    assert not asked["new-in"]
    assert effects(page)["launch"] == ("lead", 2)
    (conflict,) = page.rule_conflicts
    assert list(conflict.rules) == ["launch", "gone"]
    assert "i110 cannot lead popular" in conflict.problem


async def test_caps_hold_in_modules_among_neighbours_and_on_the_page(ruled):
    def change(response):
        del response.item_facts.brand[:], response.item_facts.seller[:]
        response.item_facts.brand.extend(f"b{row // 2 % 3}" for row in range(len(response.item_ids)))
        response.item_facts.seller.extend(f"s{row % 2}" for row in range(len(response.item_ids)))

    rules = (
        {"name": "few", "cap": {"of": "brand", "most": 2, "in_modules": ["popular"]}},
        {"name": "mixed", "cap": {"of": "brand", "most": 1, "within": 3, "in_modules": ["for-you"]}},
        {"name": "page", "cap": {"of": "seller", "most": 12, "within": "page"}},
    )
    async with ruled(*rules, change=change) as shop:
        page = await compose(shop)
    rows = rows_of(shop)
    assert all(sum(row // 2 % 3 == brand for row in rows["popular"]) <= 2 for brand in range(3))
    brands = [row // 2 % 3 for row in rows["for-you"]]
    assert all(len(set(brands[at : at + 3])) == 3 for at in range(len(brands) - 2))
    slots = [slot for slot in page.slots if slot.module_id != "popular"]
    shown = [int(item.item_id[1:]) for slot in slots for item in slot.items]
    assert max(sum(row % 2 == seller for row in shown) for seller in range(2)) <= 12
    assert {"few", "mixed", "page"} == set(effects(page))


async def test_new_items_get_their_share_from_the_top_down(ruled):
    now_s = int(datetime.now(UTC).timestamp())

    def change(response):
        del response.item_facts.first_seen_unix_s[:]
        response.item_facts.first_seen_unix_s.extend(
            now_s - (3 if row < 60 else 90) * 86_400 for row in range(len(response.item_ids))
        )
        for module in response.modules:
            if module.module_id == "popular":
                module.rows[:] = range(52, 68)  # the new ones have the lower scores

    async with ruled({"name": "new", "fresh": {"share": 0.25, "newer_than_days": 14}}, change=change) as shop:
        page = await compose(shop)
    is_new = np.array([row < 60 for row in rows_of(shop)["popular"]])
    assert (np.cumsum(is_new) >= np.floor(0.25 * np.arange(1, 17))).all()
    assert not is_new[:3].any()
    assert "new" in effects(page)


async def test_kinds_of_modules_are_limits_of_the_plan(ruled):
    rules = (
        {"name": "promotions", "kinds": {"families": ["promotion"], "most": 2, "least_gap": 1}},
        {"name": "topics", "kinds": {"same_category": True, "most": 1}},
    )
    async with ruled(*rules) as shop:
        page = await compose(shop)
        limits = list(shop.plan.requests[-1].module_limits)
    families = [slot.family for slot in page.slots]
    assert families.count("promotion") == 2
    assert {"deals-kitchen", "bestsellers-kitchen", "guides-kitchen"} in [set(x.module_ids) for x in limits]


async def test_a_rule_holds_when_and_for_whom_it_says(ruled):
    def change(response):
        response.session.segment = "vip"

    rules = (
        {"name": "vips", "hide": {"items": ["i8"]}, "when": {"segments": ["vip"]}},
        {"name": "others", "hide": {"items": ["i9"]}, "when": {"segments": ["other"]}},
        {"name": "phones", "hide": {"items": ["i10"]}, "when": {"devices": ["phone"]}},
        {"name": "austria", "hide": {"items": ["i11"]}, "when": {"markets": ["at"]}},
        {"name": "products", "hide": {"items": ["i12"]}, "when": {"page_types": ["product"]}},
        {"name": "over", "hide": {"items": ["i13"]}, "when": {"until": "2026-01-01"}},
    )
    async with ruled(*rules, change=change) as shop:
        assert set(effects(await compose(shop))) == {"vips"}
        assert set(effects(await compose(shop, home("ada", "visit", locale="de-AT")))) == {"vips", "austria"}
        page = await compose(shop, product("ada", "visit", "i3", "kitchen"))
        assert set(effects(page)) == {"vips", "products"}


@pytest.mark.parametrize(
    ("when", "time", "holds"),
    [
        ({"from": "2026-11-27", "until": "2026-11-28"}, "2026-11-27T00:00:00+00:00", True),
        ({"from": "2026-11-27", "until": "2026-11-28"}, "2026-11-28T00:00:00+00:00", False),
        ({"from": "2026-11-27", "time_zone": "Europe/Berlin"}, "2026-11-26T23:30:00+00:00", True),
        ({"hours": [9, 17]}, "2026-11-27T08:59:00+00:00", False),
        ({"hours": [9, 17]}, "2026-11-27T16:59:00+00:00", True),
        ({"hours": [22, 2]}, "2026-11-27T23:00:00+00:00", True),
        ({"hours": [22, 2]}, "2026-11-27T02:00:00+00:00", False),
        ({"hours": [22, 2], "weekdays": ["fri"]}, "2026-11-28T01:00:00+00:00", True),
        ({"hours": [22, 2], "weekdays": ["sat"]}, "2026-11-28T01:00:00+00:00", False),
        ({"weekdays": ["sat"], "time_zone": "Asia/Tokyo"}, "2026-11-27T20:00:00+00:00", True),
        ({"languages": ["de"]}, "2026-11-27T20:00:00+00:00", False),
    ],
)
def test_times_are_those_of_the_time_zone(when, time, holds):
    context = context_pb2.PageContext(locale="en-GB")
    context.time.FromDatetime(datetime.fromisoformat(time))
    assert When.model_validate(when).holds(context, None) is holds


async def test_a_filler_that_caps_starve_stands_over_them_and_the_page_says_so(ruled):
    def change(response):
        del response.item_facts.brand[:]
        response.item_facts.brand.extend("b" for _ in response.item_ids)

    async with ruled({"name": "one", "cap": {"of": "brand", "most": 1}}, change=change) as shop:
        page = await compose(shop)
    assert len(rows_of(shop)["popular"]) == 16
    assert page.slots
    (conflict,) = page.rule_conflicts
    assert list(conflict.rules) == ["one"]
    assert "popular is left 1 of 16 items" in conflict.problem
    assert "stands over its caps" in conflict.problem


async def test_rules_that_hide_everything_leave_a_page_and_are_named(ruled):
    async with ruled({"name": "all", "hide": {"above_price": 0}}) as shop:
        page = await compose(shop)
    assert page.slots
    assert [list(conflict.rules) for conflict in page.rule_conflicts] == [["all"]]
    assert not any(slot.items for slot in page.slots)
