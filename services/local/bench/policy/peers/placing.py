"""How do scores of actions become a page on which no module stands twice?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.front import SLOT_COUNT, Decision

Array = np.ndarray[Any, Any]

ScoreOf = Callable[[int, Array], Array]
"""(B, A) scores for a slot, given the (B, S) actions of which those above it are placed."""


def by_slot(count: int, module: Array, score_of: ScoreOf) -> Decision:
    """B pages, from the top down the best action that is free; ties go to the first.

    Args:
        module: (A,) of each action; two of one module exclude each other.
    """
    is_free = np.ones((count, len(module)), bool)
    placed = np.zeros((count, SLOT_COUNT), np.int64)
    for slot in range(SLOT_COUNT):
        placed[:, slot] = np.where(is_free, score_of(slot, placed), -np.inf).argmax(1)
        is_free &= module != module[placed[:, slot]][:, None]
    return Decision(placed, np.ones(placed.shape))


def by_score(score: Array, module: Array) -> Decision:
    """B pages by one score (B, A) for all slots."""
    return by_slot(len(score), module, lambda slot, placed: score)


def repeated(order: Array, count: int) -> Decision:
    """The same page, (S,) actions, for everybody."""
    placed = np.tile(order[:SLOT_COUNT], (count, 1))
    return Decision(placed, np.ones(placed.shape))
