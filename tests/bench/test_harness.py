"""Does the harness measure in turns, and write what it promises?"""

from __future__ import annotations

import json

import pytest

from services.local.bench import harness
from services.local.bench.harness import Row


def test_thing_and_floor_run_by_turns_and_neither_always_first():
    calls = []

    def named(name, answer):
        def measure():
            calls.append(name)
            return answer

        return measure

    ticks = []
    things, floors = harness.in_turns(named("t", 2.0), named("f", 1.0), 3, lambda: ticks.append(1))
    assert calls == ["t", "f", "f", "t", "t", "f"]
    assert (things, floors, len(ticks)) == ([2.0] * 3, [1.0] * 3, 6)


def test_a_slow_minute_hits_both_sides_and_not_their_ratio():
    assert harness.median_ratio([10.0, 100.0, 12.0], [5.0, 50.0, 6.0]) == 2.0


@pytest.mark.parametrize(
    ("given", "met"),
    [
        ({"floor": 2.0, "reach": 2.0}, True),  # the ratio counts where there is a floor
        ({"floor": 2.0, "reach": 2.1}, False),
        ({"floor": 2.0, "reach": 2.1, "is_more_better": False}, True),
        ({"reach": 4.0}, True),
        ({"reach": 3.0, "is_more_better": False}, False),
        ({"floor": 2.0}, None),
    ],
)
def test_met_is_by_ratio_or_else_by_value(given, met):
    assert Row("figure", 4.0, "ms", 10, **given).met is met


def test_the_report_holds_every_promised_key(tmp_path, capsys):
    rows = [Row("figure", 4.0, "ms", 10, floor=2.0, reach=1.5, seed=7), Row("other", 1.0, "share", 3)]
    path = harness.report("thing", rows, "make bench-thing", tmp_path)
    assert path == tmp_path / "bench-thing.json"
    first, second = json.loads(path.read_text())
    keys = {"name", "value", "unit", "floor", "ratio", "reach", "met", "n", "seed", "command"}
    assert keys <= set(first)
    assert (first["ratio"], first["met"], first["seed"], first["command"]) == (
        2.0,
        True,
        7,
        "make bench-thing",
    )
    assert (second["ratio"], second["met"]) == (None, None)
    assert "figure" in capsys.readouterr().out
