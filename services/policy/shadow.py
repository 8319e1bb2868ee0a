"""How would another version have laid out the pages that this one serves?

The shadow plans the same requests with the same seed and exploration, behind the answer's back: in a thread
of its own, for pages that find it free, so that it never makes a caller wait. What differs is logged and
counted.
"""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Histogram

from planogram.policy.v1 import policy_pb2
from services.common import log
from services.common.errors import Overloaded
from services.common.executor import BoundedExecutor
from services.policy import page, planner
from services.policy.exploration import Exploration
from services.policy.registry import Policy

SHADOW_PLANNED = "shadow_planned"
SHADOW_FAILED = "shadow_failed"

_WAITING_LIMIT = 8

PAGES = Counter("planogram_policy_shadow_pages_total", "Pages offered to the shadow.", ("version", "outcome"))
AGREEMENT = Histogram(
    "planogram_policy_shadow_agreement",
    "Share of a page's slots in which the shadow chose the same module and template.",
    ("version",),
    buckets=(0.0, 0.25, 0.5, 0.75, 0.999, 1.0),
)


class Shadow:
    """Plans pages that another version has answered."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._executor = BoundedExecutor("policy-shadow", 1, _WAITING_LIMIT)
        self._log = log.logger("policy")

    def follow(
        self,
        request: policy_pb2.PlanPageRequest,
        answer: policy_pb2.PlanPageResponse,
        exploration: Exploration,
    ) -> None:
        """Plans a page once there is time; a page that finds too many waiting is left out."""
        try:
            # Nobody waits for it: what it finds is logged, and what fails is logged as well.
            self._executor.submit(self._compare, request, answer, exploration)
        except Overloaded:
            PAGES.labels(self.policy.version, "left_out").inc()

    def close(self) -> None:
        """Drops what waits, and waits for what runs."""
        self._executor.close()

    def _compare(
        self,
        request: policy_pb2.PlanPageRequest,
        answer: policy_pb2.PlanPageResponse,
        exploration: Exploration,
    ) -> None:
        try:
            found = self._difference(request, answer, exploration)
        except Exception:  # a shadow must not harm what serves, whatever is wrong with it
            PAGES.labels(self.policy.version, "failed").inc()
            self._log.exception(SHADOW_FAILED, shadow_version=self.policy.version)
            return
        PAGES.labels(self.policy.version, "planned").inc()
        AGREEMENT.labels(self.policy.version).observe(found["agreement"])
        self._log.info(
            SHADOW_PLANNED,
            shadow_version=self.policy.version,
            policy_version=answer.policy_version,
            **found,
        )

    def _difference(
        self,
        request: policy_pb2.PlanPageRequest,
        answer: policy_pb2.PlanPageResponse,
        exploration: Exploration,
    ) -> dict[str, Any]:
        facts = page.decode(request)
        choices = planner.plan(facts, self.policy.values(facts), exploration, request.seed)
        shape = facts.shape
        own = [
            (shape.module_ids[shape.module[one.action]], shape.template_ids[one.action]) for one in choices
        ]
        served = [(slot.module_id, slot.template_id) for slot in answer.slots]
        same = sum(one == other for one, other in zip(own, served, strict=True))
        return {
            "agreement": same / len(served),
            "value": answer.slots[0].q_value,
            "shadow_value": choices[0].value,
        }
