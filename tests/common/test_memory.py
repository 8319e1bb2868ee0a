from __future__ import annotations

import gc

import psutil

from services.common import memory


def resident_mb():
    return psutil.Process().memory_info().rss / 1e6


def test_what_loading_has_left_goes_back_to_the_system_at_once():
    loaded = [bytes(4_000) for _ in range(50_000)]
    last = bytes(4_000)  # holds the end of the heap, so that nothing below goes back by itself
    del loaded
    before_mb = resident_mb()
    memory.settle()
    try:
        assert resident_mb() < before_mb - 100
        assert gc.get_freeze_count() > 0
        assert len(last) == 4_000
    finally:
        gc.unfreeze()
