"""How is one shopper's profile read for a page, in time and without holding up other pages?"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from services.common import log
from services.common.executor import BoundedExecutor
from services.feature.profile import Profile
from services.feature.store import PROFILE, Row, Store
from services.feature.updating import profile_of

QUICK_S = 0.002
"""A read that takes no longer may run on the event loop: as long as what else a page does there."""
TRUSTED_COUNT = 50
"""Quick reads in a row before the next one runs there."""
_WANTED = ("state",)


class ProfileReader:
    """Reads profiles in worker threads; from SQLite on the event loop, for as long as that is quick.

    A hop to a thread and back costs more than SQLite's read from memory, which waits for no writer (WAL)
    and for no disk but as the mapped snapshot does. One slow read sends the next ones to the threads again.
    """

    def __init__(self, store: Store, readers: BoundedExecutor) -> None:
        self._store = store
        self._readers = readers
        self._quick_count = 0

    async def read(self, key: str, now: datetime, patience_s: float) -> tuple[Profile | None, bool]:
        """The profile, None where there is none; and whether reading it failed or took too long.

        Raises:
            Overloaded: where too many reads wait.
        """
        is_trusted = self._quick_count >= TRUSTED_COUNT and not self._store.is_redis
        job = None if is_trusted else self._readers.submit(self._timed, key, now)
        try:
            if job is None:
                row = self._timed(key, now)
            else:
                # A read that takes too long keeps its place in the executor until it ends.
                async with asyncio.timeout(patience_s):
                    row = await job
        except TimeoutError:
            return None, True
        except Exception as error:
            log.annotate(profile_problem=type(error).__name__)
            return None, True
        return profile_of(row), False

    def _timed(self, key: str, now: datetime) -> Row | None:
        begun = time.perf_counter()
        row = self._store.read(PROFILE, (key,), now, features=_WANTED)[0]
        is_quick = time.perf_counter() - begun <= QUICK_S
        self._quick_count = self._quick_count + 1 if is_quick else 0
        return row
