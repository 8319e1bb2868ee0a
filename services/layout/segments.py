"""What is a segment of the event log: one SQLite file, written by one process, read by all?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from services.common.erasure import overwrite_freed_space

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


def counter(connection: sqlite3.Connection, name: str) -> int:
    """A segment's counter; 0 where it was never set."""
    row = connection.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    return row[0] if row else 0


def set_counter(connection: sqlite3.Connection, name: str, value: int) -> None:
    """Sets a segment's counter."""
    connection.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (name, value))
