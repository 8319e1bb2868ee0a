"""Wires the policy service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from planogram.policy.v1 import policy_pb2_grpc
from services.common import artifacts
from services.common.errors import ConfigurationError, Incompatible, NotFound
from services.common.executor import BoundedExecutor
from services.common.server import Service, main
from services.policy.exploration import Exploration
from services.policy.registry import open_policy, open_registry
from services.policy.servicer import PolicyServicer
from services.policy.settings import PolicySettings
from services.policy.shadow import Shadow


@contextlib.asynccontextmanager
async def open_servicer(settings: PolicySettings) -> AsyncIterator[PolicyServicer]:
    """A servicer with its policies loaded and warm, which follows the store."""
    policies = await asyncio.to_thread(open_registry, settings.models_path)
    executor = BoundedExecutor("policy", settings.worker_count, settings.queue_limit)
    defaults = Exploration(settings.exploration_mode, settings.epsilon, settings.temperature)
    shadow = await asyncio.to_thread(_shadow, settings) if settings.shadow_version else None
    try:
        async with policies.watched(settings.watch_period_s):
            yield PolicyServicer(policies, executor, defaults, shadow)
    finally:
        executor.close()
        if shadow is not None:
            shadow.close()


def _shadow(settings: PolicySettings) -> Shadow:
    try:
        return Shadow(open_policy(artifacts.load(settings.models_path, settings.shadow_version)))
    except (NotFound, Incompatible) as error:
        raise ConfigurationError(f"PLANOGRAM_POLICY_SHADOW_VERSION: {error}") from None


SERVICE = Service(
    name="policy",
    full_name="planogram.policy.v1.PolicyService",
    add_to_server=policy_pb2_grpc.add_PolicyServiceServicer_to_server,
    methods=("PlanPage", "GetPolicy"),
    open=open_servicer,
    roles={},
    settings=PolicySettings,
)

if __name__ == "__main__":
    main(SERVICE)
