"""How does one service call another: over gRPC, or in the same process?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import grpc

from services.common import boundary, metrics
from services.common.boundary import Boundary
from services.common.errors import ConfigurationError
from services.common.written import Written


class UpstreamError(Exception):
    """A call that did not end well.

    Attributes:
        upstream: short name of the service that was called.
        code: the gRPC status.
        details: the upstream's message.
    """

    def __init__(self, upstream: str, code: grpc.StatusCode, details: str) -> None:
        self.upstream, self.code, self.details = upstream, code, details
        super().__init__(f"{upstream}: {code.name.lower().replace('_', ' ')}: {details}")

    @property
    def reason(self) -> str:
        """The status in words, such as "deadline exceeded"."""
        return str(self.code.name).lower().replace("_", " ")

    @property
    def is_late(self) -> bool:
        """True where the answer did not come in time."""
        return self.code is grpc.StatusCode.DEADLINE_EXCEEDED


class Upstream(Protocol):
    """One service, as its callers see it."""

    name: str

    async def call(self, method: str, request: Any, timeout_s: float, *, wait_for_ready: bool = False) -> Any:
        """Answers the response message.

        Args:
            wait_for_ready: waits for a connection as long as there is time, instead of failing at once
                while the service cannot be reached.

        Raises:
            UpstreamError: for every failure, the deadline's end included.
        """
        ...

    async def close(self) -> None:
        """Lets go of the connection."""
        ...


class GrpcUpstream:
    """A service in another process; one channel for the life of this one."""

    def __init__(
        self, name: str, target: str, stub: type, token: str = "", tls: ClientTls | None = None
    ) -> None:
        self.name = name
        self._channel = channel(target, tls)
        self._stub = stub(self._channel)
        self._authorization = ((boundary.AUTHORIZATION, f"Bearer {token}"),) if token else ()

    async def call(self, method: str, request: Any, timeout_s: float, *, wait_for_ready: bool = False) -> Any:
        metadata = ((boundary.REQUEST_ID, boundary.request_id()), *self._authorization)
        try:
            return await getattr(self._stub, method)(
                request, timeout=timeout_s, metadata=metadata, wait_for_ready=wait_for_ready or None
            )
        except grpc.aio.AioRpcError as error:
            raise _failed(self.name, error.code(), error.details() or "") from None

    async def close(self) -> None:
        await self._channel.close()


class InProcessUpstream:
    """A servicer in this process, behind its own boundary, without sockets."""

    def __init__(self, name: str, servicer: Any, guard: Boundary, token: str = "") -> None:
        self.name = name
        self._servicer = servicer
        self._boundary = guard
        self._authorization = {boundary.AUTHORIZATION: f"Bearer {token}"} if token else {}

    async def call(self, method: str, request: Any, timeout_s: float, *, wait_for_ready: bool = False) -> Any:
        del wait_for_ready  # always ready
        own = type(request)()
        own.CopyFrom(request)
        context = InProcessContext(
            {boundary.REQUEST_ID: boundary.request_id(), **self._authorization}, timeout_s
        )
        try:
            # asyncio.wait_for would lose the end of the caller's task where the answer comes at that moment.
            async with asyncio.timeout(timeout_s):
                answer = await self._boundary.invoke(method, getattr(self._servicer, method), own, context)
        except TimeoutError:
            raise _failed(self.name, grpc.StatusCode.DEADLINE_EXCEEDED, "deadline exceeded") from None
        except InProcessAbort as abort:
            raise _failed(self.name, abort.code, abort.details) from None
        if isinstance(answer, Written):
            return answer.message()
        copy = type(answer)()
        copy.CopyFrom(answer)
        return copy

    async def close(self) -> None:
        """Nothing to let go of."""


class InProcessAbort(grpc.aio.AbortError):
    """What `InProcessContext.abort` raises."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self.code, self.details = code, details
        super().__init__(details)


class InProcessContext:
    """The part of a gRPC servicer context that handlers use."""

    def __init__(self, metadata: dict[str, str], timeout_s: float) -> None:
        self._metadata = tuple(metadata.items())
        self._deadline_s = asyncio.get_running_loop().time() + timeout_s
        self._code: grpc.StatusCode | None = None

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata

    def time_remaining(self) -> float:
        return max(0.0, self._deadline_s - asyncio.get_running_loop().time())

    def code(self) -> grpc.StatusCode | None:
        return self._code

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> None:
        self._code = code
        raise InProcessAbort(code, details)


class ClientTls:
    """Certificates of the calling side, read once."""

    def __init__(self, ca_path: Path, cert_path: Path | None = None, key_path: Path | None = None) -> None:
        self.credentials = grpc.ssl_channel_credentials(
            ca_path.read_bytes(),
            key_path.read_bytes() if key_path else None,
            cert_path.read_bytes() if cert_path else None,
        )


def channel(
    target: str, tls: ClientTls | None = None, options: Sequence[tuple[str, Any]] = ()
) -> grpc.aio.Channel:
    """A channel that notices a restarted server in 0.1 to 0.3 s and balances over its addresses."""
    settings = [*CHANNEL_OPTIONS, *options]
    if tls is not None:
        return grpc.aio.secure_channel(target, tls.credentials, options=settings)
    return grpc.aio.insecure_channel(target, options=settings)


CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
    # The defaults take 2 s to notice a restarted server.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
)


def _failed(upstream: str, code: grpc.StatusCode, details: str) -> UpstreamError:
    metrics.UPSTREAM_FAILURES.labels(upstream, code.name).inc()
    return UpstreamError(upstream, code, details)


IN_PROCESS = "in-process"
"""The target of a service that runs in this process."""

_in_process: dict[str, InProcessUpstream] = {}


def register_in_process(upstream: InProcessUpstream) -> None:
    """Makes a servicer of this process reachable under its name by the target "in-process"."""
    _in_process[upstream.name] = upstream


def connect(name: str, target: str, stub: type, token: str = "", tls: ClientTls | None = None) -> Upstream:
    """The upstream behind a target: host:port, or in-process.

    Raises:
        ConfigurationError: where the target is in-process and no such servicer runs here.
    """
    if target != IN_PROCESS:
        return GrpcUpstream(name, target, stub, token, tls)
    if name not in _in_process:
        raise ConfigurationError(f"{name} does not run in this process; start `python -m services.local`")
    return _in_process[name]
