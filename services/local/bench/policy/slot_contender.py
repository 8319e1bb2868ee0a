"""How does a Q-network lay out the simulator's front pages, slot by slot?"""

from __future__ import annotations

import numpy as np

from services.local.bench.policy.contenders import Exploring, served
from services.local.bench.policy.front_pages import Encoder, FrontActions
from services.policy.training import dqn
from services.policy.training.course import UNWATCHED, Course
from services.policy.training.dqn import Recipe
from services.policy.training.pages import Pages
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import PageReplay, slot_states
from simulator.front import SLOT_COUNT, Decision, Observed

RECIPE = Recipe(page_discount=1.0)
GREEDY = Exploring()


class SlotPolicy:
    """Fills slots from the top down, each with the action of the largest value given what stands above."""

    def __init__(self, encoder: Encoder, network: QNetwork, exploring: Exploring = GREEDY) -> None:
        self._encoder, self._network, self._exploring = encoder, network, exploring

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        actions = FrontActions(self._encoder, observed).of(np.arange(len(observed.rows))).actions
        states, module = self._encoder.states(observed), self._encoder.catalogue.module
        count, width = actions.shape[:2]
        is_free, above = np.ones((count, width), bool), np.zeros((count, actions.shape[2]), np.float32)
        placed, propensity = np.empty((count, SLOT_COUNT), np.int64), np.ones((count, SLOT_COUNT))
        everyone = np.arange(count)
        for slot in range(SLOT_COUNT):
            here = np.full(count, slot)
            given = slot_states(states, here, SLOT_COUNT - here - 1, above)
            value = self._network.answer(given, actions, is_free)
            if self._exploring.temperature:
                chance = served(value, is_free, self._exploring)
                cumulative = chance.cumsum(1)
                wanted = random.random(count) * cumulative[:, -1]
                chosen = np.minimum((cumulative <= wanted[:, None]).sum(1), width - 1)
                propensity[:, slot] = chance[everyone, chosen]
            else:
                chosen = value.argmax(1)
            placed[:, slot] = chosen
            above += actions[everyone, chosen]
            is_free &= module != module[chosen][:, None]
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
