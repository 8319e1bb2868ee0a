"""How does a service start, say that it is ready, and stop?"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.common import callers, log, memory, metrics, reflection
from services.common.boundary import Boundary, BoundaryInterceptor
from services.common.callers import Role
from services.common.certificates import mistake_of_dates
from services.common.errors import ConfigurationError, NotReady
from services.common.settings import ServiceSettings
from services.common.written import as_taken, takes_written

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class Service:
    """What `run` needs to know about a service."""

    name: str
    """Short name, such as "layout"."""
    full_name: str
    """Name in the contract, such as "planogram.layout.v1.LayoutService"."""
    add_to_server: Callable[[Any, grpc.aio.Server], None]
    """Generated registration function."""
    methods: tuple[str, ...]
    """Names of the service's methods."""
    open: Callable[[Any], AbstractAsyncContextManager[Any]]
    """From settings to a servicer that is loaded and warm; closes what it opened. The names in its
    `health_names`, if it has any, are SERVING too while it is open."""
    roles: Mapping[str, Role]
    """Least role by method; a method that is not named needs INTERNAL."""
    settings: type[ServiceSettings]
    """Class of the service's settings."""

    def boundary(self, known: callers.Callers | None = None) -> Boundary:
        return Boundary(self.name, self.roles, known)


def main(service: Service) -> None:
    """Runs a service until SIGTERM or SIGINT; the body of every `__main__`."""
    from services.common.settings import load

    try:
        settings = load(service.settings)
        log.configure(settings.log_level, settings.log_format)
        check_exposure(settings)
        if settings.workers > 1:
            sys.exit(_run_workers(service, settings))
        _run_loop(_serve(service, settings, worker=0))
    except ConfigurationError as error:
        print(f"planogram {service.name}: cannot start: {error}", file=sys.stderr)
        sys.exit(2)


@contextlib.asynccontextmanager
async def serving(service: Service, settings: ServiceSettings, worker: int = 0) -> AsyncIterator[int]:
    """A running server; the value is its port. NOT_SERVING until the servicer is open."""
    known = callers.load(settings.tokens_path)
    if known.is_open:
        log.logger(service.name).warning(log.ANONYMOUS_CALLERS, listen=settings.listen)
    server = grpc.aio.server(
        interceptors=[BoundaryInterceptor(service.full_name, service.boundary(known))],
        options=_server_options(settings),
        maximum_concurrent_rpcs=settings.max_concurrent_rpcs,
    )
    servicer = _PendingServicer(service)
    service.add_to_server(servicer, server)
    status = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    reflection.enable(server, (service.full_name, health.SERVICE_NAME))
    port = _bind(server, settings)
    logger = log.logger(service.name)
    for name in ("", service.full_name):
        await status.set(name, _NOT_SERVING)
    await server.start()
    logger.info(log.SERVER_STARTED, listen=settings.listen, port=port, worker=worker)
    ready = metrics.IS_READY.labels(service.name)
    ready.set(0)
    try:
        async with service.open(settings) as opened:
            servicer.target = opened
            memory.settle()
            for name in ("", service.full_name, *getattr(opened, "health_names", ())):
                await status.set(name, _SERVING)
            ready.set(1)
            logger.info(log.SERVER_READY, port=port)
            try:
                yield port
            finally:
                logger.info(log.SERVER_STOPPING)
                ready.set(0)
                await status.enter_graceful_shutdown()
                await server.stop(settings.drain_s)
    finally:
        await server.stop(None)
        logger.info(log.SERVER_STOPPED)


def check_exposure(settings: ServiceSettings) -> None:
    """Refuses to listen off loopback without TLS and tokens, unless each was waived by name.

    Raises:
        ConfigurationError: names the setting to change.
    """
    name = settings.variable
    _check_files(settings)
    for side in ("tls", "upstream"):
        _check_pair(settings, f"{side}_cert_path", f"{side}_key_path")
    for authority in ("tls_client_ca_path", "upstream_ca_path"):
        if (path := getattr(settings, authority)) is not None:
            _check_certificate(name(authority), path)
    for field, needed in (
        ("tls_client_ca_path", "tls_cert_path"),
        ("upstream_cert_path", "upstream_ca_path"),
    ):
        if getattr(settings, field) is not None and getattr(settings, needed) is None:
            raise ConfigurationError(
                f"{name(field)} is of no use without {name(needed)}: there would be no TLS"
            )
    if settings.is_loopback:
        return
    place = f"{name('listen')}: {settings.listen} is not loopback"
    if settings.tls_cert_path is None and not settings.is_plaintext_allowed:
        raise ConfigurationError(
            f"{place}: set {name('tls_cert_path')} and {name('tls_key_path')}, "
            f"or {name('is_plaintext_allowed')}=true"
        )
    if settings.tokens_path is None and not settings.is_anonymous_allowed:
        raise ConfigurationError(
            f"{place}: set {name('tokens_path')}, or {name('is_anonymous_allowed')}=true"
        )


def _check_files(settings: ServiceSettings) -> None:
    for field in (
        *("tls_cert_path", "tls_key_path", "tls_client_ca_path", "tokens_path"),
        *("upstream_ca_path", "upstream_cert_path", "upstream_key_path"),
    ):
        path = getattr(settings, field)
        if path is None:
            continue
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise ConfigurationError(f"{settings.variable(field)}: {path}: {error.strerror}") from None


def _check_pair(settings: ServiceSettings, cert_field: str, key_field: str) -> None:
    """Refuses a certificate and key that gRPC would take and then fail every handshake with."""
    cert, key = getattr(settings, cert_field), getattr(settings, key_field)
    names = settings.variable(cert_field), settings.variable(key_field)
    if bool(cert) != bool(key):
        raise ConfigurationError(f"{names[0]} and {names[1]} go together; one is missing")
    if cert is None or key is None:
        return
    _check_certificate(names[0], cert)
    try:
        # An encrypted key would have the terminal asked for its password.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or "not a private key without a password, PEM"
        if reason == "KEY_VALUES_MISMATCH":
            raise ConfigurationError(f"{names[1]}: {key} is not the key of {names[0]}, {cert}") from None
        raise ConfigurationError(f"{names[1]}: {key}: no private key in PEM: {reason}") from None
    mistake = mistake_of_dates(cert, key)
    if mistake is not None:
        raise ConfigurationError(f"{names[0]}: {cert}: {mistake}; nobody would take it")


def _check_certificate(name: str, path: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{name}: {path}: no certificate in PEM: {error.reason}") from None


class _PendingServicer:
    """Answers NotReady until the real servicer is there, then passes every call on."""

    target: Any = None

    def __init__(self, service: Service) -> None:
        for method in service.methods:
            setattr(self, method, self._forward(service.name, method))

    def _forward(self, name: str, method: str) -> Any:
        @takes_written
        async def forward(request: Any, context: Any) -> Any:
            if self.target is None:
                raise NotReady(f"{name} is still loading")
            handler = getattr(self.target, method)
            return await handler(as_taken(handler, request), context)

        return forward


def _server_options(settings: ServiceSettings) -> list[tuple[str, Any]]:
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # On by default, where a second server on a taken port binds silently.
        ("grpc.so_reuseport", int(settings.workers > 1)),
        # Clients that ping every 10 s are answered with GOAWAY by the defaults.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]
    if settings.max_connection_age_s:
        options.append(("grpc.max_connection_age_ms", int(1e3 * settings.max_connection_age_s)))
        options.append(("grpc.max_connection_age_grace_ms", int(1e3 * settings.drain_s)))
    return options


def _bind(server: grpc.aio.Server, settings: ServiceSettings) -> int:
    port: int
    name = settings.variable("listen")
    try:
        if settings.tls_cert_path is None or settings.tls_key_path is None:
            port = server.add_insecure_port(settings.listen)
        else:
            ca = settings.tls_client_ca_path.read_bytes() if settings.tls_client_ca_path else None
            pair = (settings.tls_key_path.read_bytes(), settings.tls_cert_path.read_bytes())
            credentials = grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)
            port = server.add_secure_port(settings.listen, credentials)
    except RuntimeError:
        port = 0
    if port == 0:
        raise ConfigurationError(f"{name}: cannot listen on {settings.listen}: {_why_not(settings)}")
    return port


def _why_not(settings: ServiceSettings) -> str:
    """Why an address cannot be listened on, as the system says it."""
    host, _, port = settings.listen.rpartition(":")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "another process listens there; stop it, or choose another port"
        return str(error.strerror)
    return "gRPC could not"


async def _serve(service: Service, settings: ServiceSettings, worker: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    try:
        metrics.serve(settings.metrics_listen, worker)
    except OSError as error:
        raise ConfigurationError(
            f"{settings.variable('metrics_listen')}: cannot listen on {settings.metrics_listen}: "
            f"{error.strerror}"
        ) from None
    opened = asyncio.ensure_future(_hold(service, settings, worker, stop))
    stopped = asyncio.ensure_future(stop.wait())
    # A stop while still loading must not wait for the load to end.
    await asyncio.wait({opened, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set() and not opened.done():
        await asyncio.wait({opened}, timeout=settings.drain_s + 5)
        opened.cancel()
    stopped.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await opened


async def _hold(service: Service, settings: ServiceSettings, worker: int, stop: asyncio.Event) -> None:
    async with serving(service, settings, worker):
        await stop.wait()


def _run_loop(coroutine: Any) -> None:
    """Runs a coroutine on uvloop where it is installed, on asyncio's own loop elsewhere."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(coroutine)
    else:
        uvloop.run(coroutine)


def _run_workers(service: Service, settings: ServiceSettings) -> int:
    """Spawns workers that share the port, and ends them all when one ends or a signal comes.

    Spawned, never forked: gRPC does not survive a fork after it started.
    """
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_run_worker, args=(service.name, index), name=f"{service.name}-{index}")
        for index in range(settings.workers)
    ]
    for worker in workers:
        worker.start()

    def stop(*_: object) -> None:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    multiprocessing.connection.wait([worker.sentinel for worker in workers])
    stop()
    for worker in workers:
        worker.join(settings.drain_s + 10)
    return max(abs(worker.exitcode or 0) for worker in workers)


def _run_worker(name: str, index: int) -> None:
    import importlib

    from services.common.settings import load

    os.environ["PLANOGRAM_WORKER_INDEX"] = str(index)
    service: Service = importlib.import_module(f"services.{name}.__main__").SERVICE
    settings = load(service.settings)
    log.configure(settings.log_level, settings.log_format)
    _run_loop(_serve(service, settings, worker=index))
