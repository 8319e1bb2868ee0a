"""What do rules know of the items of a page?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.layout.columns import Array, Columns
from services.layout.rules.document import Exclude, Kind
from services.layout.rules.matching import DAY_S, Wanted, matching
from services.layout.tokens import item_digest


class Items:
    """The N items of a page."""

    def __init__(
        self,
        ids: Sequence[str],
        facts: feature_pb2.ItemFacts,
        context: context_pb2.PageContext,
        now_s: float,
        past: feature_pb2.ShopperPast | None = None,
    ) -> None:
        """
        Args:
            past: what the shopper did with them; None is nothing.
        """
        self.ids = ids[:]  # a list: what a message holds is made anew at each look
        self.now_s = now_s
        self._facts = Columns(facts, len(ids))
        self._context = context
        self._past = past or feature_pb2.ShopperPast()
        self._number_of: dict[Kind, Mapping[str, int]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def facts(self) -> tuple[Array, Array]:
        """(F, N) float64 `column` and (F, N) int64 `numbers` of all facts, by their fields' numbers."""
        return self._facts.all_values, self._facts.all_numbers

    def column(self, name: str) -> Array:
        """(N,) float64: a numeric column of the facts."""
        return self._facts.values(name)

    def names(self, kind: Kind) -> list[str]:
        """(N,) the brand, seller or category of each; empty where it is unknown."""
        nobody, *names = self.number_of(kind)
        known = (*names, nobody)  # by number; that of no name is -1, the last
        return [known[number] for number in self.numbers(kind).tolist()]

    def numbers(self, kind: Kind) -> Array:
        """(N,) a number per brand, seller or category, from 0; -1 where it is unknown."""
        return self._facts.numbers(kind)

    def number_of(self, kind: Kind) -> Mapping[str, int]:
        """The number of each brand, seller or category of the page; -1, which comes first, of no name."""
        if kind not in self._number_of:
            self._number_of[kind] = self._facts.number_of(kind)
        return self._number_of[kind]

    def row_of(self, item_ids: Collection[str]) -> Mapping[str, int]:
        """The row of each of these items that the page has; few are asked for, of many."""
        if not item_ids:
            return {}
        return {item_id: row for row, item_id in enumerate(self.ids) if item_id in item_ids}

    @cached_property
    def price(self) -> Array:
        """(N,) in units of the currency."""
        return self.column("price_micros") / 1e6

    def meant(self, wanted: Wanted, row_of: Mapping[str, int] | None = None) -> Array:
        """(K, N) true where all holds that a rule says of items.

        Args:
            row_of: of the items that rules name, where it is known.
        """
        facts = self._facts
        found: Array = matching(
            facts.all_values,
            facts.all_numbers,
            self.now_s,
            wanted.is_everything,
            wanted.limits,
            wanted.bounds,
            wanted.sets,
            facts.numbers_of(wanted.names),
        )
        row_of = self.row_of(wanted.named) if row_of is None else row_of
        for place, item_ids in wanted.item_ids:
            is_named = np.zeros(len(self), bool)
            is_named[[row for item_id, row in row_of.items() if item_id in item_ids]] = True
            found[place] &= is_named
        for place, exclude in wanted.from_view:
            if rows := self._excluded(exclude):
                found[place, rows] = True
        return found

    def _excluded(self, rule: Exclude) -> list[int]:
        """Rows that the page view rules out."""
        if rule.what == "in_cart":
            return [*self.row_of(frozenset(self._context.cart_item_ids)).values()]
        if rule.what == "current_item":
            return [*self.row_of((self._context.item_id,) if self._context.item_id else ()).values()]
        past = self._past
        rows, times = (
            (past.purchased_rows, past.purchased_unix_s)
            if rule.what == "purchased"
            else (past.dismissed_rows, past.dismissed_unix_s)
        )
        since_s = 0.0 if rule.within_days is None else self.now_s - rule.within_days * DAY_S
        return [row for row, time_s in zip(rows, times, strict=True) if time_s > since_s]

    def is_page_about(self, categories: Collection[str]) -> bool:
        """True on pages that name such a category, and where a search is answered."""
        context = self._context
        return context.page_type == context_pb2.PAGE_TYPE_SEARCH or context.category in categories

    def shown(self, digests: Collection[bytes]) -> Array:
        """(N,) true for items of earlier parts of the same page."""
        if not digests:
            return np.zeros(len(self), bool)
        return np.fromiter([item_digest(item_id) in digests for item_id in self.ids], bool, len(self))
