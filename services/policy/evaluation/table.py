"""Which estimates does a report show, and with which bounds?"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from services.policy.evaluation import estimators
from services.policy.evaluation.decisions import Decisions, Episodes
from services.policy.evaluation.estimators import Estimate
from services.policy.evaluation.intervals import Interval, cluster_bootstrap, empirical_bernstein

SESSION, PAGE = "session", "page"
WEIGHT_LIMIT = 10.0
RETURN_LIMITS = (-2.0, 10.0)
"""What a session or page can earn at most where a bound wants a known range; beyond it, it is cut."""

_REPLICATE_COUNT = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report's table."""

    level: str
    blend: float
    estimator: str
    value: float
    interval: Interval
    """Cluster bootstrap by shopper."""
    known_range: Interval | None
    """Empirical Bernstein, where weights and returns have a limit; sessions as if independent."""
    effective_share: float


def rows(decisions: Decisions, share: float, is_valued: bool) -> list[Row]:
    """All estimates of one blend.

    Args:
        decisions: with propensities of the blend, and a model's values.
        is_valued: whether the model follows this very blend. Doubly robust estimates may use any model; the
            direct method's is of another policy otherwise.
    """
    sessions, pages = decisions.sessions(), decisions.pages()
    found = [
        *((SESSION, sessions, estimate) for estimate in _session_estimates(sessions, is_valued)),
        *((PAGE, pages, estimate) for estimate in _page_estimates(pages)),
    ]
    return [_row(level, share, episodes, estimate) for level, episodes, estimate in found]


def _session_estimates(sessions: Episodes, is_valued: bool) -> list[Estimate]:
    result = [
        estimators.on_policy(sessions),
        estimators.importance_sampling(sessions),
        estimators.self_normalised(sessions),
        estimators.clipped(_limited(sessions), WEIGHT_LIMIT),
        estimators.per_decision(sessions),
        estimators.doubly_robust(sessions),
    ]
    return [*result, estimators.direct(sessions)] if is_valued else result


def _page_estimates(pages: Episodes) -> list[Estimate]:
    return [
        estimators.on_policy(pages),
        estimators.importance_sampling(pages),
        estimators.self_normalised(pages),
        estimators.per_decision(pages),
        estimators.cascade_doubly_robust(pages),
        estimators.pseudo_inverse(pages),
    ]


def _limited(episodes: Episodes) -> Episodes:
    """The same, with returns cut to RETURN_LIMITS."""
    returns = episodes.returns()
    cut = np.clip(returns, *RETURN_LIMITS) - returns
    rewards = episodes.rewards.copy()
    has_any = np.diff(episodes.offsets) > 0
    rewards[episodes.offsets[1:][has_any] - 1] += cut[has_any]
    return dataclasses.replace(episodes, rewards=rewards)


def _row(level: str, share: float, episodes: Episodes, estimate: Estimate) -> Row:
    known = None
    if estimate.name == "clipped IPS":
        lowest, highest = (WEIGHT_LIMIT * limit for limit in RETURN_LIMITS)
        known = empirical_bernstein(estimate.contributions, lowest, highest)
    return Row(
        level=level,
        blend=share,
        estimator=estimate.name,
        value=estimate.value,
        interval=cluster_bootstrap(
            estimate.contributions, episodes.shoppers, replicate_count=_REPLICATE_COUNT
        ),
        known_range=known,
        effective_share=estimate.effective_count / len(episodes),
    )
