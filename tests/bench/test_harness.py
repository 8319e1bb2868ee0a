"""Are things measured by turns with their floor, and reported with all that a reader needs to judge them?"""

from __future__ import annotations

import json

import pytest

from services.local.bench.harness import Row, in_turns, median_ratio, report
from services.local.bench.page import Window, rows_of


def test_thing_and_floor_take_turns_and_neither_always_goes_first():
    calls = []

    def measured(name, value):
        calls.append(name)
        return value

    things, floors = in_turns(lambda: measured("thing", 2.0), lambda: measured("floor", 4.0), 4)
    assert calls == ["thing", "floor", "floor", "thing", "thing", "floor", "floor", "thing"]
    assert (things, floors) == ([2.0] * 4, [4.0] * 4)


def test_a_slow_window_hits_both_sides_and_leaves_the_ratio():
    assert median_ratio([50, 10, 52], [100, 20, 100]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("given", "ratio", "met"),
    [
        ({}, None, None),
        ({"floor": 4.0}, 0.5, None),
        ({"floor": 4.0, "reach": 0.5}, 0.5, True),
        ({"floor": 4.0, "reach": 0.6}, 0.5, False),
        ({"floor": 4.0, "reach": 0.6, "is_more_better": False}, 0.5, True),
        ({"reach": 2.0}, None, True),
        ({"reach": 0.0, "is_more_better": False}, None, False),
    ],
)
def test_what_is_met_is_the_ratio_or_the_value_where_there_is_no_floor(given, ratio, met):
    row = Row("speed", 2.0, "1/s", 10, **given)
    assert (row.ratio, row.met) == (ratio, met)


def test_a_report_says_all_that_a_reader_needs(tmp_path, capsys):
    rows = [Row("speed", 2.0, "1/s", 10, floor=4.0, reach=0.4, seed=7), Row("size", 3.0, "MB", 1)]
    path = report("toy", rows, "planogram bench toy", tmp_path)
    assert path == tmp_path / "bench-toy.json"
    speed, size = json.loads(path.read_text())
    machine = speed.pop("machine")
    assert speed == {
        "name": "speed",
        "value": 2.0,
        "unit": "1/s",
        "floor": 4.0,
        "ratio": 0.5,
        "reach": 0.4,
        "met": True,
        "is_more_better": True,
        "n": 10,
        "seed": 7,
        "command": "planogram bench toy",
    }
    assert "cores" in machine
    assert (size["floor"], size["ratio"], size["reach"], size["met"]) == (None, None, None, None)
    printed = capsys.readouterr().out
    assert "bench toy" in printed and "yes" in printed


def window(pages_per_s, degraded_count=0):
    return Window(pages_per_s, 2.0, 8.0, 3.0, degraded_count, 100)


@pytest.mark.parametrize(("degraded_count", "is_met"), [(0, True), (1, False)])
def test_pages_are_held_against_the_null_pipeline_and_none_may_be_degraded(degraded_count, is_met):
    real, null = [window(100), window(120, degraded_count)], [window(200), window(240)]
    pages, p50, p99, cpu, degraded = rows_of(16, real, null, 0.5, seed=3)
    assert (pages.value, pages.floor, pages.ratio) == (110, 220, 0.5)
    assert [row.ratio for row in (p50, p99, cpu)] == [1, 1, 1]
    assert degraded.value == degraded_count / 2 and degraded.met is is_met
    assert {row.seed for row in (pages, p50, p99, cpu, degraded)} == {3}
    assert {row.n for row in (pages, p50, p99, cpu, degraded)} == {200}
