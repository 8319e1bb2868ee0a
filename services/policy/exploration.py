"""With which probability is each feasible choice served?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

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
        best = (values == values.max()).astype(np.float64)
        preferred = best / best.sum()
    else:
        preferred = _softmax(_z_scores(values) / exploration.temperature)
    mixed = (1.0 - exploration.epsilon) * preferred + exploration.epsilon / count
    normalised: Array = mixed / mixed.sum()
    return normalised


def draw(probability: Array, order: Array, uniform: float) -> int:
    """The choice that a uniform number in [0, 1) falls on.

    Args:
        probability: (A,), sums to 1.
        order: (A,) the choices in an order that does not depend on how the request lists them.
    """
    cumulative = np.cumsum(probability[order])
    place = int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
    while probability[order[min(place, len(order) - 1)]] == 0.0:  # rounding at the upper end
        place = min(place, len(order) - 1) - 1
    return int(order[min(place, len(order) - 1)])


def _z_scores(values: Array) -> Array:
    values = values.astype(np.float64)
    centred: Array = values - values.sum() / len(values)
    deviation = math.sqrt(centred @ centred / len(values))
    # Equal values differ by rounding alone; dividing by that would make noise look like preference.
    if deviation <= 1e-9 * max(1.0, float(np.abs(values).max())):
        return np.zeros(len(values))
    return centred / deviation


def _softmax(logits: Array) -> Array:
    weights = np.exp(logits - logits.max())
    result: Array = weights / weights.sum()
    return result
