"""What does every service count, and how does Prometheus read it?"""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram, start_http_server

_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)

RPC_SECONDS = Histogram(
    "planogram_rpc_seconds", "Time to answer a call.", ("service", "method", "code"), buckets=_BUCKETS_S
)
RPC_IN_FLIGHT = Gauge("planogram_rpc_in_flight", "Calls being answered.", ("service",))
UPSTREAM_FAILURES = Counter(
    "planogram_upstream_failures_total", "Calls to other services that failed.", ("upstream", "code")
)
IS_READY = Gauge("planogram_ready", "1 where the service is loaded and warm.", ("service",))


@lru_cache(maxsize=512)
def rpc_seconds(service: str, method: str, code: str) -> Histogram:
    """The histogram child of one method and code; looking it up by label each time is slow."""
    return RPC_SECONDS.labels(service, method, code)


def serve(listen: str, worker: int = 0) -> None:
    """Serves /metrics on host:port + worker; an empty address serves nothing."""
    if listen:
        host, _, port = listen.rpartition(":")
        start_http_server(int(port) + worker, addr=host)
