"""Does the benchmark of planning measure and report what it says?"""

from __future__ import annotations

import json

import numpy as np

from services.local.bench import plan
from services.policy import registry, servicer


def test_the_limit_is_on_the_99th_percentile():
    half, slowest, mean = plan.rows_of([1.0] * 98 + [9.0, 9.0], [0.5] * 100, 40, 10, "v", seed=3)
    assert (half.value, half.ratio, half.met) == (1.0, 2.0, None)
    assert slowest.value > 5 and slowest.met is False
    assert mean.value == 1.16 and mean.met is True


def test_pages_can_be_planned_and_fill_every_slot():
    request = plan.request(40, 10, np.random.default_rng(0))
    answer = servicer.answer(request, registry.UNIFORM, plan.SERVED)
    assert len(answer.slots) == 10
    assert {len(module.templates) for module in request.modules} == {2}


def test_a_run_is_written_beside_its_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = plan.run(10, 12, 4, None, 0, "test")
    document = json.loads((tmp_path / "reports" / "bench-plan.json").read_text())
    assert [row["name"] for row in document] == [row.name for row in rows]
    assert all(row["value"] > 0 for row in document)
