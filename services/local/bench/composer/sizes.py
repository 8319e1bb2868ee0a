"""How much is browsed and learned in the proof on composed pages?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.regimes import BASE, FRONT, Regime


class Pages(StrEnum):
    """Which pages shoppers go to."""

    FRONT = "front"
    """The front page alone: the decision problem of the vectorised face."""
    ALL = "all"
    """All page types, as one leads to the other."""

    @property
    def regime(self) -> Regime:
        return FRONT if self is Pages.FRONT else BASE


@dataclass(frozen=True, slots=True)
class Size:
    """How much is browsed and learned in one world.

    Attributes:
        first_sessions: browsed before anything was learned, with popularity for scores; the click model
            learns from them.
        log_sessions: browsed with that click model; the policies learn from them.
        test_sessions: browsed to value each policy, the same shoppers with the same luck.
        vectorised_sessions: played to value each policy on the vectorised face.
        epoch_count: most passes of the click model.
        step_count: most gradient steps of the policy; None for its own.
    """

    first_sessions: int = 1_000
    log_sessions: int = 6_000
    test_sessions: int = 8_000
    vectorised_sessions: int = 20_000
    epoch_count: int = 8
    step_count: int | None = None
    pages: Pages = Pages.FRONT


QUICK = Size(
    first_sessions=100,
    log_sessions=150,
    test_sessions=60,
    vectorised_sessions=300,
    epoch_count=1,
    step_count=60,
)
