"""How good are predicted probabilities?"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BIN_COUNT = 10

_FLOOR = 1e-7


def evaluate(predicted: Array, observed: Array) -> dict[str, float]:
    """auc, logloss, ece and the ratio of predicted to observed events.

    Args:
        predicted: (R,) probabilities.
        observed: (R,) 0 or 1.
    """
    return {
        "auc": auc(predicted, observed),
        "logloss": logloss(predicted, observed),
        "ece": calibration_error(predicted, observed),
        "predicted_to_observed": float(predicted.sum() / max(observed.sum(), 1.0)),
    }


def auc(predicted: Array, observed: Array) -> float:
    """The chance that an event was predicted higher than a non-event; ties count half. 0.5 without both.

    By rank sums (Mann and Whitney 1947).
    """
    events = observed > 0.5
    event_count, other_count = int(events.sum()), int((~events).sum())
    if not event_count or not other_count:
        return 0.5
    _, place, count = np.unique(predicted, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(count) - (count - 1) / 2
    excess = mean_rank[place][events].sum() - event_count * (event_count + 1) / 2
    return float(excess / (event_count * other_count))


def logloss(predicted: Array, observed: Array) -> float:
    """Mean negative log-likelihood, in nats."""
    chance = np.clip(predicted.astype(np.float64), _FLOOR, 1 - _FLOOR)
    return float(-np.where(observed > 0.5, np.log(chance), np.log1p(-chance)).mean())


def calibration_error(predicted: Array, observed: Array, bin_count: int = BIN_COUNT) -> float:
    """Mean distance of prediction and outcome over bins of equal size (ECE, Naeini et al. 2015)."""
    order = np.argsort(predicted, kind="stable")
    error = 0.0
    for members in np.array_split(order, bin_count):
        if len(members):
            error += len(members) * abs(float(predicted[members].mean() - observed[members].mean()))
    return error / len(order)
