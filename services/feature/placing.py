"""Where does an item stand among the distinct items of a page?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.compiled import compiled


def placed(
    first: NDArray[np.int64], modules: Sequence[NDArray[np.int32]]
) -> tuple[NDArray[np.int64], list[NDArray[np.int32]]]:
    """The distinct rows of all modules behind those that come first; positions among them, by module.

    Args:
        first: (C,) distinct rows.
        modules: rows of each; a row that is new to the page comes last on it.
    """
    rows = np.concatenate((first, *modules))
    positions = np.empty(len(rows), np.int32)
    count = _distinct(rows, positions)
    ends = accumulate(map(len, modules), initial=len(first))
    return rows[:count], [positions[start:end] for start, end in pairwise(ends)]


def find(wanted: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Positions of some rows among distinct ones, -1 where they are not there."""
    positions = np.empty(len(wanted), np.int32)
    _find(wanted, rows, positions)
    return positions


@compiled
def _distinct(rows: NDArray[np.int64], positions: NDArray[np.int32]) -> int:
    """Moves distinct rows to the front in their order, and writes positions among them; their number."""
    table, mask = _table(len(rows))
    count = 0
    for place, row in enumerate(rows):
        slot = row & mask
        while table[slot] >= 0 and rows[table[slot]] != row:
            slot = (slot + 1) & mask
        if table[slot] < 0:
            table[slot] = count
            rows[count] = row
            count += 1
        positions[place] = table[slot]
    return count


@compiled
def _find(wanted: NDArray[Any], rows: NDArray[np.int64], positions: NDArray[np.int32]) -> None:
    table, mask = _table(len(rows))
    for place, row in enumerate(rows):
        slot = row & mask
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = place
    for place, row in enumerate(wanted):
        slot = np.int64(row) & mask
        while table[slot] >= 0 and rows[table[slot]] != row:
            slot = (slot + 1) & mask
        positions[place] = table[slot]


@compiled
def _table(count: int) -> tuple[NDArray[np.int32], int]:
    """An empty hash table with open addresses for so many rows, and what masks an address."""
    size = 64
    while size < 4 * count:
        size *= 2
    return np.full(size, -1, np.int32), size - 1
