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
    return _served(values, *_how(exploration))


def drawn(values: Array, exploration: Exploration, rank: Array, uniform: float) -> tuple[Array, int, bool]:
    """(A,) probabilities as above, the choice drawn by them as `draw` says, and whether it is the best.

    The choice is -1 where a value is not finite.
    """
    found: tuple[Array, int, bool] = _drawn(values, *_how(exploration), rank, uniform)
    return found


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


def _how(exploration: Exploration) -> tuple[int, float, float]:
    """As compiled functions take it."""
    return _MODES.index(exploration.mode), float(exploration.epsilon), float(exploration.temperature)


@compiled
def _drawn(
    values: Array, mode: int, epsilon: float, temperature: float, rank: Array, uniform: float
) -> tuple[Array, int, bool]:
    if not np.isfinite(values).all():
        return np.zeros(len(values)), -1, False
    probability = _served(values, mode, epsilon, temperature)
    choice = draw(probability, rank, uniform)
    return probability, choice, values[choice] >= values.max()


@compiled
def _served(values: Array, mode: int, epsilon: float, temperature: float) -> Array:
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
