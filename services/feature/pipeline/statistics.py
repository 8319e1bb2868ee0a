"""How often is each item seen, clicked and bought, and is it rising?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLICK_PRIOR, PURCHASE_PRIOR = 0.02, 0.001
"""Rates before any log."""

_CLICK_STRENGTH, _PURCHASE_STRENGTH = 50.0, 200.0
_SHORT_DAYS, _LONG_DAYS = 2.0, 14.0
_US_PER_DAY = 86_400e6
_TREND_FLOOR = 0.5
_MIN_PRIOR_IMPRESSIONS = 1_000


@dataclass(frozen=True, slots=True)
class Touches:
    """Things that happened to items: (T,) rows of the catalogue and times in microseconds."""

    rows: NDArray[np.int64]
    times_us: NDArray[np.int64]


NO_TOUCHES = Touches(np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class Statistics:
    """Columns of N items."""

    impression_count: NDArray[np.float32]
    click_rate: NDArray[np.float32]
    purchase_rate: NDArray[np.float32]
    recent_clicks: NDArray[np.float32]
    recent_purchases: NDArray[np.float32]
    trend: NDArray[np.float32]


def item_statistics(
    quality: NDArray[np.float32],
    impressions: Touches,
    clicks: Touches,
    purchases: Touches,
    now_us: int,
) -> Statistics:
    """Smoothed rates, decayed counts and trends.

    Rates are posterior means under a beta prior whose mean is the shop's own rate, scaled by the item's
    quality from 0.5 to 1.5: what is not seen yet is worth what its rating promises. The trend is the log
    ratio of the click rate per day over the last days to the one over the last weeks.

    Args:
        quality: (N,) 0 to 1.
    """
    count = len(quality)
    seen = _count(impressions, count)
    clicked, bought = _count(clicks, count), _count(purchases, count)
    total = seen.sum()
    promise = 0.5 + quality
    # A click proves an impression, also where the report of the impression was lost.
    trials = np.maximum(seen, clicked)
    short, long = _decayed(clicks, count, now_us, _SHORT_DAYS), _decayed(clicks, count, now_us, _LONG_DAYS)
    # Per day of the window; the floor keeps single clicks on unseen items from looking like a rise.
    trend = np.log((short / _SHORT_DAYS + _TREND_FLOOR) / (long / _LONG_DAYS + _TREND_FLOOR))
    return Statistics(
        impression_count=seen.astype(np.float32),
        click_rate=_smoothed(
            clicked, trials, _prior(clicked.sum(), total, CLICK_PRIOR) * promise, _CLICK_STRENGTH
        ),
        purchase_rate=_smoothed(
            bought,
            np.maximum(trials, bought),
            _prior(bought.sum(), total, PURCHASE_PRIOR) * promise,
            _PURCHASE_STRENGTH,
        ),
        recent_clicks=long.astype(np.float32),
        recent_purchases=_decayed(purchases, count, now_us, _LONG_DAYS).astype(np.float32),
        trend=trend.astype(np.float32),
    )


def _prior(events: float, impressions: float, default: float) -> float:
    """The shop's rate, drawn to the default while there are few impressions."""
    rate = (events + default * _MIN_PRIOR_IMPRESSIONS) / (impressions + _MIN_PRIOR_IMPRESSIONS)
    return float(min(rate, 0.5))


def _smoothed(
    events: NDArray[np.float64], trials: NDArray[np.float64], prior: NDArray[np.float32], strength: float
) -> NDArray[np.float32]:
    return ((events + strength * prior) / (trials + strength)).astype(np.float32)


def _count(touches: Touches, count: int) -> NDArray[np.float64]:
    return np.bincount(touches.rows, minlength=count).astype(np.float64)


def _decayed(touches: Touches, count: int, now_us: int, half_life_days: float) -> NDArray[np.float64]:
    age_days = np.maximum(now_us - touches.times_us, 0) / _US_PER_DAY
    decayed = np.bincount(touches.rows, weights=0.5 ** (age_days / half_life_days), minlength=count)
    return decayed.astype(np.float64)
