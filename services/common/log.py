"""How does a process log, and what may a handler add to the line of its call?"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, TextIO, cast

import structlog

# Event names, so that dashboards and tests can rely on them.
RPC = "rpc"
RPC_FAILED = "rpc_failed"
SERVER_STARTED = "server_started"
SERVER_READY = "server_ready"
SERVER_STOPPING = "server_stopping"
SERVER_STOPPED = "server_stopped"
ANONYMOUS_CALLERS = "anonymous_callers_are_admin"

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_annotations: ContextVar[dict[str, Any] | None] = ContextVar("annotations", default=None)


def configure(level: str = "info", style: str = "auto") -> None:
    """Configures structlog for this process, once: JSON lines, or colours on a terminal."""
    is_console = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if is_console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), stream=sys.stderr, force=True)


class _Stderr(io.TextIOBase):
    """Standard error as it is now: loggers are cached, and redirections come and go."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def logger(name: str) -> Any:
    """A structlog logger that carries the service's name."""
    return structlog.get_logger(service=name)


def annotate(**fields: Any) -> None:
    """Adds fields to the log line of the call in progress; outside a call, does nothing."""
    current = _annotations.get()
    if current is not None:
        current.update(fields)


@contextlib.contextmanager
def annotated() -> Iterator[dict[str, Any]]:
    """Collects the fields of one call; afterwards those of the call around it, if there is one."""
    fields: dict[str, Any] = {}
    token = _annotations.set(fields)
    try:
        yield fields
    finally:
        _annotations.reset(token)
