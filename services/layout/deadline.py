"""How much time is left for a page, and for each of its stages?"""

from __future__ import annotations

import time
from dataclasses import dataclass

ANSWER_RESERVE = 0.25
"""Share of the deadline that is kept for our own work and the way back."""
MIN_RESERVE_S = 0.011
"""A page of 18 slots and 130 items needs 5 ms on one slow core; the way back and late timers the rest."""
MAX_RESERVE_S = 0.060
SHARES = {"gather": 0.55, "score": 0.60, "plan": 1.0}
"""Part of what is then left that a stage may take."""
FULL_PAGE_MIN_S = 0.020
"""Below this, other services are not asked at all."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the other services must have answered, by the monotonic clock."""

    begun_s: float
    total_s: float
    """What the page had, from its beginning."""
    calls_end_s: float
    is_too_short: bool

    @classmethod
    def after(cls, remaining_s: float) -> Deadline:
        """The deadline of a call that has so much time left."""
        reserve_s = min(MAX_RESERVE_S, max(MIN_RESERVE_S, ANSWER_RESERVE * remaining_s))
        now_s = time.monotonic()
        return cls(now_s, remaining_s, now_s + remaining_s - reserve_s, remaining_s < FULL_PAGE_MIN_S)

    def timeout_s(self, stage: str) -> float:
        """Time that the stage may take; 0 or less where there is none."""
        if self.is_too_short:
            return 0.0
        return SHARES[stage] * (self.calls_end_s - time.monotonic())
