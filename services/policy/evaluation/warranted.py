"""Does it pay to learn for whole sessions, or is the page at hand enough?

Before anything is built on it, the log is asked: of two policies learned from the same data, one with a later
page counting in full and one with a later page counting nothing, does the first earn more? Both are blended
into what was served, in the same share, as far as the log supports both; the difference of the two is paired,
session by session. Neither policy may have learned from the sessions that are asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from services.policy.evaluation import gate
from services.policy.evaluation.decisions import Decisions
from services.policy.evaluation.difference import between, unbiased_estimate
from services.policy.evaluation.gate import BLENDS, Limits
from services.policy.evaluation.intervals import Interval


class Answer(Enum):
    """What the log says about it."""

    WARRANTED = "warranted"
    """Learning whole sessions earns more, beyond what chance explains."""
    NOT_SHOWN = "not_shown"
    """The log could tell, and shows no gain: order pages by what they bring themselves."""
    INSUFFICIENT_SUPPORT = "insufficient_support"
    """The log cannot tell, at any blend."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer and how it came about."""

    answer: Answer
    blend: float | None
    """Largest blend at which the log supports both policies; None where there is none."""
    far_sighted: float | None
    """What a session is worth at the blend with the policy that learned whole sessions."""
    short_sighted: float | None
    """The same, with the policy that learned the page at hand."""
    bounds: Interval | None
    """Of the difference; the lower bound alone holds with the limits' confidence."""
    reasons: tuple[str, ...]
    """A line each, in the order in which they were looked at."""


def ask(
    far_sighted: Callable[[float], Decisions],
    short_sighted: Callable[[float], Decisions],
    limits: Limits | None = None,
    blends: tuple[float, ...] = BLENDS,
) -> Finding:
    """Whether learning whole sessions is warranted.

    Args:
        far_sighted, short_sighted: the same log's decisions with propensities of this blend with either
            policy, such as `Decisions.blended`. A later page counts in full in both.
    """
    limits = limits or Limits()
    reasons: list[str] = []
    for blend in sorted(blends, reverse=True):
        one, other = far_sighted(blend), short_sighted(blend)
        shortfalls = [
            f"blend {blend:g}, {who}: {line}"
            for who, decisions in (("far-sighted", one), ("short-sighted", other))
            for line in gate.support_of(decisions).shortfalls(limits)
        ]
        reasons += shortfalls
        if not shortfalls:
            return _compare(one, other, blend, limits, reasons)
    return Finding(Answer.INSUFFICIENT_SUPPORT, None, None, None, None, tuple(reasons))


def _compare(one: Decisions, other: Decisions, blend: float, limits: Limits, reasons: list[str]) -> Finding:
    found = between(one, other, limits.confidence)
    far, near = (unbiased_estimate(decisions.sessions()).value for decisions in (one, other))
    is_more = found.bounds.lower > 0.0
    reasons.append(
        f"blend {blend:g}: a session is worth {far:.4f} with whole sessions learned and {near:.4f} with the "
        f"page at hand, by {found.estimator}; the lower bound of the difference, {found.bounds.lower:+.4f}, "
        f"is {'' if is_more else 'not '}above zero"
    )
    answer = Answer.WARRANTED if is_more else Answer.NOT_SHOWN
    return Finding(answer, blend, far, near, found.bounds, tuple(reasons))
