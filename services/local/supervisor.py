"""How do the services run in the background of one machine: start, look, stop?

A process is known by its pid file below the run folder, which holds pid and start time, so that a pid
that was given to somebody else is never signalled. Start times count from boot: clocks are set now and then.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.common import probe
from services.common.errors import ConfigurationError
from services.local.signals import undisturbed

STOP_TIMEOUT_S = 15.0
START_TIMEOUT_S = 240.0


@dataclass(frozen=True, slots=True)
class Program:
    """One thing to run."""

    name: str
    module: str
    address: str
    """host:port that it answers on."""
    is_grpc: bool = True

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", self.module]


PROGRAMS = (
    Program("feature", "services.feature", "127.0.0.1:7071"),
    Program("scoring", "services.scoring", "127.0.0.1:7072"),
    Program("policy", "services.policy", "127.0.0.1:7073"),
    Program("layout", "services.layout", "127.0.0.1:7070"),
)
STOREFRONT = Program("storefront", "storefront", "127.0.0.1:7080", is_grpc=False)


class Supervisor:
    """Starts and stops programs whose pid files and logs lie in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own: dict[Program, subprocess.Popen[bytes]] = {}

    def log_path(self, program: Program) -> Path:
        return self.folder / f"{program.name}.log"

    def start(
        self, programs: Iterable[Program], environment: Mapping[str, str] | None = None
    ) -> list[Program]:
        """Starts what does not run yet, in a session of its own; returns what was started.

        Raises:
            ConfigurationError: where an address is taken; nothing is started then.
        """
        missing = [program for program in programs if self.pid(program) is None]
        for program in missing:
            _require_free(program)
        self.folder.mkdir(parents=True, exist_ok=True)
        for program in missing:
            with undisturbed(is_late=True), self.log_path(program).open("ab") as log:
                process = subprocess.Popen(  # noqa: S603 - our own modules
                    program.command,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    env=clean_environment() | dict(environment or {}),
                )
                self._own[program] = process
                self._pid_path(program).write_text(f"{process.pid} {_started(process.pid)}\n")
        return missing

    def wait_ready(
        self,
        programs: Iterable[Program],
        timeout_s: float = START_TIMEOUT_S,
        tick: Callable[[], None] | None = None,
    ) -> None:
        """Returns when all of them serve.

        Raises:
            ConfigurationError: where one ended or did not come up in time; its last log lines are shown.
        """
        end_s = time.monotonic() + timeout_s
        waiting = list(programs)
        while waiting:
            for program in list(waiting):
                what = ""
                if self.pid(program) is None:
                    what = "ended"
                elif status(program) == "SERVING":
                    waiting.remove(program)
                elif time.monotonic() > end_s:
                    what = f"does not serve after {timeout_s:.0f} s"
                if what:
                    raise ConfigurationError(
                        f"{program.name} {what}; {self.log_path(program)} ends with:\n{self._tail(program)}"
                    )
            if tick is not None:
                tick()
            time.sleep(0.1)

    def stop(self, programs: Iterable[Program]) -> list[Program]:
        """Ends what runs: SIGTERM, then SIGKILL for what does not listen; returns what was ended.

        A second Ctrl-C does not cut it short.
        """
        with undisturbed():
            running = [(program, pid) for program in programs if (pid := self.pid(program)) is not None]
            family = [process for _, pid in running for process in _family(pid)]
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()
            _, alive = psutil.wait_procs(family, STOP_TIMEOUT_S)
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(alive, 5)
            for program, _ in running:
                self._pid_path(program).unlink(missing_ok=True)
        return [program for program, _ in running]

    def stop_own(self) -> list[Program]:
        """Ends what this supervisor started and nobody restarted since, the latest first."""
        own = [program for program, process in self._own.items() if self.pid(program) == process.pid]
        stopped = self.stop(reversed(own))
        for process in self._own.values():
            process.poll()  # psutil reaped it
        return stopped

    def pid(self, program: Program) -> int | None:
        """The pid of a program that runs; None where it does not."""
        try:
            pid, started = self._pid_path(program).read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if _started(int(pid)) == started else None

    def _pid_path(self, program: Program) -> Path:
        return self.folder / f"{program.name}.pid"

    def _tail(self, program: Program, line_count: int = 12) -> str:
        try:
            return "\n".join(self.log_path(program).read_text(errors="replace").splitlines()[-line_count:])
        except OSError:
            return "(no log)"


def status(program: Program) -> str:
    """SERVING, NOT_SERVING, or UNAVAILABLE where nothing answers."""
    if program.is_grpc:
        return probe.status(program.address, timeout_s=1.0)
    import http.client

    connection = http.client.HTTPConnection(program.address, timeout=1.0)
    try:
        connection.request("GET", "/healthz")
        return "SERVING" if connection.getresponse().status == 200 else "NOT_SERVING"
    except http.client.HTTPException:
        return "NOT_SERVING"
    except OSError:
        return "UNAVAILABLE"
    finally:
        connection.close()


def clean_environment() -> dict[str, str]:
    """This process's environment, less what feast leaves in it for prometheus_client."""
    return {name: value for name, value in os.environ.items() if name.upper() != "PROMETHEUS_MULTIPROC_DIR"}


def _require_free(program: Program) -> None:
    """Refuses an address on which somebody listens, whatever they speak."""
    host, _, port = program.address.rpartition(":")
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, int(port)))
        except OSError as error:
            raise ConfigurationError(
                f"{program.address} is taken by another process, and {program.name} needs it "
                f"({error.strerror}); stop that first"
            ) from None


def _started(pid: int) -> str:
    """Seconds from boot to a process's start; empty where it is gone or a zombie."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        return f"{process.create_time() - psutil.boot_time():.2f}"
    except psutil.NoSuchProcess:
        return ""


def _family(pid: int) -> list[psutil.Process]:
    """A process and its descendants: services with workers have some."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
