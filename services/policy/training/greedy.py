"""Which pages does a Q-network lay out, slot by slot?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.policy.training.pages import Array, Described
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import slot_states

Choose = Callable[[Array, Array, int], Array]
"""From values (B, A), what is free (B, A) and the slot to an action of each page (B,)."""


def best(value: Array, is_free: Array, slot: int) -> Array:
    """(B,) free actions of the largest value (B, A)."""
    result: Array = np.where(is_free, value, -np.inf).argmax(1)
    return result


def pages(
    network: QNetwork, states: Array, described: Described, slot_count: int, choose: Choose = best
) -> Array:
    """(B, S) pages, each slot filled given what stands above, no module twice.

    Args:
        states: (B, D) of pages.
        described: what may stand; at least `slot_count` modules of each page.
        choose: picks among what is free.
    """
    everyone = np.arange(len(states))
    is_free, above = described.is_allowed.copy(), np.zeros_like(described.actions[:, 0])
    placed = np.empty((len(states), slot_count), np.int64)
    for slot in range(slot_count):
        here = np.full(len(states), slot)
        given = slot_states(states, here, slot_count - here - 1, above)
        chosen = choose(network.answer(given, described.actions, is_free), is_free, slot)
        placed[:, slot] = chosen
        above += described.actions[everyone, chosen]
        is_free &= described.module != described.module[everyone, chosen][:, None]
    return placed
