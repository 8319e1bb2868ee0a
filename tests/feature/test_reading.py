"""Are profiles read on the event loop only while that is quick?"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime

import pytest

from services.common.errors import Overloaded
from services.common.executor import BoundedExecutor
from services.feature.reading import ProfileReader

NOW = datetime.now(UTC)


class ScriptedStore:
    """A store that takes the time it is told, and notes which threads read."""

    def __init__(self, is_redis: bool = False) -> None:
        self.is_redis = is_redis
        self.takes_s = 0.0
        self.threads: list[threading.Thread] = []

    def read_value(self, view: str, key: str, feature: str, now: datetime) -> None:
        self.threads.append(threading.current_thread())
        time.sleep(self.takes_s)

    @property
    def was_on_the_loop(self) -> bool:
        return self.threads[-1] is threading.main_thread()


@pytest.mark.parametrize("is_redis", [False, True])
async def test_sqlite_alone_is_read_on_the_loop_once_it_is_quick(is_redis: bool) -> None:
    store, readers = ScriptedStore(is_redis), BoundedExecutor("reads", 1, 1)
    reader = ProfileReader(store, readers)  # type: ignore[arg-type]
    for number in range(200):
        assert await reader.read("key", NOW, 5.0) == (None, False)
        assert number or not store.was_on_the_loop, "the first read is trusted with nothing"
        if store.was_on_the_loop:
            break
    assert store.was_on_the_loop is not is_redis
    readers.close()


async def test_slow_reads_leave_the_loop_and_stop_waiting_in_time() -> None:
    store, readers = ScriptedStore(), BoundedExecutor("reads", 1, 0)
    reader = ProfileReader(store, readers)  # type: ignore[arg-type]
    for _ in range(200):
        await reader.read("key", NOW, 5.0)
        if store.was_on_the_loop:
            break
    store.takes_s = 0.2
    await reader.read("key", NOW, 5.0)
    assert store.was_on_the_loop, "the one read that was trusted too long"
    assert await reader.read("key", NOW, 0.01) == (None, True)
    assert not store.was_on_the_loop
    with pytest.raises(Overloaded):
        await reader.read("key", NOW, 0.01)
    await asyncio.sleep(0.3)
    assert await reader.read("key", NOW, 5.0) == (None, False)
    readers.close()
