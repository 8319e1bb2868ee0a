"""May a candidate policy be shown to some shoppers?

Two questions, in this order. Does the log support an answer: at which largest blend of served and candidate
policy are enough of its pages and sessions worth something, with weights of no heavy tail? And at that blend,
is the candidate better than what was served, shopper by shopper, beyond what chance explains? Too little
support is a verdict of its own: it says nothing against the candidate, and asks for more exploration or a
smaller step.

The bound is approximate where tails are heavy (`difference`): what passes goes to a canary, whose bounds hold
at any time (`canary`), and never to everyone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from services.policy.evaluation import estimators
from services.policy.evaluation.decisions import Decisions
from services.policy.evaluation.difference import to_served
from services.policy.evaluation.estimators import effective_count
from services.policy.evaluation.intervals import Interval
from services.policy.evaluation.tails import tail_index

BLENDS = (0.1, 0.25, 0.5, 1.0)

_HEADER = "# Verdict on a candidate policy; reasons in the order in which they were looked at.\n"


class Verdict(Enum):
    """What may be done with a candidate."""

    PROMOTE_TO_CANARY = "promote_to_canary"
    """Better than what was served, at the blend named; show it to few."""
    INSUFFICIENT_SUPPORT = "insufficient_support"
    """The log cannot tell, at any blend."""
    NO_UPLIFT_SHOWN = "no_uplift_shown"
    """The log could tell, and shows no uplift."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gate asks for."""

    first_page_share: float = 0.5
    """Least effective sample of first pages, as a share of them."""
    session_share: float = 0.03
    """Least effective sample of sessions, as a share of them."""
    session_count: float = 30.0
    """Least effective sample of sessions, in sessions: a bootstrap of fewer knows no tails."""
    session_tail: float = 0.5
    """Largest tail index of session weights: beyond one half their variance is infinite, and it is a matter
    of luck which log has an effective sample."""
    confidence: float = 0.95
    """Of the lower bound on the difference; one-sided."""

    def __post_init__(self) -> None:
        for name in ("first_page_share", "session_share", "session_tail", "confidence"):
            value = getattr(self, name)
            if not 0.0 < value < 1.0:
                raise ValueError(f"limits.{name}: got {value}, want above 0, below 1")
        if self.session_count < 0:
            raise ValueError(f"limits.session_count: got {self.session_count}, want 0 or more")


@dataclass(frozen=True, slots=True)
class Support:
    """How much of a log speaks about a candidate."""

    first_page_share: float
    session_share: float
    session_count: float
    session_tail: float
    """Tail index of session weights (`tails`); minus infinity where they are bounded."""

    def shortfalls(self, limits: Limits) -> list[str]:
        """What is missing, a line each."""
        lines = []
        if self.first_page_share < limits.first_page_share:
            lines.append(_falls_short("first-page", self.first_page_share, limits.first_page_share))
        if self.session_share < limits.session_share:
            lines.append(_falls_short("session", self.session_share, limits.session_share))
        if self.session_count < limits.session_count:
            lines.append(
                f"effective sample is {self.session_count:.1f} sessions, below {limits.session_count:g}"
            )
        if self.session_tail > limits.session_tail:
            lines.append(
                f"session weights have a tail of index {self.session_tail:.2f}, above {limits.session_tail:g}"
            )
        return lines


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and how it came about."""

    verdict: Verdict
    blend: float | None
    """Largest blend with support; None where there is none."""
    served_value: float
    """What a session earned as served."""
    difference: float | None
    """Estimated difference of a session's value to what was served, at the blend."""
    bounds: Interval | None
    """Of the difference; the lower bound alone holds with the limits' confidence."""
    estimator: str
    support: Mapping[float, Support]
    """By blend."""
    reasons: tuple[str, ...]
    """A line each, in the order in which they were looked at."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from: versions, log, limits; for the reader of the file."""


def decide(
    blended: Callable[[float], Decisions],
    limits: Limits = Limits(),
    blends: tuple[float, ...] = BLENDS,
    facts: Mapping[str, Any] | None = None,
) -> Decision:
    """The verdict on a candidate.

    Args:
        blended: the log's decisions with propensities of a candidate of this blend, 0 to 1, where 1 is the
            candidate itself; such as `Decisions.blended`.
    """
    decisions = {share: blended(share) for share in blends}
    support = {share: support_of(found) for share, found in decisions.items()}
    chosen, reasons = largest_supported(support, limits)
    served = estimators.on_policy(next(iter(decisions.values())).sessions()).value
    if chosen is None:
        return Decision(
            Verdict.INSUFFICIENT_SUPPORT, None, served, None, None, "", support, reasons, facts or {}
        )
    difference = to_served(decisions[chosen], limits.confidence)
    bounds = difference.bounds
    is_better = bounds.lower > 0.0
    reasons += (
        f"blend {chosen:g}: a session is worth {difference.value:+.4f} on {served:.4f} as served, by "
        f"{difference.estimator}; the lower bound {bounds.lower:+.4f} is "
        f"{'' if is_better else 'not '}above zero",
    )
    verdict = Verdict.PROMOTE_TO_CANARY if is_better else Verdict.NO_UPLIFT_SHOWN
    return Decision(
        verdict,
        chosen,
        served,
        difference.value,
        bounds,
        difference.estimator,
        support,
        reasons,
        facts or {},
    )


def largest_supported(
    support: Mapping[float, Support], limits: Limits
) -> tuple[float | None, tuple[str, ...]]:
    """The largest blend that the log can tell about, None where there is none; and a line per finding."""
    lines: list[str] = []
    for share, found in sorted(support.items(), reverse=True):
        shortfalls = found.shortfalls(limits)
        lines += [f"blend {share:g}: {line}" for line in shortfalls]
        if not shortfalls:
            lines.append(
                f"blend {share:g}: has support, with an effective sample of {found.first_page_share:.0%} of "
                f"first pages and {found.session_share:.1%} of sessions"
            )
            return share, tuple(lines)
    return None, tuple(lines)


def support_of(decisions: Decisions) -> Support:
    """Effective samples of first pages and of sessions, and the tail of the latter's weights."""
    first = effective_count(decisions.first_pages().weights())
    weights = decisions.sessions().weights()
    sessions = effective_count(weights)
    return Support(first / len(decisions), sessions / len(decisions), sessions, tail_index(weights))


def write(decision: Decision, path: Path) -> None:
    """Writes a decision as YAML for people and for what deploys; parents are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(document(decision), sort_keys=False, allow_unicode=True, width=120)
    path.write_text(_HEADER + text)


def document(decision: Decision) -> dict[str, Any]:
    """The decision in plain types."""
    bounds = decision.bounds
    return {
        "verdict": decision.verdict.value,
        "blend": decision.blend,
        "reasons": list(decision.reasons),
        "served_value": round(decision.served_value, 6),
        "difference": None if decision.difference is None else round(decision.difference, 6),
        "difference_bounds": None if bounds is None else [round(bounds.lower, 6), round(bounds.upper, 6)],
        "estimator": decision.estimator or None,
        "support": {
            f"{share:g}": {
                "first_page_share": round(found.first_page_share, 4),
                "session_share": round(found.session_share, 4),
                "session_count": round(found.session_count, 1),
                "session_tail": round(found.session_tail, 2) if math.isfinite(found.session_tail) else None,
            }
            for share, found in decision.support.items()
        },
        **decision.facts,
    }


def _falls_short(what: str, found: float, limit: float) -> str:
    return f"{what} effective sample is {found:.1%}, below {limit:.0%}"
