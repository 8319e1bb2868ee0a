"""What happens to a call between the wire and a handler: caller, request id, errors, log, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import grpc
import structlog

from services.common import errors, log, metrics
from services.common.callers import ANONYMOUS_ADMIN, Caller, Callers, Role, require
from services.common.written import Written, as_taken

Handler = Callable[[Any, Any], Awaitable[Any]]

REQUEST_ID = "x-request-id"
AUTHORIZATION = "authorization"
MAX_REQUEST_ID_BYTES = 128
MAX_DETAILS_BYTES = 2_000
"""Of an error's text: gRPC writes a byte as up to three, and clients take 8 KiB of metadata. Where an answer
has more, they see RESOURCE_EXHAUSTED in place of its code."""

CODES: Mapping[type[errors.ServiceError], grpc.StatusCode] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.NotReady: grpc.StatusCode.UNAVAILABLE,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Incompatible: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.DeadlineTooShort: grpc.StatusCode.DEADLINE_EXCEEDED,
}

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_caller: ContextVar[Caller] = ContextVar("caller", default=ANONYMOUS_ADMIN)


def request_id() -> str:
    """The id of the call in progress; empty outside a call."""
    return _request_id.get()


def caller() -> Caller:
    """Who sent the call in progress."""
    return _caller.get()


class Boundary:
    """Guards the methods of one service, whichever transport a call comes by."""

    def __init__(
        self, service: str, roles: Mapping[str, Role] | None = None, callers: Callers | None = None
    ) -> None:
        """
        Args:
            service: short name such as "layout".
            roles: least role by method name; methods that are not named need INTERNAL.
            callers: the known tokens.
        """
        self.service = service
        self._roles = roles or {}
        self._callers = callers or Callers()
        self._log = log.logger(service)
        self._in_flight = metrics.RPC_IN_FLIGHT.labels(service)

    async def invoke(self, method: str, handler: Handler, request: Any, context: Any) -> Any:
        """Answers one call; every error leaves through `context.abort`, and nothing else does."""
        # A call within a process may run in its caller's own task.
        with _scope(), log.annotated() as fields:
            return await self._invoke(method, handler, request, context, fields)

    async def _invoke(
        self, method: str, handler: Handler, request: Any, context: Any, fields: dict[str, Any]
    ) -> Any:
        started = time.perf_counter()
        code, problem = "OK", None
        self._in_flight.inc()
        try:
            metadata = dict(context.invocation_metadata() or ())
            structlog.contextvars.bind_contextvars(request_id=_adopt_request_id(metadata))
            identity = self._callers.identify(metadata.get(AUTHORIZATION))
            require(identity, self._roles.get(method, Role.INTERNAL))
            _caller.set(identity)
            return await handler(as_taken(handler, request), context)
        except errors.ServiceError as error:
            status = CODES[type(error)]
            code, problem = status.name, _told(error.log_text)
            await context.abort(status, _told(str(error)))
        except grpc.aio.AbortError:
            status = context.code()
            code = status.name if isinstance(status, grpc.StatusCode) else "ABORTED"
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception:
            code = "INTERNAL"
            self._log.exception(log.RPC_FAILED, method=method)
            await context.abort(grpc.StatusCode.INTERNAL, f"internal error; request id {request_id()}")
        finally:
            elapsed_s = time.perf_counter() - started
            self._in_flight.dec()
            metrics.rpc_seconds(self.service, method, code).observe(elapsed_s)
            if problem is not None:
                fields["problem"] = problem
            self._log.info(log.RPC, method=method, code=code, duration_ms=round(1e3 * elapsed_s, 3), **fields)


class BoundaryInterceptor(grpc.aio.ServerInterceptor):
    """Puts every method of one service behind its boundary; passes all other services through.

    Requests are single messages. A method whose answer is a stream writes it to its context.
    """

    def __init__(self, full_name: str, boundary: Boundary) -> None:
        self._prefix = f"/{full_name}/"
        self._boundary = boundary
        self._wrapped: dict[str, grpc.RpcMethodHandler] = {}

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        name: str = details.method
        if not name.startswith(self._prefix):
            return await continuation(details)
        wrapped = self._wrapped.get(name)
        if wrapped is None:
            handler = await continuation(details)
            if handler is None or (handler.unary_unary is None and handler.unary_stream is None):
                return handler
            wrapped = self._wrapped[name] = self._wrap(name.removeprefix(self._prefix), handler)
        return wrapped

    def _wrap(self, method: str, handler: Any) -> grpc.RpcMethodHandler:
        inner = handler.unary_unary or handler.unary_stream
        boundary, deserialize, serialize = (
            self._boundary,
            handler.request_deserializer,
            handler.response_serializer,
        )

        def read(wire: bytes) -> Any:
            # What is raised here, gRPC answers with UNKNOWN and a traceback in the log.
            return Written(deserialize, wire)

        def write(answer: Any) -> bytes:
            wire: bytes = answer.wire if isinstance(answer, Written) else serialize(answer)
            return wire

        async def guarded(request: Any, context: Any) -> Any:
            return await boundary.invoke(method, inner, request, context)

        as_handler = (
            grpc.unary_unary_rpc_method_handler
            if handler.unary_unary is not None
            else grpc.unary_stream_rpc_method_handler
        )
        return as_handler(guarded, read, write)


@contextlib.contextmanager
def _scope() -> Iterator[None]:
    """Gives request id and caller back to the call around this one, if there is one."""
    request_token, caller_token = _request_id.set(_request_id.get()), _caller.set(_caller.get())
    with structlog.contextvars.bound_contextvars(request_id=_request_id.get()):
        try:
            yield
        finally:
            _request_id.reset(request_token)
            _caller.reset(caller_token)


def _told(problem: str) -> str:
    """A problem as the caller is told it, cut where it is too long to be sent."""
    content = problem.encode(errors="replace")
    if len(content) <= MAX_DETAILS_BYTES:
        return problem
    return f"{content[:MAX_DETAILS_BYTES].decode(errors='ignore')}... ({len(problem)} characters)"


def _adopt_request_id(metadata: Mapping[str, Any]) -> str:
    """Takes the caller's request id, or makes one.

    Raises:
        InvalidRequest: where it is too long or holds anything but printable ASCII, which is all that gRPC can
            hand on to other services.
    """
    given = metadata.get(REQUEST_ID)
    if given is None or given == "":
        given = uuid.uuid4().hex
    elif not (isinstance(given, str) and len(given) <= MAX_REQUEST_ID_BYTES and _is_plain(given)):
        _request_id.set("")
        raise errors.InvalidRequest(
            REQUEST_ID, given, f"1 to {MAX_REQUEST_ID_BYTES} printable characters of ASCII"
        )
    _request_id.set(given)
    return given


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
