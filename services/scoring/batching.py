"""How do requests of several shoppers share one run of a graph?

A batch starts when a worker is free and either enough requests wait or the oldest has waited for the
window; so under load batches grow by themselves, while the runs before them last. Requests of one batch
are of one model and of like size: shorter ones are padded, and a batch ends where padding would outweigh
what was asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import Overloaded
from services.common.executor import BoundedExecutor
from services.scoring.scorer import Arrays, ClickModel, Predictions

_MOST_PADDED = 2.0
"""Rows of a batch, over those that were asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """One request of a batch to come."""

    arrays: Arrays
    item_count: int
    since_s: float
    answer: asyncio.Future[Predictions]


class Batcher:
    """Runs models on batches, in worker threads; used from one event loop."""

    def __init__(self, worker_count: int, size: int, window_s: float, queue_limit: int) -> None:
        """
        Args:
            worker_count: batches that run at once.
            size: most requests of a batch.
            window_s: longest wait for a batch to fill while a worker is free.
            queue_limit: requests that may wait; more are refused.
        """
        self._executor = BoundedExecutor("scoring-batches", worker_count, 0)
        self._worker_count, self._size, self._window_s = worker_count, size, window_s
        self._queue_limit = queue_limit
        self._queues: dict[ClickModel, deque[_Waiting]] = {}
        self._waiting_count = self._running_count = 0
        self._timer: asyncio.TimerHandle | None = None

    async def predict(self, model: ClickModel, arrays: Arrays) -> Predictions:
        """As `ClickModel.predict`, in a batch with others.

        Raises:
            Overloaded: where too many wait already.
            FloatingPointError: where the model answers this request with what is no number.
        """
        if self._waiting_count >= self._queue_limit:
            raise Overloaded(f"scoring: {self._waiting_count} requests wait for a batch already, the limit")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(arrays, model.item_count(arrays), loop.time(), loop.create_future())
        self._queues.setdefault(model, deque()).append(waiting)
        self._waiting_count += 1
        self._start()
        return await waiting.answer

    def close(self) -> None:
        """Drops what waits, and waits for what runs."""
        for queue in self._queues.values():
            for waiting in queue:
                waiting.answer.cancel()
        self._queues.clear()
        self._waiting_count = 0
        if self._timer is not None:
            self._timer.cancel()
        self._executor.close()

    def _start(self) -> None:
        """Starts what may start now, and comes back when more may."""
        loop, lefts_s = asyncio.get_running_loop(), []
        for model, queue in list(self._queues.items()):
            while queue and self._running_count < self._worker_count:
                left_s = queue[0].since_s + self._window_s - loop.time()
                if len(queue) < self._size and left_s > 0:
                    lefts_s.append(left_s)
                    break
                self._run(model, self._take(queue))
            if not queue:
                del self._queues[model]
        if lefts_s and self._timer is None:
            self._timer = loop.call_later(min(lefts_s), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._start()

    def _take(self, queue: deque[_Waiting]) -> list[_Waiting]:
        """The oldest requests, as many as fit together; those that nobody waits for are dropped."""
        taken: list[_Waiting] = []
        asked = longest = 0
        while queue and len(taken) < self._size:
            asked += queue[0].item_count
            longest = max(longest, queue[0].item_count)
            if taken and longest * (len(taken) + 1) > _MOST_PADDED * asked:
                break
            waiting = queue.popleft()
            self._waiting_count -= 1
            if waiting.answer.cancelled():
                asked -= waiting.item_count
            else:
                taken.append(waiting)
        return taken

    def _run(self, model: ClickModel, batch: list[_Waiting]) -> None:
        if not batch:
            return
        self._running_count += 1
        job = self._executor.submit(predict_all, model, [waiting.arrays for waiting in batch])
        job.add_done_callback(lambda done: self._answer(done, batch))

    def _answer(self, job: asyncio.Future[list[Predictions | Exception]], batch: list[_Waiting]) -> None:
        self._running_count -= 1
        for index, waiting in enumerate(batch):
            if waiting.answer.done():
                continue
            if job.cancelled():
                waiting.answer.cancel()
                continue
            found = job.result()[index]
            if isinstance(found, Exception):
                waiting.answer.set_exception(found)
            else:
                waiting.answer.set_result(found)
        self._start()


def predict_all(model: ClickModel, requests: Sequence[Arrays]) -> list[Predictions | Exception]:
    """The predictions for each request, or why there are none; one that fails harms no other."""
    try:
        return list(model.predict_many(requests))
    except Exception:
        return [_alone(model, arrays) for arrays in requests]


def _alone(model: ClickModel, arrays: Arrays) -> Predictions | Exception:
    try:
        return model.predict(arrays)
    except Exception as error:
        return error
