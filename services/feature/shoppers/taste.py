"""How much is an item worth to a shopper of whom something is known?

What all shoppers want, weighed by what this one did:

    sales x P(category | shopper) / P(category) x exp(pull x cosine(taste, item))

Sales fall with the rank among bestsellers. A shopper's share of a category is that of all shoppers until
more is known: (n share + CAUTION P(category)) / (n + CAUTION), with n events; the pull of the taste grows
alike. With the taste alone a single look counts as all that somebody wants: `planogram bench cold-start`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.common.compiled import compiled

Floats = NDArray[np.float32]

CAUTION = 3.0
"""Events that weigh as much as what all shoppers do."""
PULL = 8.0
"""Of the taste, where much is known."""
_PULL_CAUTION = 100.0
"""Events at which half of it pulls: a direction in D dimensions needs more of them than shares do."""
_HEAD = 10.0
"""Ranks among bestsellers that sell much alike."""
_HIGHEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Demand:
    """What all shoppers want. N items, C categories.

    Attributes:
        sales: (N,) by rank among bestsellers; 0 of what is no product. share: (C,) of the sales.
    """

    sales: Floats
    share: Floats

    @classmethod
    def of(cls, bestsellers: NDArray[np.int32], category: NDArray[np.int32], category_count: int) -> Demand:
        """
        Args:
            bestsellers: rows of all products, best first. category: (N,) codes.
        """
        sales = np.zeros(len(category), np.float32)
        sales[bestsellers] = 1 / (_HEAD + np.arange(len(bestsellers)))
        share = np.bincount(category, weights=sales, minlength=category_count)
        return cls(sales, (share / max(share.sum(), 1e-12)).astype(np.float32))


class Taste(Struct, frozen=True):
    """What a shopper likes, and how much is known of it.

    Attributes:
        vector: (D,) unit length.
        category_shares: sum to 1, strongest first; empty where none is known.
        event_count: events that speak for or against items.
    """

    vector: Floats
    category_shares: Mapping[str, float]
    event_count: int

    def best_first(
        self,
        rows: NDArray[np.int32],
        but: NDArray[np.int32],
        demand: Demand,
        category: NDArray[np.int32],
        vectors: Floats,
        category_place: Mapping[str, int],
    ) -> NDArray[np.int32]:
        """The distinct rows that are not among others, by their worth; the lower row first among equals.

        Args:
            category: (N,) codes. vectors: (N, D) unit length.
            category_place: codes by name.
        """
        shares = np.zeros(len(demand.share), np.float32)
        for name, share in self.category_shares.items():
            place = category_place.get(name)
            if place is not None:
                shares[place] = share
        known = self.event_count if self.category_shares else 0
        pull = PULL * self.event_count / (self.event_count + _PULL_CAUTION)
        best = np.empty(len(rows), np.int32)
        wants = (demand.sales, demand.share, shares, known)
        count = _write_best(rows, but, *wants, category, vectors, self.vector, pull, best)
        return best[:count]


@compiled
def _write_best(
    rows: NDArray[np.int32],
    but: NDArray[np.int32],
    sales: Floats,
    share: Floats,
    own_share: Floats,
    known: int,
    category: NDArray[np.int32],
    vectors: Floats,
    vector: Floats,
    pull: float,
    best: NDArray[np.int32],
) -> int:
    """Writes the distinct rows that are not among others, by their worth; their number."""
    worth = np.empty(1, np.float32)
    keys, count = np.empty(len(rows), np.int64), 0
    for row in rows:
        if _is_among(row, but):
            continue
        code = category[row]
        likes = np.float32(known) * own_share[code] / max(share[code], np.float32(1e-6))
        lift = (likes + np.float32(CAUTION)) / np.float32(known + CAUTION)
        cosine = np.float32(0)
        for axis in range(len(vector)):
            cosine += vectors[row, axis] * vector[axis]
        worth[0] = sales[row] * lift * np.exp(np.float32(pull) * cosine)
        # What is not negative is ordered as its bits are. The larger first, then the lower row.
        keys[count] = np.int64(_HIGHEST - worth.view(np.int32)[0]) << 32 | row
        count += 1
    ordered = np.sort(keys[:count])
    count = 0
    for key in ordered:
        row = np.int32(key & _HIGHEST)
        if not count or best[count - 1] != row:
            best[count] = row
            count += 1
    return count


@compiled
def _is_among(row: int, others: NDArray[np.int32]) -> bool:
    is_found = False
    for other in others:
        is_found |= other == row
    return is_found
