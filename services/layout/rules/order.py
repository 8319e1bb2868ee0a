"""In which order does a module show its items, once they are sorted by worth?

Each function takes rows in order and gives them back in order, all of them or fewer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.layout.rules.items import Array, Items

DEPTH = 24
"""Places of a module that likeness is looked at for; what lies behind stays as it is."""
_ALIKE = {"category": 0.4, "brand": 0.35, "seller": 0.05}
_ALIKE_PRICE = 0.2
_RIDGE = 0.05
"""Keeps kernels of items that are all alike from being singular."""


def capped(rows: Array, numbers: Array, most: int) -> Array:
    """Without those beyond the most of a kind.

    Args:
        numbers: (N,) the kind of each item, -1 where it is unknown and does not count.
    """
    kinds = numbers[rows]
    if not len(rows) or np.bincount(kinds[kinds >= 0], minlength=1).max() <= most:
        return rows
    seen: dict[int, int] = {}
    keep = np.empty(len(rows), bool)
    for place, kind in enumerate(kinds.tolist()):
        seen[kind] = seen.get(kind, 0) + 1
        keep[place] = kind < 0 or seen[kind] <= most
    return rows[keep]


def spread(rows: Array, numbers: Array, most: int, window: int) -> Array:
    """The best order in which no `window` neighbours hold more than `most` of a kind; the rest is left out.

    Each place takes the first that fits, so that no item moves up further than it must.
    """
    waiting = [(int(row), int(numbers[row])) for row in rows]
    kinds: list[int] = []
    chosen: list[int] = []
    while waiting:
        near = kinds[max(len(kinds) - window + 1, 0) :]
        place = next(
            (place for place, (_, kind) in enumerate(waiting) if kind < 0 or near.count(kind) < most), None
        )
        if place is None:
            break
        row, kind = waiting.pop(place)
        chosen.append(row)
        kinds.append(kind)
    return np.array(chosen, rows.dtype)


def freshened(rows: Array, is_fresh: Array, share: float) -> Array:
    """With new items moved up so far that each prefix of k holds floor(share k), as long as there are some.

    Args:
        is_fresh: (N,)
    """
    new = is_fresh[rows]
    wanted = np.floor(share * np.arange(1, len(rows) + 1))
    if (np.cumsum(new) >= np.minimum(wanted, new.sum())).all():
        return rows
    fresh, others = rows[new].tolist(), rows[~new].tolist()
    rank = {row: place for place, row in enumerate(rows.tolist())}
    result: list[int] = []
    taken = 0
    for want in wanted.tolist():
        is_due = taken < want or not others
        if fresh and (is_due or rank[fresh[0]] < rank[others[0]]):
            result.append(fresh.pop(0))
            taken += 1
        else:
            result.append(others.pop(0))
    return np.array(result, rows.dtype)


def likeness(items: Items, rows: Array) -> Array:
    """(M, R, R) how alike items of a module are, 0 to 1: same category, brand, seller, near in price.

    Args:
        rows: (M, R)
    """
    alike = np.zeros((*rows.shape, rows.shape[1]))
    for kind, weight in _ALIKE.items():
        numbers = items.numbers(kind)[rows]  # type: ignore[arg-type]
        alike += weight * ((numbers[:, :, None] == numbers[:, None, :]) & (numbers[:, :, None] >= 0))
    price = np.log1p(items.price)[rows]
    alike += _ALIKE_PRICE * np.exp(-np.abs(price[:, :, None] - price[:, None, :]))
    return alike


def diversified(
    shelves: Sequence[Array], worth: Array, items: Items, method: str, strength: float
) -> list[Array]:
    """Each module's rows, the first DEPTH of them in an order that trades worth for variety.

    Args:
        worth: (N,) what an item is worth; of a module, its largest counts as 1.
    """
    width = min(max((len(rows) for rows in shelves), default=0), DEPTH)
    if width < 3:
        return list(shelves)
    padded = np.zeros((len(shelves), width), np.int64)
    is_row = np.zeros(padded.shape, bool)
    for place, rows in enumerate(shelves):
        padded[place, : len(rows[:width])] = rows[:width]
        is_row[place, : len(rows)] = True
    quality = np.where(is_row, worth[padded], 0.0)
    quality /= np.maximum(quality.max(axis=1, keepdims=True), 1e-12)
    pick = _by_relevance if method == "mmr" else _by_determinant
    order = pick(quality, likeness(items, padded), is_row, strength)
    return [
        np.concatenate((rows[order[place, : len(rows[:width])]], rows[width:]))
        for place, rows in enumerate(shelves)
    ]


def _by_relevance(quality: Array, alike: Array, is_row: Array, strength: float) -> Array:
    """(M, R) places in order: each time the most of (1 - strength) quality - strength likeness.

    Carbonell and Goldstein, "The use of MMR", SIGIR 1998.
    """
    module = np.arange(len(quality))
    score = np.where(is_row, (1 - strength) * quality, -np.inf)
    nearest = np.zeros_like(quality)
    order = np.empty(quality.shape, np.int64)
    for place in range(quality.shape[1]):
        # Rows beyond a module's end have -inf and come last, in order.
        best = np.argmax(score - strength * nearest, axis=1)
        order[:, place] = best
        score[module, best] = -np.inf
        is_spent = ~np.isfinite(score).any(axis=1)
        if is_spent.all():
            break
        nearest = np.maximum(nearest, alike[module, best])
    return order


def _by_determinant(quality: Array, alike: Array, is_row: Array, strength: float) -> Array:
    """(M, R) places in the order in which they add most to the determinant of the kernel.

    The kernel is exp(a (q_i + q_j)) S_ij with a = (1 - strength) / (2 strength). Greedy, by Chen, Zhang and
    Zhou, "Fast greedy MAP inference for determinantal point process", NeurIPS 2018.
    """
    count, width = quality.shape
    module = np.arange(count)
    similar = (alike + _RIDGE * np.eye(width)) / (1 + _RIDGE)
    gain = np.exp(np.minimum((1 - strength) / (2 * strength) * quality, 50.0))
    kernel = similar * gain[:, :, None] * gain[:, None, :]
    rest = np.where(is_row, np.einsum("mii->mi", kernel), -np.inf)
    factors = np.zeros((count, width, width))
    order = np.empty(quality.shape, np.int64)
    for place in range(width):
        best = np.argmax(rest, axis=1)
        order[:, place] = best
        # A module that is spent adds nothing more.
        pivot = np.sqrt(
            np.where(np.isfinite(rest[module, best]), np.maximum(rest[module, best], 1e-12), np.inf)
        )
        explained = np.einsum("mk,mik->mi", factors[module, best, :place], factors[:, :, :place])
        factor = (kernel[module, best] - explained) / pivot[:, None]
        factors[:, :, place] = factor
        rest = np.where(np.isfinite(rest), rest - factor**2, -np.inf)
        rest[module, best] = -np.inf
        if not np.isfinite(rest).any():
            break
    return order
