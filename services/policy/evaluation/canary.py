"""How far may a candidate policy go among real shoppers, and when is it taken back?

Shoppers are drawn into the canary with the probability of its stage, and each counts once, with what they
earned. The bounds on the difference hold at any time, so it is judged as often as one likes. A canary steps
up while nothing speaks against it, serves everyone only once its lower bound is above zero, and is killed
the moment its upper bound is below zero or a guardrail breaks. A missing reading breaks nothing and lets
nothing pass.

With A whether a shopper met the candidate, p the stage's share, Y what they earned and m the mean of those
that came before, z = (A - p)(Y - m) has mean p (1 - p) x difference whatever m; summed over stages it is
an estimate that weights each stage by what it tells.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from services.policy.evaluation.intervals import Interval
from services.policy.evaluation.sequences import asymptotic_radius
from services.policy.page import Array

SHARES = (0.05, 0.25, 0.5, 1.0)


class Verdict(Enum):
    """What to do now."""

    HOLD = "hold"
    """Stay at this stage."""
    ADVANCE = "advance"
    """Go to the next stage; the canary is there already."""
    PROMOTE = "promote"
    """Serve everyone; the canary is there already."""
    KILL = "kill"
    """Serve the incumbent to everyone."""
    NO_UPLIFT_SHOWN = "no_uplift_shown"
    """Enough shoppers saw it, and no uplift was shown: take it back, without harm done."""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A reading that must not exceed a limit."""

    name: str
    limit: float


GUARDRAILS = (
    Guardrail("latency_p99_ms", 25.0),
    Guardrail("error_share", 0.01),
    # Of examined slots that one module takes: a policy that shows one thing has found a flaw of its reward.
    Guardrail("top_module_exposure_share", 0.5),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a canary goes."""

    shares: tuple[float, ...] = SHARES
    stage_count: int = 500
    """Least shoppers of a stage; also what the bounds, which hold in the limit, need before a first look."""
    total_count: int = 200_000
    """Shoppers after which it ends without uplift."""
    confidence: float = 0.95
    guardrails: tuple[Guardrail, ...] = GUARDRAILS

    def __post_init__(self) -> None:
        is_rising = all(low < high for low, high in zip(self.shares, self.shares[1:], strict=False))
        if not self.shares or not is_rising or self.shares[0] <= 0.0 or self.shares[-1] != 1.0:
            raise ValueError(f"plan.shares: got {self.shares}, want rising, above 0, the last 1")
        if not 0.0 < self.confidence < 1.0:
            raise ValueError(f"plan.confidence: got {self.confidence}, want above 0, below 1")


@dataclass(frozen=True, slots=True)
class Canary:
    """Where a canary stands; plain numbers, to be kept between looks."""

    stage: int = 0
    verdict: Verdict = Verdict.HOLD
    reasons: tuple[str, ...] = ()
    stage_count: int = 0
    """Shoppers of this stage."""
    count: int = 0
    """Shoppers of all stages below 1."""
    outcome_sum: float = 0.0
    outcome_square_sum: float = 0.0
    z_sum: float = 0.0
    z_square_sum: float = 0.0
    weight_sum: float = 0.0
    """Of p (1 - p)."""
    weight_square_sum: float = 0.0
    cross_sum: float = 0.0
    """Of p (1 - p) z."""

    @property
    def is_over(self) -> bool:
        return self.verdict in (Verdict.KILL, Verdict.NO_UPLIFT_SHOWN)


def share(canary: Canary, plan: Plan) -> float:
    """Probability with which a shopper meets the candidate."""
    return 0.0 if canary.is_over else plan.shares[canary.stage]


def observe(canary: Canary, plan: Plan, is_candidate: Array, outcomes: Array) -> Canary:
    """The canary after more shoppers of its stage.

    Args:
        is_candidate: (n,) whether each met the candidate.
        outcomes: (n,) what each earned; a shopper comes once, or their sessions would be no new evidence.
    """
    if is_candidate.shape != outcomes.shape or not np.isfinite(outcomes).all():
        raise ValueError(f"outcomes: got shape {outcomes.shape}, want finite, {is_candidate.shape}")
    probability = share(canary, plan)
    if probability in (0.0, 1.0):
        return dataclasses.replace(canary, stage_count=canary.stage_count + len(outcomes))
    # Of those before this call: a baseline that knew the outcome would bias it.
    baseline = canary.outcome_sum / canary.count if canary.count else 0.0
    z = (is_candidate.astype(np.float64) - probability) * (outcomes - baseline)
    weight = probability * (1.0 - probability)
    return dataclasses.replace(
        canary,
        stage_count=canary.stage_count + len(z),
        count=canary.count + len(z),
        outcome_sum=canary.outcome_sum + float(outcomes.sum()),
        outcome_square_sum=canary.outcome_square_sum + float(outcomes @ outcomes),
        z_sum=canary.z_sum + float(z.sum()),
        z_square_sum=canary.z_square_sum + float(z @ z),
        weight_sum=canary.weight_sum + weight * len(z),
        weight_square_sum=canary.weight_square_sum + weight**2 * len(z),
        cross_sum=canary.cross_sum + weight * float(z.sum()),
    )


def difference(canary: Canary, plan: Plan) -> Interval:
    """Bounds on what the candidate adds to a shopper's outcome, valid at any time.

    Source: Waudby-Smith et al. 2021, arXiv:2103.06476, theorem 2.2, on the mean of z.
    """
    if canary.count < 2:
        return Interval(-math.inf, math.inf)
    centre = canary.z_sum / canary.weight_sum
    squares = canary.z_square_sum - 2 * centre * canary.cross_sum + centre**2 * canary.weight_square_sum
    # At 5 % few candidates have met a purchase yet, and z looks calmer than it is: by its own variance alone,
    # four of ten canaries of equal worth and 3 % purchases were killed. All shoppers' variance is the floor.
    outcome_variance = canary.outcome_square_sum / canary.count - (canary.outcome_sum / canary.count) ** 2
    variance = max(squares, outcome_variance * canary.weight_sum) / canary.count
    radius = float(
        asymptotic_radius(np.array(canary.count), np.array(variance), plan.confidence, 4.0 * plan.stage_count)
    )
    radius *= canary.count / canary.weight_sum
    return Interval(centre - radius, centre + radius)


def judge(canary: Canary, plan: Plan, readings: Mapping[str, float]) -> Canary:
    """The canary after a look at it, with a verdict and its reasons.

    Args:
        readings: what guardrails watch, by name, of the candidate's traffic.
    """
    if canary.is_over:
        return canary
    broken = [
        f"{rail.name} is {readings[rail.name]:g}, above {rail.limit:g}"
        for rail in plan.guardrails
        if rail.name in readings and not readings[rail.name] <= rail.limit
    ]
    if broken:
        return _with(canary, Verdict.KILL, *broken)
    is_last = canary.stage == len(plan.shares) - 1
    missing = [f"no reading of {rail.name}" for rail in plan.guardrails if rail.name not in readings]
    if is_last:
        return _with(canary, Verdict.PROMOTE, *missing, "serves everyone")
    if canary.stage == 0 and canary.stage_count < plan.stage_count:
        return _with(canary, Verdict.HOLD, *missing, _few(canary, plan))
    bounds = difference(canary, plan)
    found = (
        f"difference is {bounds.lower:+.4f} to {bounds.upper:+.4f} at any time, of {canary.count} shoppers"
    )
    if bounds.upper < 0.0:
        return _with(canary, Verdict.KILL, f"{found}: below zero")
    if missing:
        return _with(canary, Verdict.HOLD, *missing)
    if canary.stage_count < plan.stage_count:
        return _with(canary, Verdict.HOLD, found, _few(canary, plan))
    goes_to_all = plan.shares[canary.stage + 1] == 1.0
    if not goes_to_all or bounds.lower > 0.0:
        verdict = Verdict.PROMOTE if goes_to_all else Verdict.ADVANCE
        reason = f"{found}: {'above zero' if goes_to_all else 'nothing speaks against it'}"
        return dataclasses.replace(_with(canary, verdict, reason), stage=canary.stage + 1, stage_count=0)
    if canary.count >= plan.total_count:
        return _with(canary, Verdict.NO_UPLIFT_SHOWN, f"{found}: not above zero")
    return _with(canary, Verdict.HOLD, f"{found}: not above zero yet")


def _with(canary: Canary, verdict: Verdict, *reasons: str) -> Canary:
    return dataclasses.replace(canary, verdict=verdict, reasons=reasons)


def _few(canary: Canary, plan: Plan) -> str:
    return f"{canary.stage_count} shoppers in this stage, of {plan.stage_count}"
