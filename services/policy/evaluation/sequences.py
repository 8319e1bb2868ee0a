"""Between which bounds does a mean lie, however often and whenever one looks?

A confidence sequence holds at all times at once: the chance that the mean is ever outside is at most
1 - confidence, so that an experiment may be stopped the moment its bounds say something.

Symbols: n values in the order in which they came.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from services.policy.page import Array

_LARGEST_BET = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Bounds after each value."""

    lower: Array
    """(n,)"""
    upper: Array
    """(n,)"""


def bernstein_sequence(values: Array, lowest: float, highest: float, confidence: float = 0.95) -> Band:
    """Predictable plug-in empirical Bernstein sequence: holds for every distribution on a known range.

    With values scaled to X in [0, 1] and a = 1 - confidence:
    (sum l_i X_i +- (ln(2/a) + sum 4 (X_i - m_(i-1))^2 psi(l_i))) / sum l_i, where
    psi(l) = (-ln(1 - l) - l) / 4, l_i = min(sqrt(2 ln(2/a) / (s_(i-1) i ln(1 + i))), 1/2), and m and s are
    mean and variance of what came before, with one half and one quarter as a first observation. Bounds
    never widen.

    Args:
        values: (n,) whose mean, given what came before, is always the same.

    Source: Waudby-Smith and Ramdas 2023, arXiv:2010.09686, theorem 2.
    """
    if not highest > lowest:
        raise ValueError(f"highest: got {highest}, want more than lowest, {lowest}")
    if len(values) and (values.min() < lowest or values.max() > highest):
        raise ValueError(f"values: got {values.min()} to {values.max()}, want {lowest} to {highest}")
    scaled = (values - lowest) / (highest - lowest)
    number = np.arange(1, len(scaled) + 1)
    log_term = math.log(2.0 / (1.0 - confidence))
    means = (0.5 + np.cumsum(scaled)) / (number + 1)
    variances = (0.25 + np.cumsum((scaled - means) ** 2)) / (number + 1)
    means_before = np.concatenate([[0.5], means])[:-1]
    variances_before = np.concatenate([[0.25], variances])[:-1]
    bets = np.sqrt(2.0 * log_term / (variances_before * number * np.log1p(number)))
    bets = np.minimum(bets, _LARGEST_BET)
    psi = (-np.log1p(-bets) - bets) / 4.0
    total = np.cumsum(bets)
    centre = np.cumsum(bets * scaled) / total
    radius = (log_term + np.cumsum(4.0 * (scaled - means_before) ** 2 * psi)) / total
    lower = np.maximum.accumulate(np.clip(centre - radius, 0.0, 1.0))
    upper = np.minimum.accumulate(np.clip(centre + radius, 0.0, 1.0))
    extent = highest - lowest
    return Band(lowest + extent * lower, lowest + extent * upper)


def asymptotic_radius(count: Array, variance: Array, confidence: float, tuned_count: float) -> Array:
    """Half width of the asymptotic confidence sequence after `count` values; needs no known range.

    s sqrt(2 (n p^2 + 1) / (n^2 p^2) ln(sqrt(n p^2 + 1) / a)) with a = 1 - confidence, s^2 the variance and
    p chosen so that the band is narrowest after about `tuned_count` values.

    Args:
        count: (n,) how many values came, 1 or more. Valid in the limit: do not look before some hundreds.
        variance: (n,) of a value, averaged over those that came.

    Source: Waudby-Smith et al. 2021, arXiv:2103.06476, theorem 2.2.
    """
    alpha = 1.0 - confidence
    # The paper's choice of p for a given time, from the lower branch of Lambert's W by its expansion.
    tuning = (-2.0 * math.log(alpha) + math.log(1.0 - 2.0 * math.log(alpha))) / tuned_count
    spread = count * tuning
    radius: Array = np.sqrt(
        variance * 2.0 * (spread + 1.0) / (count * spread) * np.log(np.sqrt(spread + 1.0) / alpha)
    )
    return radius


def asymptotic_sequence(values: Array, confidence: float = 0.95, tuned_count: float = 1_000.0) -> Band:
    """The asymptotic confidence sequence of a mean: running mean +- `asymptotic_radius`.

    Args:
        values: (n,)
    """
    number = np.arange(1, len(values) + 1)
    means = np.cumsum(values) / number
    variances = np.maximum(np.cumsum(values**2) / number - means**2, 0.0)
    radius = asymptotic_radius(number, variances, confidence, tuned_count)
    return Band(means - radius, means + radius)
