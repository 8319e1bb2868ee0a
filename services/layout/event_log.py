"""Where do exposures and events live from the moment that they are acknowledged?

Each process appends to a SQLite segment of its own; one thread writes it, and commits what has
queued up in one go. WAL with synchronous=FULL: what is committed survives kill -9 and power loss.
It makes rows of exposures as they come, between pages, and few calls for all rows of a commit: at each of
them it and the page that is being made wait for each other, for the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from planogram.events.v1 import events_pb2
from services.common import log
from services.common.errors import ConfigurationError, NotReady, Overloaded
from services.layout import forgetting
from services.layout.segments import (
    Numbers,
    connect,
    counter,
    pass_over,
    reading,
    segments,
    set_counter,
    take,
)

R = TypeVar("R")

COMMIT_WINDOW_S = 0.015
"""Time that exposures wait for company before they are committed."""
MAX_COMMIT_ROWS = 1_000
MAX_WAITING_EVENTS = 50_000
"""Events that wait for the disk, those of callers who gave up among them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch of events."""

    stored_count: int
    duplicate_count: int
    last_sequence: int


@dataclass(frozen=True, slots=True)
class _Job:
    """A function that the writer calls inside a transaction, and who waits for it."""

    run: Callable[[sqlite3.Connection], Any]
    done: Callable[[Any, BaseException | None], None]
    event_count: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """An exposure, and what makes its field `ranking_inputs`."""

    exposure: events_pb2.Exposure
    ranking_inputs: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class _Row:
    """What is inserted of an exposure or event, unless its shopper is forgotten for so long."""

    values: tuple[int, str, str, bytes]
    shopper_key: str
    time_us: int


class EventLog:
    """The log of this process, and read access to the segments of all."""

    def __init__(self, folder: Path, queue_size: int) -> None:
        """Takes the first segment of the folder that no living process holds.

        Raises:
            ConfigurationError: where the folder or the segment cannot be written.
        """
        self.folder = folder
        self._queue_size = queue_size
        self._waiting: queue.SimpleQueue[_Shown | _Job | None] = queue.SimpleQueue()
        self._pending_exposure_count = 0
        self._pending_event_count = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path, self._lock = take(folder)
        except OSError as error:
            raise ConfigurationError(f"LOG_PATH: cannot write the event log in {folder}: {error}") from None
        try:
            connection = connect(self.path)
            reserved = counter(connection, "reserved")
            self._numbers = Numbers(self.path.with_suffix(".sequence"), reserved)
        except (OSError, sqlite3.Error) as error:
            self._lock.close()
            is_damaged = isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.OperationalError)
            raise ConfigurationError(
                f"LOG_PATH: cannot write the event log {self.path}: {error}"
                f"{'; move it away, or bring back a copy' if is_damaged else ''}"
            ) from None
        self.writer = f"{socket.gethostname()}/{self.path.stem}"
        # A crash leaves numbers that were given and never committed; none is given twice.
        self._sequence = self._numbers.last
        if self._numbers.is_damaged:
            log.logger("layout").error(
                "sequence_damaged",
                path=str(self.path.with_suffix(".sequence")),
                problem=f"goes on from {reserved}, as the segment has it; losses beyond it are not counted",
            )
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

        self._waiting.put(_Shown(exposure, ranking_inputs))
        return True

    async def append(self, events: Sequence[events_pb2.Event]) -> Stored:
        """Stores events; returns when they are on disk.

        Raises:
            NotReady: where the disk refused; nothing of the batch is stored.
            Overloaded: where too many wait for it.
        """
        if self._pending_event_count + len(events) > MAX_WAITING_EVENTS:
            raise Overloaded(
                f"event log: {self._pending_event_count} events wait for the disk already; "
                f"the limit is {MAX_WAITING_EVENTS}"
            )
        rows = []
        for event in events:
            event.writer, event.sequence = self.writer, self.next_sequence()
            values = (event.sequence, event.event_id, event.shopper_key, event.SerializeToString())
            rows.append(_Row(values, event.shopper_key, event.time.ToMicroseconds()))

        def insert(db: sqlite3.Connection) -> Stored:
            known = _known(db, rows)
            before = db.total_changes
            db.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", known)
            count = db.total_changes - before
            (last,) = db.execute("SELECT max(sequence) FROM events").fetchone()
            set_counter(db, "removed", counter(db, "removed") + len(rows) - count)
            return Stored(count, len(known) - count, last or 0)

        return await self._submit(insert, len(rows))

    async def mark_delivered(self, sequence: int) -> None:
        """Remembers, durably, that events up to `sequence` reached the profiles."""
        self.delivered_sequence = sequence
        await self._submit(lambda db: set_counter(db, "delivered", sequence))

    async def undelivered(self, limit: int) -> list[events_pb2.Event]:
        """Events after the delivered ones, oldest first."""
        return await asyncio.to_thread(undelivered_after, self.path, self.delivered_sequence, limit)

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
        self._waiting.put(None)
        self._thread.join()
        self._numbers.close()
        self._lock.close()

    async def _submit(self, run: Callable[[sqlite3.Connection], R], event_count: int = 0) -> R:
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

        self._pending_event_count += event_count
        self._waiting.put(_Job(run, done, event_count))
        return await future

    def _write(self, connection: sqlite3.Connection) -> None:
        is_open = True
        while is_open:
            rows, jobs, is_open = self._next_batch()
            self._commit(connection, rows, jobs)
        connection.close()

    def _next_batch(self) -> tuple[list[_Row], list[_Job], bool]:
        """What is committed together, and whether more may come."""
        rows: list[_Row] = []
        jobs: list[_Job] = []
        given = self._waiting.get()
        commit_at = time.monotonic() + COMMIT_WINDOW_S
        while given is not None:
            if isinstance(given, _Job):
                jobs.append(given)
            else:
                rows += self._rows_of(given)
            if len(rows) + len(jobs) >= MAX_COMMIT_ROWS:
                return rows, jobs, True
            # Whoever awaits a commit gets one at once; exposures alone wait for company.
            try:
                wait_s = 0 if jobs else max(0.0, commit_at - time.monotonic())
                given = self._waiting.get(block=wait_s > 0, timeout=wait_s or None)
            except queue.Empty:
                return rows, jobs, True
        return rows, jobs, False

    def _rows_of(self, shown: _Shown) -> list[_Row]:
        """The row of an exposure; none where it cannot be written, which must not end the thread."""
        exposure = shown.exposure
        try:
            exposure.ranking_inputs = shown.ranking_inputs()
            content = exposure.SerializeToString()
        except Exception as problem:
            self._pending_exposure_count -= 1
            self._failed(problem)
            return []
        values = (exposure.sequence, exposure.page_id, exposure.shopper_key, content)
        return [_Row(values, exposure.shopper_key, exposure.time.ToMicroseconds())]

    def _commit(self, connection: sqlite3.Connection, rows: list[_Row], jobs: list[_Job]) -> None:
        results: list[Any] = []
        error: BaseException | None = None
        try:
            connection.execute("BEGIN IMMEDIATE")
            _insert_exposures(connection, rows)
            results.extend(job.run(connection) for job in jobs)
            set_counter(connection, "reserved", self._sequence)
            connection.execute("COMMIT")
        except Exception as problem:
            # Whatever it was, the thread lives on: everyone who waits for a commit waits for it.
            error = problem
            self._failed(problem)
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        self._pending_exposure_count -= len(rows)
        self._pending_event_count -= sum(job.event_count for job in jobs)
        for index, job in enumerate(jobs):
            job.done(None if error else results[index], error)

    def _failed(self, problem: Exception) -> None:
        log.logger("layout").error("event_log_write_failed", path=str(self.path), problem=str(problem))


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
        try:
            with reading(path) as db:
                rows = db.execute(statement, (after.get(path.stem, 0), limit)).fetchall()
        except NotReady as problem:
            pass_over(path, problem)
            continue
        for (payload,) in reversed(rows):
            yield events_pb2.Exposure.FromString(payload), path.stem


def find_exposure(folder: Path, page_id: str) -> events_pb2.Exposure | None:
    """The exposure of a page; None where no segment holds it."""
    for path in segments(folder):
        try:
            with reading(path) as db:
                row = db.execute("SELECT payload FROM exposures WHERE page_id = ?", (page_id,)).fetchone()
        except NotReady as problem:
            pass_over(path, problem)
            continue
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
        with reading(path) as db:
            (kept,) = db.execute(
                "SELECT (SELECT count(*) FROM exposures) + (SELECT count(*) FROM events)"
            ).fetchone()
            lost += counter(db, "reserved") - kept - counter(db, "removed")
    return max(0, lost)


def _payloads(folder: Path, table: str) -> Iterator[bytes]:
    for path in segments(folder):
        with reading(path) as db:
            for row in db.execute(f"SELECT payload FROM {table} ORDER BY sequence"):  # noqa: S608 - two literals
                yield row[0]


def _insert_exposures(connection: sqlite3.Connection, rows: Sequence[_Row]) -> None:
    known = _known(connection, rows)
    connection.executemany("INSERT INTO exposures VALUES (?, ?, ?, ?)", known)
    if len(known) < len(rows):
        set_counter(connection, "removed", counter(connection, "removed") + len(rows) - len(known))


def _known(connection: sqlite3.Connection, rows: Sequence[_Row]) -> list[tuple[int, str, str, bytes]]:
    """What is inserted: no rows of shoppers who were forgotten since."""
    until_us = forgetting.until_us(connection, {row.shopper_key for row in rows})
    return [row.values for row in rows if row.time_us > until_us.get(row.shopper_key, -math.inf)]


def undelivered_after(path: Path, after: int, limit: int) -> list[events_pb2.Event]:
    """Events of a segment beyond a sequence number, oldest first; raises as `segments.reading`."""
    with reading(path) as db:
        rows = db.execute(
            "SELECT payload FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
        ).fetchall()
    return [events_pb2.Event.FromString(row[0]) for row in rows]
