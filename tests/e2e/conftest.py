"""What do end-to-end tests share: a small shop, learned from its own traffic, served by four processes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from filelock import FileLock

from services.common import probe

ROOT = Path(__file__).parents[2]
ROLES = ("feature", "scoring", "policy", "layout")


def run(state: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """Runs a `planogram` command on the state folder; its output."""
    result = subprocess.run(
        [sys.executable, "-m", "services.common.cli", *arguments],
        cwd=state,
        env={**_environment(), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, f"{arguments}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
    return result.stdout


def free_ports(count: int) -> list[int]:
    listeners = [socket.socket() for _ in range(count)]
    for listener in listeners:
        listener.bind(("127.0.0.1", 0))
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@dataclass
class RunningShop:
    """Four processes that serve from one state folder."""

    state: Path
    ports: dict[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.ports['layout']}"

    def start(self, *roles: str, module: str = "") -> None:
        """Starts services and waits until they serve.

        Args:
            module: what to run instead of the one service's own.
        """
        for role in roles:
            environment = {f"PLANOGRAM_{role.upper()}_LISTEN": f"127.0.0.1:{self.ports[role]}"}
            if role == "layout":
                for other in ROLES[:3]:
                    environment[f"PLANOGRAM_LAYOUT_{other.upper()}_TARGET"] = f"127.0.0.1:{self.ports[other]}"
            with (self.state / f"{role}.log").open("ab") as log:
                self.processes[role] = subprocess.Popen(
                    [sys.executable, "-m", module or f"services.{role}"],
                    cwd=self.state,
                    env={**_environment(), **environment},
                    stdout=log,
                    stderr=log,
                )
        for role in roles:
            self.wait(role)

    def wait(self, role: str) -> None:
        end_s = time.monotonic() + 240  # a busy machine takes a minute to import feast
        while probe.status(f"127.0.0.1:{self.ports[role]}", 1.0) != "SERVING":
            assert self.processes[role].poll() is None, self.log(role)[-4000:]
            assert time.monotonic() < end_s, self.log(role)[-4000:]
            time.sleep(0.1)

    def kill(self, role: str) -> None:
        """kill -9."""
        self.processes[role].kill()
        self.processes[role].wait()

    def replace(self, role: str, module: str = "") -> None:
        """Stops a service as a deployment does, and starts it again."""
        self.processes[role].terminate()
        self.processes[role].wait(30)
        self.start(role, module=module)

    def log(self, role: str) -> str:
        return (self.state / f"{role}.log").read_text(errors="replace")

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The state folder of a shop that was simulated, exported, and learned from; tests change copies alone."""
    own = tmp_path_factory.getbasetemp()
    state = (own if worker_id == "master" else own.parent) / "learned"
    done = state / "done"
    with FileLock(f"{state}.lock"):  # whichever process comes first makes it for all
        if not done.exists():
            _learn(state)
            done.touch()
    return state


def _learn(state: Path) -> None:
    state.mkdir()
    run(state, "make-catalogue", "--items", "1500")
    run(state, "build-features")
    run(state, "simulate", "--in-process", "--page-views", "1200", "--concurrency", "8")
    run(state, "export-log")
    run(state, "build-features")
    run(state, "train", "click", "--epochs", "2")
    run(state, "train", "policy", "--steps", "300")


@pytest.fixture
def shop(learned: Path, tmp_path: Path) -> Iterator[RunningShop]:
    """Four fresh processes on a copy of the learned state."""
    state = tmp_path / "shop"
    shutil.copytree(learned, state)
    running = RunningShop(state, dict(zip(ROLES, free_ports(4), strict=True)))
    try:
        running.start(*ROLES)
        yield running
    finally:
        running.stop()


def _environment() -> dict[str, str]:
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PLANOGRAM_", "PROMETHEUS_"))
        },
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
    }
