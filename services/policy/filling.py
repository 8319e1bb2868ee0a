"""How is a whole page filled in one pass, where each slot's values follow from what stands above?

What the planner does slot by slot, without a word to Python in between: count what may stand, value it, draw,
place. It serves pages whose values need no network in between and whose slots can all be filled.

Symbols as in `page.py`: M modules, R rows of the longest module, A actions, S slots; a feasible actions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.common.compiled import compiled
from services.policy.exploration import Array, Law, drawn
from services.policy.recount import Given, Taken, by_module, choices_left, take
from services.policy.search import Board, choice_values, gone_on, left_for, searched

NOTHING, NOT_FINITE = -1, -2
"""In place of an action: the slot can hold nothing; a value is NaN or infinity. The page ends there."""


class Filled(NamedTuple):
    """A page, slot by slot; rows of arrays are filled as far as their counts say."""

    action: Array
    """(S,) what stands in each slot, or why nothing does."""
    rows: Array
    """(S, R) items shown."""
    row_count: Array
    value: Array
    """(S,) of the action, and of each slot as well:"""
    propensity: Array
    is_best: Array
    feasible: Array
    """(S, A) actions that were possible, and of each as well:"""
    feasible_value: Array
    feasible_propensity: Array
    feasible_count: Array
    masked: Array
    """(S, M) Mask of each module."""


@compiled
def filled(
    given: Given,
    taken: Taken,
    known: Array,
    board: Board,
    may_stand: Array,
    page: Array,
    law: Law,
    draw_rank: Array,
    uniforms: Array,
) -> Filled:
    """The page that the planner fills with these numbers.

    Args:
        taken: of an empty page; it is written to.
        known: (A,) values of actions whatever stands above; empty where the board values them.
        board: of a page whose choices are valued by what stands below them.
        may_stand: (S, A + 1) what slots may hold, as the search takes it.
        page: (S,) the best page of the board, where it is known; else empty.
        law: how choices are drawn.
        draw_rank: (A,) as `draw` takes it; uniforms: (S,) of [0, 1).
    """
    (slot_count, action_count), (module_count, width) = given.allowed.shape, given.rows.shape
    result = Filled(
        np.full(slot_count, NOTHING),
        np.empty((slot_count, width), np.int64),
        np.zeros(slot_count, np.int64),
        np.zeros(slot_count),
        np.zeros(slot_count),
        np.zeros(slot_count, np.bool_),
        np.empty((slot_count, action_count), np.int64),
        np.empty((slot_count, action_count)),
        np.empty((slot_count, action_count)),
        np.zeros(slot_count, np.int64),
        np.empty((slot_count, module_count), np.int64),
    )
    for slot in range(slot_count):
        shown, _, is_enough, is_crowded, masks = choices_left(given, taken, slot)
        feasible = np.flatnonzero(masks == 0)
        count = len(feasible)
        if count == 0:
            break
        if len(known):
            values = known[feasible]
        elif slot == slot_count - 1:
            values = board.last[feasible]
        elif slot > 0:
            placed = result.action[slot - 1]
            page, values = gone_on(
                board, page, placed, may_stand[slot:], is_enough, taken.is_placed, is_crowded, feasible
            )
        else:
            left = left_for(may_stand, is_enough, board.module, taken.is_placed, is_crowded, feasible)
            if len(page) == 0:
                page = searched(board, left)
            values = choice_values(board, page, left, feasible)
        propensities, place, is_best = drawn(values, law, draw_rank[feasible], uniforms[slot])
        if place < 0:
            result.action[slot] = NOT_FINITE
            break
        action = feasible[place]
        rows = given.rows[given.module[action]][shown[action]]
        result.action[slot] = action
        result.rows[slot, : len(rows)], result.row_count[slot] = rows, len(rows)
        result.value[slot], result.propensity[slot] = values[place], propensities[place]
        result.is_best[slot] = is_best
        result.feasible[slot, :count], result.feasible_count[slot] = feasible, count
        result.feasible_value[slot, :count], result.feasible_propensity[slot, :count] = values, propensities
        result.masked[slot] = by_module(masks, given.module, module_count)
        take(given, taken, slot, action, rows)
    return result
