"""How does a shopper leave the event log, and stay out of it?

A tombstone in each segment keeps out what is still on its way: pages that were being composed, batches of
other workers, events with an old page's token. It holds a digest of the shopper's key, from which neither the
key nor the id can be had, and which nothing else holds.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path

from services.common.erasure import erase
from services.layout.segments import counter, reading, segments, set_counter, writing


def forget(folder: Path, until_us: Mapping[str, int]) -> int:
    """Deletes shoppers' rows from all segments, to the last byte; returns how many rows there were.

    Args:
        until_us: time up to which rows that come later do not count, microseconds since 1970, by shopper key.

    Raises:
        NotReady: where others keep reading what was deleted, or a segment is damaged; call again.
    """
    return sum(_forget(path, until_us) for path in segments(folder))


def forgotten(folder: Path) -> dict[str, int]:
    """Microseconds up to which a forgotten shopper's rows do not count, by digest of the shopper's key."""
    until: dict[str, int] = {}
    for path in segments(folder):
        with reading(path) as db:
            # A segment that an earlier version wrote, and nobody opened since, has no such table.
            if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'forgotten'").fetchone()[0]:
                for digest, until_us in db.execute("SELECT shopper_digest, until_us FROM forgotten"):
                    until[digest] = max(until_us, until.get(digest, 0))
    return until


def note(connection: sqlite3.Connection, until_us: Mapping[str, int]) -> None:
    """Puts up the tombstones of shopper keys in one segment."""
    tombstones = [(shopper_digest(key), time_us) for key, time_us in until_us.items()]
    connection.executemany("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", tombstones)


def until_us(connection: sqlite3.Connection, shopper_keys: Collection[str]) -> dict[str, int]:
    """Up to when a segment's tombstones keep rows out, microseconds since 1970, of the shoppers who have one.

    Args:
        shopper_keys: the empty one is nobody's.
    """
    key_of = {shopper_digest(key): key for key in shopper_keys if key}
    query = "SELECT * FROM forgotten WHERE shopper_digest IN (SELECT value FROM json_each(?))"
    found = connection.execute(query, (json.dumps([*key_of]),))
    return {key_of[digest]: time_us for digest, time_us in found}


def shopper_digest(shopper_key: str) -> str:
    """What a tombstone holds of a shopper: as in planogram.files.log, which is no part of serving."""
    return hashlib.sha256(shopper_key.encode()).hexdigest()[:32]


def _forget(path: Path, until_us: Mapping[str, int]) -> int:
    with writing(path) as db:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("BEGIN IMMEDIATE")
        note(db, until_us)
        count = 0
        for table in ("exposures", "events"):
            statement = f"DELETE FROM {table} WHERE shopper_key = ?"  # noqa: S608 - two literals
            count += sum(db.execute(statement, (key,)).rowcount for key in until_us)
        set_counter(db, "removed", counter(db, "removed") + count)
        db.execute("COMMIT")
        erase(db, path, list(until_us))
    return count
