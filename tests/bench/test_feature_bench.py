"""Does the benchmark of the feature service measure what it says, on a small shop?"""

from __future__ import annotations

import json

import pytest

from services.local.bench.feature import run


@pytest.mark.slow
def test_every_figure_has_its_floor(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "_QUIET_COUNT", 100)
    rows = run.run(400, 1, 30, True, 0, "test")
    assert [row.reach for row in rows] == [5.0, None, 80.0, 3.0, 2.0, 5.0, None, 40.0, 4.0]
    assert all(row.value > 0 and row.floor > 0 for row in rows)
    gather, first, stock = rows[:3]
    assert first.floor == gather.floor and first.n == 15
    assert stock.floor == gather.value and stock.n == 3
    assert len(json.loads((tmp_path / "reports" / "bench-feature.json").read_text())) == len(rows)
