"""What does scoring cost beside the graph that it runs, and beside another server of the same graph?"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from services.common.artifacts import Artifact
from services.common.errors import ConfigurationError
from services.local.bench import harness
from services.local.bench.harness import Row, in_turns, median_ratio
from services.local.bench.scoring import models, processing, servers
from services.local.bench.scoring.peers import environment
from services.local.bench.scoring.servers import Server, Window
from services.scoring.registry import MODEL_FILE

ITEM_COUNT = 200
IN_FLIGHT = 32
REST_S = 0.002
"""Between calls of one at a time: what a network and a caller take."""

CPU_RATIO = 1.3
"""Of ScoreItems, over the bare call of ONNX Runtime."""
ONCE_RATIO = 0.62
"""Of the graph, over the graph that repeats its shopper."""
SPEED_RATIO = 1.5
"""Calls per second, over MLServer's."""
MEMORY_MB = 400.0
"""Resident, beyond the model's files."""


def run(windows: int, window_s: float, calls: int, peer: Path | None, seed: int, command: str) -> list[Row]:
    """Measures and reports.

    Args:
        calls: of each window of CPU time.
        peer: MLServer's Python; None leaves the comparison out.

    Raises:
        ConfigurationError: where `peer` is not there, or a server does not start.
    """
    if peer is not None and not peer.is_file():
        raise ConfigurationError(
            f"--peer: {peer} is not there; `make {environment.FOLDER}/.installed` makes it, "
            "and --no-peer measures without it"
        )
    arrays = models.page(ITEM_COUNT, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        artifact = models.build(folder, seed)
        graph = processing.graph(artifact.file(MODEL_FILE), arrays, calls)
        rows = [
            _cpu(
                "ScoreItems in process, one call at a time",
                processing.score_items(artifact, arrays, calls, REST_S),
                processing.graph(artifact.file(MODEL_FILE), arrays, calls, REST_S),
                windows,
            ),
            _cpu(
                "ScoreItems in process, no rest between calls",
                processing.score_items(artifact, arrays, calls, 0.0),
                graph,
                windows,
                None,
            ),
            _cpu(
                "reading and checking a request, over the graph",
                processing.reading(arrays, calls),
                graph,
                windows,
                None,
            ),
            _cpu(
                "graph, shopper once over tiled",
                graph,
                processing.graph(folder / models.TILED_FILE, arrays, max(1, calls // 2)),
                windows,
                ONCE_RATIO,
            ),
            _cpu(
                "graph, int8 over fp32",
                processing.graph(folder / models.INT8_FILE, arrays, calls),
                graph,
                windows,
                None,
            ),
            Row(
                "largest difference of a click probability, int8 from fp32",
                processing.distance(folder / models.INT8_FILE, artifact.file(MODEL_FILE), arrays),
                "probability",
                ITEM_COUNT,
            ),
            *_batched(artifact, arrays, windows, calls),
        ]
        with contextlib.ExitStack() as running:
            own = running.enter_context(servers.scoring(artifact, arrays, folder))
            echo = running.enter_context(servers.echo(arrays, folder))
            other = (
                running.enter_context(servers.mlserver(peer, artifact, arrays, folder))
                if peer is not None
                else None
            )
            rows += _served(own, echo, graph, windows, window_s)
            if other is not None:
                rows += _compared(own, other, windows, window_s)
            size_mb = sum(path.stat().st_size for path in artifact.path.iterdir()) / 1e6
            rows.append(memory(own.process.memory_info().rss / 1e6, size_mb))
    rows = [replace(row, seed=seed) for row in rows]
    harness.report("scoring", rows, command)
    return rows


def memory(resident_mb: float, model_mb: float) -> Row:
    """What the process holds beyond the model's files."""
    return Row(
        f"memory of the process beyond its model of {model_mb:.1f} MB",
        resident_mb - model_mb,
        "MB",
        1,
        reach=MEMORY_MB,
        is_more_better=False,
    )


def beside(label: str, own: Sequence[Window], other: Sequence[Window]) -> list[Row]:
    """The figures of two servers under the same load, window by window."""
    count = sum(window.count for window in own)
    speed = statistics.median(window.calls_per_s for window in own)
    ratio = median_ratio([window.calls_per_s for window in own], [window.calls_per_s for window in other])
    rows = [Row(f"calls per second, {label}", speed, "1/s", count, speed / ratio, SPEED_RATIO)]
    for field, name in (("p50_ms", "p50"), ("p99_ms", "p99"), ("cpu_ms", "CPU of a call")):
        thing, floor = (
            float(statistics.median(getattr(window, field) for window in side)) for side in (own, other)
        )
        rows.append(Row(f"{name}, {label}", thing, "ms", count, floor, is_more_better=False))
    return rows


def _batched(artifact: Artifact, arrays: models.Arrays, windows: int, calls: int) -> list[Row]:
    """CPU of a request in batches of several, over the same alone."""
    alone = processing.batch(artifact, arrays, 1, calls)
    return [
        _cpu(
            f"request in a batch of {size}, over alone",
            processing.batch(artifact, arrays, size, max(1, calls // size)),
            alone,
            windows,
            None,
        )
        for size in (4, 16)
    ]


def _served(
    own: Server, echo: Server, graph: Callable[[], float], windows: int, window_s: float
) -> list[Row]:
    """CPU of the whole server's process, over the graph alone and over the graph behind bare gRPC."""
    rows = []
    for in_flight in (1, IN_FLIGHT):
        for server in (own, echo):
            servers.load(server, in_flight, window_s / 2)  # warm

        def served_ms(in_flight: int = in_flight) -> float:
            return servers.load(own, in_flight, window_s).cpu_ms

        def floor_ms(in_flight: int = in_flight) -> float:
            return servers.load(echo, in_flight, window_s).cpu_ms + graph()

        name = f"ScoreItems over gRPC, {in_flight} in flight"
        rows.append(_cpu(f"{name}, over the graph", served_ms, graph, windows))
        rows.append(_cpu(f"{name}, over graph and echo", served_ms, floor_ms, windows))
    return rows


def _compared(own: Server, other: Server, windows: int, window_s: float) -> list[Row]:
    """Both servers by turns."""
    seen: dict[str, list[Window]] = {own.target: [], other.target: []}

    def calls_per_s(server: Server) -> float:
        window = servers.load(server, IN_FLIGHT, window_s)
        seen[server.target].append(window)
        return window.calls_per_s

    servers.load(other, IN_FLIGHT, window_s / 2)
    in_turns(lambda: calls_per_s(own), lambda: calls_per_s(other), windows)
    return beside(f"{IN_FLIGHT} in flight, over MLServer's", seen[own.target], seen[other.target])


def _cpu(
    name: str,
    thing: Callable[[], float],
    floor: Callable[[], float],
    windows: int,
    reach: float | None = CPU_RATIO,
) -> Row:
    things, floors = in_turns(thing, floor, windows)
    ratio = median_ratio(things, floors)
    value = statistics.median(things)
    return Row(f"CPU of {name}", value, "ms", windows, value / ratio, reach, is_more_better=False)
