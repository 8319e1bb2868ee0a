"""How much does a log say about a policy other than the one that wrote it?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from services.feature.importing.shown import LoggedRows

_Z = 1.96


@dataclass(frozen=True, slots=True)
class Support:
    """One file's rows and clicks, and what they say about showing each item of the pool equally often."""

    name: str
    row_count: int
    click_count: int
    item_count: int
    click_rate: float
    interval: tuple[float, float]
    """Of the click rate, 95 %, by Wilson's score."""
    effective_count: float | None
    """Effective number of rows after weighting to the uniform choice; None without propensities."""
    largest_weight: float | None
    uniform_click_rate: float | None
    """Estimate of the click rate under the uniform choice."""


def support(log: LoggedRows) -> Support:
    """What a file's rows support.

    Weights are w = (1 / n) / propensity, n items in the pool. The effective number of rows is
    (sum w)^2 / sum w^2 (Kong 1992); the estimate is self-normalised importance sampling,
    sum w click / sum w (Swaminathan, Joachims 2015).
    """
    count, clicks, item_count = len(log), int(log.clicked.sum()), len(log.pool)
    effective = largest = estimate = None
    if log.propensities is not None:
        weights = 1 / (item_count * log.propensities)
        effective = float(weights.sum() ** 2 / (weights**2).sum())
        largest = float(weights.max())
        estimate = float((weights * log.clicked).sum() / weights.sum())
    return Support(
        name=log.mapping.name,
        row_count=count,
        click_count=clicks,
        item_count=item_count,
        click_rate=clicks / count,
        interval=wilson(clicks, count),
        effective_count=effective,
        largest_weight=largest,
        uniform_click_rate=estimate,
    )


def wilson(events: int, trials: int) -> tuple[float, float]:
    """95 % interval of a rate (Wilson 1927)."""
    rate = events / trials
    centre = (rate + _Z**2 / (2 * trials)) / (1 + _Z**2 / trials)
    half = _Z / (1 + _Z**2 / trials) * math.sqrt(rate * (1 - rate) / trials + _Z**2 / (4 * trials**2))
    return float(np.clip(centre - half, 0, 1)), float(np.clip(centre + half, 0, 1))
