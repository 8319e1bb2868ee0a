"""How is variety brought into modules, so that neighbours are not all alike?

Each function changes, in place, the rows of the modules that it reaches, as those of `order.py` do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.common.compiled import compiled
from services.layout.columns import Array
from services.layout.rules.order import Shelves

DEPTH = 24
"""Places of a module that likeness is looked at for; what lies behind stays as it is."""
_CATEGORY, _BRAND, _SELLER, _PRICE = 0.4, 0.35, 0.05, 0.2
"""What a thing in common adds to likeness; they sum to 1."""
_RIDGE = 0.05
"""Keeps kernels of items that are all alike from being singular."""


class Traits(NamedTuple):
    """What items can have in common: (N,) each; -1 where it is not known."""

    category: Array
    brand: Array
    seller: Array
    log_price: Array


@compiled
def is_shared(one: int, other: int) -> bool:
    """Whether two items have a trait in common that is known of both."""
    return one == other and one >= 0


@compiled
def alike(near: float, is_category: bool, is_brand: bool, is_seller: bool) -> float:
    """How alike two items are, 0 to 1.

    Args:
        near: how near their prices are, 0 to 1. is_category, is_brand, is_seller: whether they share it.
    """
    found = _PRICE * near
    found += _CATEGORY * is_category
    found += _BRAND * is_brand
    found += _SELLER * is_seller
    return found


@compiled
def likeness(traits: Traits, rows: Array) -> Array:
    """(R, R) how alike items are, 0 to 1: same category, brand, seller, near in price.

    Args:
        rows: (R,) which items.
    """
    category, brand, seller = traits.category[rows], traits.brand[rows], traits.seller[rows]
    log_price = traits.log_price[rows]
    found = np.empty((len(rows), len(rows)))
    for one in range(len(rows)):
        for other in range(one + 1):
            found[one, other] = found[other, one] = alike(
                np.exp(-abs(log_price[one] - log_price[other])),
                is_shared(category[one], category[other]),
                is_shared(brand[one], brand[other]),
                is_shared(seller[one], seller[other]),
            )
    return found


@compiled
def first_largest(values: Array) -> int:
    """The place of the largest of several values; of those that are alike, the first."""
    best = 0
    for place in range(1, len(values)):
        if values[place] > values[best]:
            best = place
    return best


@compiled
def relevant(shelves: Shelves, is_reached: Array, worth: Array, traits: Traits, strength: float) -> int:
    """Takes, each time, the most of (1 - strength) quality - strength likeness to what stands before.

    Carbonell and Goldstein, "The use of MMR", SIGIR 1998.

    Args:
        is_reached: (M,) worth: (M, R) of the rows; of a module, its largest counts as 1.
    """
    rows, count = shelves
    changed = 0
    for module in range(len(count)):
        depth = min(count[module], DEPTH)
        if not is_reached[module] or depth < 3:
            continue
        before = rows[module, :depth].copy()
        category, brand, seller = traits.category[before], traits.brand[before], traits.seller[before]
        log_price = traits.log_price[before]
        quality = (1 - strength) * worth[module, :depth] / max(worth[module, :depth].max(), 1e-12)
        nearest = np.zeros(depth)
        is_used = np.zeros(depth, np.bool_)
        best = first_largest(quality)
        for place in range(depth):
            is_used[best] = True
            rows[module, place] = before[best]
            last, most = best, -np.inf
            for other in range(depth):
                if is_used[other]:
                    continue
                is_category = is_shared(category[last], category[other])
                is_brand = is_shared(brand[last], brand[other])
                is_seller = is_shared(seller[last], seller[other])
                # Mostly one before is more like it than this could be at any price.
                if alike(1.0, is_category, is_brand, is_seller) > nearest[other]:
                    near = np.exp(-abs(log_price[last] - log_price[other]))
                    nearest[other] = max(nearest[other], alike(near, is_category, is_brand, is_seller))
                score = quality[other] - strength * nearest[other]
                if score > most:
                    best, most = other, score
        changed += not np.array_equal(before, rows[module, :depth])
    return changed


@compiled
def repulsive(shelves: Shelves, is_reached: Array, worth: Array, traits: Traits, strength: float) -> int:
    """Takes, each time, what adds most to the determinant of exp(a (q_i + q_j)) likeness_ij.

    Here a is (1 - strength) / (2 strength). Greedy, by Chen, Zhang and Zhou, "Fast greedy MAP inference for
    determinantal point process", NeurIPS 2018.

    Args:
        is_reached: (M,) worth: (M, R) of the rows; of a module, its largest counts as 1.
    """
    rows, count = shelves
    changed = 0
    for module in range(len(count)):
        depth = min(count[module], DEPTH)
        if not is_reached[module] or depth < 3:
            continue
        before = rows[module, :depth].copy()
        kernel = likeness(traits, before) / (1 + _RIDGE)
        scale = max(worth[module, :depth].max(), 1e-12)
        gain = np.exp(np.minimum((1 - strength) / (2 * strength) * worth[module, :depth] / scale, 50.0))
        rest = gain * gain
        factors = np.zeros((depth, depth))
        is_used = np.zeros(depth, np.bool_)
        for place in range(depth):
            best, most = -1, -np.inf
            for other in range(depth):
                if not is_used[other] and rest[other] > most:
                    best, most = other, rest[other]
            is_used[best] = True
            rows[module, place] = before[best]
            pivot = np.sqrt(max(rest[best], 1e-12))
            for other in range(depth):
                if is_used[other]:
                    continue
                explained = 0.0
                for earlier in range(place):
                    explained += factors[best, earlier] * factors[other, earlier]
                factors[other, place] = (kernel[best, other] * gain[best] * gain[other] - explained) / pivot
                rest[other] -= factors[other, place] ** 2
        changed += not np.array_equal(before, rows[module, :depth])
    return changed
