"""Which items were pushed, and which shoppers forgotten, since the pipeline last ran?

A small SQLite file beside Feast's: Feast keeps the values of pushed items but cannot list which were
pushed, and it has no memory of who was deleted.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
CREATE TABLE IF NOT EXISTS forgotten (shopper_key TEXT PRIMARY KEY, time_us INTEGER NOT NULL);
"""


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
        state_path.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            state_path / "journal.db", check_same_thread=False, isolation_level=None, timeout=10
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        # Items have no other durable source, so each commit waits for the disk.
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_TABLES)

    def close(self) -> None:
        self._connection.close()

    def push(self, offers: Sequence[Offer]) -> int:
        """Stores offers durably; returns their sequence number, one for all."""
        with self._transaction():
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
        """Notes that events of a shopper up to a time are never to be read again."""
        self._connection.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", (shopper_key, time_us))

    def forgotten(self, shopper_keys: Sequence[str] | None = None) -> dict[str, int]:
        """Time in microseconds up to which each forgotten shopper's events do not count.

        Args:
            shopper_keys: whom to look for; None is all.
        """
        query = "SELECT shopper_key, time_us FROM forgotten"
        if shopper_keys is None:
            return dict(self._connection.execute(query).fetchall())
        query += " WHERE shopper_key IN (SELECT value FROM json_each(?))"
        return dict(self._connection.execute(query, (json.dumps(list(shopper_keys)),)).fetchall())

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
