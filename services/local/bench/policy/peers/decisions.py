"""How does a log of pages read to learners that know only steps of states, actions and rewards?

Shapes: P pages, S slots, N decisions, D width of a state, M modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.local.bench.policy.log import Log
from services.policy.training.pages import TERMINAL, Pages
from simulator.front import SLOT_COUNT

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Steps:
    """N decisions, each for one slot of a page, and those that followed.

    Attributes:
        page, slot, action: (N,); reward: (N,) float32.
        next_page, next_slot: (N,) the decision that followed; the same one again where the session ended.
        is_over: (N,) true where the session ended.
    """

    page: Array
    slot: Array
    action: Array
    reward: Array
    next_page: Array
    next_slot: Array
    is_over: Array

    def __len__(self) -> int:
        return len(self.page)


def to_the_page_end(pages: Pages) -> Steps:
    """As pages are often cut: down all slots, examined or not, the page's reward at the last of them."""
    is_last = np.zeros(pages.placed.shape, bool)
    is_last[:, -1] = True
    page, slot = np.nonzero(np.ones(pages.placed.shape, bool))
    reward = np.where(is_last, pages.reward.sum(1, keepdims=True), 0.0)
    return _steps(pages, page, slot, reward, is_last)


def down_the_cascade(pages: Pages) -> Steps:
    """As shoppers go: from a click, or from where one gave up, to the next page; slots below are dropped."""
    end, _ = pages.ends()
    slots = np.arange(pages.placed.shape[1])
    page, slot = np.nonzero(slots <= end[:, None])
    return _steps(pages, page, slot, pages.reward, slots == end[:, None])


def _steps(pages: Pages, page: Array, slot: Array, reward: Array, is_last: Array) -> Steps:
    ends = is_last[page, slot]
    following = pages.following[page]
    is_over = ends & (following == TERMINAL)
    return Steps(
        page=page,
        slot=slot,
        action=pages.placed[page, slot],
        reward=reward[page, slot].astype(np.float32),
        next_page=np.where(ends & ~is_over, following, page),
        next_slot=np.where(is_over, slot, np.where(ends, 0, slot + 1)),
        is_over=is_over,
    )


@dataclass(frozen=True, slots=True)
class SlotStates:
    """Describes decisions: the scaled state, which slot, and which modules stand above.

    Attributes:
        mean, scale: (D,) of the log's states.
        module: (A,) of each action.
    """

    mean: Array
    scale: Array
    module: Array

    @classmethod
    def of_log(cls, log: Log) -> SlotStates:
        states = log.pages.states
        deviation = states.std(0)
        scale = np.where(deviation < 1e-6, 1.0, np.maximum(deviation, 0.05)).astype(np.float32)
        return cls(states.mean(0), scale, log.encoder.catalogue.module)

    @property
    def width(self) -> int:
        return len(self.mean) + SLOT_COUNT + int(self.module.max()) + 1

    def scaled(self, states: Array) -> Array:
        """(B, D) with mean 0 and deviation 1 on the log."""
        result: Array = (states - self.mean) / self.scale
        return result

    def describe(self, states: Array, slot: Array, placed: Array) -> Array:
        """(N, D + S + M) float32 of states (N, D), slots (N,) and pages (N, S), of which what is above."""
        count = len(states)
        above = np.zeros((count, int(self.module.max()) + 1), np.float32)
        for upper in range(SLOT_COUNT - 1):
            rows = np.flatnonzero(slot > upper)
            above[rows, self.module[placed[rows, upper]]] = 1.0
        in_slot = (slot[:, None] == np.arange(SLOT_COUNT)).astype(np.float32)
        return np.concatenate((self.scaled(states), in_slot, above), 1, dtype=np.float32)
