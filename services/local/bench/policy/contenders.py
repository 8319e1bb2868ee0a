"""Which policies meet on the simulator's front pages?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.local.bench.policy.front_pages import Encoder, FrontActions
from services.policy import programme
from services.policy.programme import Cascade
from services.policy.training.slateq import CascadeNetwork
from simulator.front import SLOT_COUNT, Decision, Observed

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Exploring:
    """The served distribution: softmax of z-scored values over the temperature, mixed with uniform choice."""

    temperature: float = 0.0
    """0 takes the best."""
    epsilon: float = 0.0


class CascadePolicy:
    """Lays out pages by a cascade network: each slot by its own worth and the best completion below."""

    def __init__(self, encoder: Encoder, network: CascadeNetwork, exploring: Exploring = Exploring()) -> None:
        self._encoder, self._network, self._exploring = encoder, network, exploring

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        actions = FrontActions(self._encoder, observed).of(np.arange(len(observed.rows))).actions
        cascade = self._network.cascade(self._encoder.states(observed), actions)
        return lay_out(cascade, self._encoder.catalogue.module, self._exploring, random)


class ClickOrder(CascadePolicy):
    """Greedy: the actions most likely to be clicked, from the top down, by the same network's click head."""

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        actions = FrontActions(self._encoder, observed).of(np.arange(len(observed.rows))).actions
        click, *_ = self._network.answer(self._encoder.states(observed), actions)
        alone = Cascade(click, click, np.zeros_like(click))
        return lay_out(alone, self._encoder.catalogue.module, self._exploring, random)


def lay_out(cascade: Cascade, module: Array, exploring: Exploring, random: np.random.Generator) -> Decision:
    """Fills slots top-down, and says with which probability."""
    count, width = cascade.worth.shape
    is_free = np.ones((count, width), bool)
    placed, propensity = np.empty((count, SLOT_COUNT), np.int64), np.ones((count, SLOT_COUNT))
    everyone = np.arange(count)
    for slot in range(SLOT_COUNT):
        value = slot_values(cascade, is_free, slot)
        if exploring.temperature:
            chance = served(value, is_free, exploring)
            cumulative = chance.cumsum(1)
            wanted = random.random(count) * cumulative[:, -1]
            chosen = np.minimum((cumulative <= wanted[:, None]).sum(1), width - 1)
            propensity[:, slot] = chance[everyone, chosen]
        else:
            chosen = np.where(is_free, value, -np.inf).argmax(1)
        placed[:, slot] = chosen
        is_free &= module != module[chosen][:, None]
    return Decision(placed, propensity)


def slot_values(cascade: Cascade, is_free: Array, slot: int) -> Array:
    """(B, A) value of each action in a slot, with the best that is free below it."""
    left = SLOT_COUNT - slot - 1
    if not left or not cascade.passing.any():
        return cascade.last_worth if not left else cascade.worth
    below = programme.values_below(cascade, is_free, left)
    result: Array = cascade.worth + cascade.passing * below[:, None]
    return result


def served(value: Array, is_free: Array, exploring: Exploring) -> Array:
    """(B, A) probabilities of the served distribution over what is free."""
    count = is_free.sum(1, keepdims=True)
    kept = np.where(is_free, value, 0.0)
    mean = kept.sum(1, keepdims=True) / count
    spread = np.sqrt((np.where(is_free, value - mean, 0.0) ** 2).sum(1, keepdims=True) / count)
    logit = np.where(is_free, (value - mean) / np.maximum(spread, 1e-12) / exploring.temperature, -np.inf)
    weight = np.exp(logit - logit.max(1, keepdims=True))
    weight /= weight.sum(1, keepdims=True)
    result: Array = (1 - exploring.epsilon) * weight + exploring.epsilon * is_free / count
    return result
