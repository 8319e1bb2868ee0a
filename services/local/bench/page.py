"""What does a page cost beside the null pipeline: four processes that do nothing?"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from planogram.client import AsyncLayoutClient, home
from services.common import log, probe
from services.common.client import InProcessUpstream
from services.common.errors import ConfigurationError
from services.local.bench.harness import Row, in_turns, median_ratio, report
from services.local.bench.null import CALLS, Recording
from services.local.bench.ports import free_port
from services.local.supervisor import clean_environment

ROLES = ("feature", "scoring", "policy", "layout")
SHOPPERS = 500


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Four running processes."""

    target: str
    processes: dict[str, psutil.Process]

    def cpu_s(self) -> float:
        return float(sum(sum(process.cpu_times()[:2]) for process in self.processes.values()))


@dataclass(frozen=True, slots=True)
class Window:
    """What one stretch of load came to."""

    pages_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    degraded_count: int
    count: int


def run(windows: int, window_s: float, in_flight: int, seed: int) -> Path:
    """Measures both pipelines by turns and writes reports/bench-page.json.

    Raises:
        ConfigurationError: where there is nothing to serve from yet.
    """
    if not Path("var/feature/snapshots").is_dir():
        raise ConfigurationError("there are no features to serve: run `make demo-once` first")
    with tempfile.TemporaryDirectory() as scratch:
        # A copy: the shop's own may be held by a running service.
        shutil.copytree("var/feature", Path(scratch) / "feature")
        recording = Recording(Path(scratch) / "recording")
        asyncio.run(_record(recording, Path(scratch)))
        with (
            _pipeline(Path(scratch) / "real", _real_command) as real,
            _pipeline(Path(scratch) / "null", _null_command(Path(scratch) / "recording")) as null,
        ):
            rows = []
            for load in (1, in_flight):
                seen: dict[str, list[Window]] = {real.target: [], null.target: []}

                def measure(
                    pipeline: Pipeline, load: int = load, seen: dict[str, list[Window]] = seen
                ) -> float:
                    window = asyncio.run(_load(pipeline, load, window_s, seed))
                    seen[pipeline.target].append(window)
                    return window.pages_per_s

                for pipeline in (real, null):
                    asyncio.run(_load(pipeline, load, 1.0, seed))
                things, floors = in_turns(lambda: measure(real), lambda: measure(null), windows)
                ratio = median_ratio(things, floors)
                rows += rows_of(load, seen[real.target], seen[null.target], ratio, seed)
    options = f"--windows {windows} --window-s {window_s} --in-flight {in_flight} --seed {seed}"
    return report("page", rows, f"planogram bench page {options}")


def rows_of(load: int, real: list[Window], null: list[Window], ratio: float, seed: int) -> list[Row]:
    """The figures of one load, each with its floor; a page of sound services is never degraded."""
    count = sum(window.count for window in real)

    def median(windows: list[Window], name: str) -> float:
        return float(statistics.median(getattr(window, name) for window in windows))

    pages = median(real, "pages_per_s")
    rows = [Row(f"pages per second, {load} in flight", pages, "1/s", count, floor=pages / ratio, seed=seed)]
    for name, label in (("p50_ms", "p50"), ("p99_ms", "p99"), ("cpu_ms", "CPU of a page")):
        rows.append(
            Row(
                f"{label}, {load} in flight",
                median(real, name),
                "ms",
                count,
                median(null, name),
                is_more_better=False,
                seed=seed,
            )
        )
    degraded = 100 * sum(window.degraded_count for window in real) / count
    rows.append(
        Row(
            f"degraded pages, {load} in flight",
            degraded,
            "%",
            count,
            reach=0.0,
            is_more_better=False,
            seed=seed,
        )
    )
    return rows


async def _load(pipeline: Pipeline, in_flight: int, seconds: float, seed: int) -> Window:
    """Keeps so many calls in flight for so long, each by a shopper that the seed draws."""
    latencies: list[float] = []
    degraded = 0
    end_s = time.monotonic() + seconds
    before = pipeline.cpu_s()
    async with AsyncLayoutClient(pipeline.target) as client:

        async def worker(number: int) -> None:
            nonlocal degraded
            drawn = random.Random(f"{seed}/{number}")
            while time.monotonic() < end_s:
                user = f"shopper-{drawn.randrange(SHOPPERS):05d}"
                begun = time.perf_counter()
                page = await client.compose(home(user, f"bench-{user}"), deadline_s=5.0)
                latencies.append(1e3 * (time.perf_counter() - begun))
                degraded += bool(page.degraded)

        begun = time.monotonic()
        await asyncio.gather(*(worker(number) for number in range(in_flight)))
        elapsed_s = time.monotonic() - begun
    latencies.sort()
    return Window(
        pages_per_s=len(latencies) / elapsed_s,
        p50_ms=latencies[len(latencies) // 2],
        p99_ms=latencies[int(0.99 * len(latencies))],
        cpu_ms=1e3 * (pipeline.cpu_s() - before) / len(latencies),
        degraded_count=degraded,
        count=len(latencies),
    )


async def _record(recording: Recording, scratch: Path) -> None:
    """Composes one page in this process and keeps every message of it."""
    from services.local.in_process import open_layout

    log.configure("warning")
    with _environment(scratch):
        from services.common.settings import load
        from services.layout.settings import LayoutSettings

        async with open_layout(load(LayoutSettings)) as servicer:
            services = servicer.composer.services
            for name, (method, _, _) in CALLS.items():
                _listen(recording, getattr(services, name), name, method)
            from planogram.layout.v1 import layout_pb2

            request = home("shopper-00001", "bench")
            page = await servicer.composer.compose(request, "bench", _admin(), 5.0)
            recording.save("page", layout_pb2.ComposePageResponse(page=page))


def _admin() -> Any:
    from services.common.callers import ANONYMOUS_ADMIN

    return ANONYMOUS_ADMIN


def _listen(recording: Recording, upstream: InProcessUpstream, name: str, method: str) -> None:
    call = upstream.call
    seam: Any = upstream

    async def recorded(called: str, request: Any, timeout_s: float, *, wait_for_ready: bool = False) -> Any:
        answer = await call(called, request, timeout_s, wait_for_ready=wait_for_ready)
        if called == method:
            recording.save(f"{name}-request", request)
            recording.save(f"{name}-response", answer)
        return answer

    seam.call = recorded


@contextlib.contextmanager
def _environment(scratch: Path) -> Iterator[None]:
    """Keeps the log and the last good pages of a benchmark out of the shop's own."""
    ours = {
        "PLANOGRAM_LAYOUT_LOG_PATH": str(scratch / "log"),
        "PLANOGRAM_LAYOUT_LAST_GOOD_PATH": str(scratch / "last-good"),
        "PLANOGRAM_FEATURE_STATE_PATH": str(scratch / "feature"),
    }
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


@contextlib.contextmanager
def _pipeline(folder: Path, command: Any) -> Iterator[Pipeline]:
    folder.mkdir()
    ports = {role: free_port() for role in ROLES}
    processes = {}
    try:
        for role in ROLES:
            arguments, environment = command(role, ports, folder)
            with (folder / f"{role}.log").open("wb") as output:
                processes[role] = subprocess.Popen(  # noqa: S603 - our own modules
                    [sys.executable, "-m", *arguments],
                    env=clean_environment() | environment,
                    stdout=output,
                    stderr=output,
                )
        for role in ROLES:
            _wait(processes[role], ports[role], folder / f"{role}.log")
        yield Pipeline(
            f"127.0.0.1:{ports['layout']}",
            {role: psutil.Process(process.pid) for role, process in processes.items()},
        )
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(30)


def _real_command(role: str, ports: dict[str, int], folder: Path) -> tuple[list[str], dict[str, str]]:
    prefix = f"PLANOGRAM_{role.upper()}"
    environment = {f"{prefix}_LISTEN": f"127.0.0.1:{ports[role]}", f"{prefix}_LOG_LEVEL": "warning"}
    if role == "feature":
        environment["PLANOGRAM_FEATURE_STATE_PATH"] = str(folder.parent / "feature")
    if role == "layout":
        environment |= {
            f"PLANOGRAM_LAYOUT_{name.upper()}_TARGET": f"127.0.0.1:{ports[name]}"
            for name in ("feature", "scoring", "policy")
        }
        environment |= {
            "PLANOGRAM_LAYOUT_LOG_PATH": str(folder / "log"),
            "PLANOGRAM_LAYOUT_LAST_GOOD_PATH": str(folder / "last-good"),
        }
    return [f"services.{role}"], environment


def _null_command(recording: Path) -> Any:
    def command(role: str, ports: dict[str, int], folder: Path) -> tuple[list[str], dict[str, str]]:
        numbers = [str(ports[name]) for name in ROLES]
        return ["services.local.bench.null", role, str(recording), *numbers], {}

    return command


def _wait(process: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
    end_s = time.monotonic() + 90
    while probe.status(f"127.0.0.1:{port}", 1.0) != "SERVING":
        if process.poll() is not None or time.monotonic() > end_s:
            raise ConfigurationError(f"a benchmarked service did not start:\n{log_path.read_text()[-2000:]}")
        time.sleep(0.1)
