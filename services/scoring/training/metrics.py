"""How good are predicted probabilities?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BIN_COUNT = 10
ENOUGH_EVENTS = 100.0
"""From which on a group's ratio of predicted to observed events says something; fewer scatter by a tenth."""

_FLOOR = 1e-7


def evaluate(predicted: Array, observed: Array) -> dict[str, float]:
    """auc, pr_auc, logloss, ece and the ratio of predicted to observed events.

    Args:
        predicted: (R,) probabilities.
        observed: (R,) 0 or 1.
    """
    return {
        "auc": auc(predicted, observed),
        "pr_auc": average_precision(predicted, observed),
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


def grouped_auc(predicted: Array, observed: Array, group: Array) -> float:
    """AUC within each group, averaged by the group's rows (GAUC, Zhu et al. 2017, arXiv:1703.02091).

    Groups without both outcomes say nothing and are left out; 0.5 where all are.

    Args:
        group: (R,) number of each row's group, such as its shopper.
    """
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    total, weight = 0.0, 0
    for rows in np.split(order, starts[1:]):
        outcomes = observed[rows]
        if 0 < outcomes.sum() < len(rows):
            total, weight = total + len(rows) * auc(predicted[rows], outcomes), weight + len(rows)
    return total / weight if weight else 0.5


def average_precision(predicted: Array, observed: Array) -> float:
    """Area under precision over recall, by steps: the sum of precision where recall grows. 0 without events.

    Rows of one prediction are one step.
    """
    if not observed.any():
        return 0.0
    order = np.argsort(-predicted, kind="stable")
    is_last = np.flatnonzero(np.diff(predicted[order], append=np.inf))
    hits = np.cumsum(observed[order], dtype=np.float64)[is_last]
    return float((np.diff(hits, prepend=0.0) * hits / (is_last + 1)).sum() / hits[-1])


def best_threshold(predicted: Array, observed: Array) -> float:
    """The prediction from which on "yes" has the largest F1."""
    order = np.argsort(-predicted, kind="stable")
    hits = np.cumsum(observed[order], dtype=np.float64)
    is_last = np.flatnonzero(np.diff(predicted[order], append=np.inf))
    scores = 2 * hits[is_last] / (is_last + 1 + max(hits[-1], 1.0))
    return float(predicted[order][is_last[scores.argmax()]])


def f1(predicted: Array, observed: Array, threshold: float) -> float:
    """Harmonic mean of precision and recall of predictions of `threshold` or more; 0 where nothing hits."""
    said = predicted >= threshold
    return float(2 * observed[said].sum() / max(said.sum() + observed.sum(), 1.0))


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


def reliability(
    predicted: Array, observed: Array, who: Array, groups: Mapping[str, Array]
) -> dict[str, list[dict[str, float]]]:
    """Predicted over observed events: in all, by decile of the prediction and by group of other kinds.

    Args:
        who: (R,) number of the shopper; what one does comes in bunches, and counts as one in intervals.
        groups: (R,) group numbers by kind, such as segment.

    Returns:
        By kind, in order of the group: its number, rows, events, predicted to observed, and the low and high
        end of its 95 % interval for the chance in who came (delta method, in the logarithm); 0 events say
        nothing of a ratio, and have 0.
    """
    deciles = np.empty(len(predicted), np.int64)
    for number, members in enumerate(np.array_split(np.argsort(predicted, kind="stable"), BIN_COUNT)):
        deciles[members] = number
    kinds = {"all": np.zeros(len(predicted), np.int64), "decile": deciles, **groups}
    return {
        kind: [
            _entry(number, *(column[group == number] for column in (predicted, observed, who)))
            for number in np.unique(group)
        ]
        for kind, group in kinds.items()
    }


def worst_ratio(entries: Sequence[Mapping[str, float]], event_count: float = ENOUGH_EVENTS) -> float:
    """The ratio farthest from 1, up or down, of the groups of a kind with enough events; nan without any.

    Args:
        entries: of `reliability`.
    """
    ratios = [entry["predicted_to_observed"] for entry in entries if entry["events"] >= event_count]
    return max(ratios, key=lambda ratio: abs(np.log(ratio)), default=float("nan"))


def _entry(number: int, predicted: Array, observed: Array, who: Array) -> dict[str, float]:
    events, ratio, factor = float(observed.sum()), 0.0, 1.0
    if events:
        ratio = float(predicted.sum()) / events
        _, shopper = np.unique(who, return_inverse=True)
        left = np.bincount(shopper, predicted) - ratio * np.bincount(shopper, observed)
        factor = float(np.exp(1.96 * (left**2).sum() ** 0.5 / (ratio * events)))
    return {
        "group": int(number),
        "rows": len(observed),
        "events": events,
        "predicted_to_observed": ratio,
        "low": ratio / factor,
        "high": ratio * factor,
    }
