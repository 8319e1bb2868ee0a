"""Which price does each item get next, to earn most within the limits, and to learn?

Thompson's sampling (1933) over items and days: each item draws an elasticity of its category and a rate of
its own from what is believed of them, and takes the price that would earn most if they were true. So a cut
that is probably best is probably made, and what is not known gets tried as often as it may be best. Draws
depend on the seed and the day; nothing here knows a shopper.

Of a category no more items than allowed are on offer: those whose price must stand, then those that explore,
then those whose offer would earn most, by their draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from services.feature.offers.demand import Demand
from services.feature.offers.document import Rules
from services.feature.offers.evidence import Cells, PriceHistory
from services.feature.offers.standing import Bound, Candidate, Choices, PricedItem, choices

EXPLORED, CHOSEN, CROWDED = "explored by lot", "earns most", "other items' offers earn more"
_VIEWS = 1_000


@dataclass(frozen=True, slots=True)
class Decision:
    """What an item costs next, and why. Money in micros; figures are means of what is believed.

    Attributes:
        why: what decided: a limit, the lot, or what would be earned.
        purchases, list_purchases: expected of a thousand views, at the price and at the list price.
        margin_micros, list_margin_micros: the same of what a thousand views earn.
        deviation_micros: standard deviation of the margin of a thousand views.
        chance: probability that a view earns more than at the list price; 0 without a cut.
    """

    item: PricedItem
    level: float
    price_micros: int
    why: str
    purchases: float
    list_purchases: float
    margin_micros: float
    list_margin_micros: float
    deviation_micros: float
    chance: float


@dataclass(frozen=True, slots=True)
class _Draft:
    """The price that an item would take, and what that would earn over its list price, by its draws."""

    item: int
    taken: Candidate
    listed: Candidate
    why: str
    gain: float
    rank: int
    """0 must stay, 1 explores, 2 earns."""


def choose(
    items: Sequence[PricedItem],
    history: PriceHistory,
    cells: Cells,
    demand: Demand,
    rules: Rules,
    seed: int,
    now_us: int,
) -> list[Decision]:
    """What every item costs from now on, in the order of the items.

    Args:
        items: those of the cells, in their order.
    """
    day = datetime.fromtimestamp(now_us / 1e6, UTC).date().toordinal()
    random = np.random.default_rng([seed, day, 0x0FFE])
    category = cells.item_category
    elasticity = random.normal(demand.elasticity[category], demand.deviation[category])
    rate = random.gamma(demand.shape) / demand.rate
    lots, picks = random.random(len(items)), random.random(len(items))
    views = np.bincount(cells.item, cells.exposures, len(items)) + 1.0
    drafts = []
    for place, item in enumerate(items):
        found = choices(item, history.get(item.item_id, ()), rules, now_us)
        explores = len(found.candidates) > 1 and lots[place] < rules.exploration_share
        gains = [
            _gain(item, candidate, elasticity[place], rate[place] * views[place])
            for candidate in found.candidates
        ]
        best = int(np.argmax(gains)) if not explores else int(picks[place] * len(gains))
        drafts.append(_draft(place, item, found, best, gains[best], explores))
    kept = _within(drafts, items, rules)
    return [
        _decision(item, draft, draft.taken if place in kept else draft.listed, place, cells, demand)
        for place, (item, draft) in enumerate(zip(items, drafts, strict=True))
    ]


def _gain(item: PricedItem, candidate: Candidate, elasticity: float, weight: float) -> float:
    """What a price earns over the list price, in micros, over the views that gave the weight."""
    listed = item.list_price_micros - item.cost_micros
    earned = math.exp(elasticity * candidate.depth) * (candidate.price_micros - item.cost_micros)
    return weight * (earned - listed)


def _draft(place: int, item: PricedItem, found: Choices, best: int, gain: float, explores: bool) -> _Draft:
    why = EXPLORED if explores else CHOSEN
    if found.bound is not Bound.FREE:
        why = found.bound.value
    rank = 0 if found.is_held else 1 if explores else 2
    listed = Candidate(0.0, item.list_price_micros)
    return _Draft(place, found.candidates[best], listed, why, gain, rank)


def _within(drafts: Sequence[_Draft], items: Sequence[PricedItem], rules: Rules) -> set[int]:
    """Places of the items that take the price of their draft; the others go to their list price."""
    left: dict[str, int] = {}
    kept = set()
    for draft in sorted(drafts, key=lambda draft: (draft.rank, -draft.gain, items[draft.item].item_id)):
        category = items[draft.item].category
        room = left.setdefault(category, rules.most_offers_of(category))
        if draft.taken.level <= 0 or draft.rank == 0 or room > 0:
            kept.add(draft.item)
            left[category] = room - (draft.taken.level > 0)
    return kept


def _decision(
    item: PricedItem, draft: _Draft, taken: Candidate, place: int, cells: Cells, demand: Demand
) -> Decision:
    category = cells.item_category[place]
    mean, deviation = float(demand.elasticity[category]), float(demand.deviation[category])
    shape, rate = float(demand.shape[place]), float(demand.rate[place])
    listed = item.list_price_micros - item.cost_micros
    margin = taken.price_micros - item.cost_micros
    # Mean and square of exp(elasticity x depth), the elasticity being normal, times those of the Gamma rate.
    uplift = math.exp(mean * taken.depth + (deviation * taken.depth) ** 2 / 2)
    square = uplift**2 * math.exp((deviation * taken.depth) ** 2) * (shape + shape**2) / rate**2
    purchases = shape / rate * uplift
    return Decision(
        item=item,
        level=taken.level,
        price_micros=taken.price_micros,
        why=draft.why if taken is draft.taken else CROWDED,
        purchases=_VIEWS * purchases,
        list_purchases=_VIEWS * shape / rate,
        margin_micros=_VIEWS * purchases * margin,
        list_margin_micros=_VIEWS * shape / rate * listed,
        deviation_micros=_VIEWS * abs(margin) * math.sqrt(max(square - purchases**2, 0.0)),
        chance=_chance(taken, margin, listed, mean, deviation),
    )


def _chance(taken: Candidate, margin: int, listed: int, mean: float, deviation: float) -> float:
    """Probability that exp(elasticity x depth) x margin is more than the margin at the list price."""
    if taken.depth <= 0 or margin <= 0:
        return 0.0
    if listed <= 0:
        return 1.0
    needed = math.log(listed / margin) / taken.depth
    return 0.5 * math.erfc((needed - mean) / (deviation * math.sqrt(2)))
