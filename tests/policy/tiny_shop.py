"""Which shop is small enough to be solved by hand, and which logs hold every mask there can be?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.policy.training.pages import TERMINAL, Described, Pages

CLICK, SCROLL = np.array([0.6, 0.3, 0.2]), np.array([0.5, 0.8, 0.9])
"""Of three modules, whatever the state."""


@dataclass
class Same:
    """Three actions, one-hot, the same on all pages."""

    is_allowed: tuple[bool, ...] = (True, True, True)

    def of(self, pages):
        shape = (len(pages), 3)
        return Described(
            np.broadcast_to(np.eye(3, dtype=np.float32), (*shape, 3)).copy(),
            np.broadcast_to(np.arange(3), shape),
            np.broadcast_to(np.array(self.is_allowed), shape),
        )

    def chosen(self, pages, actions):
        return np.eye(3, dtype=np.float32)[actions]


def shop_log(count, seed=0):
    """Two states: in the first, a click on module 1 leads to the second, anything else ends the session.

    In the second, a click on module 0 earns 1, and the session ends whatever is done. Two slots, uniform.
    """
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        state = 0
        while True:
            placed = random.permutation(3)[:2]
            examined, clicked, end = [True, False], [False, False], 0
            for slot, module in enumerate(placed):
                examined[slot], end = True, slot
                if random.random() < CLICK[module]:
                    clicked[slot] = True
                    break
                if random.random() >= SCROLL[module]:
                    break
            hit = clicked[end]
            reward = [0.0, 0.0]
            if state == 1 and hit and placed[end] == 0:
                reward[end] = 1.0
            goes_on = state == 0 and hit and placed[end] == 1
            rows.append((state, placed, examined, clicked, reward, [hit and state == 1], goes_on))
            if not goes_on:
                break
            state = 1
    state, placed, examined, clicked, reward, signals, goes_on = map(np.array, zip(*rows, strict=True))
    return Pages(
        states=np.eye(2, dtype=np.float32)[state],
        actions=Same(),
        slot_count=np.full(len(state), 2),
        placed=placed,
        propensity=np.tile([1 / 3, 1 / 2], (len(state), 1)),
        is_examined=examined,
        is_clicked=clicked,
        reward=reward,
        signals=signals,
        following=np.where(goes_on, np.arange(len(state)) + 1, TERMINAL),
    )


def page_values(second):
    """By hand: values of all ordered pairs in a state, where a click on module m is worth second[m]."""
    return {
        (upper, lower): CLICK[upper] * second[upper]
        + (1 - CLICK[upper]) * SCROLL[upper] * CLICK[lower] * second[lower]
        for upper in range(3)
        for lower in range(3)
        if upper != lower
    }


BEST_SECOND = max(page_values([1, 0, 0]).values())
BEST_FIRST = max(page_values([0, BEST_SECOND, 0]).values())


def worth(first, second):
    """Expected reward of a session in which these pages stand in the two states."""
    return page_values([0, page_values([1, 0, 0])[tuple(second)], 0])[tuple(first)]


UNIFORM_SECOND = float(np.mean(list(page_values([1, 0, 0]).values())))
UNIFORM_FIRST = float(np.mean(list(page_values([0, UNIFORM_SECOND, 0]).values())))

MODULE = np.array([0, 0, 1, 1, 2, 3, 4, 4, 5])
"""Of nine actions: three modules have two templates."""


@dataclass
class Masked:
    """Nine actions of six modules, of which each page allows some; what it does not is described as told."""

    is_allowed: np.ndarray
    described: np.ndarray
    forbidden: float = 0.0

    def of(self, pages):
        allowed = self.is_allowed[pages]
        actions = np.where(allowed[:, :, None], self.described, np.float32(self.forbidden))
        return Described(actions, np.broadcast_to(MODULE, allowed.shape), allowed)

    def chosen(self, pages, actions):
        return self.described[actions]


def masked_log(is_allowed, seed, forbidden=0.0):
    """Pages of three slots at random, two a session; each allows nine actions or fewer, of three modules or more."""
    random = np.random.default_rng(seed)
    count = len(is_allowed)
    placed = np.zeros((count, 3), np.int64)
    for page in range(count):
        free = is_allowed[page].copy()
        for slot in range(3):
            placed[page, slot] = random.choice(np.flatnonzero(free))
            free &= MODULE[placed[page, slot]] != MODULE
    end = random.integers(3, size=count)
    examined = np.arange(3) <= end[:, None]
    clicked = (np.arange(3) == end[:, None]) & (random.random(count) < 0.5)[:, None]
    reward = np.where(clicked, random.random((count, 3)), 0.0)
    return Pages(
        states=random.normal(size=(count, 4)).astype(np.float32),
        actions=Masked(is_allowed, random.normal(size=(9, 5)).astype(np.float32), forbidden),
        slot_count=np.full(count, 3),
        placed=placed,
        propensity=np.full((count, 3), 0.2),
        is_examined=examined,
        is_clicked=clicked,
        reward=reward,
        signals=clicked.any(1)[:, None] & (random.random((count, 1)) < 0.5),
        following=np.where(np.arange(count) % 2 == 0, np.arange(count) + 1, TERMINAL),
    )
