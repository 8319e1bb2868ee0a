"""Which page is best, where shoppers go down it slot by slot?

The cascade: a shopper examines slots top-down; a click, or giving up, ends the page. Of an action in a slot
are known: the probability of a click once examined, the probability of going on after none, and what is
worth how much once it was clicked, or given up on. Then, with F the value from a slot on down,

    F_i = a Qc + (1 - a) (1 - q) Qs + (1 - a) q F_(i+1)  =  worth + passing F_(i+1),

and below the last slot there is nothing to go on to: F_S = a Qc + (1 - a) Qs. By pairwise exchange, one
action stands above another iff its worth / (1 - passing) is larger; a programme over that order picks the
best S. Shapes: B pages, A actions, S slots.

Source: Ie et al. 2019, SlateQ, arXiv:1905.12767, for the decomposition; the order is the search problem's
of Blackwell (see Bertsekas 1987, section 4.5), with values of giving up added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_NEVER = -1e30
"""Value of a page that cannot be; finite, so that a slot that lets nobody pass makes nothing of it."""
_SPARE = 4
"""Actions beyond twice the slots that the programme looks at: those behind them never make a page."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """What actions bring in a slot, (B, A) each.

    Attributes:
        worth: value of what happens in the slot itself, where others stand below; last_worth: in the last.
        passing: probability that the shopper goes on to the next slot.
    """

    worth: Array
    last_worth: Array
    passing: Array

    @classmethod
    def of(cls, click: Array, scroll: Array, clicked_value: Array, stop_value: Array) -> Cascade:
        """From probabilities of a click and of going on, and values of a click and of giving up."""
        clicked, unclicked = click * clicked_value, (1 - click) * stop_value
        return cls(clicked + (1 - scroll) * unclicked, clicked + unclicked, (1 - click) * scroll)

    def take(self, order: Array) -> Cascade:
        """Actions (B, n) of each page."""
        parts = (self.worth, self.last_worth, self.passing)
        return Cascade(*(np.take_along_axis(part, order, 1) for part in parts))

    @property
    def index(self) -> Array:
        """(B, A) what actions are ordered by."""
        result: Array = self.worth / np.maximum(1 - self.passing, 1e-6)
        return result


def best_order(cascade: Cascade, is_free: Array, slot_count: int) -> tuple[Array, Array]:
    """The programme: values (B,) and pages (B, S) of the best actions in falling order of their index.

    Nobody goes on below the last slot, so who stands there is chosen by other merits: the best of all for it
    is tried below the best S - 1 of the others, beside what the order alone would put there; and what stands
    last then may change places with each of those above.

    Args:
        is_free: (B, A) actions that may stand; at least `slot_count` of each page.
    """
    rows = np.arange(len(is_free))
    value, page = _stacked(cascade, is_free, slot_count, None)
    best = np.where(is_free, cascade.last_worth, _NEVER).argmax(1)
    others = is_free.copy()
    others[rows, best] = False
    other_value = cascade.last_worth[rows, best]
    other_page = best[:, None]
    if slot_count > 1:
        other_value, above = _stacked(cascade, others, slot_count - 1, other_value)
        other_page = np.concatenate((above, other_page), 1)
    value, page = _better((value, page), (other_value, other_page))
    for slot in range(slot_count - 1):
        swapped = page.copy()
        swapped[:, slot], swapped[:, -1] = page[:, -1], page[:, slot]
        value, page = _better((value, page), (page_value(cascade, swapped), swapped))
    return value, page


def values_below(cascade: Cascade, is_free: Array, slot_count: int) -> Array:
    """(B,) value of the best `slot_count` slots out of what is free; 0 slots are worth nothing."""
    return best_order(cascade, is_free, slot_count)[0] if slot_count else np.zeros(len(is_free))


def page_value(cascade: Cascade, page: Array) -> Array:
    """(B,) value of pages (B, S)."""
    given = cascade.take(page)
    value: Array = given.last_worth[:, -1]
    for slot in range(page.shape[1] - 2, -1, -1):
        value = given.worth[:, slot] + given.passing[:, slot] * value
    return value


def _better(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
    """The values (B,) and pages (B, S) of whichever is worth more, page by page."""
    is_better = other[0] > one[0]
    return np.where(is_better, other[0], one[0]), np.where(is_better[:, None], other[1], one[1])


def _stacked(cascade: Cascade, is_free: Array, slot_count: int, bottom: Array | None) -> tuple[Array, Array]:
    """Values (B,) and pages (B, S) of the best stack of actions in falling order of their index.

    Args:
        bottom: (B,) value of what stands below the stack; None where its lowest action is the page's last.
    """
    index = np.where(is_free, cascade.index, -np.inf)
    kept = min(index.shape[1], 2 * slot_count + _SPARE)
    order = np.argsort(-index, axis=1, kind="stable")[:, :kept][:, ::-1]  # for the lowest slot first
    given, free = cascade.take(order), np.take_along_axis(is_free, order, 1)
    rows = np.arange(len(order))
    value = np.full((len(order), slot_count + 1), _NEVER)  # with n slots from the bottom filled
    if bottom is not None:
        value[:, 0] = bottom
    is_taken = np.zeros((kept, len(order), slot_count), bool)
    for place in range(kept):
        offered = given.worth[:, place, None] + given.passing[:, place, None] * value[:, :-1]
        if bottom is None:
            offered[:, 0] = given.last_worth[:, place]
        offered[~free[:, place]] = _NEVER
        is_taken[place] = offered > value[:, 1:]
        np.maximum(value[:, 1:], offered, out=value[:, 1:])
    page = np.zeros((len(order), slot_count), np.int64)
    left = np.full(len(order), slot_count)
    for place in range(kept - 1, -1, -1):
        takes = (left > 0) & is_taken[place, rows, np.maximum(left - 1, 0)]
        page[rows[takes], slot_count - left[takes]] = order[takes, place]
        left = left - takes
    return value[:, -1], page
