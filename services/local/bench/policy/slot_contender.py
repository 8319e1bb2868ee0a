"""How does a slot-wise learner play on the simulator's front pages?"""

from __future__ import annotations

import numpy as np

from services.local.bench.policy.contenders import Exploring, served
from services.local.bench.policy.front_pages import Array, Encoder, FrontActions
from services.policy.training import dqn, greedy
from services.policy.training.course import UNWATCHED, Course
from services.policy.training.dqn import Recipe
from services.policy.training.pages import Pages
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import PageReplay
from simulator.front import SLOT_COUNT, Decision, Observed

RECIPE = Recipe(page_discount=1.0, step_count=1_800, batch_size=2_048, weight_decay=0.1)
"""Settled on worlds 0 to 2. What one slot earns is a small part of what a session varies by, so that batches
of 512 gave values no better than the order of clicks."""
GREEDY = Exploring()


class SlotPolicy:
    """Fills slots from the top down by their values given what stands above."""

    def __init__(self, encoder: Encoder, network: QNetwork, exploring: Exploring = GREEDY) -> None:
        self._encoder, self.network, self._exploring = encoder, network, exploring

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        count = len(observed.rows)
        described = FrontActions(self._encoder, observed).of(np.arange(count))
        propensity = np.ones((count, SLOT_COUNT))

        def drawn(value: Array, is_free: Array, slot: int) -> Array:
            chance = served(np.where(is_free, value, 0.0), is_free, self._exploring)
            cumulative = chance.cumsum(1)
            wanted = random.random(count) * cumulative[:, -1]
            chosen: Array = np.minimum((cumulative <= wanted[:, None]).sum(1), chance.shape[1] - 1)
            propensity[:, slot] = chance[np.arange(count), chosen]
            return chosen

        choose = drawn if self._exploring.temperature else greedy.best
        states = self._encoder.states(observed)
        placed = greedy.pages(self.network, states, described, SLOT_COUNT, choose)
        return Decision(placed, propensity)


def fit(
    encoder: Encoder,
    pages: Pages,
    recipe: Recipe = RECIPE,
    exploring: Exploring = GREEDY,
    course: Course = UNWATCHED,
) -> SlotPolicy:
    """A policy learned from logged pages."""
    replay = PageReplay.of(pages, recipe.page_discount)
    return SlotPolicy(encoder, dqn.learn(replay, recipe, course=course), exploring)
