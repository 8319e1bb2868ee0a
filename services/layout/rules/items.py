"""What do rules know of the items of a page, and which items do their words mean?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.layout.columns import Array, Columns
from services.layout.rules.document import Exclude, Kind, Match
from services.layout.tokens import item_digest

DAY_S = 86_400.0


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
        self.ids = ids
        self.now_s = now_s
        self._facts = Columns(facts, len(ids))
        self._context = context
        self._past = past or feature_pb2.ShopperPast()
        self._number_of: dict[Kind, Mapping[str, int]] = {}

    def __len__(self) -> int:
        return len(self.ids)

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

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """The row of each item."""
        return {item_id: row for row, item_id in enumerate(self.ids)}

    @cached_property
    def price(self) -> Array:
        """(N,) in units of the currency."""
        return self.column("price_micros") / 1e6

    @cached_property
    def age_days(self) -> Array:
        """(N,) since the item entered the catalogue."""
        return (self.now_s - self.column("first_seen_unix_s")) / DAY_S

    @cached_property
    def is_under_review(self) -> Array:
        """(N,) bad reviews surged, and nobody has looked at them; of logs that do not say so, no item."""
        return self.column("is_under_review") > 0

    def matching(self, match: Match) -> Array:
        """(N,) true where all that the match gives holds."""
        found = np.ones(len(self), bool)
        for condition in self._conditions(match):
            found &= condition
        return found

    def _conditions(self, match: Match) -> Iterator[Array]:
        if match.items:
            yield self._are(match.items)
        if match.brands:
            yield self._of("brand", match.brands)
        if match.sellers:
            yield self._of("seller", match.sellers)
        if match.categories:
            yield self._of("category", match.categories)
        if match.below_price is not None:
            yield self.price < match.below_price
        if match.above_price is not None:
            yield self.price > match.above_price
        if match.least_discount is not None:
            yield self.column("discount") >= match.least_discount
        if match.newer_than_days is not None:
            yield self.age_days < match.newer_than_days
        if match.older_than_days is not None:
            yield self.age_days > match.older_than_days
        if match.least_age_rating is not None:
            yield self.column("age_rating") >= match.least_age_rating
        if match.what == "under_review":
            yield self.is_under_review

    def excluded(self, rule: Exclude) -> Array:
        """(N,) true for what the page view rules out."""
        if rule.what == "sold_out":
            return self.column("stock") <= 0
        if rule.what == "under_review":
            return self.is_under_review
        if rule.what == "in_cart":
            return self._are(self._context.cart_item_ids)
        if rule.what == "current_item":
            return self._are((self._context.item_id,))
        past = self._past
        rows, times = (
            (past.purchased_rows, past.purchased_unix_s)
            if rule.what == "purchased"
            else (past.dismissed_rows, past.dismissed_unix_s)
        )
        since_s = 0.0 if rule.within_days is None else self.now_s - rule.within_days * DAY_S
        found = np.zeros(len(self), bool)
        found[[row for row, time_s in zip(rows, times, strict=True) if time_s > since_s]] = True
        return found

    def of_categories(self, categories: Collection[str]) -> Array:
        """(N,) true for items of one of the categories."""
        return self._of("category", categories)

    def is_page_about(self, categories: Collection[str]) -> bool:
        """True on pages that name such a category, and where a search is answered."""
        context = self._context
        return context.page_type == context_pb2.PAGE_TYPE_SEARCH or context.category in categories

    def shown(self, digests: Collection[bytes]) -> Array:
        """(N,) true for items of earlier parts of the same page."""
        if not digests:
            return np.zeros(len(self), bool)
        return np.fromiter([item_digest(item_id) in digests for item_id in self.ids], bool, len(self))

    def _are(self, item_ids: Iterable[str]) -> Array:
        found = np.zeros(len(self), bool)
        found[[self.row_of[item_id] for item_id in item_ids if item_id in self.row_of]] = True
        return found

    def _of(self, kind: Kind, names: Iterable[str]) -> Array:
        number_of, numbers = self.number_of(kind), self.numbers(kind)
        meant = [number_of[name] for name in names if name in number_of]
        is_meant = np.zeros(len(number_of), bool)  # by number, and what is unknown in the last place
        is_meant[meant] = True
        found: Array = numbers == meant[0] if len(meant) == 1 else is_meant[numbers]
        return found
