"""Which page is best for each hidden state, once every slot's worth is known?

Shapes: H hidden states, A actions, M modules, S slots.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from simulator.front.shop import SLOT_COUNT
from simulator.oracle.minds import Following, Odds

_TEMPLATE_ROUNDS, _EXCHANGE_ROUNDS = 2, 2


@dataclass(frozen=True, slots=True)
class Slots:
    """Actions as slots of a cascade, (H, A).

    Attributes:
        worth, last_worth: what one brings above the last slot, and in it.
        passing: probability that the shopper goes on below.
    """

    worth: np.ndarray
    last_worth: np.ndarray
    passing: np.ndarray


def slots_of(at: Odds, following: Following) -> Slots:
    clicked = at.click * following.click
    unclicked = (1 - at.click) * following.stop
    return Slots(clicked + (1 - at.scroll) * unclicked, clicked + unclicked, (1 - at.click) * at.scroll)


def best_pages(slots: Slots, module: np.ndarray) -> np.ndarray:
    """(H, S) pages by the programme, bettered by exchanging what stands in one slot after the other.

    The programme takes actions in falling order of worth / (1 - passing), which is the best order by
    pairwise exchange, and picks the best S of them; that two templates of one module exclude each other,
    and that nobody goes on below the last slot, is what the exchange makes good.
    """
    page = programme(slots, module)
    value = page_value(slots, page)
    for _ in range(_EXCHANGE_ROUNDS):
        before = value
        for slot in range(SLOT_COUNT):
            page, value = _exchanged(slots, module, page, value, slot)
        for upper, lower in itertools.combinations(range(SLOT_COUNT), 2):
            swapped = page.copy()
            swapped[:, [upper, lower]] = page[:, [lower, upper]]
            page, value = _better(slots, page, value, swapped)
        if np.array_equal(before, value):
            break
    return page


def page_value(slots: Slots, page: np.ndarray) -> np.ndarray:
    """(H,) of (H, S) pages."""
    states = np.arange(len(page))
    value: np.ndarray = slots.last_worth[states, page[:, -1]]
    for slot in range(page.shape[1] - 2, -1, -1):
        action = page[:, slot]
        value = slots.worth[states, action] + slots.passing[states, action] * value
    return value


def programme(slots: Slots, module: np.ndarray) -> np.ndarray:
    """(H, S) pages, each module in the template that suits what usually stands below."""
    index = slots.worth / (1 - slots.passing)
    page = _ordered(slots, _template(index, module), index)
    # What a template lets pass is worth what stands below: about the page's value.
    for _ in range(_TEMPLATE_ROUNDS):
        below = page_value(slots, page)[:, None]
        page = _ordered(slots, _template(slots.worth + slots.passing * below, module), index)
    return page


def _template(score: np.ndarray, module: np.ndarray) -> np.ndarray:
    """(H, M) action of each module with the highest score."""
    first = np.flatnonzero(np.diff(module, prepend=-1))
    return np.stack(
        [
            begin + score[:, begin:end].argmax(1)
            for begin, end in zip(first, [*first[1:], len(module)], strict=True)
        ],
        1,
    )


def _ordered(slots: Slots, action: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(H, S) the best S of (H, M) actions in falling order of their index."""
    order = np.argsort(np.take_along_axis(index, action, 1), axis=1, kind="stable")
    action = np.take_along_axis(action, order, 1)  # from the bottom up
    worth, last, passing = (
        np.take_along_axis(part, action, 1) for part in (slots.worth, slots.last_worth, slots.passing)
    )
    states, count = np.arange(len(action)), action.shape[1]
    value = np.full((len(states), SLOT_COUNT + 1), -np.inf)  # with n slots from the bottom filled
    is_taken = np.zeros((count, len(states), SLOT_COUNT), bool)
    offered = np.empty((len(states), SLOT_COUNT))
    for place in range(count):
        offered[:, 0] = last[:, place]
        offered[:, 1:] = worth[:, place, None] + passing[:, place, None] * value[:, 1:-1]
        is_taken[place] = offered > value[:, 1:]
        np.maximum(value[:, 1:], offered, out=value[:, 1:])
    page = np.empty((len(states), SLOT_COUNT), np.int64)
    left = np.full(len(states), SLOT_COUNT)
    for place in range(count - 1, -1, -1):
        takes = (left > 0) & is_taken[place, states, np.maximum(left - 1, 0)]
        page[states[takes], SLOT_COUNT - left[takes]] = action[takes, place]
        left = left - takes
    return page


def _exchanged(
    slots: Slots, module: np.ndarray, page: np.ndarray, value: np.ndarray, slot: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best of each page with one slot given to any action whose module does not stand elsewhere."""
    states = np.arange(len(page))
    below = np.zeros(len(page))
    if slot < SLOT_COUNT - 1:
        below = slots.last_worth[states, page[:, -1]]
        for lower in range(SLOT_COUNT - 2, slot, -1):
            below = slots.worth[states, page[:, lower]] + slots.passing[states, page[:, lower]] * below
        own = slots.worth + slots.passing * below[:, None]
    else:
        own = slots.last_worth.copy()
    others = np.delete(page, slot, 1)
    for other in range(others.shape[1]):
        own[module[None, :] == module[others[:, other]][:, None]] = -np.inf
    best = own.argmax(1)
    exchanged = page.copy()
    exchanged[:, slot] = best
    return _better(slots, page, value, exchanged)


def _better(
    slots: Slots, page: np.ndarray, value: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    worth = page_value(slots, other)
    is_better = worth > value
    return np.where(is_better[:, None], other, page), np.where(is_better, worth, value)
