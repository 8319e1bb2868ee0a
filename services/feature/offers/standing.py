"""Which prices may an item have next, given those it had?

A price cut is announced against the list price, so that must have been the lowest price for some time before
the offer began (Directive 98/6/EC, article 6a, as amended by 2019/2161). Of an offer that runs this leaves
three ways: it stays, deepens, or ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.feature.offers.document import Rules
from services.feature.offers.evidence import DAY_US


class Bound(StrEnum):
    """What kept an item from choosing freely; the word stands in price lists."""

    FREE = ""
    RECENT = "price is recent"
    LONG = "offer ran long enough"
    RESTS = "list price was not the lowest"
    FLOOR = "margin floor"


@dataclass(frozen=True, slots=True)
class PricedItem:
    """An item as the catalogue and the latest push have it; prices in micros of the currency."""

    item_id: str
    category: str
    list_price_micros: int
    price_micros: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A price that an item may have."""

    level: float
    """Share of the list price that is taken off."""
    price_micros: int

    @property
    def depth(self) -> float:
        """-log(price / list price)."""
        return -math.log1p(-self.level)


@dataclass(frozen=True, slots=True)
class Choices:
    """Prices that an item may have next: one or more, those with smaller cuts first.

    Attributes:
        is_held: true where its price must stand, whatever it costs in places.
    """

    candidates: Sequence[Candidate]
    bound: Bound
    is_held: bool = False


def choices(item: PricedItem, history: Sequence[tuple[int, int]], rules: Rules, now_us: int) -> Choices:
    """The prices that an item may have from now on.

    Args:
        history: when another price was first seen, in microseconds, and that price; in order of time.
            Before the first of them the list price counts as what stood; an offer that it does not see begin
            counts from where it is first seen.
    """
    floor = rules.floor_of(item.category)
    now = Candidate(1 - item.price_micros / item.list_price_micros, item.price_micros)
    listed = Candidate(0.0, item.list_price_micros)
    is_on_offer = item.price_micros < item.list_price_micros
    may_stay = not is_on_offer or floor.holds(item.price_micros, item.cost_micros)
    since, began, lowest = _standing(item, history, rules, now_us)
    if not may_stay:
        return Choices((listed,), Bound.FLOOR)
    if now_us - since < rules.min_days * DAY_US:
        return Choices((now,), Bound.RECENT, is_held=is_on_offer)
    if is_on_offer and now_us - began >= rules.longest_days * DAY_US:
        return Choices((listed,), Bound.LONG)
    if not is_on_offer and lowest < item.list_price_micros:
        return Choices((listed,), Bound.RESTS)
    cuts = [_at(item, level, rules.price_step) for level in rules.levels_of(item.category)]
    allowed = [cut for cut in cuts if cut.price_micros < item.price_micros]
    kept = [cut for cut in allowed if floor.holds(cut.price_micros, item.cost_micros)]
    bound = Bound.FLOOR if allowed and not kept else Bound.FREE
    return Choices((listed, *((now,) if is_on_offer else ()), *kept), bound)


def _at(item: PricedItem, level: float, step: float) -> Candidate:
    """The price at a level, rounded up to whole steps, and the level that it so has."""
    step_micros = round(1e6 * step)
    steps = math.ceil(item.list_price_micros * (1 - level) / step_micros - 1e-9)
    price = min(max(steps, 1) * step_micros, item.list_price_micros)
    return Candidate(1 - price / item.list_price_micros, price)


def _standing(
    item: PricedItem, history: Sequence[tuple[int, int]], rules: Rules, now_us: int
) -> tuple[float, float, int]:
    """Since when today's price stands, when its offer began, and the lowest price of the days before now.

    The first is -inf where the history shows no change.
    """
    known = [(time, price) for time, price in history if time <= now_us]
    if known and known[-1][1] != item.price_micros:
        known.append((now_us, item.price_micros))  # changed after the log was written
    since = float(known[-1][0]) if len(known) > 1 else -math.inf
    began = float(now_us)
    for (_, before), (time, price) in zip([(0, item.list_price_micros), *known], known, strict=False):
        if price < item.list_price_micros <= before:
            began = float(time)
    window_us = rules.reference_days * DAY_US
    ends = [time for time, _ in known[1:]] + [now_us]
    lowest = min(
        (price for (_, price), end in zip(known, ends, strict=False) if end > now_us - window_us),
        default=item.list_price_micros,
    )
    return since, began, lowest
