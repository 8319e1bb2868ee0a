"""Which items are bought together more often than chance?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

COMPANION_COUNT = 32
_MIN_PAIRS = 2
_MAX_BASKET = 40


@dataclass(frozen=True, slots=True)
class Companions:
    """Per item of the catalogue its companions as rows, best first, and their lifts."""

    rows: Sequence[Sequence[int]]
    lifts: Sequence[Sequence[float]]


def companions(baskets: Iterable[Sequence[int]], count: int) -> Companions:
    """Pairs that share at least two baskets, ordered by shrunk lift.

    lift(a, b) = P(a and b) / (P(a) P(b)); a pair seen n times counts n / (n + 2) of it, so that rare pairs
    do not lead.
    """
    single: Counter[int] = Counter()
    pairs: Counter[tuple[int, int]] = Counter()
    basket_count = 0
    for basket in baskets:
        rows = sorted(set(basket))[:_MAX_BASKET]
        basket_count += 1
        single.update(rows)
        pairs.update(combinations(rows, 2))
    found: list[list[tuple[float, int, float]]] = [[] for _ in range(count)]
    for (one, other), together in pairs.items():
        if together < _MIN_PAIRS:
            continue
        lift = together * basket_count / (single[one] * single[other])
        score = lift * together / (together + _MIN_PAIRS)
        found[one].append((-score, other, lift))
        found[other].append((-score, one, lift))
    ordered = [sorted(entries)[:COMPANION_COUNT] for entries in found]
    return Companions(
        [[row for _, row, _ in entries] for entries in ordered],
        [[lift for _, _, lift in entries] for entries in ordered],
    )
