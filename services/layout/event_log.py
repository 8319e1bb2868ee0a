"""Where do exposures and events live from the moment that they are acknowledged?

Each process appends to a SQLite segment of its own; one thread writes it, and commits what has
queued up in one go. WAL with synchronous=FULL: what is committed survives kill -9 and power loss.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import queue
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from planogram.events.v1 import events_pb2
from services.common import log
from services.common.errors import ConfigurationError, NotReady
from services.layout import forgetting
from services.layout.segments import connect, connect_read_only, counter, segments, set_counter

R = TypeVar("R")

COMMIT_WINDOW_S = 0.015
"""Time that exposures wait for company before they are committed."""
MAX_COMMIT_ROWS = 1_000
MAX_SEGMENTS = 256
_NUMBER = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch of events."""

    stored_count: int
    duplicate_count: int
    last_sequence: int


@dataclass(frozen=True, slots=True)
class _Job:
    """One thing for the writer: rows to insert, or a function to call inside the transaction."""

    run: Callable[[sqlite3.Connection], Any]
    done: Callable[[Any, BaseException | None], None] | None
    is_exposure: bool = False


class _Numbers:
    """The last sequence number given, in a mapped file: kill -9 does not take it back.

    Power loss may; what was committed is in the segment's counter.
    """

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(_NUMBER.size)
            self._map = mmap.mmap(file.fileno(), _NUMBER.size)

    @property
    def last(self) -> int:
        return int(_NUMBER.unpack_from(self._map)[0])

    @last.setter
    def last(self, number: int) -> None:
        _NUMBER.pack_into(self._map, 0, number)

    def close(self) -> None:
        self._map.close()


class EventLog:
    """The log of this process, and read access to the segments of all."""

    def __init__(self, folder: Path, queue_size: int) -> None:
        """Takes the first segment of the folder that no living process holds.

        Raises:
            ConfigurationError: where the folder cannot be written.
        """
        self.folder = folder
        self._queue_size = queue_size
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pending_exposure_count = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path, self._lock = _take_segment(folder)
            connection = connect(self.path)
            self._numbers = _Numbers(self.path.with_suffix(".sequence"))
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"LOG_PATH: cannot write the event log in {folder}: {error}") from None
        self.writer = f"{socket.gethostname()}/{self.path.stem}"
        # A crash leaves numbers that were given and never committed; none is given twice.
        self._sequence = max(counter(connection, "reserved"), self._numbers.last)
        set_counter(connection, "reserved", self._sequence)
        self.delivered_sequence = counter(connection, "delivered")
        self._thread = threading.Thread(target=self._write, args=(connection,), name="event-log", daemon=True)
        self._thread.start()

    def next_sequence(self) -> int:
        """The next number of this writer; numbers that never reach the disk show as gaps."""
        self._sequence += 1
        self._numbers.last = self._sequence
        return self._sequence

    def offer(self, exposure: events_pb2.Exposure, ranking_inputs: Callable[[], bytes] = bytes) -> bool:
        """Queues an exposure without waiting; False where the queue is full and it was dropped.

        Args:
            ranking_inputs: makes the exposure's field of that name, in the writer's thread.
        """
        if self._pending_exposure_count >= self._queue_size:
            return False
        exposure.writer, exposure.sequence = self.writer, self.next_sequence()
        self._pending_exposure_count += 1

        def insert(db: sqlite3.Connection) -> None:
            exposure.ranking_inputs = ranking_inputs()
            _insert_exposure(db, exposure)

        self._jobs.put(_Job(insert, None, True))
        return True

    async def append(self, events: Sequence[events_pb2.Event]) -> Stored:
        """Stores events; returns when they are on disk.

        Raises:
            NotReady: where the disk refused; nothing of the batch is stored.
        """
        rows = []
        for event in events:
            event.writer, event.sequence = self.writer, self.next_sequence()
            row = (event.sequence, event.event_id, event.shopper_key, event.SerializeToString())
            rows.append((row, event.time.ToMicroseconds()))

        def insert(db: sqlite3.Connection) -> Stored:
            known = [row for row, time_us in rows if not forgetting.is_forgotten(db, row[2], time_us)]
            before = db.total_changes
            db.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", known)
            count = db.total_changes - before
            (last,) = db.execute("SELECT max(sequence) FROM events").fetchone()
            set_counter(db, "removed", counter(db, "removed") + len(rows) - count)
            return Stored(count, len(known) - count, last or 0)

        return await self._submit(insert)

    async def mark_delivered(self, sequence: int) -> None:
        """Remembers, durably, that events up to `sequence` reached the profiles."""
        self.delivered_sequence = sequence
        await self._submit(lambda db: set_counter(db, "delivered", sequence))

    async def undelivered(self, limit: int) -> list[events_pb2.Event]:
        """Events after the delivered ones, oldest first."""
        return await asyncio.to_thread(_undelivered, self.path, self.delivered_sequence, limit)

    async def find_exposure(self, page_id: str) -> events_pb2.Exposure | None:
        """The exposure of a page, from whichever segment holds it."""
        return await asyncio.to_thread(find_exposure, self.folder, page_id)

    async def forget(self, shopper_keys: Sequence[str], until_us: int) -> int:
        """Deletes a shopper's rows from all segments, WAL included; returns how many there were.

        Args:
            shopper_keys: of every epoch.
            until_us: time up to which copies elsewhere, and rows that come late, do not count, microseconds
                since 1970; noted first, so that a crash in between leaves nothing that comes back.

        Raises:
            NotReady: where others keep reading what was deleted; call again.
        """
        until = dict.fromkeys(shopper_keys, until_us)
        await self._submit(lambda db: forgetting.note(db, until))  # behind whatever is queued
        return await asyncio.to_thread(forgetting.forget, self.folder, until)

    def close(self) -> None:
        """Writes what is queued, then lets go of the segment."""
        self._jobs.put(None)
        self._thread.join()
        self._numbers.close()
        self._lock.close()

    async def _submit(self, run: Callable[[sqlite3.Connection], R]) -> R:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()

        def resolve(result: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(NotReady(f"the event log cannot write: {error}"))

        def done(result: Any, error: BaseException | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop closed while the disk was busy
                loop.call_soon_threadsafe(resolve, result, error)

        self._jobs.put(_Job(run, done))
        return await future

    def _write(self, connection: sqlite3.Connection) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._next_jobs()
            self._commit(connection, jobs)
        connection.close()

    def _next_jobs(self) -> tuple[list[_Job], bool]:
        job = self._jobs.get()
        jobs: list[_Job] = []
        is_awaited = False
        commit_at = time.monotonic() + COMMIT_WINDOW_S
        while job is not None:
            jobs.append(job)
            if len(jobs) >= MAX_COMMIT_ROWS:
                return jobs, True
            # Whoever awaits a commit gets one at once; exposures alone wait for company.
            is_awaited = is_awaited or job.done is not None
            try:
                wait_s = 0 if is_awaited else max(0.0, commit_at - time.monotonic())
                job = self._jobs.get(block=wait_s > 0, timeout=wait_s or None)
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _commit(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        results: list[Any] = []
        error: BaseException | None = None
        try:
            connection.execute("BEGIN IMMEDIATE")
            results.extend(job.run(connection) for job in jobs)
            set_counter(connection, "reserved", self._sequence)
            connection.execute("COMMIT")
        except Exception as problem:
            # Whatever it was, the thread lives on: everyone who waits for a commit waits for it.
            error = problem
            log.logger("layout").error("event_log_write_failed", path=str(self.path), problem=str(problem))
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        count = sum(job.is_exposure for job in jobs)
        self._pending_exposure_count -= count
        for index, job in enumerate(jobs):
            if job.done is not None:
                job.done(None if error else results[index], error)


class Orphan:
    """A segment that no process writes to any more, held while what it owes is delivered."""

    def __init__(self, path: Path, lock: IO[bytes]) -> None:
        self._path = path
        self._lock = lock

    async def undelivered(self, limit: int) -> list[events_pb2.Event]:
        """Events after the delivered ones, oldest first."""

        def read() -> list[events_pb2.Event]:
            with contextlib.closing(connect_read_only(self._path)) as db:
                after = counter(db, "delivered")
            return _undelivered(self._path, after, limit)

        return await asyncio.to_thread(read)

    async def mark_delivered(self, sequence: int) -> None:
        """Remembers, durably, that events up to `sequence` reached the profiles."""

        def write() -> None:
            with contextlib.closing(connect(self._path)) as db:
                set_counter(db, "delivered", sequence)

        await asyncio.to_thread(write)

    def close(self) -> None:
        """Lets go of the segment."""
        self._lock.close()


def take_orphan(folder: Path) -> Orphan | None:
    """A segment that no process holds and that owes events; None where there is none."""
    for path in segments(folder):
        with contextlib.closing(connect_read_only(path)) as db:
            after = counter(db, "delivered")
            (last,) = db.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()
        lock = _lock(path) if last > after else None
        if lock is not None:
            return Orphan(path, lock)
    return None


def read_events(folder: Path) -> Iterator[events_pb2.Event]:
    """All events of a log, segment by segment; an id may come twice."""
    for payload in _payloads(folder, "events"):
        yield events_pb2.Event.FromString(payload)


def read_exposures(folder: Path) -> Iterator[events_pb2.Exposure]:
    """All exposures of a log, segment by segment; an id may come twice."""
    for payload in _payloads(folder, "exposures"):
        yield events_pb2.Exposure.FromString(payload)


def exposures_after(
    folder: Path, after: Mapping[str, int], limit: int
) -> Iterator[tuple[events_pb2.Exposure, str]]:
    """Exposures with the name of their segment, oldest first, beyond what was read of each.

    Args:
        after: the last sequence number that was read, by segment; 0 where it is missing.
        limit: most exposures of one segment; of more, the latest.
    """
    statement = "SELECT payload FROM exposures WHERE sequence > ? ORDER BY sequence DESC LIMIT ?"
    for path in segments(folder):
        with contextlib.closing(connect_read_only(path)) as db:
            rows = db.execute(statement, (after.get(path.stem, 0), limit)).fetchall()
        for (payload,) in reversed(rows):
            yield events_pb2.Exposure.FromString(payload), path.stem


def find_exposure(folder: Path, page_id: str) -> events_pb2.Exposure | None:
    """The exposure of a page; None where no segment holds it."""
    for path in segments(folder):
        with contextlib.closing(connect_read_only(path)) as db:
            row = db.execute("SELECT payload FROM exposures WHERE page_id = ?", (page_id,)).fetchone()
        if row is not None:
            return events_pb2.Exposure.FromString(row[0])
    return None


def lost_count(folder: Path) -> int:
    """Records that were numbered and never reached the disk, as far as later commits and starts tell.

    Events that were sent twice, and what was forgotten, leave gaps of the same kind; they are counted
    where they happen and taken off here.
    """
    lost = 0
    for path in segments(folder):
        with contextlib.closing(connect_read_only(path)) as db:
            (kept,) = db.execute(
                "SELECT (SELECT count(*) FROM exposures) + (SELECT count(*) FROM events)"
            ).fetchone()
            lost += counter(db, "reserved") - kept - counter(db, "removed")
    return max(0, lost)


def _payloads(folder: Path, table: str) -> Iterator[bytes]:
    for path in segments(folder):
        with contextlib.closing(connect_read_only(path)) as db:
            for row in db.execute(f"SELECT payload FROM {table} ORDER BY sequence"):  # noqa: S608 - two literals
                yield row[0]


def _insert_exposure(connection: sqlite3.Connection, exposure: events_pb2.Exposure) -> None:
    if forgetting.is_forgotten(connection, exposure.shopper_key, exposure.time.ToMicroseconds()):
        set_counter(connection, "removed", counter(connection, "removed") + 1)
        return
    row = (exposure.sequence, exposure.page_id, exposure.shopper_key, exposure.SerializeToString())
    connection.execute("INSERT INTO exposures VALUES (?, ?, ?, ?)", row)


def _take_segment(folder: Path) -> tuple[Path, IO[bytes]]:
    """A segment that no living process holds, and the lock that keeps it so."""
    for index in range(MAX_SEGMENTS):
        path = folder / f"segment-{index:03d}.sqlite"
        lock = _lock(path)
        if lock is not None:
            return path, lock
    raise OSError(f"all {MAX_SEGMENTS} segments are held by running processes")


def _lock(path: Path) -> IO[bytes] | None:
    """The lock of a segment; None where a living process holds it."""
    lock = path.with_suffix(".lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    lock.write(str(os.getpid()).encode())
    lock.flush()
    return lock


def _undelivered(path: Path, after: int, limit: int) -> list[events_pb2.Event]:
    with contextlib.closing(connect_read_only(path)) as db:
        rows = db.execute(
            "SELECT payload FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
        ).fetchall()
    return [events_pb2.Event.FromString(row[0]) for row in rows]
