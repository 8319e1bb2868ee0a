"""Does a command of a Makefile know whether its make was told to end?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WAITING = """
import time
from services.local.signals import Interrupted, raise_if_make_was_interrupted
print("begun", flush=True)
for _ in range(40):
    try:
        raise_if_make_was_interrupted()
    except Interrupted:
        print("interrupted", flush=True)
        raise SystemExit(130)
    time.sleep(0.05)
print("done", flush=True)
"""


@pytest.fixture
def make(tmp_path):
    """Starts a make whose one command looks for two seconds whether its make was told to end."""
    program = shutil.which("make")
    if program is None:
        pytest.skip("no make here; Debian: apt install make")
    (tmp_path / "wait.py").write_text(WAITING)
    (tmp_path / "Makefile").write_text(f"wait:\n\t@{sys.executable} {tmp_path / 'wait.py'}\n")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}

    def started(**options):
        return subprocess.Popen(
            [program, "-C", str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment, **options
        )

    return started


def ignore_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_a_make_in_the_background_was_not_told_to_end(make):
    """As nohup and `&` of a script start it: with SIGINT ignored. `test_demo.py` has the one that was told."""
    process = make(preexec_fn=ignore_interrupts)
    said, _ = process.communicate(timeout=30)
    assert "done" in said
