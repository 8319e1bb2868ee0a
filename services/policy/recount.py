"""Which of its items could each choice still show below what stands already, and where is its kind crowded?

Symbols as in `page.py`: N items, M modules, R rows of the longest module, A actions, G capped groups, L
limits on modules, S slots, s slots that are left.
"""

from __future__ import annotations

import numpy as np

from services.common.compiled import compiled
from services.policy.exploration import Array


@compiled
def recounted(
    rows: Array,
    length: Array,
    is_seen: Array,
    is_placed: Array,
    group: Array,
    group_left: Array,
    module: Array,
    min_count: Array,
    max_count: Array,
    is_filler: Array,
) -> tuple[Array, Array, Array]:
    """(A, R) rows of its module that each action would show, (A,) how many, (A,) whether they are enough.

    What cannot stand again shows nothing. A filler that falls below its minimum repeats items, and where caps
    alone starve it, it goes over them.

    Args:
        rows: (M, R) items of each module; length: (M,) how many they are.
        is_seen: (N,) true of items that stand above; is_placed: (M,) of modules.
        group: (N, K) indexes of the item's capped groups, G where no cap applies; group_left: (G,) room.
        module, min_count, max_count, is_filler: (A,)
    """
    action_count = len(module)
    shown = np.zeros((action_count, rows.shape[1]), np.bool_)
    count = np.zeros(action_count, np.int64)
    is_enough = np.zeros(action_count, np.bool_)
    room = np.empty_like(group_left)
    for action in range(action_count):
        own = module[action]
        if is_placed[own] and not is_filler[action]:
            continue
        for effort in range(3):  # new items within caps; then, of a filler, any within caps, and any at all
            for number in range(len(room)):
                room[number] = max(group_left[number], 0)
            found, shown[action] = 0, False
            for place in range(length[own]):
                if found == max_count[action]:
                    break
                row = rows[own, place]
                fits = effort > 0 or not is_seen[row]
                if fits and effort < 2 and len(room):
                    fits = _takes_room(group, row, room)
                shown[action, place] = fits
                found += fits
            is_enough[action] = found >= min_count[action]
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
def first_repeating(rows: Array, lengths: Array, item_count: int) -> int:
    """The first module that lists an item twice, -1 where none does."""
    last_seen = np.full(item_count, -1)
    for index in range(len(rows)):
        for row in rows[index, : lengths[index]]:
            if last_seen[row] == index:
                return index
            last_seen[row] = index
    return -1


@compiled
def crowded(
    stands: Array,
    is_pinned: Array,
    pinned: Array,
    is_member: Array,
    most: Array,
    gap: Array,
    first_slot: Array,
    index: int,
) -> Array:
    """(s, M) true where a module cannot stand in slot `index`, or one below, for a limit on its kind.

    Args:
        stands: (L, S) slots above `index` that hold a module of a limit; is_pinned: slots pinned to one.
        pinned: (S,) module that each slot is pinned to, against which no limit is held there; -1 for none.
        is_member: (L, M) modules that a limit is about.
        most, gap, first_slot: (L,)
    """
    limit_count, slot_count = is_pinned.shape
    result = np.zeros((slot_count - index, is_member.shape[1]), np.bool_)
    for limit in range(limit_count):
        is_taken = is_pinned[limit].copy()
        is_taken[:index] = stands[limit, :index]
        total = is_taken.sum()
        for slot in range(index, slot_count):
            is_out = total - is_taken[slot] >= most[limit] or slot < first_slot[limit]
            for other in range(max(slot - gap[limit], 0), min(slot + gap[limit] + 1, slot_count)):
                is_out = is_out or (other != slot and is_taken[other])
            if is_out:
                result[slot - index] |= is_member[limit]
    for slot in range(index, slot_count):
        if pinned[slot] >= 0:
            result[slot - index, pinned[slot]] = False
    return result
