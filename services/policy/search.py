"""Which page is best where shoppers go down it slot by slot, under masks?

What stands in a slot brings its worth to those who reach it, and lets a share of them pass (`programme.py`
has the formulas). Without masks the order by index is nearly best; with them, that order is where the search
begins: it climbs by the best exchange of two choices, or move of one.

Symbols: A actions, S slots, s slots that are left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.common.compiled import compiled
from services.policy.page import Array
from services.policy.programme import Cascade
from services.policy.shape import Shape

GAIN = 1e-9
"""Share of a page's value below which a difference is rounding."""
_STEP_LIMIT = 40
"""Of one climb; pages of ten slots take about five."""


class Board(NamedTuple):
    """The choices of one page, whose cascade is known: (A + 1,) each, but for `lack`.

    Behind the actions stands one more, the empty place: what fills a slot for want of anything else, the
    best filler once again. Pages that are short of a choice are valued with it, and rank behind all others.
    """

    worth: Array
    last: Array
    """Worth in the last slot."""
    passing: Array
    module: Array
    """-1 of the empty place."""
    order: Array
    """Actions by falling index; the empty place last."""
    lack: float
    """What an empty place takes from a page's rank."""

    @classmethod
    def of(cls, shape: Shape, cascade: Cascade) -> Board:
        """From the cascade (1, A) of the page's actions."""
        parts = (cascade.worth[0], cascade.last_worth[0], cascade.passing[0], cascade.index[0])
        return cls(*_board(*parts, shape.module, shape.is_filler))


NO_BOARD = Board(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64), 0.0)
"""Of a page whose choices are valued otherwise."""


@compiled
def _board(
    worth: Array, last: Array, passing: Array, index: Array, module: Array, is_filler: Array
) -> tuple[Array, Array, Array, Array, Array, float]:
    """The fields of a board, from (A,) each."""
    again = -1
    for action in range(len(index)):
        if is_filler[action] and (again < 0 or index[action] > index[again]):
            again = action
    has_filler = again >= 0
    worth = np.append(worth, worth[again] if has_filler else 0.0)
    last = np.append(last, last[again] if has_filler else 0.0)
    passing = np.append(passing, passing[again] if has_filler else 1.0)
    order = np.append(np.argsort(-index, kind="mergesort"), len(index))
    lack = 1e3 * (1.0 + np.abs(last).max())
    return worth, last, passing, np.append(module, -1), order, lack


@compiled
def left_for(
    may_stand: Array, is_enough: Array, module: Array, is_placed: Array, is_crowded: Array, actions: Array
) -> Array:
    """(s, A + 1) what the slots that are left may hold now; the next one these actions (a,).

    Args:
        may_stand: (s, A + 1) what they could hold on an empty page.
        is_enough, module: (A,), or more; is_placed: (M,); is_crowded: (s, M).
    """
    left = may_stand.copy()
    left[0] = False
    left[0][actions] = True
    for action in range(len(is_enough)):
        own = module[action]
        is_free = is_enough[action] and not is_placed[own]
        for slot in range(1, len(left)):
            left[slot, action] &= is_free and not is_crowded[slot, own]
    return left


@compiled
def searched(board: Board, may_stand: Array) -> Array:
    """(s,) the best page that a climb from the order by index finds."""
    return climbed(board, _ordered(board, may_stand), may_stand)


@compiled
def choice_values(board: Board, page: Array, may_stand: Array, actions: Array) -> Array:
    """(a,) values of actions in the first slot, with what the page (s,) leaves below them.

    The page's own first choice is worth what the page is; any other less, even where it looks better: the
    page was searched for among all, so that what looks better overrates what is left below it.

    Args:
        may_stand: (s, A + 1)
    """
    rests, place_of = _rests(board, page, may_stand[1:]), _places(board, page)
    below = np.empty(len(page))
    best, most_rank = 0, -np.inf
    for place in range(len(page)):
        rank = _rank(board, rests[place])
        if rank > most_rank:
            best, most_rank = place, rank
        is_short = _empty_count(board, rests[place]) > _empty_count(board, page)
        below[place] = page_value(board, rests[place], is_short)
    most = page_value(board, page)
    values = np.empty(len(actions))
    for number, action in enumerate(actions):
        place = place_of[board.module[action]]
        found = board.worth[action] + board.passing[action] * below[place if place >= 0 else best]
        values[number] = most if action == page[0] else min(found, most - GAIN * abs(most))
    return values


@compiled
def gone_on(
    board: Board,
    page: Array,
    placed: int,
    may_stand: Array,
    is_enough: Array,
    is_placed: Array,
    is_crowded: Array,
    actions: Array,
) -> tuple[Array, Array]:
    """(s,) what is left of a page (s + 1,), mended, once `placed` stands in its first slot, and (a,) values
    of actions in the next one. Other arguments as of `left_for`."""
    left = left_for(may_stand, is_enough, board.module, is_placed, is_crowded, actions)
    page = _rest(board, page, placed, left)
    return page, choice_values(board, page, left, actions)


@compiled
def _rest(board: Board, page: Array, placed: int, may_stand: Array) -> Array:
    """(s,) what is left of a page (s + 1,), mended, once `placed` stands in its first slot."""
    if placed == page[0] and may_stand[0, page[1]]:
        return page[1:].copy()
    rests = _rests(board, page, may_stand)
    best = _places(board, page)[board.module[placed]]
    if best < 0:
        ranks = np.array([_rank(board, rests[place]) for place in range(len(page))])
        best = ranks.argmax()
    left = rests[best].copy()
    for slot in range(len(left)):
        if not may_stand[slot, left[slot]]:
            left[slot] = len(board.worth) - 1
    return climbed(board, left, may_stand)


@compiled
def climbed(board: Board, page: Array, may_stand: Array) -> Array:
    """(s,) the page once no exchange of two choices and no move of one makes it better."""
    for _ in range(_STEP_LIMIT):
        rank = _rank(board, page)
        paired, moved = _paired(board, page, may_stand), _moved(board, page, may_stand)
        better = paired if _rank(board, paired) >= _rank(board, moved) else moved
        if not _rank(board, better) > rank + GAIN * abs(rank):
            break
        page = better
    return page


@compiled
def page_value(board: Board, page: Array, is_cut: bool = False) -> float:
    """Of a page (s,); a cut one is worth nothing from the first empty place on."""
    result = 0.0
    for slot in range(len(page) - 1, -1, -1):
        is_gone = is_cut and page[slot] == len(board.worth) - 1
        result = 0.0 if is_gone else _standing(board, page[slot], result, slot == len(page) - 1)
    return result


@compiled
def _standing(board: Board, action: int, below: float, is_last: bool) -> float:
    """What reaching an action is worth, where those who pass it find this below; nobody passes the last."""
    here: float = board.last[action] if is_last else board.worth[action] + board.passing[action] * below
    return here


@compiled
def _empty_count(board: Board, page: Array) -> int:
    count = 0
    for action in page:
        count += action == len(board.worth) - 1
    return count


@compiled
def _rank(board: Board, page: Array) -> float:
    """Value of a page (s,), put back where it is short of a choice."""
    return page_value(board, page) - board.lack * _empty_count(board, page)


@compiled
def _places(board: Board, page: Array) -> Array:
    """(M + 1,) the slot where each module stands, -1 where none; the empty place stands nowhere."""
    places = np.full(board.module.max() + 2, -1)
    for slot, action in enumerate(page):
        places[board.module[action]] = slot
    places[-1] = -1
    return places


@compiled
def _below(board: Board, page: Array) -> Array:
    """(s,) value of what stands below each slot, for those who go on."""
    below = np.zeros(len(page))
    for slot in range(len(page) - 1, 0, -1):
        below[slot - 1] = _standing(board, page[slot], below[slot], slot == len(page) - 1)
    return below


@compiled
def _ordered(board: Board, may_stand: Array) -> Array:
    """(s,) each slot the highest index that may stand there."""
    page = np.full(len(may_stand), len(board.worth) - 1)
    for slot in range(len(page)):
        places = _places(board, page[:slot])
        for action in board.order:
            if may_stand[slot, action] and places[board.module[action]] < 0:
                page[slot] = action
                break
    return page


@compiled
def _paired(board: Board, page: Array, may_stand: Array) -> Array:
    """(s,) the page with the best exchange of two choices; a swap, or one exchange alone, is among them.

    What suits the lower slot best does not depend on what stands in the upper one, unless it is the same
    module: two choices of the lower slot are enough for every choice of the upper.
    """
    empty, end, module = len(board.worth) - 1, len(page) - 1, board.module
    places, below = _places(board, page), _below(board, page)
    short = _empty_count(board, page)
    result, most = page.copy(), -np.inf
    earned, reach = 0.0, 1.0  # above the upper slot
    for upper in range(end):
        between, through = 0.0, 1.0  # from the upper slot to the lower
        for lower in range(upper + 1, end + 1):
            elsewhere = short - (page[upper] == empty) - (page[lower] == empty)
            one = other = empty
            one_value = other_value = -np.inf
            for action in range(empty):
                place = places[module[action]]
                if not may_stand[lower, action] or (place >= 0 and place != upper and place != lower):
                    continue
                here = _standing(board, action, below[lower], lower == end)
                if here > one_value:
                    if module[action] != module[one]:
                        other, other_value = one, one_value
                    one, one_value = action, here
                elif here > other_value and module[action] != module[one]:
                    other, other_value = action, here
            nothing = _standing(board, empty, below[lower], lower == end)
            one_value = nothing if one == empty else one_value
            other_value = nothing if other == empty else other_value
            for action in range(empty + 1):
                place = places[module[action]]
                if not may_stand[upper, action] or (place >= 0 and place != upper and place != lower):
                    continue
                is_other = module[action] == module[one]
                under, under_value = (other, other_value) if is_other else (one, one_value)
                here = _standing(board, action, between + through * under_value, False)
                lacking = elsewhere + (action == empty) + (under == empty)
                rank = earned + reach * here - board.lack * lacking
                if rank > most:
                    most = rank
                    result[:] = page
                    result[upper], result[lower] = action, under
            between += through * board.worth[page[lower]]
            through *= board.passing[page[lower]]
        earned += reach * board.worth[page[upper]]
        reach *= board.passing[page[upper]]
    return result


@compiled
def _moved(board: Board, page: Array, may_stand: Array) -> Array:
    """(s,) the page with the best move of one choice to another slot; as it was where none fits."""
    result, moved, most = page.copy(), page.copy(), -np.inf
    for start in range(len(page)):
        for step in (-1, 1):
            moved[:] = page
            end = start + step
            while 0 <= end < len(page):
                moved[end - step], moved[end] = moved[end], moved[end - step]
                rank = _rank(board, moved) if _fits(moved, may_stand) else -np.inf
                if rank > most:
                    most = rank
                    result[:] = moved
                end += step
    return result


@compiled
def _fits(page: Array, may_stand: Array) -> bool:
    """Whether each choice may stand in its slot."""
    fits = True
    for slot, action in enumerate(page):
        fits = fits and may_stand[slot, action]
    return fits


@compiled
def _rests(board: Board, page: Array, may_stand: Array) -> Array:
    """(s, s - 1) what may stand below another choice for the first slot, by the member that makes room.

    Those above that member move down by one where they may stand there; else the first takes its place;
    else what suits it best does.

    Args:
        may_stand: (s - 1, A + 1) of the slots below the first.
    """
    rests = np.empty((len(page), len(page) - 1), np.int64)
    can_move = True
    for place in range(len(page)):
        can_move = can_move and (place == 0 or may_stand[place - 1, page[place - 1]])
        rests[place] = page[1:]
        if can_move:
            rests[place, :place] = page[:place]
        elif may_stand[place - 1, page[0]]:
            rests[place, place - 1] = page[0]
        else:
            rests[place, place - 1] = _suited(board, page, place, may_stand[place - 1])
    return rests


@compiled
def _suited(board: Board, page: Array, place: int, may_stand: Array) -> int:
    """What suits a slot of the page best where the modules that stand below the first are gone."""
    places, below = _places(board, page), _below(board, page)[place]
    best, most = len(board.worth) - 1, -np.inf
    for action in range(best):
        if may_stand[action] and places[board.module[action]] < 1:
            here = _standing(board, action, below, place == len(page) - 1)
            if here > most:
                best, most = action, here
    return best
