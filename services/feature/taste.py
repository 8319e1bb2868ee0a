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
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CAUTION = 3.0
"""Events that weigh as much as what all shoppers do."""
PULL = 8.0
"""Of the taste, where much is known."""
_PULL_CAUTION = 100.0
"""Events at which half of it pulls: a direction in D dimensions needs more of them than shares do."""
_HEAD = 10.0
"""Ranks among bestsellers that sell much alike."""


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


@dataclass(frozen=True, slots=True)
class Taste:
    """What a shopper likes, and how much is known of it.

    Attributes:
        vector: (D,) unit length.
        category_shares: sum to 1, strongest first; empty where none is known.
        event_count: events that speak for or against items.
    """

    vector: Floats
    category_shares: Mapping[str, float]
    event_count: int

    def worth(
        self,
        demand: Demand,
        rows: NDArray[Any],
        category: NDArray[np.int32],
        vectors: Floats,
        category_place: Mapping[str, int],
    ) -> Floats:
        """(n,) of some items, in units of no meaning.

        Args:
            rows: (n,) of the items. category: (n,) their codes. vectors: (n, D) unit length.
            category_place: codes by name.
        """
        own = np.zeros(len(demand.share), np.float32)
        for name, share in self.category_shares.items():
            if name in category_place:
                own[category_place[name]] = share
        known = self.event_count if self.category_shares else 0
        lift = (known * own / np.maximum(demand.share, 1e-6) + CAUTION) / (known + CAUTION)
        pull = PULL * self.event_count / (self.event_count + _PULL_CAUTION)
        result: Floats = demand.sales[rows] * lift[category] * np.exp(pull * (vectors @ self.vector))
        return result
