"""Do files that have no other source lose nothing, and stay usable whatever a write met?"""

from __future__ import annotations

import contextlib
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from planogram.feature.v1 import feature_pb2
from services.common.errors import ConfigurationError, NotReady
from services.feature.reviews.ledger import Judged, ReviewLedger
from services.feature.storage import durable
from services.feature.storage.journal import Journal, Offer
from services.feature.storage.repo.configuration import write_configuration

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


def fill(connection: sqlite3.Connection) -> None:
    """Leaves the file no room, as a full disk does."""
    (count,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {count}")


def make_room(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize(("kind", "name"), [(Journal, "journal.db"), (ReviewLedger, "reviews.db")])
@pytest.mark.parametrize("damage", ["cut", "junk", "folder"])
def test_a_start_on_a_damaged_file_names_it(tmp_path: Path, kind: Any, name: str, damage: str) -> None:
    path = tmp_path / name
    kind(tmp_path).close()
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(content[: len(content) // 2 + 7] if damage == "cut" else b"junk" * 3000)
    with pytest.raises(ConfigurationError, match=f"STATE_PATH: .*{name}: "):
        kind(tmp_path)


def test_journal_and_ledger_say_that_the_disk_refused_and_go_on(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path), ReviewLedger(tmp_path)
    offers = [Offer(f"item-{place}" + 100 * "x", 1, 1, True, 1) for place in range(1_000)]
    reviews = [Judged(f"event-{place}", f"item-{place}" + 100 * "x", 1, True) for place in range(1_000)]
    for connection in (journal._connection, ledger._connection):
        fill(connection)
    with pytest.raises(NotReady, match=r"journal\.db cannot be written"):
        journal.push(offers)
    with pytest.raises(NotReady, match=r"reviews\.db cannot be written"):
        ledger.count(reviews, lambda item_id: "c", 1e6, 1)
    for connection in (journal._connection, ledger._connection):
        make_room(connection)
    assert journal.offers() == [] and journal.push(offers) == 1
    assert ledger.count(reviews, lambda item_id: "c", 1e6, 1).fresh_count == 1_000
    journal.close()
    ledger.close()


async def test_items_that_a_full_disk_refused_are_pushed_again_later(service: Any) -> None:
    journal = service.servicer._items._journal
    change = feature_pb2.ItemUpdate(item_id="item-001", stock=7)
    journal._connection.execute("PRAGMA query_only = ON")  # as of a file system that was mounted read-only
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await service.stub.UpdateItems(feature_pb2.UpdateItemsRequest(items=[change]))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "journal.db cannot be written" in str(refused.value.details())
    journal._connection.execute("PRAGMA query_only = OFF")
    answer = await service.stub.UpdateItems(feature_pb2.UpdateItemsRequest(items=[change]))
    assert answer.applied_count == 1


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """Lets this process write to no file, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_start_on_a_full_disk_keeps_the_configuration_that_is_there(tmp_path: Path) -> None:
    write_configuration(tmp_path, "", {"type": "duckdb"})
    before = (tmp_path / "feature_store.yaml").read_bytes()
    with no_room():
        write_configuration(tmp_path, "", {"type": "duckdb"})
        with pytest.raises(ConfigurationError, match=r"STATE_PATH: .*feature_store\.yaml: "):
            write_configuration(tmp_path, "", {"type": "dask"})
    assert [path.name for path in tmp_path.iterdir()] == ["feature_store.yaml"]
    assert (tmp_path / "feature_store.yaml").read_bytes() == before
    write_configuration(tmp_path, "", {"type": "dask"})
    assert b"dask" in (tmp_path / "feature_store.yaml").read_bytes()


async def test_profiles_that_a_full_disk_refused_are_written_later_and_none_is_lost(
    settings: Any, running: Any, make_event: Any, shop: Any
) -> None:
    def update(number: int) -> feature_pb2.UpdateProfilesRequest:
        event = make_event(
            "CLICK",
            shop.now,
            event_id=f"full-{number}",
            shopper_key=shop.pseudonyms.of("shopper", f"newcomer-{number}"),
            session_key=shop.pseudonyms.of("session", "visit"),
            item_id=f"item-{number:03d}",
        )
        return feature_pb2.UpdateProfilesRequest(events=[event])

    updates = [update(number) for number in range(120)]
    async with running(settings) as service:
        connection = service.servicer._updater._store._writer.online_store._conn
        for place, one in enumerate(updates[:20]):
            assert (await service.stub.UpdateProfiles(one)).applied_count == 1, place
        fill(connection)
        refused = []
        for place, one in enumerate(updates[20:], 20):
            try:
                await service.stub.UpdateProfiles(one)
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE and "full" in str(error.details())
                refused.append(place)
        assert refused
        asked = feature_pb2.GetProfileRequest(user_id="newcomer-3")
        assert (await service.stub.GetProfile(asked)).lines  # reading needs no room
        make_room(connection)
        for place in refused:
            assert (await service.stub.UpdateProfiles(updates[place])).applied_count == 1
    async with running(settings) as service:
        for one in updates:
            assert (await service.stub.UpdateProfiles(one)).duplicate_count == 1
