"""What does a shop know of the sessions on its front pages, and what did shoppers do there?

All of it public. Shapes: B sessions, S slots, C categories, F families.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from simulator.front import columns

DECAY = 0.75
"""Kept, from page to page, of what was observed recently."""
STOP, CLICK, PURCHASE = 1, 2, 3
"""Last outcomes; 0 is none."""


class History(IntEnum):
    """Which part of a shopper's past decides on what a module is about."""

    NONE = 0
    INTEREST = 1
    """The category of the strongest recent interest."""
    LATEST = 2
    """The category of the latest click."""


@dataclass(slots=True)
class Observed:
    """What a shop knows of B sessions as a page of theirs begins; all of it public.

    Attributes:
        rows: (B,) which sessions of the batch.
        context: (B,); segment: (B,) K for none.
        page_index, cart_count, purchase_count, pages_without_click, last_outcome: (B,).
        last_category: (B,) of the latest click, -1 for none; last_dwelled: (B,) whether it was a long look.
        category_clicks, category_dwells: (B, C); family_clicks, family_stops: (B, F).
        recent_interest: (B, C) clicks, long looks twice, with decay; recent_stops: (B, F) with decay.
        category_passes: (B, C), family_passes: (B, F) shelves that were examined and not clicked, with decay,
            since the latest click on their like.
    """

    rows: np.ndarray
    context: np.ndarray
    segment: np.ndarray
    page_index: np.ndarray
    cart_count: np.ndarray
    purchase_count: np.ndarray
    pages_without_click: np.ndarray
    last_outcome: np.ndarray
    last_category: np.ndarray
    last_dwelled: np.ndarray
    category_clicks: np.ndarray
    category_dwells: np.ndarray
    family_clicks: np.ndarray
    family_stops: np.ndarray
    recent_interest: np.ndarray
    recent_stops: np.ndarray
    category_passes: np.ndarray
    family_passes: np.ndarray

    @classmethod
    def begin(
        cls, context: np.ndarray, segment: np.ndarray, category_count: int, family_count: int
    ) -> Observed:
        count = len(context)
        zero = np.zeros(count, np.int16)
        by_category = np.zeros((count, category_count), np.float32)
        by_family = np.zeros((count, family_count), np.float32)
        return cls(
            rows=np.arange(count),
            context=context,
            segment=segment,
            page_index=zero,
            cart_count=zero.copy(),
            purchase_count=zero.copy(),
            pages_without_click=zero.copy(),
            last_outcome=zero.copy(),
            last_category=np.full(count, -1),
            last_dwelled=np.zeros(count, bool),
            category_clicks=by_category,
            category_dwells=by_category.copy(),
            family_clicks=by_family,
            family_stops=by_family.copy(),
            recent_interest=by_category.copy(),
            recent_stops=by_family.copy(),
            category_passes=by_category.copy(),
            family_passes=by_family.copy(),
        )

    def take(self, chosen: np.ndarray) -> Observed:
        """A copy of some of the sessions."""
        return columns.taken(self, chosen)

    def subjects(self) -> np.ndarray:
        """(B, 3) the category that each History names; -1 where there is none yet."""
        strongest = np.where(self.recent_interest.any(1), self.recent_interest.argmax(1), -1)
        return np.stack((np.full(len(self.rows), -1), strongest, self.last_category), 1)

    def note(
        self, acts: Acts, family: np.ndarray, shelf_category: np.ndarray, shelf_family: np.ndarray
    ) -> None:
        """Takes note, in place, of what was done on a page.

        Args:
            family: (B,) of the slot clicked last, or given up on.
            shelf_category, shelf_family: (B, S) of what stood on the page; categories are -1 for none.
        """
        is_clicked, category = acts.is_clicked.any(1), acts.category
        everyone = np.arange(len(family))
        self.page_index += 1
        self.cart_count += acts.is_carted
        self.purchase_count += acts.is_bought
        self.pages_without_click = np.where(is_clicked, 0, self.pages_without_click + 1)
        self.last_outcome = np.where(is_clicked, np.where(acts.is_bought, PURCHASE, CLICK), STOP)
        self.last_category = np.where(is_clicked, category, self.last_category)
        self.last_dwelled = np.where(is_clicked, acts.is_dwelled, self.last_dwelled)
        self.category_clicks[everyone, category] += is_clicked
        self.category_dwells[everyone, category] += acts.is_dwelled
        self.family_clicks[everyone, family] += is_clicked
        self.family_stops[everyone, family] += ~is_clicked
        self.recent_interest *= DECAY
        self.recent_stops *= DECAY
        self.recent_interest[everyone, category] += is_clicked + 2.0 * acts.is_dwelled
        self.recent_stops[everyone, family] += ~is_clicked
        is_passed = acts.is_examined & ~acts.is_clicked
        _count_passes(self.category_passes, shelf_category, is_passed)
        _count_passes(self.family_passes, shelf_family, is_passed)
        self.category_passes[everyone, category] *= ~is_clicked
        self.family_passes[everyone, family] *= ~is_clicked


@dataclass(frozen=True, slots=True)
class Acts:
    """What B shoppers did on a page, as far as a shop can see it.

    Attributes:
        is_examined, is_clicked: (B, S); margin: (B, S) of what was bought there.
        category: (B,) of the item clicked last; 0 without a click.
        is_dwelled, is_carted, is_bought: (B,) of the last click.
        is_over: (B,) true where the session ended with this page.
    """

    is_examined: np.ndarray
    is_clicked: np.ndarray
    margin: np.ndarray
    category: np.ndarray
    is_dwelled: np.ndarray
    is_carted: np.ndarray
    is_bought: np.ndarray
    is_over: np.ndarray


def _count_passes(passes: np.ndarray, about: np.ndarray, is_passed: np.ndarray) -> None:
    """Adds to (B, N) counts, in place, what was passed of (B, S) shelves about one of N each, -1 for none."""
    passes *= DECAY
    row, slot = np.nonzero(is_passed & (about >= 0))
    np.add.at(passes, (row, about[row, slot]), 1.0)
