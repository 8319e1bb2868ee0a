"""Does a command of a Makefile know whether its make was told to end?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
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
    """As nohup and `&` of a script start it: with SIGINT ignored."""
    process = make(preexec_fn=ignore_interrupts)
    said, _ = process.communicate(timeout=30)
    assert "done" in said


def test_a_make_that_alone_got_the_interrupt_ends_its_command(make):
    process = make(start_new_session=True)
    assert process.stdout is not None
    while "begun" not in process.stdout.readline():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert "interrupted" in process.stdout.read()
    process.wait(30)
