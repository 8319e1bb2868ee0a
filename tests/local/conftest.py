"""What do tests of the local shop share: toy programs on free ports, and commands run as processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]

# Answers /healthz. A name that holds "deaf" ignores SIGTERM for a second; "broken" ends at once.
TOY = """
import http.server, os, signal, sys, threading, time

name, port = __spec__.name, int(os.environ["TOY_PORTS"].split(__spec__.name + "=")[1].split(";")[0])
if "broken" in name:
    sys.exit("toy: nothing to serve")

def end(*_):
    if "deaf" in name:
        time.sleep(1.5)
    os._exit(0)

signal.signal(signal.SIGTERM, end)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""

# Makes the toys the shop's programs, and runs a planogram command.
DRIVER = """
import os, sys
from services.local import demo, supervisor
from services.local.supervisor import Program

ports = dict(pair.split("=") for pair in os.environ["TOY_PORTS"].split(";") if pair)
toys = tuple(Program(name, name, f"127.0.0.1:{port}", is_grpc=False) for name, port in ports.items())
supervisor.PROGRAMS, supervisor.STOREFRONT = toys[:-1], toys[-1]
demo.SHOP = toys
demo.learning = lambda state: ()
demo.Demo.live = demo.Demo.show = lambda self: print("page", flush=True)
from services.common.cli import main
main()
"""


class Toys:
    """Toy programs that a `planogram` command takes for the shop's own."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in names}
        for name in names:
            (folder / f"{name}.py").write_text(TOY)
        (folder / "driver.py").write_text(DRIVER)

    @property
    def run(self) -> Path:
        return self.folder / "var" / "run"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
            "PYTHONPATH": os.pathsep.join(map(str, (self.folder, ROOT, ROOT / "protos"))),
            "TOY_PORTS": "".join(f"{name}={port};" for name, port in self.ports.items()),
        }

    def command(self, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*before, sys.executable, str(self.folder / "driver.py"), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def done(self, *arguments: str) -> tuple[int, str]:
        process = self.command(*arguments)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def alive(self) -> set[str]:
        """Names of the toys of this folder that run."""
        found = set()
        for pid in psutil.pids():  # process_iter's memory loses processes when the clock is set
            try:
                process = psutil.Process(pid)
                line = process.cmdline()
                if line[1:2] == ["-m"] and line[2] in self.ports and process.cwd() == str(self.folder):
                    found.add(line[2])
            except (psutil.NoSuchProcess, psutil.AccessDenied, IndexError):
                continue
        return found


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Toys]]:
    """Makes toy programs; what still runs at the end is killed."""
    monkeypatch.chdir(tmp_path)
    made: list[Toys] = []

    def make(*names: str) -> Toys:
        made.append(Toys(tmp_path, *names))
        return made[-1]

    yield make
    for each in made:
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(each.folder) and process.pid != os.getpid():
                    process.kill()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(is_true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < end_s, "it never came"
        time.sleep(0.02)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What a process prints, up to the line that holds the text."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> None:
    """What a terminal does at Ctrl-C: the signal goes to the whole group."""
    os.killpg(process.pid, number)
