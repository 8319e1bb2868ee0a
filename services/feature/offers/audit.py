"""Did every shopper see, and pay, the same price of an item at one moment?

What is looked at is the log: the prices that each page's items had, by the generation of items that the page
was made from, and what purchases say was paid. Four things refute parity:

- two pages of one generation have two prices of an item;
- a price is seen on a page after another has stood for longer than a change takes to reach every worker;
- a purchase paid what was in force at no time from its page to the payment;
- while a price list is applied, a page has a price that is not the list's.

Without any, a price is a function of the item and the time, so given these it depends on no shopper and no
segment. Where there are some, `by_segment` says who paid more. Whether a rolled-back generation, which brings
old prices back, was meant, only the shop can tell: it is named as well.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from planogram.files import log as log_files
from services.feature.offers import price_list
from services.feature.offers.seen import SeenPage, pages

CHANGE_US = 5_000_000
"""In which a change reaches every worker, as UpdateItems promises."""
_PAGES_NAMED = 5


class Kind(StrEnum):
    """How parity is broken."""

    GENERATION = "two prices in one generation"
    MOMENT = "two prices at one moment"
    CHARGE = "charged what was not the price"
    LIST = "not the price of the list"


@dataclass(frozen=True, slots=True)
class Violation:
    """One item's breach of parity.

    Attributes:
        wanted_micros: the price that most pages had, or that was in force.
        page_ids: some of the pages that had the other price.
        count: how many there are.
    """

    kind: Kind
    item_id: str
    time_us: int
    price_micros: int
    wanted_micros: int
    page_ids: Sequence[str]
    count: int
    where: str
    """Generation, price list or event that it is about."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """What a segment's pages cost beside the price that most pages of the same items and generations had."""

    segment: str
    price_count: int
    mean: float
    """Of the logarithm of both prices' ratio; 0 is the same, .05 five percent more."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found.

    Attributes:
        price_count: prices of items on pages.
        cell_count: pairs of an item and a generation.
        shared_count, segments_count: those of them that two or more shoppers, and segments, saw.
        unpriced_count: pages whose prices the log does not hold; they prove nothing.
        purchase_count: purchases whose price was checked.
        unproven_count: purchases that say no price, or of items that no page before showed.
        by_segment: empty where all prices of a generation agree.
    """

    page_count: int
    price_count: int
    cell_count: int
    shared_count: int
    segments_count: int
    unpriced_count: int
    purchase_count: int
    unproven_count: int
    violations: Sequence[Violation]
    by_segment: Sequence[Deviation]

    @property
    def is_proven(self) -> bool:
        """Whether nothing refutes parity."""
        return not self.violations


@dataclass(slots=True)
class _Sighting:
    """A price of an item in one generation."""

    first_us: int
    last_us: int
    count: int = 0
    page_ids: list[str] = field(default_factory=list)

    def add(self, page: SeenPage) -> None:
        self.first_us, self.last_us = min(self.first_us, page.time_us), max(self.last_us, page.time_us)
        self.count += 1
        if len(self.page_ids) < _PAGES_NAMED:
            self.page_ids.append(page.page_id)


@dataclass(slots=True)
class _Cell:
    """An item in one generation."""

    prices: dict[int, _Sighting] = field(default_factory=dict)
    shopper: str = ""
    is_shared: bool = False
    segments: set[str] = field(default_factory=set)

    @property
    def usual(self) -> int:
        """The price that most pages had; of several the one seen first."""
        return min(self.prices, key=lambda price: (-self.prices[price].count, self.prices[price].first_us))


_Cells = dict[str, dict[str, _Cell]]
"""By item, then generation."""


def audit(log_path: Path, store: Path | None = None) -> Report:
    """Looks for breaches of parity in an exported log.

    Args:
        store: price lists; without them, what they say is not checked.

    Raises:
        LogFileError: for a file that cannot be read.
    """
    cells: _Cells = defaultdict(dict)
    lists = _Lists(store)
    page_prices: dict[tuple[str, str], tuple[int, int]] = {}
    bought = _bought_pages(log_path)
    page_count = price_count = unpriced_count = 0
    for page in pages(log_path):
        if not page.is_priced:
            unpriced_count += 1
            continue
        page_count += 1
        price_count += len(page.item_ids)
        _enter(cells, page)
        lists.check(page)
        for item_id in bought.get(page.page_id, ()):
            if item_id in page.item_ids:
                price = page.price_micros[list(page.item_ids).index(item_id)]
                page_prices[page.page_id, item_id] = (page.time_us, price)
    purchase_count, unproven_count, charges = _charges(log_path, page_prices, _changes(cells))
    of_generations = list(_generations(cells))
    violations = [*of_generations, *_moments(cells), *charges, *lists.violations()]
    every = [cell for by_generation in cells.values() for cell in by_generation.values()]
    return Report(
        page_count=page_count,
        price_count=price_count,
        cell_count=len(every),
        shared_count=sum(cell.is_shared for cell in every),
        segments_count=sum(len(cell.segments) > 1 for cell in every),
        unpriced_count=unpriced_count,
        purchase_count=purchase_count,
        unproven_count=unproven_count,
        violations=sorted(violations, key=lambda one: (one.kind, one.time_us, one.item_id)),
        by_segment=_by_segment(log_path, cells) if of_generations else (),
    )


def _enter(cells: _Cells, page: SeenPage) -> None:
    exposure = page.exposure
    shopper = exposure.shopper_key or exposure.session_key or exposure.page_id
    segment = page.segment
    for item_id, price in zip(page.item_ids, page.price_micros, strict=True):
        cell = cells[item_id].get(page.generation)
        if cell is None:
            cell = cells[item_id][page.generation] = _Cell(shopper=shopper)
        if price not in cell.prices:
            cell.prices[price] = _Sighting(page.time_us, page.time_us)
        cell.prices[price].add(page)
        cell.is_shared = cell.is_shared or cell.shopper != shopper
        cell.segments.add(segment)


def _generations(cells: _Cells) -> Iterator[Violation]:
    """Prices of an item that most pages of the generation did not have."""
    for item_id, by_generation in cells.items():
        for generation, cell in by_generation.items():
            for price, sighting in cell.prices.items():
                if price != cell.usual:
                    yield _violation(Kind.GENERATION, item_id, price, cell.usual, sighting, generation)


def _moments(cells: _Cells) -> Iterator[Violation]:
    """Of two prices that both were seen for longer than a change takes, that of fewer pages."""
    for item_id, by_generation in cells.items():
        spans = sorted(
            (cell.prices[cell.usual].first_us, generation, cell.usual, cell.prices[cell.usual])
            for generation, cell in by_generation.items()
        )
        latest: dict[int, tuple[str, _Sighting]] = {}
        told: set[str] = set()
        for first_us, generation, price, sighting in spans:
            for other, (older, seen) in latest.items():
                if other == price or seen.last_us <= first_us + CHANGE_US:
                    continue
                rare, usual = sorted(
                    ((sighting, price, generation), (seen, other, older)), key=lambda one: one[0].count
                )
                if rare[2] not in told:
                    told.add(rare[2])
                    yield _violation(Kind.MOMENT, item_id, rare[1], usual[1], rare[0], rare[2])
            if price not in latest or latest[price][1].last_us < sighting.last_us:
                latest[price] = generation, sighting


def _violation(
    kind: Kind, item_id: str, price: int, wanted: int, sighting: _Sighting, where: str
) -> Violation:
    return Violation(
        kind, item_id, sighting.first_us, price, wanted, tuple(sighting.page_ids), sighting.count, where
    )


def _changes(cells: _Cells) -> dict[str, list[tuple[int, int]]]:
    """By item: when a price was first seen, and that price, in order of time."""
    return {
        item_id: sorted((cell.prices[cell.usual].first_us, cell.usual) for cell in by_generation.values())
        for item_id, by_generation in cells.items()
    }


def _bought_pages(log_path: Path) -> Mapping[str, set[str]]:
    """Items bought, by page."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in _purchases(log_path):
        found[event["page_id"] or ""].add(event["item_id"])
    return found


def _purchases(log_path: Path) -> Iterator[Mapping[str, Any]]:
    events = log_files.read_events(log_path)
    names = ("event_id", "time", "page_id", "item_id", "price_micros")
    rows = events.select([*names, "type"]).to_pylist()
    yield from (row for row in rows if row["type"] == "PURCHASE")


def _charges(
    log_path: Path,
    page_prices: Mapping[tuple[str, str], tuple[int, int]],
    changes: Mapping[str, Sequence[tuple[int, int]]],
) -> tuple[int, int, list[Violation]]:
    """Purchases that were checked, those that could not be, and those that paid another price."""
    checked = unproven = 0
    found = []
    for event in _purchases(log_path):
        item_id, page_id = event["item_id"], event["page_id"] or ""
        paid, time_us = event["price_micros"] or 0, round(event["time"].timestamp() * 1e6)
        seen_us, shown = page_prices.get((page_id, item_id), (time_us, 0))
        allowed = _in_force(changes.get(item_id, ()), seen_us - CHANGE_US, time_us + CHANGE_US)
        if shown:
            allowed = [*allowed, shown]
        if not paid or not allowed:
            unproven += 1
            continue
        checked += 1
        if paid not in allowed:
            page_ids = (page_id,) if page_id else ()
            wanted = shown or allowed[-1]
            found.append(
                Violation(Kind.CHARGE, item_id, time_us, paid, wanted, page_ids, 1, event["event_id"])
            )
    return checked, unproven, found


def _in_force(changes: Sequence[tuple[int, int]], from_us: int, until_us: int) -> list[int]:
    """Prices that stood at any time between two."""
    before = [price for time, price in changes if time <= from_us]
    return before[-1:] + [price for time, price in changes if from_us < time <= until_us]


class _Lists:
    """Holds pages against the price list that was applied at their time."""

    def __init__(self, store: Path | None) -> None:
        self._applied = price_list.applied(store) if store is not None else []
        self._prices = {
            version: {row.item_id: row.price_micros for row in price_list.read(store, version)}
            for version in {one.version for one in self._applied}
            if store is not None
        }
        self._found: dict[tuple[str, str, int], _Sighting] = {}

    def check(self, page: SeenPage) -> None:
        """Notes what a page has at another price."""
        current = None
        for one in self._applied:
            begun_us = one.begun_us or one.applied_us
            if page.time_us < begun_us - CHANGE_US:
                break
            # Until some seconds after the last was sent, both the earlier price and the new one may be seen.
            is_settled = one.applied_us and page.time_us >= one.applied_us + CHANGE_US
            current = one.version if is_settled else None
        if current is None:
            return
        prices = self._prices[current]
        for item_id, price in zip(page.item_ids, page.price_micros, strict=True):
            if prices.get(item_id, price) != price:
                key = (current, item_id, price)
                if key not in self._found:
                    self._found[key] = _Sighting(page.time_us, page.time_us)
                self._found[key].add(page)

    def violations(self) -> Iterator[Violation]:
        """One for each list, item and price."""
        for (version, item_id, price), sighting in self._found.items():
            yield _violation(Kind.LIST, item_id, price, self._prices[version][item_id], sighting, version)


def _by_segment(log_path: Path, cells: _Cells) -> list[Deviation]:
    """What each segment's prices were beside the usual ones, over the cells in which prices differ."""
    total: defaultdict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    for page in pages(log_path):
        segment = page.segment
        for item_id, price in zip(page.item_ids, page.price_micros, strict=True):
            cell = cells[item_id][page.generation]
            if len(cell.prices) > 1 and price > 0 and cell.usual > 0:
                counts[segment] += 1
                total[segment] += math.log(price / cell.usual)
    return [Deviation(name, counts[name], total[name] / counts[name]) for name in sorted(counts)]
