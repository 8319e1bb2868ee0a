"""In which order does each module show its items?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.layout import rules as item_rules
from services.layout.blueprint import Module
from services.layout.rules import Groups, Ints, Rules

Floats = np.ndarray[Any, np.dtype[np.float32]]

FRESHNESS_SCALE_S = 30 * 86_400.0
MAX_RANKED_COUNT = 48
"""Items of a module that the planner sees: the largest template and its reserve for dedupe."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is expected of N items.

    click, purchase: (N,) probabilities. margin: (N,) in units of the currency. freshness: (N,) 0..1.
    """

    click: Floats
    purchase: Floats
    margin: Floats
    freshness: Floats


@dataclass(frozen=True, slots=True)
class Shelf:
    """One module with the rows it may show, best first."""

    module: Module
    rows: Ints

    def can_stand(self) -> bool:
        """True where a template finds items enough."""
        return self.rows.size >= self._least_count

    def has_more(self, shown: Collection[int]) -> bool:
        """True where it can stand, with an item at least, on what is left beside the rows shown."""
        unseen = set(self.rows.tolist()).difference(shown)
        return len(unseen) >= max(1, self._least_count)

    @property
    def _least_count(self) -> int:
        return min(template.min_item_count for template in self.module.templates)


@dataclass(frozen=True, slots=True)
class Ranked:
    """All modules of a page, ready to be planned."""

    shelves: tuple[Shelf, ...]
    predictions: Predictions
    groups: Groups | None


def predictions(
    facts: feature_pb2.ItemFacts, now_s: float, click: Floats | None = None, purchase: Floats | None = None
) -> Predictions:
    """The click model's predictions; without them, popularity for clicks and a tenth of it for purchases."""
    count = len(facts.popularity)
    if click is None or purchase is None:
        click = np.fromiter(facts.popularity, np.float32, count)
        purchase = np.float32(0.1) * click
    margin = np.fromiter(facts.margin_micros, np.float64, count) / 1e6
    age_s = now_s - np.fromiter(facts.first_seen_unix_s, np.float64, count)
    freshness = np.exp(-np.maximum(age_s, 0) / FRESHNESS_SCALE_S)
    return Predictions(click, purchase, margin.astype(np.float32), freshness.astype(np.float32))


def rank(
    modules: list[Module],
    candidates: list[Ints],
    item_ids: list[str],
    facts: feature_pb2.ItemFacts,
    expected: Predictions,
    context: context_pb2.PageContext,
    rules: Rules,
    shown: frozenset[bytes],
) -> Ranked:
    """Filters and orders the items of every module under the rules.

    Args:
        modules: M modules.
        candidates: M arrays of rows into the N items, in the order of their source.
        shown: digests of the items of earlier parts of the same page.
    """
    allowed = item_rules.allowed_items(rules, item_ids, facts, context, shown)
    brands = item_rules.brand_numbers(facts)
    value = rules.value.click * expected.click + rules.value.purchase * expected.purchase * expected.margin
    bids = np.fromiter(facts.bid_micros, np.float64, len(item_ids)) * expected.click
    keys = {"value": value, "bid": bids}
    shelves = []
    for module, rows in zip(modules, candidates, strict=True):
        kept = rows[allowed[rows]]
        if module.order != "source":
            kept = kept[np.argsort(-keys[module.order][kept], kind="stable")]
        capped = item_rules.cap_in_module(rules, kept, brands) if module.order != "source" else kept
        shelves.append(Shelf(module, capped[:MAX_RANKED_COUNT]))
    return Ranked(tuple(shelves), expected, item_rules.page_groups(rules, brands))
