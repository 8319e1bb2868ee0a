"""How much work may a page be, so that pages are in time?"""

from __future__ import annotations

import math
import time

from services.layout import metrics
from services.layout.deadline import Deadline

LOWEST = 0.25
LATE_SHARE = 0.8
"""Of its deadline; a page that takes longer was late."""
EARLY_SHARE = 0.5
FALL, RISE = 0.85, 0.02
"""Factor of one late page, and what one early page adds: one page in eight may be late before it falls."""
HURRIED_BELOW = 0.6
"""Below this, costly stages are left out."""
FAIR_DEADLINE_S = 0.04
"""Pages with less time say nothing about the load."""


class Quality:
    """A factor from LOWEST to 1 for the work of a page: it falls when pages are late, and rises again."""

    def __init__(self) -> None:
        self.factor = 1.0

    @property
    def is_hurried(self) -> bool:
        """True where costly stages are to be left out."""
        return self.factor < HURRIED_BELOW

    def candidate_count(self, wanted: int, least: int) -> int:
        """How many candidates to ask for, where a module could do with `least`."""
        return max(math.ceil(self.factor * wanted), min(least, wanted))

    def note(self, deadline: Deadline, is_cut_short: bool) -> None:
        """Learns from a page that is done.

        Args:
            is_cut_short: True where a service did not answer in time.
        """
        if deadline.total_s < FAIR_DEADLINE_S:
            return
        share = (time.monotonic() - deadline.begun_s) / deadline.total_s
        if is_cut_short or share > LATE_SHARE:
            self.factor = max(FALL * self.factor, LOWEST)
        elif share < EARLY_SHARE:
            self.factor = min(self.factor + RISE, 1.0)
        metrics.QUALITY.set(self.factor)
