"""What does a policy decide on front pages, and what is kept of it?

Shapes: B pages at once, P pages of a log, S slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simulator.front.columns import concatenated
from simulator.front.seen import Acts, Observed


@dataclass(frozen=True, slots=True)
class Decision:
    """B pages: (B, S) actions, and the probability of each given those above."""

    placed: np.ndarray
    propensity: np.ndarray


class Policy(Protocol):
    """Lays out front pages by what was observed."""

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Trace:
    """P pages of sessions in order of session and page.

    Attributes:
        session: (P,); observed: as the page began, its rows unused.
        acts: what was done; decision: what was shown.
    """

    session: np.ndarray
    observed: Observed
    decision: Decision
    acts: Acts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy was worth.

    Attributes:
        value: (sessions,) expected margin of each session, the noise of buying taken out.
        pages, clicks: (sessions,) numbers.
        first_pages: (sessions, 2) expected margin of pages 1 and 2.
        is_cold: (sessions,) true where no segment is known.
        trace: the pages; None unless asked for.
    """

    value: np.ndarray
    pages: np.ndarray
    clicks: np.ndarray
    first_pages: np.ndarray
    is_cold: np.ndarray
    trace: Trace | None


def joined(parts: list[Trace]) -> Trace:
    """One trace of several, one behind the other."""
    return Trace(
        session=np.concatenate([part.session for part in parts]),
        observed=concatenated([part.observed for part in parts]),
        decision=concatenated([part.decision for part in parts]),
        acts=concatenated([part.acts for part in parts]),
    )
