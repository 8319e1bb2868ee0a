"""How are two servers of one graph put under the same load?

Both get requests as bytes and answer bytes, from the same client: what they are asked was encoded once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil

from services.common import probe
from services.common.artifacts import Artifact
from services.common.errors import ConfigurationError
from services.local.bench.scoring import models
from services.local.bench.scoring.echo import METHOD
from services.local.supervisor import clean_environment
from services.scoring.registry import MODEL_FILE

SCORE_ITEMS = "/planogram.scoring.v1.ScoringService/ScoreItems"
MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
THREAD_COUNT = 2
"""Worker threads of either server, with one thread each inside the graph."""

_PEERS = Path(__file__).with_name("peers")
_START_S = 90.0


@dataclass(frozen=True, slots=True)
class Server:
    """One running server, and what it is asked."""

    target: str
    method: str
    question: bytes
    process: psutil.Process

    def cpu_s(self) -> float:
        return float(sum(self.process.cpu_times()[:2]))


@dataclass(frozen=True, slots=True)
class Window:
    """What one stretch of load came to."""

    calls_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """Of the server's process, a call."""
    count: int


def load(server: Server, in_flight: int, seconds: float) -> Window:
    """Keeps so many calls in flight for so long; a call that fails ends the measurement."""
    return asyncio.run(_load(server, in_flight, seconds))


@contextlib.contextmanager
def scoring(artifact: Artifact, arrays: models.Arrays, folder: Path) -> Iterator[Server]:
    """The scoring service as it is started by default, its log included."""
    port = _free_port()
    environment = {
        "PLANOGRAM_SCORING_LISTEN": f"127.0.0.1:{port}",
        "PLANOGRAM_SCORING_MODELS_PATH": str(artifact.path.parent),
        "PLANOGRAM_SCORING_WORKER_COUNT": str(THREAD_COUNT),
        "PLANOGRAM_SCORING_DEVICE": "cpu",
    }
    command = [sys.executable, "-m", "services.scoring"]
    with _running(command, environment, folder / "scoring.log") as process:
        _wait(process, folder / "scoring.log", lambda: probe.status(f"127.0.0.1:{port}", 1.0) == "SERVING")
        question = models.request(arrays).SerializeToString()
        yield Server(f"127.0.0.1:{port}", SCORE_ITEMS, question, process)


@contextlib.contextmanager
def echo(arrays: models.Arrays, folder: Path) -> Iterator[Server]:
    """A bare gRPC server that is sent what ScoreItems is, and answers as many bytes."""
    port = _free_port()
    size = str(8 * len(arrays["item_ids"]) + 64)
    command = [sys.executable, "-m", "services.local.bench.scoring.echo", str(port), size]
    with _running(command, {}, folder / "echo.log") as process:
        question = models.request(arrays).SerializeToString()
        server = Server(f"127.0.0.1:{port}", METHOD, question, process)
        _wait(process, folder / "echo.log", lambda: _answers(server))
        yield server


@contextlib.contextmanager
def mlserver(python: Path, artifact: Artifact, arrays: models.Arrays, folder: Path) -> Iterator[Server]:
    """MLServer with the same graph, the same number of threads, and no processes beside.

    Args:
        python: the interpreter of its own environment.
    """
    ports = {name: _free_port() for name in ("http_port", "grpc_port", "metrics_port")}
    home = folder / "mlserver"
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({"debug": False, "parallel_workers": 0, **ports}))
    (home / "model-settings.json").write_text(
        json.dumps(
            {
                "name": "click",
                "implementation": "runtime.ClickGraph",
                "parameters": {"uri": str(artifact.file(MODEL_FILE).resolve())},
            }
        )
    )
    (home / "runtime.py").write_bytes((_PEERS / "runtime.py").read_bytes())
    inputs: Any = arrays
    np.savez(home / "inputs.npz", **inputs)
    subprocess.run(  # noqa: S603 - our own script
        [python, _PEERS / "question.py", home / "inputs.npz", home / "question.binpb"],
        check=True,
        env=_outside(),
    )
    target = f"127.0.0.1:{ports['grpc_port']}"
    command = [str(python.with_name("mlserver")), "start", str(home)]
    with _running(
        command, {"CLICK_GRAPH_THREADS": str(THREAD_COUNT)}, folder / "mlserver.log", _outside()
    ) as process:
        server = Server(target, MODEL_INFER, (home / "question.binpb").read_bytes(), process)
        _wait(process, folder / "mlserver.log", lambda: _answers(server))
        yield server


async def _load(server: Server, in_flight: int, seconds: float) -> Window:
    latencies: list[float] = []
    async with grpc.aio.insecure_channel(server.target) as channel:
        call = channel.unary_unary(server.method)
        await call(server.question, timeout=30)
        before_s, begun_s = server.cpu_s(), time.monotonic()

        async def caller() -> None:
            while time.monotonic() < begun_s + seconds:
                asked_s = time.perf_counter()
                await call(server.question, timeout=30)
                latencies.append(1e3 * (time.perf_counter() - asked_s))

        await asyncio.gather(*(caller() for _ in range(in_flight)))
        elapsed_s, used_s = time.monotonic() - begun_s, server.cpu_s() - before_s
    p50, p99 = np.percentile(latencies, [50, 99])
    count = len(latencies)
    return Window(count / elapsed_s, float(p50), float(p99), 1e3 * used_s / count, count)


@contextlib.contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str], log: Path, base: Mapping[str, str] | None = None
) -> Iterator[psutil.Process]:
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command, env={**(base or clean_environment()), **environment}, stdout=output, stderr=output
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: psutil.Process, log: Path, is_up: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _START_S
    while not is_up():
        gone = not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        if gone or time.monotonic() > end_s:
            raise ConfigurationError(f"a benchmarked server did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.2)


def _answers(server: Server) -> bool:
    with grpc.insecure_channel(server.target) as channel:
        try:
            channel.unary_unary(server.method)(server.question, timeout=2)
        except grpc.RpcError:
            return False
        return True


def _outside() -> dict[str, str]:
    """The environment without what makes Python find this one's packages."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
