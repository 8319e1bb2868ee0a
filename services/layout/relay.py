"""How do stored events reach the shoppers' profiles, each at least once and in order?"""

from __future__ import annotations

import asyncio
import contextlib

import grpc

from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from services.common import log
from services.common.client import Upstream, UpstreamError
from services.layout.event_log import EventLog

BATCH_SIZE = 500
CALL_TIMEOUT_S = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 0.1, 5.0


class Relay:
    """Delivers events of this process's segment; one batch at a time, so order holds."""

    def __init__(self, event_log: EventLog, feature: Upstream) -> None:
        self._event_log = event_log
        self._feature = feature
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
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._progress.wait_for(lambda: self._event_log.delivered_sequence >= sequence), timeout_s
                )
        return self._event_log.delivered_sequence >= sequence

    async def close(self) -> None:
        """Stops; what is undelivered waits on disk for the next start."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            try:
                while events := await self._event_log.undelivered(BATCH_SIZE):
                    await self._deliver(events)
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

    async def _deliver(self, events: list[events_pb2.Event]) -> None:
        personal = [event for event in events if event.shopper_key]
        if personal:
            try:
                await self._call(personal)
            except UpstreamError as error:
                if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                    raise
                await self._deliver_one_by_one(personal)
        await self._event_log.mark_delivered(events[-1].sequence)
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
