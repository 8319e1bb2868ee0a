"""What do offers earn that are learned from demand, in a shop whose answer to prices is known?

The synthetic shop plays week by week. Each week the prices are chosen by the functions behind `planogram
offers choose`, from what was sold in the weeks before, and purchases are drawn by the shop's hidden law.
Margins are expected ones under that law, so luck is in what is learned from alone. Beside it stand list
prices; one cut for whatever the same rules let be on offer, the best such cut in hindsight; and the best
prices that levels, floors and places allow, known to the law alone. Those wait for no reference days and
never end, so what is missing to them is the price of learning and of the rules about time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from services.common.settings import load
from services.feature.offers import choosing, demand, document, evidence
from services.feature.offers.demand import Demand
from services.feature.offers.document import Rules
from services.feature.offers.evidence import DAY_US, Cells
from services.feature.offers.standing import PricedItem
from services.feature.settings import FeatureSettings
from services.local.bench.harness import Row, report
from simulator import catalogue, market, world
from simulator.market import PriceLaw

WEEK_US = 7 * DAY_US
_START = datetime(2026, 1, 5, tzinfo=UTC)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Shop:
    """What is sold, and the law that is hidden from who chooses prices.

    Attributes:
        rate: (N,) purchases per view at the list price.
        views: (N,) a week.
    """

    items: Sequence[PricedItem]
    law: PriceLaw
    rate: Array
    views: Array

    @property
    def list_prices(self) -> Array:
        return self.law.list_price_micros

    def margin(self, price_micros: Array) -> float:
        """Expected margin of a week, in units of the currency."""
        return market.margin(self.rate, self.law, price_micros, self.views)


@dataclass(frozen=True, slots=True)
class Season:
    """What some weeks of learning came to.

    Attributes:
        margins: (W,) expected margin of each week.
        best: that of a week at the best prices.
        listed: that at list prices.
        flat: mean of the weeks under the best one cut, within the same rules.
        flat_level: that cut.
        elasticity_error: mean distance of the learned elasticity of a category from its items' mean.
        purchase_count: drawn in all weeks.
    """

    margins: Array
    best: float
    listed: float
    flat: float
    flat_level: float
    elasticity_error: float
    purchase_count: int


def run(
    seeds: Sequence[int],
    item_count: int,
    views_a_week: int,
    weeks: int,
    command: str,
    say: Callable[[str], None],
) -> list[Row]:
    """Measures and reports: the shipped rules, and the same without a limit on places and on time."""
    shipped = document.load(load(FeatureSettings).offers_path)
    free = shipped.model_copy(
        update={"most_offers": item_count, "longest_days": 7.0 * weeks, "reference_days": 0.0}
    )
    rows = []
    for name, rules in (("shipped rules", shipped), ("no limit on places, time and reference", free)):
        seasons = []
        for seed in seeds:
            season = play(build(seed, item_count, views_a_week), rules, weeks, seed)
            seasons.append(season)
            say(
                f"{name}, shop {seed}: {season.purchase_count:,} purchases; best one cut: "
                f"{season.flat_level:.0%}; elasticities {season.elasticity_error:.2f} off the truth"
            )
        rows += _rows(name, seasons, seeds)
    report("offers", rows, command)
    return rows


def _rows(name: str, seasons: Sequence[Season], seeds: Sequence[int]) -> list[Row]:
    """Margins of a week, means over the shops, beside other prices; and what of the best is missing."""
    half = len(seasons[0].margins) // 2
    learned, early, late = (
        np.array([season.margins[part].mean() for season in seasons])
        for part in (slice(None), slice(half), slice(half, None))
    )
    best, flat, listed = (
        np.array([getattr(season, kind) for season in seasons]) for kind in ("best", "flat", "listed")
    )

    def row(text: str, values: Array, floors: Array, reach: float | None = None) -> Row:
        count = len(values) * len(seasons[0].margins)
        value, floor = float(values.mean()), float(floors.mean())
        return Row(f"{name}: {text}", value, "currency", count, floor=floor, reach=reach, seed=seeds[0])

    worst = int(np.argmin(learned / listed))
    return [
        row("learned / list prices", learned, listed, 1.0),
        row("the same, second half", late, listed, 1.0),
        row("the same, the shop where it is least", learned[[worst]], listed[[worst]], 1.0),
        row("learned / the best one cut", learned, flat, 1.0),
        row("best by the law / list prices", best, listed),
        row("regret, first half / gain of the best", best - early, best - listed),
        row("regret, second half / gain of the best", best - late, best - listed),
    ]


def build(seed: int, item_count: int, views_a_week: int) -> Shop:
    """The shop of a seed, its products at their list prices."""
    drawn = world.draw(world.read_items(catalogue.make(seed, _START, item_count), _START), seed, _START)
    rows = np.flatnonzero(~drawn.items.is_article & drawn.items.is_sellable)
    whole = market.draw_law(drawn, seed)
    law = PriceLaw(whole.list_price_micros[rows], whole.cost_micros[rows], whole.elasticity[rows])
    rate = market.purchase_rate(drawn, whole)[rows]
    popular = np.random.default_rng([seed, 0x71E]).lognormal(0, 0.7, len(rows))
    items = [
        PricedItem(
            drawn.items.item_ids[row],
            drawn.items.categories[drawn.items.category[row]],
            int(price),
            int(price),
            int(cost),
        )
        for row, price, cost in zip(rows.tolist(), law.list_price_micros, law.cost_micros, strict=True)
    ]
    return Shop(items, law, rate, views_a_week * popular / popular.sum())


def play(shop: Shop, rules: Rules, weeks: int, seed: int) -> Season:
    """Learns for some weeks, and plays the same weeks with one cut after the other."""
    margins, cells = _weeks(shop, rules, weeks, seed, demand.fit)
    flats = []
    for level in rules.levels:
        one = rules.model_copy(update={"levels": (level,), "exploration_share": 0.0})
        flats.append((float(_weeks(shop, one, weeks, seed, _sure)[0].mean()), level))
    flat, level = max(flats)
    return Season(
        margins=margins,
        best=shop.margin(_best(shop, rules)),
        listed=shop.margin(shop.list_prices),
        flat=flat,
        flat_level=level,
        elasticity_error=float(np.abs(demand.fit(cells).elasticity - _truth(shop)).mean()),
        purchase_count=int(cells.purchases.sum()),
    )


def _weeks(
    shop: Shop, rules: Rules, weeks: int, seed: int, believe: Callable[[Cells], Demand]
) -> tuple[Array, Cells]:
    """(W,) expected margin of each week at prices that were chosen by what is believed; all that was sold."""
    random = np.random.default_rng([seed, 0x5E11])
    categories = {item.item_id: item.category for item in shop.items}
    exposures: Counter[evidence.Key] = Counter()
    purchases: Counter[evidence.Key] = Counter()
    prices = shop.list_prices
    history = {item.item_id: [(0, item.price_micros)] for item in shop.items}
    margins = []
    for week in range(weeks):
        now_us = round(_START.timestamp() * 1e6) + week * WEEK_US
        cells = evidence.count(exposures, purchases, categories)
        items = [
            replace(item, price_micros=int(price)) for item, price in zip(shop.items, prices, strict=True)
        ]
        decisions = choosing.choose(items, history, cells, believe(cells), rules, seed, now_us)
        prices = np.array([one.price_micros for one in decisions])
        margins.append(shop.margin(prices))
        views = random.poisson(shop.views)
        bought = market.sell(shop.rate, shop.law, prices, views, random)
        for place, one in enumerate(decisions):
            known = history[one.item.item_id]
            if known[-1][1] != one.price_micros:
                known.append((now_us, one.price_micros))
            key = (one.item.item_id, week, 0, round(1_000 * one.level))
            exposures[key] += int(views[place])
            purchases[key] += int(bought[place])
    return np.array(margins), evidence.count(exposures, purchases, categories)


def _sure(cells: Cells) -> Demand:
    """A belief under which every cut pays, most of all for what sells best."""
    items, categories = len(cells.item_ids), len(cells.categories)
    return Demand(
        elasticity=np.full(categories, 100.0),
        deviation=np.full(categories, 1e-9),
        common=100.0,
        spread=0.0,
        shape=np.bincount(cells.item, cells.purchases, items).astype(np.float64) + 1,
        rate=np.bincount(cells.item, cells.exposures, items).astype(np.float64) + 1,
        purchases=np.zeros(categories),
        cut_purchases=np.zeros(categories),
    )


def _truth(shop: Shop) -> Array:
    """(C,) mean elasticity of each category's items, weighted by what they sell, in the order of names."""
    categories = np.array([item.category for item in shop.items])
    sold = shop.rate * shop.views
    return np.array(
        [
            np.average(shop.law.elasticity[categories == name], weights=sold[categories == name])
            for name in np.unique(categories)
        ]
    )


def _best(shop: Shop, rules: Rules) -> Array:
    """Prices of the highest expected margin within levels, floors and places."""
    weight = shop.rate * shop.views

    def earned(prices: Array) -> Array:
        return np.asarray(weight * shop.law.uplift(prices) * (prices - shop.law.cost_micros))

    listed = earned(shop.list_prices)
    prices, gains = shop.list_prices.copy(), np.zeros(len(shop.items))
    for level in rules.levels:
        cut = _cut(shop, rules, level)
        gain = earned(cut) - listed
        prices, gains = np.where(gain > gains, cut, prices), np.maximum(gain, gains)
    categories = np.array([item.category for item in shop.items])
    for name in np.unique(categories):
        rows = np.flatnonzero(categories == name)
        crowded = rows[np.argsort(-gains[rows], kind="stable")][rules.most_offers_of(name) :]
        prices[crowded] = shop.list_prices[crowded]
    return prices


def _cut(shop: Shop, rules: Rules, level: float) -> Array:
    """A cut for all, the list price where the floor forbids it."""
    step = round(1e6 * rules.price_step)
    cut = (np.ceil(shop.list_prices * (1 - level) / step - 1e-9) * step).astype(np.int64)
    holds = [
        rules.floor_of(item.category).holds(int(price), item.cost_micros)
        for item, price in zip(shop.items, cut, strict=True)
    ]
    return np.where(holds, np.minimum(cut, shop.list_prices), shop.list_prices)
