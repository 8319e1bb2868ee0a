"""Does training read the public log alone, and never the shop that the log came from?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from planogram.files import log

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
REFUSING = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "simulator":
            raise ImportError("the simulator is refused")

sys.meta_path.insert(0, Refusal())
"""
TRAINING = """
import typer
from services.policy import commands

app = typer.Typer()
commands.register(app)
app()
"""


def refusing(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in a process of its own that cannot import the simulator."""
    return subprocess.run(
        [sys.executable, "-c", REFUSING + script, *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="session")
def exported(learned: Path) -> Path:
    """A log that browsing shoppers left, as it was exported."""
    return learned / "var/log/export"


def test_a_policy_is_trained_without_the_simulator(exported: Path, tmp_path: Path) -> None:
    arguments = ("train", "policy", "--log", str(exported), "--models", str(tmp_path), "--steps", "30")
    done = refusing(TRAINING, *arguments)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "is current in" in done.stdout


def test_the_simulator_is_refused_where_it_is_asked_for() -> None:
    """The refusal works: training that looked into the shop would fail."""
    done = refusing("import simulator.world")
    assert done.returncode == 1
    assert "the simulator is refused" in done.stderr


def test_the_log_has_the_columns_of_the_public_schema_and_no_other(exported: Path) -> None:
    files = sorted(exported.rglob("*.parquet"))
    assert {path.name.split("-")[0] for path in files} >= {"events", "exposures"}
    for path in files:
        schema = pq.read_schema(path)
        if path.name.startswith("events"):
            assert schema.equals(log.EVENTS)
        elif path.name.startswith("exposures"):
            assert schema.equals(log.EXPOSURES)
