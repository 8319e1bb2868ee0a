"""Is the page that the search found the best, with items that run out?

What it finds is tried on the items that are left. Small pages are proven by branch and bound, to within half
a percent, so far as a limit of nodes allows.

Symbols as of `search.py`: A actions, s slots that are left.
"""

from __future__ import annotations

import heapq

import numpy as np

from services.policy.page import Array, Progress
from services.policy.recount import Mask
from services.policy.search import Board, page_value, searched

_PROVEN_CELLS = 100
"""Slots times actions of the largest pages that branch and bound looks at."""
_NODE_LIMIT = 100
_SLACK = 0.005
"""Share of a page's value that branch and bound does not look for."""


def best_page(board: Board, progress: Progress, may_stand: Array) -> Array:
    """(s,) the best page that was found for the slots that are left, two or more.

    Args:
        may_stand: (s, A + 1) what each of them may hold.
    """
    page = searched(board, may_stand)
    if not is_small(may_stand):
        return page  # what runs out is mended in its slot
    return _proven(board, progress, _tried(board, progress, page))


def is_small(may_stand: Array) -> bool:
    """Whether the best page of so many slots and choices is proven, and not only searched for."""
    return may_stand.size <= _PROVEN_CELLS


def _tried(board: Board, progress: Progress, page: Array) -> Array:
    """(s,) the page as it would come to stand: where items run out above, another choice stands."""
    progress, page = progress.copy(), page.copy()
    for slot in range(len(page)):
        action = int(page[slot])
        offer = progress.offer()
        masks = offer.masks
        if action == len(masks) or masks[action] != Mask.NONE:
            feasible = np.flatnonzero(masks == Mask.NONE)
            if not len(feasible):
                break
            others = np.repeat(page[None, slot:], len(feasible), 0)
            others[:, 0] = feasible
            page[slot] = action = int(feasible[np.argmax([page_value(board, other) for other in others])])
        progress.place(action, progress.rows_of(offer, action))
    return page


def _proven(board: Board, progress: Progress, page: Array) -> Array:
    """(s,) the page, or a better one that branch and bound finds; the most promising beginnings first."""
    most = (1 + _SLACK) * page_value(board, page)
    first, last = len(progress.actions), len(page) - 1
    # What those who reach a slot can be worth at most: as if a module could stand as often as it likes.
    may_stand, bounds = progress.facts.shape.may_stand, np.zeros(len(page) + 1)
    for slot in range(last, -1, -1):
        offered = board.last if slot == last else board.worth + board.passing * bounds[slot + 1]
        bounds[slot] = np.where(may_stand[first + slot], offered, 0.0).max()
    number = 0  # breaks ties, since pages in the making cannot be compared
    waiting: list[tuple[float, int, Progress, float, float]] = [(-np.inf, number, progress, 0.0, 1.0)]
    for _ in range(_NODE_LIMIT):
        if not waiting or -waiting[0][0] <= most:
            break
        _, _, above, earned, reach = heapq.heappop(waiting)
        slot = len(above.actions) - first
        offer = above.offer()
        actions = np.flatnonzero(offer.masks == Mask.NONE)
        if slot == last:
            values = earned + reach * board.last[actions]
            if len(values) and values.max() > most:
                most = float(values.max())
                page = np.array([*above.actions[first:], actions[values.argmax()]])
            continue
        values = earned + reach * (board.worth[actions] + board.passing[actions] * bounds[slot + 1])
        for action, value in zip(actions.tolist(), values.tolist(), strict=True):
            if value > most:
                after = above.copy()
                after.place(action, above.rows_of(offer, action))
                number += 1
                gained = earned + reach * float(board.worth[action])
                passed = reach * float(board.passing[action])
                heapq.heappush(waiting, (-value, number, after, gained, passed))
    return page
