"""Does one environment hold all that benchmarks compare with, beside the pins of everything else?"""

from __future__ import annotations

import tomllib
from pathlib import Path

from services.local.bench import environment
from services.local.bench.click import entrants as click
from services.local.bench.policy import entrants as policy
from services.local.bench.text import vectors as text


def test_the_peers_environment_keeps_all_pins_but_those_it_must_change():
    pins = "Farama-Notifications==0.0.6\ngymnasium==1.4.0\nnumpy==2.4.6\ntorch==2.13.0\n"
    kept = environment.constraints_for_peers(pins).splitlines()
    assert kept == ["Farama-Notifications==0.0.6", "numpy==2.4.6", "torch==2.13.0"]


def test_the_peers_environment_holds_what_every_benchmark_with_peers_wants():
    root = Path(__file__).parents[2]
    extra = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]
    assert [str(path.relative_to(root)) for path in environment.REQUIREMENTS] == extra[
        "optional-dependencies"
    ]["peers"]["file"]
    named = {
        line.partition(">=")[0] for path in environment.REQUIREMENTS for line in path.read_text().split()
    }
    wanted = {one.package for one in [*policy.ENTRANTS, *click.ENTRANTS, *text.ENTRANTS]} - {""}
    installs = {"sklearn": "scikit-learn"}
    assert {installs.get(name, name).replace("_", "-") for name in wanted} <= named
