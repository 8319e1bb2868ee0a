"""With which probability is each feasible choice served?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from services.common.compiled import compiled

Array = np.ndarray[Any, Any]


class Mode(Enum):
    """A way to draw choices."""

    GREEDY = "greedy"
    """The best choice, the first of equals."""
    EPSILON_GREEDY = "epsilon_greedy"
    """The best choice, equals alike; with probability epsilon, any."""
    SOFTMAX = "softmax"
    """The softmax of z-scored values over the temperature; with probability epsilon, any."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """How choices are drawn."""

    mode: Mode
    epsilon: float
    """Share of uniform choice, 0 to 1; not used by GREEDY."""
    temperature: float
    """Above 0; used by SOFTMAX alone."""


def probabilities(values: Array, exploration: Exploration) -> Array:
    """The served distribution over feasible choices; it sums to 1.

    Args:
        values: (A,) of the feasible choices, finite; at least one.

    Returns:
        (A,) float64.
    """
    count = len(values)
    if exploration.mode is Mode.GREEDY:
        result = np.zeros(count)
        result[np.argmax(values)] = 1.0
        return result
    if exploration.mode is Mode.EPSILON_GREEDY:
        return _mixed((values == values.max()).astype(np.float64), exploration.epsilon)
    return _softmax(values.astype(np.float64), exploration.temperature, exploration.epsilon)


@compiled
def draw(probability: Array, rank: Array, uniform: float) -> int:
    """The choice that a uniform number in [0, 1) falls on.

    Args:
        probability: (A,), sums to 1.
        rank: (A,) the choices' places in an order that does not depend on how the request lists them.
    """
    aim = uniform * probability.sum()
    drawn, passed = -1, 0.0
    for choice in np.argsort(rank):
        if probability[choice] > 0.0:  # rounding at the upper end never makes a choice of what has no chance
            drawn, passed = choice, passed + probability[choice]
            if passed > aim:
                break
    return drawn


@compiled
def _softmax(values: Array, temperature: float, epsilon: float) -> Array:
    """(A,) probabilities by z-scored values, and of epsilon, uniform."""
    centred = values - values.sum() / len(values)
    deviation = math.sqrt((centred * centred).sum() / len(values))
    # Equal values differ by rounding alone; dividing by that would make noise look like preference.
    if deviation <= 1e-9 * max(1.0, np.abs(values).max()):
        return _mixed(np.ones(len(values)), epsilon)
    return _mixed(np.exp((centred - centred.max()) / (deviation * temperature)), epsilon)


@compiled
def _mixed(weights: Array, epsilon: float) -> Array:
    """(A,) probabilities in proportion to the weights, and of epsilon, uniform."""
    mixed = (1.0 - epsilon) * (weights / weights.sum()) + epsilon / len(weights)
    normalised: Array = mixed / mixed.sum()
    return normalised
