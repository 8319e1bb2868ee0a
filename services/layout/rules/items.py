"""What do rules know of the items of a page?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.layout.columns import Array, Candidates, column_of, texts_of
from services.layout.rules.document import Exclude, Kind
from services.layout.rules.matching import DAY_S, Wanted, matching
from services.layout.tokens import item_digest

_NO_PAIRS = np.zeros((0, 2), np.int64)


class Items:
    """The N items of a page."""

    def __init__(
        self,
        candidates: Candidates,
        context: context_pb2.PageContext,
        now_s: float,
        past: feature_pb2.ShopperPast | None = None,
    ) -> None:
        """
        Args:
            past: what the shopper did with them; None is nothing.
        """
        self.candidates = candidates
        self.now_s = now_s
        self._context = context
        self._past = past or feature_pb2.ShopperPast()
        self._number_of: dict[Kind, Mapping[str, int]] = {}

    def __len__(self) -> int:
        return self.candidates.count

    @property
    def ids(self) -> Sequence[str]:
        """By row."""
        return self.candidates.ids

    def column(self, name: str) -> Array:
        """(N,) float64: a numeric column of the facts."""
        values: Array = self.candidates.values[column_of(name)]
        return values

    def names(self, kind: Kind) -> list[str]:
        """(N,) the brand, seller or category of each; empty where it is unknown."""
        nobody, *names = self.number_of(kind)
        known = (*names, nobody)  # by number; that of no name is -1, the last
        return [known[number] for number in self.numbers(kind).tolist()]

    def numbers(self, kind: Kind) -> Array:
        """(N,) a number per brand, seller or category, from 0; -1 where it is unknown."""
        numbers: Array = self.candidates.numbers[column_of(kind)]
        return numbers

    def number_of(self, kind: Kind) -> Mapping[str, int]:
        """The number of each brand, seller or category of the page; -1, which comes first, of no name."""
        if kind not in self._number_of:
            self._number_of[kind] = self.candidates.number_of(kind)
        return self._number_of[kind]

    @cached_property
    def price(self) -> Array:
        """(N,) in units of the currency."""
        return self.column("price_micros") / 1e6

    def meant(self, wanted: Wanted) -> Array:
        """(K, N) true where all holds that a rule says of items."""
        candidates = self.candidates
        found: Array = matching(
            wanted.said,
            candidates.values,
            candidates.numbers,
            self.now_s,
            candidates.numbers_of(wanted.names),
            self.excluded(wanted),
        )
        return found

    def excluded(self, wanted: Wanted) -> Array:
        """(P, 2) int64 pairs of a rule and an item's row that the page view speaks for."""
        pairs = [(place, row) for place, rule in wanted.from_view for row in self._excluded(rule)]
        return np.array(pairs, np.int64) if pairs else _NO_PAIRS

    def _excluded(self, rule: Exclude) -> list[int]:
        """Rows that the page view rules out."""
        if rule.what == "in_cart":
            return self._rows_of(self._context.cart_item_ids)
        if rule.what == "current_item":
            return self._rows_of([self._context.item_id] if self._context.item_id else [])
        past = self._past
        rows, times = (
            (past.purchased_rows, past.purchased_unix_s)
            if rule.what == "purchased"
            else (past.dismissed_rows, past.dismissed_unix_s)
        )
        since_s = 0.0 if rule.within_days is None else self.now_s - rule.within_days * DAY_S
        return [row for row, time_s in zip(rows, times, strict=True) if time_s > since_s]

    def _rows_of(self, item_ids: Sequence[str]) -> list[int]:
        """The rows of those of these items that the page has."""
        if not item_ids:
            return []
        rows = self.candidates.numbers_of(texts_of([("item", item_id) for item_id in item_ids])).tolist()
        return [row for row in rows if row >= 0]

    def is_page_about(self, categories: Collection[str]) -> bool:
        """True on pages that name such a category, and where a search is answered."""
        context = self._context
        return context.page_type == context_pb2.PAGE_TYPE_SEARCH or context.category in categories

    def shown(self, digests: Collection[bytes]) -> Array:
        """(N,) true for items of earlier parts of the same page."""
        if not digests:
            return np.zeros(len(self), bool)
        return np.fromiter([item_digest(item_id) in digests for item_id in self.ids], bool, len(self))
