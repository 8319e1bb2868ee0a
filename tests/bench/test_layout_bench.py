"""Does the benchmark of layout's own part run, and say what each stage cost?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from services.local.bench import layout


def test_it_measures_pages_under_rules_and_pages_without_any_other_service(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = {row.name: row for row in layout.run(10, 0, "planogram bench layout --pages 10")}
    assert all(row.value > 0 for row in rows.values())
    stages = [rows[f"of it, {stage}"].value for stage in layout.STAGES]
    total = next(row for name, row in rows.items() if name.endswith("mean"))
    assert total.value == pytest.approx(sum(stages)) and total.reach == layout.MEAN_MS
    assert rows["every other service gone: p50"].n == 9
    kept = json.loads((tmp_path / "reports" / "bench-layout.json").read_text())
    assert {row["name"] for row in kept} == set(rows)


def test_recording_is_told_beside_what_the_answer_waits_for():
    own = np.tile([1.0, 2.0, 3.0, 9.0], (5, 1))
    rows = {row.name.rpartition(": ")[2]: row for row in layout.rows_of(own, own / 2, seed=0)}
    assert rows["mean"].value == 6 and rows["p50 over no rules"].floor == 3
    assert rows["beside it, record"].value == 9
