from __future__ import annotations

import asyncio
import threading
import time

import pytest

from services.common.errors import Overloaded
from services.common.executor import BoundedExecutor


@pytest.fixture
def gate():
    return threading.Event()


async def test_results_and_errors_come_back():
    executor = BoundedExecutor("test", 1, 4)
    assert await executor.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await executor.run(divmod, 7, 0)
    executor.close()


async def test_work_that_nobody_waits_for_any_more_is_not_begun():
    executor, free, begun = BoundedExecutor("work", 1, 4), threading.Event(), []
    running = executor.submit(free.wait, 10)
    given_up = [executor.submit(begun.append, place) for place in range(3)]
    wanted = executor.submit(begun.append, "wanted")
    for job in given_up:
        job.cancel()
    with pytest.raises(Overloaded):  # they hold their places until their turn comes
        executor.submit(begun.append, "too many")
    free.set()
    await wanted
    assert await running and begun == ["wanted"]
    await asyncio.sleep(0.05)
    assert executor._held == 0
    executor.close()


async def test_work_beyond_the_queue_is_refused_and_never_runs(gate):
    executor, ran = BoundedExecutor("test", 1, 1), []
    held = [asyncio.ensure_future(executor.run(gate.wait, 10)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="test: 2 jobs"):
        await executor.run(ran.append, 1)
    gate.set()
    assert await asyncio.gather(*held) == [True, True]
    await asyncio.sleep(0)
    await executor.run(ran.append, 2)
    assert ran == [2]
    executor.close()


async def test_a_cancelled_caller_leaves_the_thread_counted_until_it_ends(gate):
    executor = BoundedExecutor("test", 1, 0)
    caller = asyncio.ensure_future(executor.run(gate.wait, 10))
    await asyncio.sleep(0.05)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    with pytest.raises(Overloaded):
        await executor.run(int)
    gate.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await executor.run(int) == 0
                break
            except Overloaded:
                await asyncio.sleep(0.01)
    executor.close()


async def test_short_work_stays_on_the_loop_for_half_of_its_time_at_most():
    executor, here = BoundedExecutor("test", 1, 4), threading.get_ident()

    def work(seconds):
        time.sleep(seconds)
        return threading.get_ident()

    assert await executor.run_short(work, 0.05) == here
    assert await executor.run_short(work, 0.0) != here  # the loop has not rested
    await asyncio.sleep(0.06)
    assert await executor.run_short(work, 0.0) == here
    with pytest.raises(ZeroDivisionError):
        await executor.run_short(divmod, 7, 0)
    executor.close()


async def test_short_work_waits_behind_what_runs_in_threads(gate):
    executor = BoundedExecutor("test", 1, 0)
    held = asyncio.ensure_future(executor.run(gate.wait, 10))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="test: 1 jobs"):
        await executor.run_short(int)
    gate.set()
    assert await held is True
    executor.close()
