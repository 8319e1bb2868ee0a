"""Between which bounds does a mean lie, however often and whenever one looks?

A confidence sequence holds at all times at once: the chance that the mean is ever outside is at most
1 - confidence, so that an experiment may be stopped the moment its bounds say something.

Symbols: n looks, in the order of time.
"""

from __future__ import annotations

import math

import numpy as np

from services.policy.page import Array


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
