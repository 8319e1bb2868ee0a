"""Which segments of the event log did a process leave behind, and who delivers what they owe?"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import IO

from planogram.events.v1 import events_pb2
from services.common.errors import NotReady
from services.layout.event_log import undelivered_after
from services.layout.segments import (
    counter,
    lock_of,
    pass_over,
    reading,
    segments,
    set_counter,
    writing,
)


class Orphan:
    """A segment that no process writes to any more, held while what it owes is delivered.

    Its calls raise NotReady where the file is damaged.
    """

    def __init__(self, path: Path, lock: IO[bytes]) -> None:
        self.path = path
        self._lock = lock

    async def undelivered(self, limit: int) -> list[events_pb2.Event]:
        """Events after the delivered ones, oldest first."""

        def read() -> list[events_pb2.Event]:
            with reading(self.path) as db:
                after = counter(db, "delivered")
            return undelivered_after(self.path, after, limit)

        return await asyncio.to_thread(read)

    async def mark_delivered(self, sequence: int) -> None:
        """Remembers, durably, that events up to `sequence` reached the profiles."""

        def write() -> None:
            with writing(self.path) as db:
                set_counter(db, "delivered", sequence)

        await asyncio.to_thread(write)

    def close(self) -> None:
        """Lets go of the segment."""
        self._lock.close()


def take_orphan(folder: Path, passed: Collection[Path] = ()) -> Orphan | None:
    """A segment that no process holds and that owes events; None where there is none.

    Args:
        passed: segments to look past, beside those that are damaged.
    """
    for path in segments(folder):
        if path in passed:
            continue
        try:
            with reading(path) as db:
                after = counter(db, "delivered")
                (last,) = db.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()
        except NotReady as problem:
            pass_over(path, problem)
            continue
        lock = lock_of(path) if last > after else None
        if lock is not None:
            return Orphan(path, lock)
    return None
