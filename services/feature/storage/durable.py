"""How is a SQLite file written that has no other source?"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from services.common.errors import ConfigurationError, NotReady


def connect(path: Path, tables: str) -> sqlite3.Connection:
    """Opens a file that several processes write, each commit of which waits for the disk.

    Args:
        tables: statements that make what is missing.

    Raises:
        ConfigurationError: naming the file, where it is damaged or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(tables)
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"STATE_PATH: {path}: {error}") from None
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits what is written within, all of it or nothing.

    Raises:
        NotReady: where the disk refuses, or others hold the file for seconds; nothing was written.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        path = Path(connection.execute("PRAGMA database_list").fetchone()[2])
        raise NotReady(f"{path.name} cannot be written: {error}") from error
    finally:
        # A commit that fails leaves the transaction open; SQLite ends others by itself, as on a full disk.
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
