"""With which probability is each feasible choice served?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from services.common.compiled import compiled

Array = np.ndarray[Any, Any]
Law = tuple[int, float, float]
"""An exploration as compiled functions take it: place of its mode, epsilon, temperature."""


class Mode(Enum):
    """A way to draw choices."""

    GREEDY = "greedy"
    """The best choice, the first of equals."""
    EPSILON_GREEDY = "epsilon_greedy"
    """The best choice, equals alike; with probability epsilon, any."""
    SOFTMAX = "softmax"
    """The softmax of z-scored values over the temperature; with probability epsilon, any."""


_MODES = tuple(Mode)
_GREEDY, _EPSILON_GREEDY = _MODES.index(Mode.GREEDY), _MODES.index(Mode.EPSILON_GREEDY)


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
    return _served(values, law_of(exploration))


def law_of(exploration: Exploration) -> Law:
    """An exploration as compiled functions take it."""
    return _MODES.index(exploration.mode), float(exploration.epsilon), float(exploration.temperature)


@compiled
def drawn(values: Array, law: Law, rank: Array, uniform: float) -> tuple[Array, int, bool]:
    """(A,) probabilities of choices, the one drawn by them as `draw` says, and whether it is the best.

    The choice is -1 where a value is not finite.
    """
    if not np.isfinite(values).all():
        return np.zeros(len(values)), -1, False
    probability = _served(values, law)
    choice = draw(probability, rank, uniform)
    return probability, choice, values[choice] >= values.max()


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
def _served(values: Array, law: Law) -> Array:
    mode, epsilon, temperature = law
    if mode == _GREEDY:
        result = np.zeros(len(values))
        result[np.argmax(values)] = 1.0
        return result
    if mode == _EPSILON_GREEDY:
        return _mixed((values == values.max()).astype(np.float64), epsilon)
    return _softmax(values.astype(np.float64), temperature, epsilon)


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
