"""How do the four services run in one process: the same servicers and boundaries, without sockets?"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from services.common import client, log
from services.common.callers import Callers
from services.common.client import IN_PROCESS, InProcessUpstream
from services.common.server import Service
from services.common.settings import ServiceSettings, load
from services.feature.__main__ import SERVICE as FEATURE
from services.layout.__main__ import SERVICE as LAYOUT
from services.policy.__main__ import SERVICE as POLICY
from services.scoring.__main__ import SERVICE as SCORING

SERVICES = {service.name: service for service in (FEATURE, SCORING, POLICY, LAYOUT)}


@contextlib.asynccontextmanager
async def open_layout(settings: ServiceSettings) -> AsyncIterator[Any]:
    """The layout servicer above feature, scoring and policy in this process.

    Args:
        settings: of the layout service; its targets count as in-process whatever they say.
    """
    async with contextlib.AsyncExitStack() as stack:
        for service in (FEATURE, SCORING, POLICY):
            servicer = await stack.enter_async_context(service.open(load(service.settings)))
            client.register_in_process(_upstream(service, servicer))
        targets = {f"{name}_target": IN_PROCESS for name in ("feature", "scoring", "policy")}
        yield await stack.enter_async_context(LAYOUT.open(settings.model_copy(update=targets)))


@contextlib.asynccontextmanager
async def open_upstream() -> AsyncIterator[InProcessUpstream]:
    """The layout service of this process, as a client sees it; calls are not logged line by line."""
    log.configure("warning")
    async with open_layout(load(LAYOUT.settings)) as servicer:
        yield _upstream(LAYOUT, servicer)


def _upstream(service: Service, servicer: Any) -> InProcessUpstream:
    return InProcessUpstream(service.name, servicer, service.boundary(Callers()))
