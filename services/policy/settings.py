"""What can be configured in the policy service?"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.settings import ServiceSettings
from services.policy.exploration import Mode


class PolicySettings(ServiceSettings):
    """Settings of the policy service; each field is `PLANOGRAM_POLICY_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="PLANOGRAM_POLICY_")

    listen: str = "127.0.0.1:7073"
    """Address of the gRPC server, host:port; port 0 takes a free one."""
    models_path: Path = Path("var/models/policy")
    """Store of policies; while nothing is published there, choices are uniform."""
    exploration_mode: Mode = Mode.EPSILON_GREEDY
    """greedy, epsilon_greedy or softmax; for requests that name no mode."""
    epsilon: float = Field(0.1, ge=0, le=1)
    """Share of uniform choice; for requests that name none."""
    temperature: float = Field(0.2, gt=0, le=100)
    """Temperature of softmax over z-scored values; for requests that name none."""
    shadow_version: str = ""
    """A published version that plans every page as well, unseen; what it would do otherwise is logged."""
    worker_count: int = Field(2, ge=1, le=64)
    """Threads that plan pages that come faster than the event loop can plan them."""
    queue_limit: int = Field(64, ge=0)
    """Calls that may wait for a worker thread; more are refused with RESOURCE_EXHAUSTED."""
    watch_period_s: float = Field(2.0, gt=0)
    """Time between looks at the store's pointer."""
