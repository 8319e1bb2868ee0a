"""What do learners that think in whole pages read?

Symbols: P logged pages, S slots, A actions of a page, D and E widths of state and action, B pages of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]

TERMINAL = -1
NO_SLOT = -1


@dataclass(frozen=True, slots=True)
class Described:
    """What could stand on B pages; pages with fewer actions are padded.

    Attributes:
        actions: (B, A, E) float32.
        module: (B, A) module of each action; two of one module exclude each other.
        is_allowed: (B, A) true for actions that may stand in some slot; false for padding.
    """

    actions: Array
    module: Array
    is_allowed: Array


class Actions(Protocol):
    """Descriptions of what could have stood on logged pages."""

    def of(self, pages: Array) -> Described:
        """All actions of some pages."""
        ...

    def chosen(self, pages: Array, actions: Array) -> Array:
        """(B, E) float32 of one action of each page."""
        ...


@dataclass(frozen=True, slots=True)
class Pages:
    """P pages in order of session and time; what happened below the lowest examined slot is not known.

    Attributes:
        states: (P, D) float32, the session and the page view, without anything of the page itself.
        actions: describes what could have stood on each page.
        slot_count: (P,) slots of each page; S is the most.
        placed: (P, S) actions shown; anything below a page's last slot.
        propensity: (P, S) probability of each, given those above.
        is_examined, is_clicked: (P, S).
        reward: (P, S) of what was done in each slot.
        signals: (P, G) what else a click was followed by (a long look, the cart, a purchase), for the slot
            in which the page ended by one; 0 where it did not.
        following: (P,) the session's next page; TERMINAL where it ended.
    """

    states: Array
    actions: Actions
    slot_count: Array
    placed: Array
    propensity: Array
    is_examined: Array
    is_clicked: Array
    reward: Array
    signals: Array
    following: Array

    def __len__(self) -> int:
        return len(self.states)

    def ends(self) -> tuple[Array, Array]:
        """(P,) slot in which each page ended: that of the last click, else the lowest examined; (P,) whether
        it was by a click."""
        slots = np.arange(self.placed.shape[1])
        last_click = np.where(self.is_clicked, slots, NO_SLOT).max(1)
        lowest = np.where(self.is_examined, slots, 0).max(1)
        return np.where(last_click >= 0, last_click, lowest), last_click >= 0

    def returns(self, discount: float) -> Array:
        """(P,) discounted reward from each page to the session's end."""
        result: Array = self.reward.sum(1, dtype=np.float64)
        # A page's successor stands behind it, so one pass from the end sees it finished.
        for page in np.flatnonzero(self.following != TERMINAL)[::-1].tolist():
            result[page] += discount * result[self.following[page]]
        return result
