"""How does blocking work leave the event loop, and what happens when there is too much of it?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from services.common.errors import Overloaded

T = TypeVar("T")


class BoundedExecutor:
    """Worker threads with a limit on the work that waits for them."""

    def __init__(self, name: str, worker_count: int, queue_limit: int) -> None:
        """
        Args:
            queue_limit: jobs that may wait beyond those that run.
        """
        self._name = name
        self._pool = ThreadPoolExecutor(worker_count, thread_name_prefix=name)
        self.worker_count = worker_count
        self.limit = worker_count + queue_limit
        """Jobs that may run or wait."""
        self._held = 0
        self._rested_s = 0.0

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """The result of `work(*arguments)`, run in a worker thread; raises as `submit`."""
        return await self.submit(work, *arguments)

    async def run_short(self, work: Callable[..., T], *arguments: Any) -> T:
        """As `run`, for work of about a millisecond: on the event loop itself where that has the time.

        Handing work to a thread and waking the loop again costs as much as such work. It stays on the loop
        while nothing runs or waits here, and the loop has rested from the last of it as long as that took:
        so it never takes more than half of the loop's time, and what comes faster goes to the threads.
        """
        began_s = time.monotonic()
        if self._held or began_s < self._rested_s:
            return await self.submit(work, *arguments)
        try:
            return work(*arguments)
        finally:
            ended_s = time.monotonic()
            self._rested_s = ended_s + (ended_s - began_s)

    def submit(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Starts `work(*arguments)` in a worker thread, from the event loop.

        A job that nobody waits for any more is not begun. One that runs holds its place until it ends: its
        thread is still busy.

        Raises:
            Overloaded: where the queue is full; the job does not run.
        """
        if self._held >= self.limit:
            raise Overloaded(f"{self._name}: {self._held} jobs run or wait already, the limit")
        self._held += 1
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def begin() -> T:
            if answer.cancelled():
                raise asyncio.CancelledError  # seen by nobody
            return work(*arguments)

        job = self._pool.submit(begin)
        # The loop is woken once a job, for all that is left to do: each time costs a system call.
        job.add_done_callback(lambda done: _call_soon(loop, self._finish, done, answer))
        return answer

    def close(self) -> None:
        """Drops what waits, and waits for what runs."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _finish(self, job: Future[T], answer: asyncio.Future[T]) -> None:
        self._held -= 1
        if answer.cancelled():
            return  # nobody waits for it any more
        if job.cancelled():
            answer.cancel()
        elif (error := job.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(job.result())


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback, *arguments)
