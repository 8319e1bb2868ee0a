"""What does Prometheus learn of the items that serve?"""

from __future__ import annotations

import time

from prometheus_client import Counter, Gauge

AGE = Gauge("planogram_feature_snapshot_age_seconds", "Time since the snapshot that serves was built.")
BUILD = Gauge("planogram_feature_snapshot_build_seconds", "Time that its build took.")
ITEMS = Gauge("planogram_feature_items", "Items of the snapshot that serves.")
SWAPS = Counter("planogram_feature_snapshot_swaps_total", "Snapshots taken over from another one.")
REVIEWS = Counter("planogram_feature_reviews_total", "Reviews that were read, by verdict.", ("verdict",))
ALARMS_RAISED = Counter(
    "planogram_feature_review_alarms_raised_total", "Alarms that surges of bad reviews raised."
)
ALARMS = Gauge(
    "planogram_feature_review_alarms", "Items under review: nobody has looked at their reviews yet."
)


def serving(built_s: float, build_s: float, item_count: int) -> None:
    """Tells of the snapshot that serves from now on.

    Args:
        built_s: when it was built, seconds since 1970.
        build_s: how long that took.
    """
    AGE.set_function(lambda: max(time.time() - built_s, 0.0))
    BUILD.set(build_s)
    ITEMS.set(item_count)
