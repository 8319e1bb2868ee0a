"""What do tests of the plumbing share: a tiny echo service made of health's messages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic_settings import SettingsConfigDict

from planogram.policy.v1 import policy_pb2, policy_pb2_grpc
from services.common.callers import Role
from services.common.server import Service
from services.common.settings import ServiceSettings
from services.common.written import takes_written

FULL_NAME = "planogram.policy.v1.PolicyService"


class EchoSettings(ServiceSettings):
    """Settings of the echo service."""

    model_config = SettingsConfigDict(env_prefix="PLANOGRAM_ECHO_")
    listen: str = "127.0.0.1:0"
    """Address."""


class EchoServicer:
    """Answers GetPolicy with what a test puts into `behaviour`; PlanPage takes its request as bytes."""

    def __init__(self) -> None:
        self.behaviour: Any = None

    async def GetPolicy(self, request: Any, context: Any) -> Any:
        result = self.behaviour(context) if self.behaviour else None
        if asyncio.iscoroutine(result):
            result = await result
        return result or policy_pb2.GetPolicyResponse()

    @takes_written
    async def PlanPage(self, request: Any, context: Any) -> Any:
        return policy_pb2.PlanPageResponse(policy_version=request.message().policy_version)


@pytest.fixture
def echo() -> EchoServicer:
    return EchoServicer()


@pytest.fixture
def echo_service(echo: EchoServicer) -> Service:
    @contextlib.asynccontextmanager
    async def open_echo(settings: Any) -> AsyncIterator[EchoServicer]:
        yield echo

    return Service(
        name="echo",
        full_name=FULL_NAME,
        add_to_server=policy_pb2_grpc.add_PolicyServiceServicer_to_server,
        methods=("PlanPage", "GetPolicy"),
        open=open_echo,
        roles={"GetPolicy": Role.PUBLIC, "PlanPage": Role.ADMIN},
        settings=EchoSettings,
    )


@pytest.fixture
def echo_settings() -> type[EchoSettings]:
    return EchoSettings
