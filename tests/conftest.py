"""How do all tests run side by side, and end together?"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from services.common import probe

ROOT = Path(__file__).parents[1]
COMPILING = ("policy", "layout", "scoring")
"""Services whose first start on a machine compiles for longer than a test waits, the longest first."""
START_TIMEOUT_S = 300.0


def pytest_sessionstart(session: pytest.Session) -> None:
    """Ahead of tests in several processes, services start once: what each would compile is then kept."""
    if not getattr(session.config.option, "numprocesses", None) or hasattr(session.config, "workerinput"):
        return
    with tempfile.TemporaryDirectory() as folder:
        started = {service: _start(service, folder) for service in COMPILING}
        end_s = time.monotonic() + START_TIMEOUT_S
        try:
            for service, (process, address) in started.items():
                while probe.status(address, 1.0) != "SERVING":
                    if process.poll() is not None or time.monotonic() > end_s:
                        pytest.exit(f"the {service} service does not start: python -m services.{service}", 3)
                    time.sleep(0.1)
        finally:
            for process, _ in started.values():
                process.terminate()
            for process, _ in started.values():
                process.wait(30)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: those that are left for the end are short."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def _start(service: str, folder: str) -> tuple[subprocess.Popen[bytes], str]:
    """A service in an empty folder, and its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
        f"PLANOGRAM_{service.upper()}_LISTEN": address,
    }
    command = [sys.executable, "-m", f"services.{service}"]
    return subprocess.Popen(
        command, cwd=folder, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ), address
