"""Does the benchmark of cold starts measure what it says, on a small shop?"""

from __future__ import annotations

import json

import pytest

from services.local.bench import cold_start


@pytest.mark.slow
def test_shoppers_and_new_items_have_their_floors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = cold_start.run(400, 6_000, 0, "test", say=lambda text: None)
    recalls = [row for row in rows if row.name.startswith("recall")]
    worths = [row for row in rows if row.name.startswith("worth")]
    neighbours = rows[-2:]
    assert len(rows) == len(recalls) + len(worths) + len(neighbours)
    assert len(worths) == len(cold_start.EVENT_COUNTS) and len({row.floor for row in worths}) == 1
    assert all(0 < row.value < 1 for row in worths)
    assert len(recalls) == (len(cold_start.EVENT_COUNTS) + 1) * len(cold_start.FOUND_AMONG)
    assert all(0 <= row.value <= 1 and row.n >= 5 for row in rows)
    for narrow, wide in zip(recalls[::2], recalls[1::2], strict=True):
        assert narrow.value <= wide.value and narrow.floor <= wide.floor
    # Bestsellers are the same for all, and a page's category is worth more than they are.
    assert len({row.floor for row in recalls[1:-2:2]}) == 1
    assert recalls[-1].ratio > 1
    # What is like a new item is not just anything.
    assert neighbours[0].floor == pytest.approx(cold_start.ALIKE_SHARE, abs=0.01)
    assert neighbours[0].ratio > 1
    assert len(json.loads((tmp_path / "reports" / "bench-cold-start.json").read_text())) == len(rows)
