"""What does a shop's log say of demand at different prices, and of the prices that stood?

A log's pages are counted into cells: one per item, week, family of the shelf and depth of the price cut, with
how often the item was in view and how often that view ended in a purchase. Whatever is counted is a public
fact of a page; shoppers are not told apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from planogram.files import log as log_files
from services.feature.offers.seen import pages

DAY_US = 86_400_000_000
FAMILIES = ("", "promotion", "discovery", "deep")
_PERIOD_DAYS = 7


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts of R cells of N items, sorted by item.

    Attributes:
        item_category: (N,) place in `categories`.
        item: (R,) place in `item_ids`.
        period: (R,) weeks before the newest page, 0 and up.
        family: (R,) place in FAMILIES.
        depth: (R,) -log(price / list price); 0 without a cut.
        exposures, purchases: (R,) views, and purchases that came of them.
    """

    item_ids: Sequence[str]
    categories: Sequence[str]
    item_category: NDArray[np.int64]
    item: NDArray[np.int64]
    period: NDArray[np.int64]
    family: NDArray[np.int64]
    depth: NDArray[np.float64]
    exposures: NDArray[np.float64]
    purchases: NDArray[np.float64]


Key = tuple[str, int, int, int]
"""Of a cell: item id, week, place of the family, and thousandths of the list price that are taken off."""

PriceHistory = Mapping[str, Sequence[tuple[int, int]]]
"""By item: times in microseconds at which another price was first seen, and that price, in order of time."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a log says.

    Attributes:
        page_count: pages that were counted.
        unpriced_count: pages without prices, which were not.
    """

    cells: Cells
    history: PriceHistory
    page_count: int
    unpriced_count: int


def read(log_path: Path, categories: Mapping[str, str], window_days: int, until_us: int) -> Evidence:
    """Counts an exported log's pages of the window, less what the feature pipeline set aside.

    Args:
        categories: category of each item that may be priced; others are not counted.
        until_us: end of the window, in microseconds since 1970.

    A log that is missing counts nothing: demand is what the prior says then.

    Raises:
        LogFileError: for a file that cannot be read.
    """
    if not any(log_path.glob("exposures-*.parquet")):
        return Evidence(count({}, {}, categories), {}, 0, 0)
    from_us = until_us - window_days * DAY_US
    set_aside = log_files.read_set_aside(log_path).session_keys
    seen, bought = _acts(log_path)
    history: dict[str, list[tuple[int, int]]] = defaultdict(list)
    exposures: dict[Key, int] = defaultdict(int)
    purchases: dict[Key, int] = defaultdict(int)
    page_count = unpriced_count = 0
    for page in pages(log_path):
        if page.time_us >= until_us:
            continue
        facts = dict(zip(page.item_ids, page.discount, strict=True))
        for item_id, price in zip(page.item_ids, page.price_micros, strict=True):
            if item_id in categories and (not history[item_id] or history[item_id][-1][1] != price):
                history[item_id].append((page.time_us, price))
        if page.time_us < from_us or page.exposure.session_key in set_aside:
            continue
        if not page.is_priced:
            unpriced_count += 1
            continue
        page_count += 1
        period = (until_us - page.time_us) // (_PERIOD_DAYS * DAY_US)
        for slot in page.exposure.slots:
            if (page.page_id, slot.slot_id) not in seen:
                continue
            family = FAMILIES.index(slot.family) if slot.family in FAMILIES else 0
            for item_id in {item.item_id for item in slot.items}:
                if item_id in categories and item_id in facts:
                    key = (item_id, period, family, round(1_000 * facts[item_id]))
                    exposures[key] += 1
                    purchases[key] += bought.get((page.page_id, slot.slot_id, item_id), 0)
    return Evidence(count(exposures, purchases, categories), dict(history), page_count, unpriced_count)


def count(
    exposures: Mapping[Key, float],
    purchases: Mapping[Key, float],
    categories: Mapping[str, str],
) -> Cells:
    """Cells of counts.

    Args:
        purchases: a key that is missing counts 0; other keys than those of `exposures` are not read.
        categories: of every item; those without a cell are there all the same.
    """
    item_ids = sorted(categories)
    names = sorted(set(categories.values()))
    place = {item_id: index for index, item_id in enumerate(item_ids)}
    keys = sorted(key for key, views in exposures.items() if views > 0)
    cut = np.array([key[3] for key in keys], np.float64) / 1_000
    return Cells(
        item_ids,
        names,
        np.array([names.index(categories[item_id]) for item_id in item_ids], np.int64),
        np.array([place[key[0]] for key in keys], np.int64),
        np.array([key[1] for key in keys], np.int64),
        np.array([key[2] for key in keys], np.int64),
        -np.log1p(-np.minimum(cut, 0.99)),
        np.array([exposures[key] for key in keys], np.float64),
        np.array([purchases.get(key, 0) for key in keys], np.float64),
    )


def _acts(log_path: Path) -> tuple[set[tuple[str, str]], dict[tuple[str, str, str], int]]:
    """Slots that were in view, by page; purchases by page, slot and item."""
    events: pa.Table = log_files.read_counted_events(log_path)
    names = ("page_id", "slot_id", "item_id", "type")
    seen: set[tuple[str, str]] = set()
    bought: dict[tuple[str, str, str], int] = defaultdict(int)
    for page, slot, item, kind in zip(*(events.column(name).to_pylist() for name in names), strict=True):
        if page and slot:
            seen.add((page, slot))  # an impression may be lost; what was clicked was in view
            if kind == "PURCHASE":
                bought[page, slot, item] += 1
    return seen, bought
