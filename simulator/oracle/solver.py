"""What could anybody earn who knew all that is hidden?

Value iteration over every state of mind, exact where pages are cascades. Shapes: X contexts, H hidden
states, A actions, S slots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.front.page import is_cascade
from simulator.front.records import Decision
from simulator.front.seen import Observed
from simulator.front.shop import Front
from simulator.oracle.minds import Continuation, Following, Odds, Space, odds
from simulator.oracle.pages import best_pages, page_value, slots_of
from simulator.regimes import CASCADES
from simulator.session import HiddenState

SOLVABLE = CASCADES
"""Regimes that the oracle is exact for."""
_TOLERANCE = 1e-3
_MAX_IMPROVEMENTS, _SWEEPS, _LAST_SWEEPS = 20, 4, 20


@dataclass(frozen=True, slots=True)
class Solution:
    """One context, solved.

    Attributes:
        value: (H,) of the page found for each state, and all that follows.
        page: (H, S) actions of that page.
        following: (H, A) values of clicks and of giving up.
        odds: of the context.
    """

    value: np.ndarray
    page: np.ndarray
    following: Following
    odds: Odds


def solve(front: Front, context: int, start: Solution | None = None) -> Solution:
    """Policy iteration: pages are bettered, then valued by some sweeps (Puterman & Shin 1978).

    Args:
        start: of a neighbouring context, to begin with.

    Raises:
        ValueError: for a shop of which no page's worth follows from a state of mind alone.
    """
    _check(front)
    space = Space.of(front)
    at = odds(front, space, context)
    continuation = Continuation(front, space)
    value = np.zeros(len(space.type)) if start is None else start.value
    page = None if start is None else start.page
    for _ in range(_MAX_IMPROVEMENTS):
        before = value
        slots = slots_of(at, continuation.following(value, at))
        found = best_pages(slots, front.catalogue.module)
        if page is not None:
            # A page once found is kept unless a better one was found: values only rise.
            is_kept = page_value(slots, page) >= page_value(slots, found)
            found = np.where(is_kept[:, None], page, found)
        page = found
        value = page_value(slots, page)
        for _ in range(_SWEEPS):
            value = page_value(slots_of(at, continuation.following(value, at)), page)
        if np.abs(value - before).max() < _TOLERANCE * float(value.max()):
            break
    assert page is not None
    for _ in range(_LAST_SWEEPS):
        value = page_value(slots_of(at, continuation.following(value, at)), page)
    return Solution(value, page, continuation.following(value, at), at)


def _check(front: Front) -> None:
    if front.is_rich:
        raise ValueError(
            "front: is rich, want one whose modules do not depend on a shopper's past: no optimum is known"
        )
    if not is_cascade(front) or front.world.regime.cannibalisation:
        raise ValueError(
            f"front: regime {front.world.regime.name!r}, want one whose pages are cascades of shelves that "
            f"do not mind each other: {sorted(regime.name for regime in SOLVABLE)}, or a part of 'shift'"
        )


class Clairvoyant:
    """Knows every mind: the latent optimum, which nobody can reach who only sees what shoppers do."""

    def __init__(self, solutions: list[Solution], space: Space) -> None:
        self._pages = np.stack([solution.page for solution in solutions])
        self._space = space
        self._state: HiddenState | None = None

    def know(self, state: HiddenState) -> None:
        self._state = state

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        assert self._state is not None
        placed = self._pages[observed.context, self._space.index_of(self._state)]
        return Decision(placed, np.ones(placed.shape))
