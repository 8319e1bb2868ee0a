"""Which page is best where shoppers go down it slot by slot, under masks and with items that run out?

What stands in a slot brings its worth to those who reach it, and lets a share of them pass (`programme.py`
has the formulas). Without masks the order by index is nearly best; with them, that order is where the search
begins: it climbs by the best exchange of one choice, swap of two or move of one, then by exchanges of two at
once. What it finds is tried on the items that are left. Small pages are proven by branch and bound, to within
half a percent, so far as a limit of nodes allows.

Symbols: A actions, S slots, s slots that are left, n pages.
"""

from __future__ import annotations

import heapq
from functools import lru_cache

import numpy as np

from services.policy.page import Array, Offer, Progress, Shape
from services.policy.planner import Mask, slot_masks
from services.policy.programme import Cascade

GAIN = 1e-9
"""Share of a page's value below which a difference is rounding."""
_STEP_LIMIT = 40
"""Of one climb; pages of ten slots take about five."""
_PAIR_CELLS = 10_000
"""Of pages with two choices exchanged that are looked at: all of a small page, the likeliest of a large."""
_PROVEN_CELLS = 100
"""Slots times actions of the largest pages that branch and bound looks at."""
_TRIED_COUNT = 1
"""Best pages that are tried on the items that are left, beside the best; of small pages."""
_NODE_LIMIT = 30
_SLACK = 0.005
"""Share of a page's value that branch and bound does not look for."""
_NEVER = -np.inf


class Board:
    """The choices of one page, whose cascade is known, and the slots they may stand in.

    Behind the actions stands one more, `empty`: what fills a slot for want of anything else, the best filler
    once again. Pages that are short of a choice are valued with it, and rank behind all others.
    """

    def __init__(self, shape: Shape, cascade: Cascade) -> None:
        """
        Args:
            cascade: (1, A) of the page's actions.
        """
        parts = (cascade.worth[0], cascade.last_worth[0], cascade.passing[0])
        fillers = np.flatnonzero(shape.is_filler)
        again = fillers[cascade.index[0, fillers].argmax()] if len(fillers) else None
        self.worth, self.last, self.passing = (
            np.append(part, nothing if again is None else part[again])
            for part, nothing in zip(parts, (0.0, 0.0, 1.0), strict=True)
        )
        self.empty = shape.action_count
        self.module = np.append(shape.module, -1)
        self.may_stand = _may_stand(shape)
        index = np.append(cascade.index[0], _NEVER)
        self._order: list[int] = np.argsort(-index, kind="stable").tolist()
        self._lack = 1e3 * (1.0 + float(np.abs(self.last).max()))

    def left_for(self, progress: Progress, offer: Offer, actions: Array) -> Array:
        """(s, A + 1) what the slots that are left may hold now; the next one these actions (a,)."""
        is_left = np.append(offer.is_enough & ~progress.is_placed[self.module[:-1]], True)
        result: Array = self.may_stand[len(progress.actions) :] & is_left
        result[0] = False
        result[0, actions] = True
        return result

    def value(self, pages: Array, is_cut: bool = False) -> Array:
        """(n,) of pages (n, s); cut ones are worth nothing from the first empty slot on."""
        worth, passing = self.worth[pages], self.passing[pages]
        value: Array = self.last[pages[:, -1]]
        if is_cut:
            is_filled = pages != self.empty
            worth, passing, value = worth * is_filled, passing * is_filled, value * is_filled[:, -1]
        for slot in range(pages.shape[1] - 2, -1, -1):
            value = worth[:, slot] + passing[:, slot] * value
        return value

    def rank(self, pages: Array) -> Array:
        """(n,) values of pages (n, s), those that are short of a choice put back."""
        result: Array = self.value(pages) - self._lack * (pages == self.empty).sum(1)
        return result

    def ordered(self, may_stand: Array) -> Array:
        """(s,) each slot the highest index that may stand there."""
        page, taken = [], {-1}
        modules, fits = self.module.tolist(), may_stand.tolist()
        for row in fits:
            action = next((a for a in self._order if row[a] and modules[a] not in taken), self.empty)
            page.append(action)
            taken.add(modules[action])
        return np.array(page)

    def mended(self, page: Array, may_stand: Array) -> Array:
        """(s,) a page that something was taken from, filled and bettered: a small one as far as it goes."""
        if may_stand.size <= _PROVEN_CELLS:
            return self.climbed(page, may_stand)
        page, _ = self.exchanged(page, may_stand)
        return self.climbed(page, may_stand) if (page == self.empty).any() else page

    def climbed(self, page: Array, may_stand: Array) -> Array:
        """(s,) the page once no exchange, swap or move makes it better."""
        rank = float(self.rank(page[None])[0])
        orders, slots = _orders(len(page)), np.arange(len(page))
        for _ in range(_STEP_LIMIT):
            better, best = self.exchanged(page, may_stand)
            others = page[orders]
            ranks = np.where(may_stand[slots, others].all(1), self.rank(others), _NEVER)
            place = int(ranks.argmax())
            if ranks[place] > best:
                better, best = others[place], float(ranks[place])
            if not best > rank + GAIN * abs(rank):
                break
            page, rank = better, best
        return page

    def exchanged(self, page: Array, may_stand: Array) -> tuple[Array, float]:
        """The page with its best exchange of one choice, and its rank."""
        offered = self._offered(page)
        is_own = self.module[page][:, None] == self.module  # (s, A + 1)
        is_elsewhere = is_own.any(0) & ~is_own
        is_elsewhere[:, self.empty] = False
        offered[~may_stand | is_elsewhere] = _NEVER
        place, action = divmod(int(offered.argmax()), offered.shape[1])
        result = page.copy()
        result[place] = action
        return result, float(offered[place, action])

    def paired(self, page: Array, may_stand: Array) -> tuple[Array, Array]:
        """Pages (n, s) with one or two choices exchanged, the likeliest, best first; (n,) their ranks."""
        offered = np.where(may_stand, self._offered(page), _NEVER)
        count = min(int(np.isfinite(offered).sum()), int((_PAIR_CELLS / len(page)) ** 0.5))
        places, actions = np.divmod(np.argsort(-offered, axis=None, kind="stable")[:count], offered.shape[1])
        one, other = np.triu_indices(count)
        pages = np.repeat(page[None], len(one), 0)
        rows = np.arange(len(one))
        pages[rows, places[one]] = actions[one]
        pages[rows, places[other]] = actions[other]
        modules = np.where(pages == self.empty, -1 - np.arange(len(page)), self.module[pages])
        modules.sort(1)
        pages = pages[(modules[:, 1:] != modules[:, :-1]).all(1)]
        ranks = self.rank(pages)
        order = np.argsort(-ranks, kind="stable")
        return pages[order], ranks[order]

    def suited(self, page: Array, places: Array, may_stand: Array) -> Array:
        """(n,) what suits each of these slots (n,) best where its module, and the page's first, are gone."""
        is_taken = np.zeros(len(self.worth) + 1, bool)  # by module; the empty place's own, -1, is the last
        is_taken[self.module[page[1:]]] = True
        is_taken[-1] = False
        is_gone = is_taken[self.module]
        offered = self.worth + self.passing * self._below(page)[places, None]
        offered[places == len(page) - 1] = self.last
        offered[:, self.empty] -= self._lack
        offered[~may_stand[places] | is_gone] = _NEVER
        result: Array = offered.argmax(1)
        return result

    def _below(self, page: Array) -> Array:
        """(s,) value of what stands below each slot, for those who go on."""
        below = np.zeros(len(page))
        value = float(self.last[page[-1]])
        worth, passing = self.worth[page].tolist(), self.passing[page].tolist()
        for slot in range(len(page) - 2, -1, -1):
            below[slot] = value
            value = worth[slot] + passing[slot] * value
        return below

    def _offered(self, page: Array) -> Array:
        """(s, A + 1) ranks of the page with one choice exchanged for another, whatever stands elsewhere."""
        worth, passing = self.worth[page], self.passing[page]
        reach = np.append(1.0, np.cumprod(passing[:-1]))  # of each slot
        earned = np.append(0.0, np.cumsum(reach[:-1] * worth[:-1]))  # above each slot
        below = self._below(page)
        offered: Array = earned[:, None] + reach[:, None] * (self.worth + self.passing * below[:, None])
        offered[-1] = earned[-1] + reach[-1] * self.last
        is_empty = page == self.empty
        offered -= self._lack * (is_empty.sum() - is_empty)[:, None]
        offered[:, self.empty] -= self._lack
        return offered


def best_page(board: Board, progress: Progress, may_stand: Array) -> Array:
    """(s,) the best page that was found for the slots that are left.

    Args:
        may_stand: (s, A + 1) what each of them may hold.
    """
    page = board.climbed(board.ordered(may_stand), may_stand)
    while True:
        likely, ranks = board.paired(page, may_stand)
        rank = float(board.rank(page[None])[0])
        if not len(likely) or not ranks[0] > rank + GAIN * abs(rank):
            break
        page = board.climbed(likely[0], may_stand)
    if may_stand.size > _PROVEN_CELLS:
        return page  # what runs out is mended in its slot
    pages = [_tried(board, progress, found) for found in (page, *likely[:_TRIED_COUNT])]
    return _proven(board, progress, pages[int(board.value(np.array(pages)).argmax())])


def _tried(board: Board, progress: Progress, page: Array) -> Array:
    """(s,) the page as it would come to stand: where items run out above, another choice stands."""
    progress, page = progress.copy(), page.copy()
    for slot in range(len(page)):
        action = int(page[slot])
        offer = progress.offer()
        masks = slot_masks(progress, offer, len(progress.actions))
        if action == board.empty or masks[action] != Mask.NONE:
            feasible = np.flatnonzero(masks == Mask.NONE)
            if not len(feasible):
                break
            others = np.repeat(page[None, slot:], len(feasible), 0)
            others[:, 0] = feasible
            page[slot] = action = int(feasible[board.value(others).argmax()])
        progress.place(action, progress.rows_of(offer, action))
    return page


def _proven(board: Board, progress: Progress, page: Array) -> Array:
    """(s,) the page, or a better one that branch and bound finds; the most promising beginnings first."""
    most = (1 + _SLACK) * float(board.value(page[None])[0])
    first, last = len(progress.actions), len(page) - 1
    # What those who reach a slot can be worth at most: as if a module could stand as often as it likes.
    bounds = np.zeros(len(page) + 1)
    for slot in range(last, -1, -1):
        offered = board.last if slot == last else board.worth + board.passing * bounds[slot + 1]
        bounds[slot] = np.where(board.may_stand[first + slot], offered, 0.0).max()
    number = 0  # breaks ties, since pages in the making cannot be compared
    waiting: list[tuple[float, int, Progress, float, float]] = [(-np.inf, number, progress, 0.0, 1.0)]
    for _ in range(_NODE_LIMIT):
        if not waiting or -waiting[0][0] <= most:
            break
        _, _, above, earned, reach = heapq.heappop(waiting)
        slot = len(above.actions) - first
        offer = above.offer()
        actions = np.flatnonzero(slot_masks(above, offer, first + slot) == Mask.NONE)
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


@lru_cache(maxsize=256)
def _orders(count: int) -> Array:
    """(n, s) the orders of s choices that a swap of two, or a move of one, makes."""
    plain = list(range(count))
    found = {tuple(plain)}
    for one in plain:
        for other in plain:
            swapped = plain.copy()
            swapped[one], swapped[other] = other, one
            moved = plain[:one] + plain[one + 1 :]
            moved.insert(other, one)
            found |= {tuple(swapped), tuple(moved)}
    return np.array(sorted(found))


@lru_cache(maxsize=1_024)
def _may_stand(shape: Shape) -> Array:
    """(S, A + 1) what each slot may hold, pins in force; the empty place behind the actions."""
    result = np.ones((len(shape.slots), shape.action_count + 1), bool)
    for row, slot in zip(result, shape.slots, strict=True):
        row[:-1] = slot.pinned if slot.pinned.any() else slot.allowed & ~slot.kept
    return result
