"""Which items were pushed, and which shoppers forgotten, since the pipeline last ran?

A small SQLite file beside Feast's: Feast keeps the values of pushed items but cannot list which were
pushed, and it has no memory of who was deleted. Of the forgotten it keeps a digest of their key, from which
neither the key nor the id can be had.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from planogram.files.log import shopper_digest
from services.feature.storage import durable

_TABLES = """
CREATE TABLE IF NOT EXISTS pushes (
    item_id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    price_micros INTEGER NOT NULL,
    stock INTEGER NOT NULL,
    is_active INTEGER NOT NULL,
    changed_us INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS pushes_by_sequence ON pushes (sequence);
CREATE TABLE IF NOT EXISTS tombstones (shopper_digest TEXT PRIMARY KEY, time_us INTEGER NOT NULL);
"""
_EARLIER = "SELECT 1 FROM sqlite_master WHERE name = 'forgotten'"
"""A table of earlier versions, which kept the keys themselves."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a shop changes about an item from one minute to the next."""

    item_id: str
    price_micros: int
    stock: int
    is_active: bool
    changed_us: int
    """When it changed, in microseconds since 1970; strictly increasing per item."""


class Journal:
    """The durable lists of pushed items and forgotten shoppers; one connection, one thread at a time."""

    def __init__(self, state_path: Path) -> None:
        self._connection = durable.connect(state_path / "journal.db", _TABLES)
        if self._connection.execute(_EARLIER).fetchone():
            self._forget_keys()

    def close(self) -> None:
        self._connection.close()

    def push(self, offers: Sequence[Offer]) -> int:
        """Stores offers durably; returns their sequence number, one for all.

        Raises:
            NotReady: where other workers hold the file for seconds; nothing was stored.
        """
        with durable.transaction(self._connection):
            sequence = self.sequence() + 1
            self._connection.executemany(
                "INSERT OR REPLACE INTO pushes"
                " (sequence, item_id, price_micros, stock, is_active, changed_us) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (sequence, one.item_id, one.price_micros, one.stock, one.is_active, one.changed_us)
                    for one in offers
                ],
            )
        return sequence

    def sequence(self) -> int:
        """The highest sequence number; 0 where nothing was ever pushed."""
        found = self._connection.execute("SELECT max(sequence) FROM pushes").fetchone()[0]
        return int(found or 0)

    def offers(self, after: int = 0) -> list[Offer]:
        """The latest offer of each item pushed after a sequence number."""
        rows = self._connection.execute(
            "SELECT item_id, price_micros, stock, is_active, changed_us FROM pushes"
            " WHERE sequence > ? ORDER BY sequence, item_id",
            (after,),
        )
        return [Offer(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows]

    def forget(self, shopper_key: str, time_us: int) -> None:
        """Notes that events of a shopper up to a time are never to be read again.

        Raises:
            NotReady: where other workers hold the file for seconds; nothing was noted.
        """
        with durable.transaction(self._connection):
            self._note(shopper_key, time_us)

    def forgotten(self, shopper_keys: Sequence[str]) -> dict[str, int]:
        """Time in microseconds up to which events do not count, by key of those who were forgotten."""
        keys = {shopper_digest(key): key for key in shopper_keys}
        query = (
            "SELECT shopper_digest, time_us FROM tombstones"
            " WHERE shopper_digest IN (SELECT value FROM json_each(?))"
        )
        rows = self._connection.execute(query, (json.dumps(list(keys)),))
        return {keys[digest]: time_us for digest, time_us in rows}

    def tombstones(self) -> dict[str, int]:
        """The same of everybody, by `planogram.files.log.shopper_digest` of their keys."""
        return dict(self._connection.execute("SELECT shopper_digest, time_us FROM tombstones").fetchall())

    def _note(self, shopper_key: str, time_us: int) -> None:
        row = (shopper_digest(shopper_key), time_us)
        self._connection.execute("INSERT OR REPLACE INTO tombstones VALUES (?, ?)", row)

    def _forget_keys(self) -> None:
        """Puts digests in the place of keys that an earlier version noted."""
        keys = dict(self._connection.execute("SELECT shopper_key, time_us FROM forgotten").fetchall())
        with durable.transaction(self._connection):
            for key, time_us in keys.items():
                self._note(key, time_us)
            self._connection.execute("DROP TABLE forgotten")
        self._connection.execute("VACUUM")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
