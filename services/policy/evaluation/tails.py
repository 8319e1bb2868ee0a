"""How heavy is the tail of importance weights: does their variance exist at all?

An effective sample counts what was drawn. Where tails are heavy, the weights that would tell otherwise are
most often not among them: the luckier the log, the larger its effective sample, and the further off its
estimates. The tail's shape shows in the large weights that are there.
"""

from __future__ import annotations

import math

import numpy as np

from services.policy.page import Array

FEWEST = 5
"""Different weights in the tail, below which nothing can be said of its shape."""

_PRIOR_COUNT, _PRIOR_INDEX = 10.0, 0.5


def tail_index(weights: Array) -> float:
    """The index k of the generalised Pareto distribution that the largest weights follow.

    Moments of order below 1 / k exist: variances for k below 0.5, means below 1. Minus infinity where few
    different weights are in the tail: they are bounded. The tail is the largest min(0.2 n, 3 sqrt(n)) of n.

    Args:
        weights: (n,) 0 or more.

    Source: Vehtari et al. 2024, Pareto smoothed importance sampling, arXiv:1507.02646, section 3 and
    appendix C; the fit is that of Zhang and Stephens 2009, A new and efficient estimation method for the
    generalized Pareto distribution.
    """
    count = len(weights)
    tail_count = math.ceil(min(0.2 * count, 3.0 * math.sqrt(count)))
    if tail_count < FEWEST or tail_count >= count:
        return -math.inf
    largest = np.partition(weights, count - tail_count - 1)[count - tail_count - 1 :]
    threshold = largest.min()
    beyond = np.sort(largest[largest > threshold] - threshold)
    if len(np.unique(beyond)) < FEWEST:
        return -math.inf
    found = _fitted_index(beyond)
    return (len(beyond) * found + _PRIOR_COUNT * _PRIOR_INDEX) / (len(beyond) + _PRIOR_COUNT)


def _fitted_index(beyond: Array) -> float:
    """k of sorted values above 0, averaged over scales by how likely each is."""
    count = len(beyond)
    scale_count = 30 + math.isqrt(count)
    quartile = beyond[math.floor(count / 4 + 0.5) - 1]
    steps = np.arange(1, scale_count + 1) - 0.5
    scales = 1.0 / beyond[-1] + (1.0 - np.sqrt(scale_count / steps)) / (3.0 * quartile)
    indexes = np.log1p(-scales[:, None] * beyond).mean(1)
    likelihoods = count * (np.log(-scales / indexes) - indexes - 1.0)
    shares = np.exp(likelihoods - likelihoods.max())
    scale = float(scales @ shares / shares.sum())
    return float(np.log1p(-scale * beyond).mean())
