"""Do deleted rows leave a SQLite file for good?"""

from __future__ import annotations

import hashlib
import random
import sqlite3

import pytest

from services.common.erasure import erase, overwrite_freed_space
from services.common.errors import NotReady


def filled(path):
    """Rows under 60 names, with an index over them and one over random ids, so that pages split."""
    db = sqlite3.connect(path, isolation_level=None, timeout=0)
    db.execute("PRAGMA journal_mode = WAL")
    overwrite_freed_space(db)
    db.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, name TEXT, payload BLOB) WITHOUT ROWID")
    db.execute("CREATE INDEX by_name ON rows (name)")
    generator = random.Random(0)
    names = [hashlib.sha256(bytes([number])).hexdigest() for number in range(60)]
    rows = [(generator.randbytes(8).hex(), generator.choice(names), b"x" * 200) for _ in range(3_000)]
    db.execute("BEGIN")
    db.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
    db.execute("COMMIT")
    return db, names


def delete(db, name, mode="ON"):
    db.execute(f"PRAGMA secure_delete = {mode}")
    db.execute("DELETE FROM rows WHERE name = ?", (name,))


def bytes_of(path):
    return b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))


def test_what_was_deleted_is_gone_from_file_and_wal_and_the_rest_is_there(tmp_path):
    path = tmp_path / "a.sqlite"
    db, names = filled(path)
    for name in names[:5]:
        delete(db, name)
        erase(db, path, [name])
        assert name.encode() not in bytes_of(path)
    assert all(name.encode() in bytes_of(path) for name in names[5:])
    assert db.execute("SELECT count(DISTINCT name) FROM rows").fetchone() == (55,)


def test_copies_that_stayed_in_free_space_go_as_well(tmp_path):
    path = tmp_path / "a.sqlite"
    db, names = filled(path)
    delete(db, names[0], "OFF")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert names[0].encode() in bytes_of(path)
    assert erase(db, path, [names[0]])
    assert names[0].encode() not in bytes_of(path)
    assert not erase(db, path, [names[0]]), "nothing is left to do"


def test_a_reader_that_holds_the_wal_is_told_of(tmp_path):
    path = tmp_path / "a.sqlite"
    db, names = filled(path)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM rows").fetchone()
    delete(db, names[0])
    with pytest.raises(NotReady, match="others still read"):
        erase(db, path, [names[0]])
    reader.close()
    erase(db, path, [names[0]])
    assert names[0].encode() not in bytes_of(path)
