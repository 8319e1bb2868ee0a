"""How far off are estimates of what a candidate would earn, where the gate says that a log can tell?

Logs are drawn from the pool. In each, the gate's rule takes the largest blend with support, whose value is
estimated as the gate does; the truth is what the blend earns when it is played.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from services.local.bench.evaluation.pool import Log
from services.local.bench.harness import Row
from services.policy.evaluation import difference, gate
from services.policy.evaluation.blending import Blending
from services.policy.evaluation.decisions import Decisions
from services.policy.evaluation.difference import unbiased_estimate
from services.policy.evaluation.intervals import cluster_bootstrap

Array = np.ndarray[Any, Any]

DRAW_SEED = 7
CONFIDENCE = 0.95
ERROR_REACH, COVERAGE_REACH = 0.05, (0.92, 0.98)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one log says; of a blend with support, or nothing."""

    blend: float | None
    served: float = 0.0
    value: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    difference: float = 0.0
    difference_lower: float = 0.0
    difference_upper: float = 0.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What a blend earns, and what that is more than the incumbent's, with standard errors."""

    value: float
    value_error: float
    difference: float
    difference_error: float


def draws(
    pool: Log, blending: Blending, count: int, session_count: int, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """`Drawn` of as many logs, in plain types."""
    found = []
    for number in range(count):
        log = drawn(pool, session_count, number)
        found.append(asdict(_look(log.mixture if blending is Blending.MIXTURE else log.geometric_blend)))
        if (number + 1) % 50 == 0:
            tell(f"accuracy: {number + 1} of {count} logs of {session_count:,} sessions")
    return found


def drawn(pool: Log, session_count: int, number: int) -> Log:
    """A log of its own: sessions drawn without replacement."""
    generator = np.random.default_rng([DRAW_SEED, session_count, number])
    return pool.drawn(generator.choice(len(pool), session_count, replace=False))


def _look(blended_at: Callable[[float], Decisions]) -> Drawn:
    limits = gate.Limits()
    support = {share: gate.support_of(blended_at(share)) for share in gate.BLENDS}
    blend, _ = gate.largest_supported(support, limits)
    if blend is None:
        return Drawn(None)
    blended = blended_at(blend)
    sessions = blended.sessions()
    estimate = unbiased_estimate(sessions)
    interval = cluster_bootstrap(estimate.contributions, sessions.shoppers, CONFIDENCE)
    found = difference.to_served(blended, (1 + CONFIDENCE) / 2)
    return Drawn(
        blend,
        float(sessions.returns().mean()),
        estimate.value,
        interval.lower,
        interval.upper,
        found.value,
        found.bounds.lower,
        found.bounds.upper,
    )


def declared(found: Sequence[dict[str, Any]]) -> list[float]:
    """Blends that were declared supported in some log, from the smallest."""
    return sorted({one["blend"] for one in found if one["blend"] is not None})


def unsupported(name: str, found: Sequence[dict[str, Any]], session_count: int) -> Row:
    """How many logs cannot tell."""
    share = sum(one["blend"] is None for one in found) / len(found)
    return Row(name, share, f"share of logs of {session_count:,} sessions", len(found))


def rows(found: Sequence[dict[str, Any]], truths: dict[float, Truth], session_count: int) -> list[Row]:
    """The figures by blend."""
    result = [unsupported("logs without support at any blend", found, session_count)]
    for blend, truth in truths.items():
        mine = [one for one in found if one["blend"] == blend]
        column = {name: np.array([one[name] for one in mine]) for name in mine[0]}
        error = np.abs(column["value"] - truth.value) / truth.value
        spread = 1.96 * error.std(ddof=1) / np.sqrt(len(mine)) if len(mine) > 1 else float("nan")
        bias = (column["value"].mean() - truth.value) / truth.value
        label = f"blend {blend:g}"
        result += [
            Row(f"{label}: declared", len(mine) / len(found), "share of logs", len(found)),
            Row(
                f"{label}: mean absolute error",
                float(error.mean()),
                "of the true value",
                len(mine),
                reach=ERROR_REACH,
                is_more_better=False,
                interval=(float(error.mean() - spread), float(error.mean() + spread)),
            ),
            Row(f"{label}: bias", float(bias), "of the true value", len(mine)),
            _coverage(f"{label}: coverage of the value's interval", column, "", truth.value),
            _coverage(f"{label}: coverage of the difference's", column, "difference_", truth.difference),
            Row(
                f"{label}: true uplift",
                truth.difference,
                "margin per session",
                1,
                interval=_around(truth.difference, truth.difference_error),
            ),
            Row(
                f"{label}: true value",
                truth.value,
                "margin per session",
                1,
                interval=_around(truth.value, truth.value_error),
            ),
        ]
    return result


def _coverage(name: str, column: dict[str, Array], prefix: str, truth: float) -> Row:
    holds = (column[f"{prefix}lower"] <= truth) & (truth <= column[f"{prefix}upper"])
    bounds = stats.binomtest(int(holds.sum()), len(holds)).proportion_ci(method="exact")
    return Row(
        name,
        float(holds.mean()),
        f"share, want {COVERAGE_REACH[0]:g} to {COVERAGE_REACH[1]:g}",
        len(holds),
        reach=COVERAGE_REACH[0],
        interval=(float(bounds.low), float(bounds.high)),
    )


def _around(value: float, error: float) -> tuple[float, float]:
    return value - 1.96 * error, value + 1.96 * error
