"""By how much does a candidate differ from what was served, and within which bounds?

Paired: each session's contribution less what the same session earned.

Symbols, beside those of `estimators`: U sessions; d_t = r_t + v_(t+1) - q_t, what decision t brought beyond
the model's word, which is r_t where there is no model. The difference of a session is then
sum over t of (w_t - 1) d_t - (q_t - v_t).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from services.policy.evaluation import estimators
from services.policy.evaluation.decisions import Decisions, Episodes
from services.policy.evaluation.estimators import Estimate
from services.policy.evaluation.intervals import Interval, cluster_bootstrap
from services.policy.page import Array


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What a candidate's sessions earn more than those served."""

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
    resampled = cluster_bootstrap(contributions, sessions.shoppers, 2.0 * confidence - 1.0)
    radius = NormalDist().inv_cdf(confidence) * math.sqrt(variance_floor(sessions) / len(sessions))
    centre = float(contributions.mean())
    bounds = Interval(min(resampled.lower, centre - radius), max(resampled.upper, centre + radius))
    return Difference(estimate.name, contributions, bounds)


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
    brought = sessions.rewards.copy()
    if sessions.values is not None:
        brought -= sessions.values.chosen
        for here, before in sessions.steps():
            brought[before] += sessions.values.expected[here]
    spread = sessions.total((sessions.cumulative() - 1.0) ** 2).mean()
    return float(spread * (brought @ brought) / len(brought))
