"""What came of a simulation, in numbers that two faces can be compared by?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

COLUMNS = ("pages", "clicked_pages", "purchases", "expected_purchases", "expected_margin")


@dataclass(slots=True)
class Tally:
    """One row per session of a human shopper.

    Attributes:
        rows: (sessions, 5) in the order of COLUMNS. Expected purchases are the probabilities with
            which pages were going to sell: the same mean as purchases, with less noise. Expected margin
            counts a sale as 1, or as what its family leaves of that.
    """

    rows: np.ndarray = field(default_factory=lambda: np.zeros((0, len(COLUMNS))))

    @property
    def session_count(self) -> int:
        return len(self.rows)

    @property
    def click_rate(self) -> float:
        """Clicked pages per page."""
        return self._sum("clicked_pages") / max(self._sum("pages"), 1.0)

    @property
    def pages_per_session(self) -> float:
        return self._sum("pages") / max(self.session_count, 1)

    @property
    def conversion(self) -> float:
        """Share of sessions with a purchase."""
        return float((self.rows[:, COLUMNS.index("purchases")] > 0).mean()) if len(self.rows) else 0.0

    def of(self, name: str) -> np.ndarray:
        """(sessions,) one column."""
        return self.rows[:, COLUMNS.index(name)]

    def _sum(self, name: str) -> float:
        return float(self.of(name).sum())
