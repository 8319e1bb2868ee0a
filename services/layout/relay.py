"""How do stored events reach profiles, and reviews their items, each at least once and in order?"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import grpc

from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from services.common import log
from services.common.client import Upstream, UpstreamError
from services.common.errors import NotReady
from services.layout.event_log import EventLog
from services.layout.orphans import Orphan, take_orphan
from services.layout.segments import pass_over

BATCH_SIZE = 500
_REVIEW = events_pb2.EVENT_TYPE_REVIEW
CALL_TIMEOUT_S = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 0.1, 5.0
ADOPT_EVERY_S = 10.0
"""Long enough for workers that start together to take the segments that they left."""


class Relay:
    """Delivers events of this process's segment, one batch at a time, so that order holds.

    Now and then it looks for segments that no process holds any more, and delivers what they owe.
    """

    def __init__(self, event_log: EventLog, feature: Upstream, adopt_every_s: float = ADOPT_EVERY_S) -> None:
        self._event_log = event_log
        self._feature = feature
        self._adopt_every_s = adopt_every_s
        self._has_news = asyncio.Event()
        self._has_news.set()  # a crash may have left some behind
        self._progress = asyncio.Condition()
        self._task = asyncio.create_task(self._run(), name="event-relay")

    def wake(self) -> None:
        """Says that events were stored."""
        self._has_news.set()

    async def wait_for(self, sequence: int, timeout_s: float) -> bool:
        """True where the events up to `sequence` reached the profiles in time."""
        async with self._progress:
            # In this task, and not by asyncio.wait_for in one of its own, which may still own the lock when a
            # caller who goes away ends this one.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._progress.wait_for(lambda: self._event_log.delivered_sequence >= sequence)
        return self._event_log.delivered_sequence >= sequence

    async def close(self) -> None:
        """Stops; what is undelivered waits on disk for the next start."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        adopt_s = time.monotonic() + self._adopt_every_s
        while True:
            # asyncio.wait_for would lose the end of this task where news come at that moment (Python 3.11).
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, adopt_s - time.monotonic())):
                    await self._has_news.wait()
            self._has_news.clear()
            try:
                await self._drain(self._event_log)
                if time.monotonic() >= adopt_s:
                    await self._adopt()
                    adopt_s = time.monotonic() + self._adopt_every_s
                retry_s = FIRST_RETRY_S
            except UpstreamError as error:
                log.logger("layout").warning("events_undelivered", reason=str(error), retry_s=retry_s)
                self._has_news.set()
                await asyncio.sleep(retry_s)
                retry_s = min(LAST_RETRY_S, 2 * retry_s)
            except Exception:
                log.logger("layout").exception("event_relay_failed", retry_s=retry_s)
                self._has_news.set()
                await asyncio.sleep(retry_s)
                retry_s = min(LAST_RETRY_S, 2 * retry_s)

    async def _adopt(self) -> None:
        damaged: set[Path] = set()
        while orphan := await asyncio.to_thread(take_orphan, self._event_log.folder, damaged):
            with contextlib.closing(orphan):
                try:
                    await self._drain(orphan)
                except NotReady as problem:
                    pass_over(orphan.path, problem)
                    damaged.add(orphan.path)

    async def _drain(self, segment: EventLog | Orphan) -> None:
        while events := await segment.undelivered(BATCH_SIZE):
            await self._deliver(events, segment)

    async def _deliver(self, events: list[events_pb2.Event], segment: EventLog | Orphan) -> None:
        wanted = [event for event in events if event.shopper_key or event.type == _REVIEW]
        if wanted:
            try:
                await self._call(wanted)
            except UpstreamError as error:
                if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                    raise
                await self._deliver_one_by_one(wanted)
        await segment.mark_delivered(events[-1].sequence)
        async with self._progress:
            self._progress.notify_all()

    async def _deliver_one_by_one(self, events: list[events_pb2.Event]) -> None:
        """One refused event must not hold up the others for ever."""
        for event in events:
            try:
                await self._call([event])
            except UpstreamError as error:
                if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                    raise
                log.logger("layout").error("event_refused", event_id=event.event_id, reason=error.details)

    async def _call(self, events: list[events_pb2.Event]) -> None:
        request = feature_pb2.UpdateProfilesRequest(events=events)
        await self._feature.call("UpdateProfiles", request, CALL_TIMEOUT_S)
