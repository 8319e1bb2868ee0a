"""Do files that have no other source lose nothing, and stay usable whatever a write met?"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from services.common.errors import NotReady
from services.feature import durable
from services.feature.journal import Journal, Offer

TABLES = """
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS shelf (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS item (shelf TEXT REFERENCES shelf (name) DEFERRABLE INITIALLY DEFERRED);
"""


def test_a_write_that_fails_at_its_commit_leaves_nothing_and_stops_no_later_one(tmp_path: Path) -> None:
    connection = durable.connect(tmp_path / "new" / "shop.db", TABLES)
    with pytest.raises(sqlite3.IntegrityError), durable.transaction(connection):
        connection.execute("INSERT INTO item VALUES ('no such shelf')")
    with durable.transaction(connection):
        connection.execute("INSERT INTO shelf VALUES ('top')")
    assert connection.execute("SELECT count(*) FROM item").fetchone() == (0,)
    assert connection.execute("SELECT name FROM shelf").fetchall() == [("top",)]
    connection.close()


def test_a_write_that_sqlite_undid_tells_its_own_error(tmp_path: Path) -> None:
    connection = durable.connect(tmp_path / "shop.db", TABLES)
    with pytest.raises(ZeroDivisionError), durable.transaction(connection):
        connection.execute("ROLLBACK")
        raise ZeroDivisionError
    connection.close()


def test_a_journal_that_others_hold_asks_to_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal._connection.execute("PRAGMA busy_timeout = 10")
    with contextlib.closing(durable.connect(tmp_path / "journal.db", "")) as other:
        with durable.transaction(other):
            with pytest.raises(NotReady, match=r"journal\.db cannot be written: database is locked"):
                journal.push([Offer("kettle", 19_000_000, 3, True, 1)])
            with pytest.raises(NotReady, match=r"journal\.db cannot be written"):
                journal.forget("somebody", 1)
        journal.forget("somebody", 1)
        assert journal.forgotten(["somebody", "else"]) == {"somebody": 1} and journal.offers() == []
    journal.close()
