"""Does the benchmark of the synthetic shop measure and report what it says?"""

from __future__ import annotations

import json

import pytest

from services.local.bench import front


def test_rates_are_medians_and_the_child_process_is_held_against_none():
    pages = [(3_000, 1.0), (2_000, 1.0), (1_000, 1.0)]
    views, many, over, one = front.rows_of(pages, [50.0, 80.0], [100.0, 100.0], [7.0, 9.0], 64, seed=3)
    assert (views.value, views.n, views.met) == (120_000, 6_000, True)
    assert (many.value, many.met) == (65, False)
    assert over.ratio == pytest.approx(0.65)
    assert one.value == 8
    assert {row.seed for row in (views, many, over, one)} == {3}


def test_a_run_is_written_beside_its_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = front.run(1, 0.2, 16, 0, "test")
    document = json.loads((tmp_path / "reports" / "bench-front.json").read_text())
    assert [row["name"] for row in document] == [row.name for row in rows]
    assert all(row["value"] > 0 for row in document)
