"""What is a segment of the event log: one SQLite file, written by one process, read by all?"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from services.common import log
from services.common.erasure import overwrite_freed_space
from services.common.errors import NotReady

MAX_SEGMENTS = 256
MAX_UNCOMMITTED = 10**9
"""Numbers that no commit followed: twelve days of a full disk, at 1,000 records a second."""
_NUMBER = struct.Struct("<q")
_KEPT = struct.Struct("<qq")
_PLACE_COUNT = 2
_passed_over: set[Path] = set()
_SCHEMA = """
CREATE TABLE IF NOT EXISTS exposures (
    sequence INTEGER PRIMARY KEY, page_id TEXT NOT NULL, shopper_key TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS exposures_by_page ON exposures (page_id);
CREATE INDEX IF NOT EXISTS exposures_by_shopper ON exposures (shopper_key) WHERE shopper_key != '';
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, shopper_key TEXT NOT NULL,
    payload BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_shopper ON events (shopper_key) WHERE shopper_key != '';
CREATE TABLE IF NOT EXISTS forgotten (shopper_digest TEXT PRIMARY KEY, until_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


def segments(folder: Path) -> list[Path]:
    """The segment files of a log."""
    return sorted(folder.glob("segment-*.sqlite"))


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes; what is committed survives kill -9 and power loss."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    overwrite_freed_space(connection)
    connection.executescript(_SCHEMA)
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that reads."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads, for as long as the block runs.

    Raises:
        NotReady: naming the segment, where it is damaged, or was never begun.
    """
    try:
        with contextlib.closing(connect_read_only(path)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        raise NotReady(f"{path}: {error}") from None


@contextlib.contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that writes, for as long as the block runs; raises as `reading`."""
    try:
        with contextlib.closing(connect(path)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        raise NotReady(f"{path}: {error}") from None


def pass_over(path: Path, problem: NotReady) -> None:
    """Says, once a process, that a segment cannot be read: a damaged one keeps nobody from the others."""
    if path not in _passed_over:
        _passed_over.add(path)
        log.logger("layout").error("segment_unreadable", problem=str(problem))


def counter(connection: sqlite3.Connection, name: str) -> int:
    """A segment's counter; 0 where it was never set."""
    row = connection.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    return row[0] if row else 0


def set_counter(connection: sqlite3.Connection, name: str, value: int) -> None:
    """Sets a segment's counter."""
    connection.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (name, value))


def take(folder: Path) -> tuple[Path, IO[bytes]]:
    """A segment that no living process holds, and the lock that keeps it so."""
    for index in range(MAX_SEGMENTS):
        path = folder / f"segment-{index:03d}.sqlite"
        lock = lock_of(path)
        if lock is not None:
            return path, lock
    raise OSError(f"all {MAX_SEGMENTS} segments are held by running processes")


def lock_of(path: Path) -> IO[bytes] | None:
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


class Numbers:
    """The last sequence number given, in a mapped file: kill -9 does not take it back.

    Power loss may; what was committed is in the segment's counter. A number stands beside its complement,
    which tells a damaged file, and in two places by turns: where a write was cut short, the other holds the
    number before it, the last that anybody was given.
    """

    def __init__(self, path: Path, reserved: int) -> None:
        """Goes on from the file, or from the segment where that is more, or where the file is damaged.

        Args:
            reserved: the segment's counter, at least as large as every number that was committed.
        """
        with path.open("a+b", buffering=0) as file:
            file.seek(0)
            content = file.read()
            kept = _kept(content)
            self.is_damaged = kept is None or not 0 <= kept <= reserved + MAX_UNCOMMITTED
            last = reserved if kept is None or self.is_damaged else max(kept, reserved)
            # Written, not stretched: on a full disk, a hole that is mapped ends the process by SIGBUS.
            missing = (_PLACE_COUNT * _KEPT.pack(last, ~last))[len(content) :]
            if missing and file.write(missing) != len(missing):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            file.truncate(_PLACE_COUNT * _KEPT.size)
            self._map = mmap.mmap(file.fileno(), _PLACE_COUNT * _KEPT.size)
        for place in range(_PLACE_COUNT):
            _KEPT.pack_into(self._map, place * _KEPT.size, last, ~last)
        self._last = last

    @property
    def last(self) -> int:
        return self._last

    @last.setter
    def last(self, number: int) -> None:
        self._last = number
        _KEPT.pack_into(self._map, number % _PLACE_COUNT * _KEPT.size, number, ~number)

    def close(self) -> None:
        self._map.close()


def _kept(content: bytes) -> int | None:
    """The number that a file holds: 0 of a new one, None of a damaged one."""
    if not content.strip(b"\0"):
        return 0
    if len(content) == _NUMBER.size:  # the form of earlier releases
        return int(_NUMBER.unpack(content)[0])
    if len(content) != _PLACE_COUNT * _KEPT.size:
        return None
    return max((number for number, other in _KEPT.iter_unpack(content) if other == ~number), default=None)
