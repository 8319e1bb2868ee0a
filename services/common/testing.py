"""How do tests run a real server, or a scripted one, on a free port?"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc

from services.common.boundary import Boundary, BoundaryInterceptor
from services.common.callers import Callers, Role


@contextlib.asynccontextmanager
async def serve(
    servicer: Any,
    add_to_server: Callable[[Any, grpc.aio.Server], None],
    full_name: str,
    roles: Mapping[str, Role] | None = None,
    callers: Callers | None = None,
) -> AsyncIterator[str]:
    """A real server around a servicer, behind the boundary; the value is its host:port."""
    boundary = Boundary(full_name.split(".")[1], roles, callers)
    server = grpc.aio.server(interceptors=[BoundaryInterceptor(full_name, boundary)])
    add_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@dataclass
class Script:
    """What a scripted servicer answers: queued answers first, then the default.

    An answer is a message, an exception to raise, a function from request to answer, or a number of
    seconds to sleep before the next answer.
    """

    default: Any
    queued: deque[Any] = field(default_factory=deque)
    requests: list[Any] = field(default_factory=list)

    async def answer(self, request: Any) -> Any:
        self.requests.append(request)
        answer = self.queued.popleft() if self.queued else self.default
        while isinstance(answer, (int, float)):
            await asyncio.sleep(answer)
            answer = self.queued.popleft() if self.queued else self.default
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer


class ScriptedServicer:
    """A servicer whose methods follow scripts; `ScriptedServicer(GetModel=Script(...))`."""

    def __init__(self, **scripts: Script) -> None:
        self.scripts = scripts

    def __getattr__(self, method: str) -> Any:
        scripts = self.__dict__.get("scripts", {})
        if method.startswith("_"):
            raise AttributeError(method)

        async def answer(request: Any, context: Any) -> Any:
            if method not in scripts:
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, method)
            return await scripts[method].answer(request)

        return answer
