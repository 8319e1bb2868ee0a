"""Which choices may stand below what stands already, and which of its items could each still show?

Symbols as in `page.py`: N items, M modules, R rows of the longest module, A actions, G capped groups, K
groups of an item, L limits on modules, S slots, s slots that are left.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from services.common.compiled import compiled
from services.policy.exploration import Array


class Mask(IntEnum):
    """Why an action is not feasible, by how far it came; 0 is feasible."""

    NONE = 0
    NOT_ALLOWED = 1
    PLACED = 2
    TOO_FEW_ITEMS = 3
    PINNED = 4
    RESERVED = 5
    CROWDED = 6


class Given(NamedTuple):
    """What a page offers, as compiled functions take it."""

    rows: Array
    """(M, R) items of each module."""
    length: Array
    """(M,) how many they are."""
    group: Array
    """(N, K) indexes of the item's capped groups, G where no cap applies."""
    module: Array
    """(A,) and of each action as well:"""
    min_count: Array
    max_count: Array
    is_filler: Array
    allowed: Array
    """(S, A) what slots take, and the same of what they are pinned to, and of what pins below keep:"""
    pinned: Array
    kept: Array
    pinned_module: Array
    """(S,) module that each slot is pinned to, against which no limit is held there; -1 for none."""
    is_pinned: Array
    """(L, S) slots pinned to a module of a limit."""
    is_member: Array
    """(L, M) modules that a limit is about."""
    most: Array
    """(L,) and of each limit as well:"""
    gap: Array
    first_slot: Array


class Taken(NamedTuple):
    """What the slots above took, as compiled functions take it, and change it."""

    is_seen: Array
    """(N,) true of items that stand above."""
    is_placed: Array
    """(M,) true of modules that stand above."""
    group_left: Array
    """(G,) room under caps; below 0 where a filler went over them."""
    stands: Array
    """(L, S) slots above that hold a module of a limit."""


@compiled
def choices_left(given: Given, taken: Taken, index: int) -> tuple[Array, Array, Array, Array, Array]:
    """What each action could show in slot `index`, where limits are in its way, and whether it may stand.

    Returns:
        (A, R) rows of its module that each action would show, (A,) how many, (A,) whether they are enough,
        (s, M) true where a module cannot stand in slot `index`, or one below, for a limit on its kind, and
        (A,) Mask of each action.
    """
    shown, count, is_enough = _recounted(given, taken)
    is_crowded = _crowded(given, taken, index)
    masks = np.full(len(given.module), np.int64(Mask.NOT_ALLOWED))
    if index < len(given.allowed):
        _mask(given, taken, index, is_enough, is_crowded[0], masks)
    return shown, count, is_enough, is_crowded, masks


@compiled
def take(given: Given, taken: Taken, index: int, action: int, rows: Array) -> None:
    """Puts an action into slot `index`, where it shows these items."""
    own = given.module[action]
    taken.is_placed[own] = True
    taken.stands[:, index] = given.is_member[:, own]
    for row in rows:
        taken.is_seen[row] = True
        for group in given.group[row]:
            if group < len(taken.group_left):
                taken.group_left[group] -= 1


@compiled
def by_module(masks: Array, module: Array, module_count: int) -> Array:
    """(M,) NONE where one of the module's actions is feasible, else the largest Mask of them."""
    furthest = np.full(module_count, -1)
    for action in range(len(masks)):
        most = furthest[module[action]]
        furthest[module[action]] = 0 if masks[action] == 0 or most == 0 else max(most, masks[action])
    return furthest


@compiled
def _recounted(given: Given, taken: Taken) -> tuple[Array, Array, Array]:
    """(A, R) rows of its module that each action would show, (A,) how many, (A,) whether they are enough.

    What cannot stand again shows nothing. A filler that falls below its minimum repeats items, and where caps
    alone starve it, it goes over them.
    """
    rows, module, max_count, is_filler = given.rows, given.module, given.max_count, given.is_filler
    action_count = len(module)
    shown = np.zeros((action_count, rows.shape[1]), np.bool_)
    count = np.zeros(action_count, np.int64)
    is_enough = np.zeros(action_count, np.bool_)
    room = np.empty_like(taken.group_left)
    for action in range(action_count):
        own = module[action]
        if taken.is_placed[own] and not is_filler[action]:
            continue
        for effort in range(3):  # new items within caps; then, of a filler, any within caps, and any at all
            for number in range(len(room)):
                room[number] = max(taken.group_left[number], 0)
            found, shown[action] = 0, False
            for place in range(given.length[own]):
                if found == max_count[action]:
                    break
                row = rows[own, place]
                fits = effort > 0 or not taken.is_seen[row]
                if fits and effort < 2 and len(room):
                    fits = _takes_room(given.group, row, room)
                shown[action, place] = fits
                found += fits
            is_enough[action] = found >= given.min_count[action]
            if is_enough[action] or not is_filler[action]:
                break
        count[action] = found
    return shown, count, is_enough


@compiled
def _takes_room(group: Array, row: int, room: Array) -> bool:
    """Takes a place in each of an item's groups, in `room` (G,), where all of them have one."""
    for place in range(group.shape[1]):
        if group[row, place] < len(room) and room[group[row, place]] <= 0:
            return False
    for place in range(group.shape[1]):
        if group[row, place] < len(room):
            room[group[row, place]] -= 1
    return True


@compiled
def _crowded(given: Given, taken: Taken, index: int) -> Array:
    """(s, M) true where a module cannot stand in slot `index`, or one below, for a limit on its kind."""
    most, gap, first_slot = given.most, given.gap, given.first_slot
    limit_count, slot_count = given.is_pinned.shape
    result = np.zeros((slot_count - index, given.is_member.shape[1]), np.bool_)
    for limit in range(limit_count):
        is_taken = given.is_pinned[limit].copy()
        is_taken[:index] = taken.stands[limit, :index]
        total = is_taken.sum()
        for slot in range(index, slot_count):
            is_out = total - is_taken[slot] >= most[limit] or slot < first_slot[limit]
            for other in range(max(slot - gap[limit], 0), min(slot + gap[limit] + 1, slot_count)):
                is_out = is_out or (other != slot and is_taken[other])
            if is_out:
                result[slot - index] |= given.is_member[limit]
    for slot in range(index, slot_count):
        if given.pinned_module[slot] >= 0:
            result[slot - index, given.pinned_module[slot]] = False
    return result


@compiled
def _mask(given: Given, taken: Taken, index: int, is_enough: Array, is_crowded: Array, masks: Array) -> None:
    """Writes the Mask of each action in slot `index`; is_enough: (A,), is_crowded: (M,)."""
    allowed, pinned, kept = given.allowed[index], given.pinned[index], given.kept[index]
    is_filler, module, is_placed = given.is_filler, given.module, taken.is_placed
    # From what should stand here, a pin, to what may stand rather than nothing.
    claims = np.full(len(allowed), 4)
    for action in range(len(allowed)):
        if allowed[action] and is_enough[action]:
            is_free = not is_placed[module[action]]
            if pinned[action] and (is_free or is_filler[action]):
                claims[action] = 0
            elif is_free and not kept[action] and not is_crowded[module[action]]:
                claims[action] = 1
            elif is_filler[action]:
                claims[action] = 2
            elif is_free and not is_crowded[module[action]]:
                claims[action] = 3
    best = claims.min()
    for action in range(len(allowed)):
        if not allowed[action]:
            masks[action] = Mask.NOT_ALLOWED
        elif claims[action] == best and best < 4:
            masks[action] = Mask.NONE
        elif is_placed[module[action]]:
            masks[action] = Mask.PLACED
        elif not is_enough[action]:
            masks[action] = Mask.TOO_FEW_ITEMS
        elif best == 0:
            masks[action] = Mask.PINNED
        else:
            masks[action] = Mask.CROWDED if is_crowded[module[action]] else Mask.RESERVED


@compiled
def first_beyond(rows: Array, length: Array, item_count: int) -> int:
    """The first module that lists a row which is no item's, -1 where none does."""
    for index in range(len(rows)):
        for row in rows[index, : length[index]]:
            if not 0 <= row < item_count:
                return index
    return -1


@compiled
def first_repeating(rows: Array, length: Array, item_count: int) -> int:
    """The first module that lists an item twice, -1 where none does; each lists items alone."""
    last_seen = np.full(item_count, -1)
    for index in range(len(rows)):
        for row in rows[index, : length[index]]:
            if last_seen[row] == index:
                return index
            last_seen[row] = index
    return -1
