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

from services.common.compiled import compiled

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
    worth, last_worth, passing, index, free = map(
        np.ascontiguousarray, (cascade.worth, cascade.last_worth, cascade.passing, cascade.index, is_free)
    )
    return _best_orders(worth, last_worth, passing, index, free, slot_count)


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


@compiled
def _best_orders(
    worth: Array, last_worth: Array, passing: Array, index: Array, is_free: Array, slot_count: int
) -> tuple[Array, Array]:
    """As `best_order`, of (B, A) each."""
    value, page = np.empty(len(worth)), np.empty((len(worth), slot_count), np.int64)
    for row in range(len(worth)):
        given = (worth[row], last_worth[row], passing[row])
        most, best = _stacked(given, index[row], is_free[row], slot_count, 0.0, False)
        last = np.where(is_free[row], last_worth[row], _NEVER).argmax()
        other = np.full(slot_count, last)
        other_most = last_worth[row, last]
        if slot_count > 1:
            others = is_free[row].copy()
            others[last] = False
            other_most, other[:-1] = _stacked(given, index[row], others, slot_count - 1, other_most, True)
        if other_most > most:
            most, best = other_most, other
        for slot in range(slot_count - 1):
            swapped = best.copy()
            swapped[slot], swapped[-1] = best[-1], best[slot]
            swapped_worth = last_worth[row, swapped[-1]]
            for above in range(slot_count - 2, -1, -1):
                action = swapped[above]
                swapped_worth = worth[row, action] + passing[row, action] * swapped_worth
            if swapped_worth > most:
                most, best = swapped_worth, swapped
        value[row], page[row] = most, best
    return value, page


@compiled
def _stacked(
    given: tuple[Array, Array, Array],
    index: Array,
    is_free: Array,
    slot_count: int,
    bottom: float,
    has_bottom: bool,
) -> tuple[float, Array]:
    """Value and page (S,) of the best stack of one page's actions in falling order of their index.

    Args:
        given: worth, last_worth and passing, (A,) each.
        bottom: value of what stands below the stack, where something does; else its lowest action is the
            page's last.
    """
    worth, last_worth, passing = given
    order = np.empty(min(len(index), 2 * slot_count + _SPARE), np.int64)
    kept = 0
    for action in range(len(index)):  # the highest first, equals as they come
        if not is_free[action] or (kept == len(order) and index[action] <= index[order[-1]]):
            continue
        kept = min(kept + 1, len(order))
        place = kept - 1
        while place > 0 and index[action] > index[order[place - 1]]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = action
    value = np.full(slot_count + 1, _NEVER)  # with n slots from the bottom filled
    if has_bottom:
        value[0] = bottom
    is_taken = np.zeros((kept, slot_count), np.bool_)
    for place in range(kept - 1, -1, -1):
        action = order[place]
        for filled in range(slot_count - 1, -1, -1):
            offered = worth[action] + passing[action] * value[filled]
            if filled == 0 and not has_bottom:
                offered = last_worth[action]
            if offered > value[filled + 1]:
                value[filled + 1] = offered
                is_taken[place, filled] = True
    page = np.zeros(slot_count, np.int64)
    left = slot_count
    for place in range(kept):
        if left > 0 and is_taken[place, left - 1]:
            page[slot_count - left] = order[place]
            left -= 1
    return value[-1], page
