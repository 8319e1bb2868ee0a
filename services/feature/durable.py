"""How is a SQLite file written that has no other source?"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from services.common.errors import NotReady


def connect(path: Path, tables: str) -> sqlite3.Connection:
    """Opens a file that several processes write, each commit of which waits for the disk.

    Args:
        tables: statements that make what is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(tables)
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits what is written within, all of it or nothing.

    Raises:
        NotReady: where others hold the file for seconds; nothing was written.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        path = Path(connection.execute("PRAGMA database_list").fetchone()[2])
        raise NotReady(f"{path.name} cannot be written: {error}") from error
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite ends some transactions by itself, such as when the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
