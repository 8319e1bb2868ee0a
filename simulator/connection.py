"""How does the simulator reach a shop: through which calls?"""

from __future__ import annotations

import uuid
from typing import Any, Protocol

import grpc

from planogram.layout.v1 import layout_pb2_grpc

_CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", 16 << 20),
)


class Upstream(Protocol):
    """The public contract of a shop, over whichever transport.

    `method` is ComposePage or RecordEvents of planogram.layout.v1.LayoutService. A call that fails
    raises an exception whose `code` is the gRPC status, or a function that returns it.
    """

    async def call(self, method: str, request: Any, timeout_s: float) -> Any:
        """Answers the response message."""
        ...


class Connection:
    """A shop behind an address; one channel for as long as it lives."""

    def __init__(self, target: str, token: str = "") -> None:
        self._channel = grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
        self._stub = layout_pb2_grpc.LayoutServiceStub(self._channel)
        self._authorization = (("authorization", f"Bearer {token}"),) if token else ()

    async def call(self, method: str, request: Any, timeout_s: float) -> Any:
        """Answers the response message; failures are grpc.aio.AioRpcError."""
        metadata = (("x-request-id", uuid.uuid4().hex), *self._authorization)
        return await getattr(self._stub, method)(request, timeout=timeout_s, metadata=metadata)

    async def close(self) -> None:
        """Lets go of the channel."""
        await self._channel.close()


def status_of(error: Exception) -> grpc.StatusCode | None:
    """The gRPC status of a failed call; None for any other exception."""
    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    return code if isinstance(code, grpc.StatusCode) else None
