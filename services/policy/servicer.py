"""PolicyService: proto in, proto out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planogram.policy.v1 import policy_pb2
from services.common import log
from services.common.errors import InvalidRequest, NotFound
from services.common.executor import BoundedExecutor
from services.common.watching import Versions
from services.policy import answering, page, planner
from services.policy.exploration import Exploration, Mode
from services.policy.registry import Policy
from services.policy.shadow import Shadow

MAX_TEMPERATURE = 100.0

_MODES = {
    policy_pb2.EXPLORATION_MODE_GREEDY: Mode.GREEDY,
    policy_pb2.EXPLORATION_MODE_EPSILON_GREEDY: Mode.EPSILON_GREEDY,
    policy_pb2.EXPLORATION_MODE_SOFTMAX: Mode.SOFTMAX,
}


class PolicyServicer:
    """Answers for the loaded policies, in worker threads or, while it is idle, on the event loop."""

    def __init__(
        self,
        policies: Versions[Policy],
        executor: BoundedExecutor,
        defaults: Exploration,
        shadow: Shadow | None = None,
    ) -> None:
        """
        Args:
            shadow: plans every page as well, for comparison; it is not closed here.
        """
        self._policies = policies
        self._executor = executor
        self._defaults = defaults
        self._shadow = shadow

    async def PlanPage(
        self, request: policy_pb2.PlanPageRequest, context: Any
    ) -> policy_pb2.PlanPageResponse:
        policy = await self._policy(request.policy_version if request.HasField("policy_version") else None)
        exploration = exploration_of(request.exploration, self._defaults)
        log.annotate(policy_version=policy.version, exploration=exploration.mode.value)
        run = self._executor.run_short if policy.is_short else self._executor.run
        answered = await run(answer, request, policy, exploration)
        if self._shadow is not None:
            self._shadow.follow(request, answered, exploration)
        return answered

    async def _policy(self, version: str | None) -> Policy:
        try:
            return self._policies.get(version)
        except NotFound:
            assert version is not None  # the current one is always loaded
            return await self._executor.run(self._policies.recall, version)

    async def GetPolicy(
        self, request: policy_pb2.GetPolicyRequest, context: Any
    ) -> policy_pb2.GetPolicyResponse:
        current = self._policies.current
        log.annotate(policy_version=current.version)
        return policy_pb2.GetPolicyResponse(
            policies=[_policy_message(policy, policy is current) for policy in self._policies.loaded]
        )


def answer(
    request: policy_pb2.PlanPageRequest, policy: Policy, exploration: Exploration
) -> policy_pb2.PlanPageResponse:
    """Decodes, plans and encodes; blocks for a millisecond or two."""
    facts = page.decode(request)
    choices = planner.plan(facts, policy.values(facts), exploration, request.seed)
    return answering.message_of(facts.shape, choices, policy.version, exploration)


def exploration_of(message: policy_pb2.Exploration, defaults: Exploration) -> Exploration:
    """What a request asks for, defaults filled in.

    Defaults count as the wire holds them, so that the answer's exploration, sent again, is the same.

    Raises:
        InvalidRequest: for a number out of range.
    """
    epsilon = message.epsilon if message.HasField("epsilon") else _on_wire(defaults.epsilon)
    if not 0.0 <= epsilon <= 1.0:
        raise InvalidRequest("exploration.epsilon", epsilon, "0 to 1")
    temperature = message.temperature if message.HasField("temperature") else _on_wire(defaults.temperature)
    if not (math.isfinite(temperature) and 0.0 < temperature <= MAX_TEMPERATURE):
        raise InvalidRequest("exploration.temperature", temperature, f"above 0, to {MAX_TEMPERATURE:g}")
    return Exploration(_MODES.get(message.mode, defaults.mode), epsilon, temperature)


def _on_wire(value: float) -> float:
    return float(np.float32(value))


def _policy_message(policy: Policy, is_current: bool) -> policy_pb2.Policy:
    message = policy_pb2.Policy(
        version=policy.version,
        is_current=is_current,
        space_fingerprint=policy.space_fingerprint,
        metrics=policy.metrics,
    )
    if policy.trained is not None:
        message.trained.FromDatetime(policy.trained)
    return message
