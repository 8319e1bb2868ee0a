"""How is one shopper's profile read for a page, in time and without holding up other pages?"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from services.common import log
from services.common.errors import Overloaded
from services.common.executor import BoundedExecutor
from services.feature.shoppers.known import Known
from services.feature.shoppers.serialization import loads_known
from services.feature.storage.store import PROFILE, Store

QUICK_S = 0.002
"""Mean time of reads up to which they run on the event loop: as long as what else a page does there."""
_FIRST_MEAN_S = 0.01
_SHARE_OF_LATEST = 0.1


class ProfileReader:
    """Reads profiles on the event loop, or from SQLite in worker threads where that is not quick.

    A hop to a thread and back costs more than SQLite's read from memory, which waits for no writer (WAL)
    and for no disk but as the mapped snapshot does. Slow reads send the next ones to the threads again.
    """

    def __init__(self, store: Store, readers: BoundedExecutor) -> None:
        self._store = store
        self._readers = readers
        self._mean_s = _FIRST_MEAN_S
        self._turns = asyncio.Semaphore(readers.worker_count)
        self._fetching = 0

    async def read(self, key: str, now: datetime, patience_s: float) -> tuple[Known | None, bool]:
        """What a page needs, None where nothing is stored; and whether reading it failed or took too long.

        Raises:
            Overloaded: where too many reads wait.
        """
        try:
            if not self._store.is_redis and self._mean_s <= QUICK_S:
                state = self._timed(key, now)
            else:
                async with asyncio.timeout(patience_s):
                    state = await (
                        self._fetched(key, now) if self._store.is_redis else self._in_thread(key, now)
                    )
        except Overloaded:
            raise
        except TimeoutError:
            return None, True
        except Exception as error:
            log.annotate(profile_problem=type(error).__name__)
            return None, True
        return None if state is None else loads_known(state), False

    async def _fetched(self, key: str, now: datetime) -> bytes | None:
        """From Redis, over as many connections as there would be threads."""
        if self._fetching >= self._readers.limit:
            raise Overloaded(f"profile-reads: {self._fetching} run or wait already, the limit")
        self._fetching += 1
        try:
            async with self._turns:
                state: bytes | None = await self._store.fetch_value(PROFILE, key, "state", now)
                return state
        finally:
            self._fetching -= 1

    async def _in_thread(self, key: str, now: datetime) -> bytes | None:
        # A read that takes too long keeps its place in the executor until it ends.
        return await self._readers.submit(self._timed, key, now)

    def _timed(self, key: str, now: datetime) -> bytes | None:
        begun = time.perf_counter()
        state: bytes | None = self._store.read_value(PROFILE, key, "state", now)
        took_s = time.perf_counter() - begun
        self._mean_s += _SHARE_OF_LATEST * (took_s - self._mean_s)
        return state
