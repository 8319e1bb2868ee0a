"""Does the command line tell what an installation lacks in one line?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(folder: Path, missing: tuple[str, ...], *words: str) -> subprocess.CompletedProcess[str]:
    """A command where some packages are not installed."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({missing!r}))\n"
        "from services.common.cli import main; main()"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"}
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("missing", "words", "extra"),
    [
        ("psutil", ("up",), "local,cpu"),
        ("psutil", ("status",), "local,cpu"),
        ("psutil", ("demo", "--once"), "local,cpu"),
        ("pyarrow", ("make-catalogue",), "simulator"),
        ("pyarrow", ("simulate",), "simulator"),
        ("pyarrow", ("export-log",), "layout"),
        ("pyarrow", ("import", "ratings", "x.csv"), "feature"),
        ("feast", ("build-features",), "feature"),
        ("torch", ("train", "click"), "training"),
        ("torch", ("train", "policy"), "training"),
        ("pyarrow", ("evaluate", "policy"), "evaluation"),
    ],
)
def test_a_missing_package_is_one_line_that_says_how_to_get_it(tmp_path, missing, words, extra):
    done = run(tmp_path, (missing,), *words)
    assert done.returncode == 2, done.stderr
    assert done.stderr == (
        f"planogram: this needs {missing}, which is not installed: pip install 'planogram[{extra}]'\n"
    )


def test_help_needs_no_package_of_any_extra(tmp_path):
    missing = ("psutil", "pyarrow", "torch", "feast", "onnxruntime", "starlette", "duckdb", "pandas")
    done = run(tmp_path, missing, "--help")
    assert done.returncode == 0
    for verb in ("demo", "import", "train", "simulate", "compose", "models"):
        assert verb in done.stdout
