"""Which of the items that modules found may stand on a page, and where among its distinct items?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.common.compiled import compiled

ANY_PLACE, NO_PLACE = -1, -2
"""In place of a category's: where none is asked for, and where it is unknown."""

_NOTHING = np.zeros(0, np.int32)


class Stock(NamedTuple):
    """Which items may stand on a page. N items of a generation."""

    is_shown: NDArray[np.bool_]
    """(N,) of any kind."""
    is_product_shown: NDArray[np.bool_]
    """(N,) products alone."""
    category: NDArray[np.int32]
    first_seen_unix_s: NDArray[np.int64]


class Shelf(NamedTuple):
    """What one module found, and how much of it is wanted."""

    rows: NDArray[np.int32]
    """Best first; they may repeat, and -1 is passed over."""
    limit: int
    category_place: int = ANY_PLACE
    is_of_any_kind: bool = False


class Placed(NamedTuple):
    """The distinct items of a page, and where those of each module stand."""

    rows: NDArray[np.int64]
    """(P,) of the generation."""
    positions: NDArray[np.int32]
    """Of all modules, one behind the other, indexes into `rows`, best first, none twice in a module."""
    ends: NDArray[np.int64]
    """(M,) of each module among the positions."""


def placed(first: NDArray[np.int64], shelves: Sequence[Shelf], stock: Stock, now_s: float) -> Placed:
    """The first items of each module that may stand there; one that is new to the page comes last on it.

    Args:
        first: (C,) distinct rows that come before all.
        now_s: items that enter the catalogue later are passed over; infinite where there are none.
    """
    all_rows, limits, places, kinds = zip(*shelves, strict=True) if shelves else ((_NOTHING,), (), (), ())
    counts = [len(rows) for rows in all_rows[: len(shelves)]]
    wants = np.array([*counts, *limits, *places, *kinds], np.int64).reshape(4, -1)
    found, most = np.concatenate(all_rows), sum(map(min, counts, limits))
    rows, positions = np.empty(len(first) + most, np.int64), np.empty(most, np.int32)
    ends = np.empty(len(shelves), np.int64)
    count = _place(first, found, wants, *stock, now_s, rows, positions, ends)
    return Placed(rows[:count], positions[: ends[-1] if len(ends) else 0], ends)


def find(wanted: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Positions of some rows among distinct ones, -1 where they are not there."""
    positions = np.empty(len(wanted), np.int32)
    _find(wanted, rows, positions)
    return positions


@compiled
def _place(
    first: NDArray[np.int64],
    found: NDArray[np.int32],
    wants: NDArray[np.int64],
    is_shown: NDArray[np.bool_],
    is_product_shown: NDArray[np.bool_],
    category: NDArray[np.int32],
    first_seen_s: NDArray[np.int64],
    now_s: float,
    rows: NDArray[np.int64],
    positions: NDArray[np.int32],
    ends: NDArray[np.int64],
) -> int:
    """Writes distinct rows, positions among them, and where each module ends; the number of rows.

    Args:
        wants: (4, M) how many each module found, its limit, its category's place, whether of any kind.
    """
    table, mask = _table(len(rows))
    latest_shelf = np.full(len(rows), -1, np.int32)
    count = len(first)
    for place, row in enumerate(first):
        rows[place] = row
        slot = row & mask
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = place
    start, end, is_to_come = 0, 0, now_s < np.inf
    for shelf in range(len(ends)):
        beyond, full = start + wants[0, shelf], end + wants[1, shelf]
        only, is_of_any_kind = wants[2, shelf], wants[3, shelf] != 0
        for place in range(start, beyond):
            if end == full:
                break
            row = np.int64(found[place])
            if row < 0 or not (is_shown[row] if is_of_any_kind else is_product_shown[row]):
                continue
            if (is_to_come and first_seen_s[row] > now_s) or (only != ANY_PLACE and category[row] != only):
                continue
            slot = row & mask
            while table[slot] >= 0 and rows[table[slot]] != row:
                slot = (slot + 1) & mask
            if table[slot] < 0:
                table[slot] = count
                rows[count] = row
                count += 1
            position = table[slot]
            if latest_shelf[position] != shelf:
                latest_shelf[position] = shelf
                positions[end] = position
                end += 1
        start = beyond
        ends[shelf] = end
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
