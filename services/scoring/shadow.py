"""How would another version have scored the items that this one did?

The shadow scores the same requests behind the answer's back: in a thread of its own, and only those that
find it free, so that it never makes a caller wait. What differs is logged and counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from prometheus_client import Counter, Histogram

from services.common import log
from services.common.errors import Overloaded
from services.common.executor import BoundedExecutor
from services.scoring.scorer import Arrays, ClickModel, Predictions

SHADOW_SCORED = "shadow_scored"
SHADOW_FAILED = "shadow_failed"

_WAITING_LIMIT = 8

REQUESTS = Counter(
    "planogram_scoring_shadow_requests_total", "Requests offered to the shadow.", ("version", "outcome")
)
DIFFERENCE = Histogram(
    "planogram_scoring_shadow_difference",
    "Mean distance between the click probabilities of a request's items.",
    ("version",),
    buckets=(1e-6, 1e-5, 1e-4, 1e-3, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
)


class Shadow:
    """Scores requests that another version has answered."""

    def __init__(self, model: ClickModel) -> None:
        self.model = model
        self._executor = BoundedExecutor("scoring-shadow", 1, _WAITING_LIMIT)
        self._log = log.logger("scoring")

    def follow(self, served: ClickModel, arrays: Arrays, answer: Predictions) -> None:
        """Scores a request once there is time; left out where too many wait, or its schema is another."""
        if served.signature.fingerprint != self.model.signature.fingerprint:
            REQUESTS.labels(self.model.version, "other_schema").inc()
            return
        try:
            # Nobody waits for it: what it finds is logged, and what fails is logged as well.
            self._executor.submit(self._compare, served.version, arrays, answer)
        except Overloaded:
            REQUESTS.labels(self.model.version, "left_out").inc()

    def close(self) -> None:
        """Drops what waits, and waits for what runs."""
        self._executor.close()

    def _compare(self, version: str, arrays: Arrays, answer: Predictions) -> None:
        try:
            found = difference(answer, self.model.predict(arrays))
        except Exception:  # a shadow must not harm what serves, whatever is wrong with it
            REQUESTS.labels(self.model.version, "failed").inc()
            self._log.exception(SHADOW_FAILED, shadow_version=self.model.version)
            return
        REQUESTS.labels(self.model.version, "scored").inc()
        if found:
            DIFFERENCE.labels(self.model.version).observe(found["mean_difference"])
        self._log.info(SHADOW_SCORED, shadow_version=self.model.version, model_version=version, **found)


def difference(served: Predictions, other: Predictions) -> dict[str, Any]:
    """How far two versions are apart on the same items; empty where there are none.

    `mean_difference` and `largest_difference` are of click probabilities, `bias` is the other's mean less
    the served one's, and `is_same_first` says whether both put the same item first.
    """
    first, second = served.click_probability, other.click_probability
    if len(first) == 0:
        return {}
    distance = np.abs(second - first)
    return {
        "item_count": len(first),
        "mean_difference": float(distance.mean()),
        "largest_difference": float(distance.max()),
        "bias": float(second.mean() - first.mean()),
        "is_same_first": bool(first.argmax() == second.argmax()),
    }
