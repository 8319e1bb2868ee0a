"""What does layout count beside what every service counts?"""

from __future__ import annotations

from prometheus_client import Counter

DEGRADED_PAGES = Counter(
    "planogram_degraded_pages_total",
    "Pages that used something in place of an answer.",
    ("upstream", "fallback"),
)
UNLOGGED_EXPOSURES = Counter("planogram_unlogged_exposures_total", "Pages that the full log did not take.")
