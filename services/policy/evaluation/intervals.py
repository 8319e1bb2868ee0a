"""Between which bounds does a mean lie, given a sample of fixed size?

Two-sided; the lower bound alone holds with confidence (1 + confidence) / 2. For bounds that may be looked
at while the sample grows, see `sequences`.

Symbols: n values, C shoppers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from services.policy.page import Array

REPLICATE_COUNT = 1_000
CLUSTER_LIMIT = 20_000
"""Clusters to draw from at most: more shoppers are drawn in groups of a random split, whose sums spread as
much as theirs, at a fraction of the work."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a mean."""

    lower: float
    upper: float


def empirical_bernstein(values: Array, lowest: float, highest: float, confidence: float = 0.95) -> Interval:
    """Bounds that hold for every distribution on a known range, at every sample size.

    mean +- R (sqrt(2 V ln(2/a) / n) + 7 ln(2/a) / (3 (n - 1))), with a = (1 - confidence) / 2 for each
    side, R = highest - lowest and V the sample variance of the values over R.

    Args:
        values: (n,) independent.
        lowest, highest: what a value can be, known beforehand. The sample's own extremes are no substitute:
            a weight that was never drawn is what makes the mean uncertain.

    Source: Maurer and Pontil 2009, arXiv:0907.3740, theorem 4.
    """
    _check(values, confidence)
    if not highest > lowest:
        raise ValueError(f"highest: got {highest}, want more than lowest, {lowest}")
    if values.min() < lowest or values.max() > highest:
        raise ValueError(f"values: got {values.min()} to {values.max()}, want {lowest} to {highest}")
    count, extent = len(values), highest - lowest
    log_term = math.log(4.0 / (1.0 - confidence))
    variance = float(np.var(values / extent, ddof=1))
    radius = math.sqrt(2.0 * variance * log_term / count) + 7.0 * log_term / (3.0 * (count - 1))
    mean = float(values.mean())
    return Interval(max(lowest, mean - extent * radius), min(highest, mean + extent * radius))


def cluster_bootstrap(
    values: Array,
    shoppers: Array,
    confidence: float = 0.95,
    replicate_count: int = REPLICATE_COUNT,
    seed: int = 0,
) -> Interval:
    """Percentiles of the mean over shoppers drawn with replacement, each with all that is theirs.

    Approximate: heavy tails that the sample did not meet are not in it.

    Args:
        values: (n,)
        shoppers: (n,) who each value belongs to, 0 to below C.

    Source: Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.8.
    """
    _check(values, confidence)
    sums = np.bincount(shoppers, weights=values)
    counts = np.bincount(shoppers)
    sums, counts = sums[counts > 0], counts[counts > 0]
    if len(sums) < 2:
        raise ValueError(f"shoppers: got {len(sums)}, want 2 or more")
    generator = np.random.default_rng(seed)
    if len(sums) > CLUSTER_LIMIT:
        groups = generator.permutation(len(sums)) % CLUSTER_LIMIT
        sums, counts = np.bincount(groups, weights=sums), np.bincount(groups, weights=counts)
    means = np.empty(replicate_count)
    for replicate in range(replicate_count):
        drawn = generator.integers(len(sums), size=len(sums))
        means[replicate] = sums[drawn].sum() / counts[drawn].sum()
    tail = (1.0 - confidence) / 2.0
    lower, upper = np.quantile(means, [tail, 1.0 - tail])
    return Interval(float(lower), float(upper))


def _check(values: Array, confidence: float) -> None:
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values: got shape {values.shape}, want (n,) with n of 2 or more")
    if not np.isfinite(values).all():
        raise ValueError("values: got NaN or infinity, want finite numbers")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence: got {confidence}, want above 0, below 1")
