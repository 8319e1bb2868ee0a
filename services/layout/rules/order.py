"""In which order do modules show their items?

First rows are sorted by what they are worth. Then each function changes, in place, the rows of the modules
that it reaches, and answers in how many something changed. Shelves are padded: M modules of up to R rows;
behind a module's count, rows mean nothing. N items.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.common.compiled import compiled
from services.layout.columns import Array

DEPTH = 24
"""Places of a module that likeness is looked at for; what lies behind stays as it is."""
_CATEGORY, _BRAND, _SELLER, _PRICE = 0.4, 0.35, 0.05, 0.2
"""What a thing in common adds to likeness; they sum to 1."""
_RIDGE = 0.05
"""Keeps kernels of items that are all alike from being singular."""


class Shelves(NamedTuple):
    """The rows of all modules.

    rows: (M, R) int64. length: (M,) int64.
    """

    rows: Array
    length: Array


class Traits(NamedTuple):
    """What items can have in common: (N,) each; -1 where it is not known."""

    category: Array
    brand: Array
    seller: Array
    log_price: Array


@compiled
def offered(shelves: Shelves, item_count: int) -> Array:
    """(N,) true for items of any module."""
    rows, count = shelves
    found = np.zeros(item_count, np.bool_)
    for module in range(len(count)):
        for place in range(count[module]):
            found[rows[module, place]] = True
    return found


@compiled
def without(shelves: Shelves, is_reached: Array, is_out: Array) -> int:
    """Leaves out items; answers how many rows that were.

    Args:
        is_reached: (M,) modules that it is about. is_out: (N,)
    """
    rows, count = shelves
    total = 0
    for module in range(len(count)):
        if is_reached[module]:
            kept = 0
            for place in range(count[module]):
                row = rows[module, place]
                if not is_out[row]:
                    rows[module, kept] = row
                    kept += 1
            total += count[module] - kept
            count[module] = kept
    return total


@compiled
def keyed(shelves: Shelves, orders: Array, worth: Array) -> Array:
    """(M, R) what each row is worth: in its module's order, or the less the further down it stands.

    Args:
        orders: (M,) by which row of `worth`; -1 for the order that the module has. worth: (K, N)
    """
    rows, count = shelves
    key = np.zeros(rows.shape)
    for module in range(len(count)):
        for place in range(count[module]):
            if orders[module] < 0:
                key[module, place] = 1.0 / (2.0 + place)
            else:
                key[module, place] = worth[orders[module], rows[module, place]]
    return key


@compiled
def weigh(shelves: Shelves, key: Array, is_reached: Array, factor: Array) -> None:
    """Multiplies what rows are worth; what loses money loses less.

    Args:
        key: (M, R) what each row is worth, changed in place. is_reached: (M,) factor: (N,)
    """
    rows, count = shelves
    for module in range(len(count)):
        if is_reached[module]:
            for place in range(count[module]):
                weight = factor[rows[module, place]]
                if key[module, place] > 0:
                    key[module, place] *= weight
                else:
                    key[module, place] /= weight


@compiled
def sort(shelves: Shelves, key: Array) -> None:
    """Puts the rows that are worth most first; of those worth the same, the one that stood first.

    By insertion: a module has some 50 rows.

    Args:
        key: (M, R) what each row is worth, brought into the same order.
    """
    rows, count = shelves
    for module in range(len(count)):
        for place in range(1, count[module]):
            row, own = rows[module, place], key[module, place]
            at = place
            while at > 0 and key[module, at - 1] < own:
                rows[module, at], key[module, at] = rows[module, at - 1], key[module, at - 1]
                at -= 1
            rows[module, at], key[module, at] = row, own


@compiled
def bury(shelves: Shelves, key: Array, is_reached: Array, is_meant: Array) -> None:
    """Puts some items last, in the order that they have.

    Args:
        key: (M, R) what each row is worth, brought into the same order. is_reached: (M,) is_meant: (N,)
    """
    rows, count = shelves
    for module in range(len(count)):
        if is_reached[module]:
            buried, worth = rows[module].copy(), key[module].copy()
            kept = last = 0
            for place in range(count[module]):
                row, own = rows[module, place], key[module, place]
                if is_meant[row]:
                    buried[last], worth[last] = row, own
                    last += 1
                else:
                    rows[module, kept], key[module, kept] = row, own
                    kept += 1
            for place in range(last):
                rows[module, kept + place], key[module, kept + place] = buried[place], worth[place]


@compiled
def capped(shelves: Shelves, is_reached: Array, numbers: Array, most: int) -> int:
    """Leaves out what is beyond the most of a kind.

    Args:
        is_reached: (M,)
        numbers: (N,) the kind of each item, -1 where it is unknown and does not count.
    """
    rows, count = shelves
    seen = np.zeros(numbers.max() + 2 if len(numbers) else 1, np.int64)
    changed = 0
    for module in range(len(count)):
        if not is_reached[module]:
            continue
        seen[:] = 0
        kept = 0
        for place in range(count[module]):
            row = rows[module, place]
            kind = numbers[row]
            seen[kind] += 1  # -1 counts in the last place
            if kind < 0 or seen[kind] <= most:
                rows[module, kept] = row
                kept += 1
        changed += kept < count[module]
        count[module] = kept
    return changed


@compiled
def spread(shelves: Shelves, is_reached: Array, numbers: Array, most: int, window: int) -> int:
    """Lets no `window` neighbours hold more than `most` of a kind; what fits nowhere is left out.

    Each place takes the first that fits, so that no item moves up further than it must.

    Args:
        is_reached: (M,) numbers: (N,), -1 where the kind is unknown and does not count.
    """
    rows, count = shelves
    changed = 0
    for module in range(len(count)):
        if not is_reached[module]:
            continue
        before = rows[module, : count[module]].copy()
        is_used = np.zeros(len(before), np.bool_)
        chosen = 0
        for _ in range(len(before)):
            found = -1
            for place in range(len(before)):
                if is_used[place]:
                    continue
                kind = numbers[before[place]]
                near = 0
                for other in range(max(chosen - window + 1, 0), chosen):
                    near += numbers[rows[module, other]] == kind
                if kind < 0 or near < most:
                    found = place
                    break
            if found < 0:
                break
            is_used[found] = True
            rows[module, chosen] = before[found]
            chosen += 1
        count[module] = chosen
        changed += chosen < len(before) or not np.array_equal(before, rows[module, :chosen])
    return changed


@compiled
def freshened(shelves: Shelves, is_reached: Array, is_fresh: Array, share: float) -> int:
    """Moves new items up so far that each prefix of k holds floor(share k), as long as there are some.

    Args:
        is_reached: (M,) is_fresh: (N,)
    """
    rows, count = shelves
    changed = 0
    for module in range(len(count)):
        if not is_reached[module]:
            continue
        before = rows[module, : count[module]].copy()
        next_new = next_old = taken = 0
        for place in range(len(before)):
            while next_new < len(before) and not is_fresh[before[next_new]]:
                next_new += 1
            while next_old < len(before) and is_fresh[before[next_old]]:
                next_old += 1
            is_due = taken < np.floor(share * (place + 1)) or next_old == len(before)
            if next_new < len(before) and (is_due or next_new < next_old):
                rows[module, place] = before[next_new]
                next_new += 1
                taken += 1
            else:
                rows[module, place] = before[next_old]
                next_old += 1
        changed += not np.array_equal(before, rows[module, : len(before)])
    return changed


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
            alike = _PRICE * np.exp(-abs(log_price[one] - log_price[other]))
            alike += _CATEGORY * (category[one] == category[other] and category[one] >= 0)
            alike += _BRAND * (brand[one] == brand[other] and brand[one] >= 0)
            alike += _SELLER * (seller[one] == seller[other] and seller[one] >= 0)
            found[one, other] = found[other, one] = alike
    return found


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
        alike = likeness(traits, before)
        quality = (1 - strength) * worth[module, :depth] / max(worth[module, :depth].max(), 1e-12)
        nearest = np.zeros(depth)
        is_used = np.zeros(depth, np.bool_)
        for place in range(depth):
            best, most = -1, -np.inf
            for other in range(depth):
                score = quality[other] - strength * nearest[other]
                if not is_used[other] and score > most:
                    best, most = other, score
            is_used[best] = True
            rows[module, place] = before[best]
            for other in range(depth):
                nearest[other] = max(nearest[other], alike[best, other])
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
        alike = likeness(traits, before) / (1 + _RIDGE)
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
                factors[other, place] = (alike[best, other] * gain[best] * gain[other] - explained) / pivot
                rest[other] -= factors[other, place] ** 2
        changed += not np.array_equal(before, rows[module, :depth])
    return changed


VARIETY = {"mmr": relevant, "dpp": repulsive}
"""By method: (shelves, is_reached, worth, traits, strength)."""


def warm_up() -> None:
    """Compiles all of it, so that no shopper waits for that; what was compiled is kept on the machine."""
    reached, numbers = np.ones(1, bool), np.array([0, 1, 0, 1])
    traits = Traits(numbers, numbers, numbers, np.ones(4))
    shelves = Shelves(np.arange(4)[None].copy(), np.array([4]))
    worth = keyed(shelves, np.zeros(1, np.int64), np.ones((1, 4)))
    weigh(shelves, worth, reached, np.ones(4))
    sort(shelves, worth)
    bury(shelves, worth, reached, numbers > 1)
    without(shelves, reached, ~offered(shelves, 4))
    capped(shelves, reached, numbers, 4)
    spread(shelves, reached, numbers, 3, 4)
    freshened(shelves, reached, numbers > 0, 0.5)
    for vary in VARIETY.values():
        vary(shelves, reached, worth, traits, 0.5)
