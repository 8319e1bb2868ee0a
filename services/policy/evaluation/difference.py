"""By how much does a candidate differ from what was served, or from another, and within which bounds?

Paired: each session's contribution less what the same session earned, or contributes to the other.

Symbols, beside those of `estimators`: U sessions; d_t = r_t + v_(t+1) - q_t, what decision t brought beyond
the model's word, which is r_t where there is no model. The difference of a session to what was served is then
sum over t of (w_t - 1) d_t - (q_t - v_t).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from services.policy.evaluation import estimators
from services.policy.evaluation.decisions import Decisions, Episodes
from services.policy.evaluation.estimators import Estimate
from services.policy.evaluation.intervals import Interval, cluster_bootstrap
from services.policy.page import Array


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What a candidate's sessions earn more than those served, or than another candidate's."""

    estimator: str
    contributions: Array
    """(U,)"""
    bounds: Interval
    """Two-sided; each side alone holds with the confidence asked for."""

    @property
    def value(self) -> float:
        return float(self.contributions.mean())


def to_served(decisions: Decisions, confidence: float = 0.95) -> Difference:
    """The candidate's difference to what was served, per session.

    Bounds are the wider of the cluster bootstrap's and those of a normal mean whose variance is no less than
    `variance_floor`. The bootstrap alone believes what it has not seen: of candidates of equal worth that
    drop what was served one time in ten, with one purchase in a hundred sessions, it passed four in ten.

    Args:
        confidence: of each side.
    """
    sessions = decisions.sessions()
    estimate = unbiased_estimate(sessions)
    contributions = estimate.contributions - sessions.returns()
    return _bounded(estimate.name, contributions, sessions, variance_floor(sessions), confidence)


def between(one: Decisions, other: Decisions, confidence: float = 0.95) -> Difference:
    """The difference of one candidate to another on the same log, per session; bounds as in `to_served`.

    Args:
        confidence: of each side.

    Raises:
        ValueError: where the two are not of the same decisions.
    """
    for name in ("rewards", "page_offsets", "session_offsets", "shoppers"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            raise ValueError(f"other.{name}: got another log's, want those of the first candidate")
    sessions, others = one.sessions(), other.sessions()
    estimate, against = unbiased_estimate(sessions), unbiased_estimate(others)
    if estimate.name != against.name:
        raise ValueError(f"other: got {against.name}, want {estimate.name}, with or without values alike")
    contributions = estimate.contributions - against.contributions
    floor = _floor(sessions, sessions.cumulative() - others.cumulative())
    return _bounded(estimate.name, contributions, sessions, floor, confidence)


def unbiased_estimate(sessions: Episodes) -> Estimate:
    """The sessions' value by DR where there is a model of values, else by per-decision IS."""
    if sessions.values is None:
        return estimators.per_decision(sessions)
    return estimators.doubly_robust(sessions)


def variance_floor(sessions: Episodes) -> float:
    """Variance of a session's difference if what a decision brings did not depend on how it was weighted.

    (mean over sessions of sum over t of (w_t - 1)^2) x mean of d_t^2: outcomes are rare and weights are
    uneven, so that few sessions have both; apart, each is known from all of them.
    """
    return _floor(sessions, sessions.cumulative() - 1.0)


def _floor(sessions: Episodes, gaps: Array) -> float:
    """`variance_floor` with (T,) gaps between two weights of each decision."""
    brought = sessions.rewards.copy()
    if sessions.values is not None:
        brought -= sessions.values.chosen
        for here, before in sessions.steps():
            brought[before] += sessions.values.expected[here]
    return float(sessions.total(gaps**2).mean() * (brought @ brought) / len(brought))


def _bounded(
    name: str, contributions: Array, sessions: Episodes, floor: float, confidence: float
) -> Difference:
    resampled = cluster_bootstrap(contributions, sessions.shoppers, 2.0 * confidence - 1.0)
    radius = NormalDist().inv_cdf(confidence) * math.sqrt(floor / len(sessions))
    centre = float(contributions.mean())
    bounds = Interval(min(resampled.lower, centre - radius), max(resampled.upper, centre + radius))
    return Difference(name, contributions, bounds)
