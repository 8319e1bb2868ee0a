"""Are pages held against the null pipeline, and may none be degraded?"""

from __future__ import annotations

import pytest

from services.local.bench.page import Window, rows_of


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
