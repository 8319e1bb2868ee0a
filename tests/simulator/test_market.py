"""How demand answers to prices that change: by the stated law, and in what shoppers do on pages."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from simulator import catalogue, market, world

DAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop():
    drawn = world.draw(world.read_items(catalogue.make(3, DAY, 300), DAY), 3, DAY)
    return drawn, market.draw_law(drawn, 3)


def test_the_law_leaves_a_world_at_its_own_prices_as_it_was(shop):
    drawn, law = shop
    same = market.repriced(drawn, law, drawn.items.price_micros)
    assert same.conversion == pytest.approx(drawn.conversion)
    assert (same.items.margin_micros == drawn.items.margin_micros).all()
    assert same.items.discount == pytest.approx(drawn.items.discount, abs=1e-6)


def test_demand_rises_as_the_elasticity_says_and_the_margin_falls_by_the_cut(shop):
    drawn, law = shop
    product = int(np.flatnonzero(~drawn.items.is_article)[0])
    prices = law.list_price_micros.copy()
    at_list = market.repriced(drawn, law, prices)
    prices[product] = prices[product] * 8 // 10
    cheaper = market.repriced(drawn, law, prices)
    assert cheaper.conversion[product] / at_list.conversion[product] == pytest.approx(
        0.8 ** -law.elasticity[product], rel=1e-5
    )
    assert np.delete(cheaper.conversion, product) == pytest.approx(np.delete(at_list.conversion, product))
    assert at_list.items.margin_micros[product] - cheaper.items.margin_micros[product] == pytest.approx(
        0.2 * law.list_price_micros[product], rel=1e-5
    )


def test_the_margin_is_that_of_what_is_sold(shop):
    drawn, law = shop
    rate = market.purchase_rate(drawn, law)
    assert (rate[drawn.items.is_article] == 0).all()
    assert 0 < rate.max() < 0.1
    random = np.random.default_rng(0)
    views = np.full(len(rate), 1e7)
    prices = (0.9 * law.list_price_micros).astype(np.int64)
    bought = market.sell(rate, law, prices, views, random)
    earned = float((bought * (prices - law.cost_micros)).sum() / 1e6)
    assert earned == pytest.approx(market.margin(rate, law, prices, views), rel=0.02)
