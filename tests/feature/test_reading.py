"""Are profiles read on the event loop only while that is quick?"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime

import pytest

from services.common.errors import Overloaded
from services.common.executor import BoundedExecutor
from services.feature.shoppers.reading import ProfileReader

NOW = datetime.now(UTC)


class ScriptedStore:
    """A store that takes the time it is told, and notes which threads read."""

    is_redis = False

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.threads: list[threading.Thread] = []

    def read_value(self, view: str, key: str, feature: str, now: datetime) -> None:
        self.threads.append(threading.current_thread())
        time.sleep(self.takes_s)

    @property
    def was_on_the_loop(self) -> bool:
        return self.threads[-1] is threading.main_thread()


class RemoteStore:
    """A Redis that answers once it is told to."""

    is_redis = True

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.at_once = self.most_at_once = 0

    async def fetch_value(self, view: str, key: str, feature: str, now: datetime) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.answers.wait()
        finally:
            self.at_once -= 1


async def test_sqlite_is_read_on_the_loop_once_it_is_quick() -> None:
    store, readers = ScriptedStore(), BoundedExecutor("reads", 1, 1)
    reader = ProfileReader(store, readers)  # type: ignore[arg-type]
    for number in range(200):
        assert await reader.read("key", NOW, 5.0) == (None, False)
        assert number or not store.was_on_the_loop, "the first read is trusted with nothing"
        if store.was_on_the_loop:
            break
    assert store.was_on_the_loop
    readers.close()


async def test_redis_is_waited_for_in_turns_in_time_and_not_by_too_many() -> None:
    store, readers = RemoteStore(), BoundedExecutor("reads", 2, 1)
    reader = ProfileReader(store, readers)  # type: ignore[arg-type]
    late = [asyncio.ensure_future(reader.read("key", NOW, 0.05)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="3 run or wait"):
        await reader.read("key", NOW, 5.0)
    assert await asyncio.gather(*late) == 3 * [(None, True)]
    assert store.most_at_once == 2 and store.at_once == 0
    store.answers.set()
    assert await reader.read("key", NOW, 5.0) == (None, False)
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
