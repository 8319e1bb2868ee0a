"""Do ads stand where they may, and does a click cost what it should?"""

from __future__ import annotations

import numpy as np
import pytest

from services.layout.rules import auction
from tests.layout.test_rules import compose, effects, rows_of, ruled

__all__ = ["ruled"]  # a fixture


async def test_ads_are_few_apart_never_first_and_above_the_floor(ruled):
    def change(response):
        del response.item_facts.bid_micros[:]
        response.item_facts.bid_micros.extend(row * 10_000 for row in range(len(response.item_ids)))
        for module in response.modules:
            if module.module_id == "sponsored":
                module.rows[:] = range(10, 40)

    rules = ({"name": "ads", "ads": {"most_share": 0.2, "least_gap": 2, "first_slot": 3, "floor": 0.2}},)
    async with ruled(*rules, change=change) as shop:
        page = await compose(shop)
    (limit,) = shop.plan.requests[-1].module_limits
    assert list(limit.module_ids) == ["sponsored"]
    assert (limit.max_module_count, limit.min_gap, limit.first_slot) == (1, 2, 2)
    assert min(rows_of(shop)["sponsored"]) == 20
    assert effects(page)["ads"] == ("ads", 10)


async def test_a_click_on_an_ad_costs_the_second_price_and_is_logged_with_it(ruled):
    def change(response):
        del response.item_facts.bid_micros[:]
        response.item_facts.bid_micros.extend(row * 10_000 for row in range(len(response.item_ids)))
        for module in response.modules:
            if module.module_id == "sponsored":
                module.rows[:] = range(10, 30)

    rules = (
        {"name": "ads", "ads": {"floor": 0.15}},
        {"name": "stand", "pin": {"slot": "second", "module": "sponsored"}},
    )
    async with ruled(*rules, change=change) as shop:
        page = await compose(shop)
        await shop.layout.click(page.slots[1].items[0])
        (update,) = shop.update.requests
    slot = page.slots[1]
    assert slot.is_ad
    click = np.linspace(0.1, 0.5, 120, dtype=np.float32)
    rows = [int(item.item_id[1:]) for item in slot.items]
    for item, row, following in zip(slot.items, rows, [*rows[1:], None], strict=True):
        if following is not None:
            needed = following * 10_000 * click[following] / click[row]
            assert item.charge_micros == pytest.approx(max(needed, 150_000), abs=2)
        assert 150_000 <= item.charge_micros <= row * 10_000
    assert update.events[0].charge_micros == slot.items[0].charge_micros
    assert not any(item.charge_micros for slot in page.slots if not slot.is_ad for item in slot.items)


def test_the_last_ad_pays_the_best_one_not_shown_or_the_floor():
    bids, click = np.array([500.0, 400.0, 300.0, 200.0]), np.array([0.1, 0.1, 0.2, 0.1], np.float32)

    def charged(shown, ranked, floor):
        return auction.charges(np.array(shown), np.array(ranked), bids, click, float(floor)).tolist()

    assert charged([0, 1], [0, 1, 2, 3], 50) == [400, 400]
    assert charged([0], [0], 50) == [50]
    assert charged([3, 0], [3, 0], 250) == [250, 250]
