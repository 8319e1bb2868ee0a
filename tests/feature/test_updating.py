"""Are acknowledged updates kept, counted once and committed together?"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from planogram.files.log import shopper_digest
from services.common.errors import Overloaded
from services.common.executor import BoundedExecutor
from services.feature.shoppers.acts import CLICK, ShopperEvent
from services.feature.shoppers.known import known_of
from services.feature.shoppers.profile import Profile
from services.feature.shoppers.serialization import loads
from services.feature.shoppers.updating import ProfileUpdater, profile_row
from services.feature.storage.forgetting import forget, forget_meanwhile
from services.feature.storage.journal import Journal
from services.feature.storage.store import PROFILE, Store

ROOT = Path(__file__).parents[2]


def click(name: str, second: int = 0) -> ShopperEvent:
    return ShopperEvent(name, 1_700_000_000_000_000 + second, CLICK, "s", "", "", "", "", "item", 0.0, second)


@pytest.fixture
def updater(settings: Any, open_store: Any) -> Any:
    store = open_store(settings.state_path)
    writer = BoundedExecutor("writes", 1, 16)
    yield ProfileUpdater(store, Journal(settings.state_path), writer, lambda _: None, 1_000, 100, known_of)
    writer.close()


async def test_calls_that_come_together_share_commits(updater: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    write = updater._store.write

    def counting(view: str, rows: Any) -> None:
        batches.append(len(rows))
        write(view, rows)

    monkeypatch.setattr(updater._store, "write", counting)
    calls = [updater.update({f"shopper-{n}": [click(f"c{n}")]}) for n in range(60)]
    counts = await asyncio.gather(*calls)
    assert all((count.applied, count.duplicate) == (1, 0) for count in counts)
    assert sum(batches) == 60 and len(batches) <= 3


async def test_concurrent_calls_for_one_shopper_lose_nothing(updater: Any) -> None:
    calls = [updater.update({"one": [click(f"c{n // 2}", n // 2)]}) for n in range(80)]
    counts = await asyncio.gather(*calls)
    assert sum(count.applied for count in counts) == 40
    assert sum(count.duplicate for count in counts) == 40
    (row,) = updater._store.read(PROFILE, ["one"])
    assert loads(row.values["state"]).click_count == 40


async def test_a_failed_commit_is_told_to_every_caller_and_can_be_sent_again(
    updater: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(updater._store, "write", fail)
        results = await asyncio.gather(
            *(updater.update({f"s{n}": [click(f"x{n}")]}) for n in range(3)), return_exceptions=True
        )
        assert [type(result) for result in results] == [OSError] * 3
    assert (await updater.update({"s0": [click("x0")]})).applied == 1


async def test_too_many_waiting_calls_are_refused(settings: Any, open_store: Any) -> None:
    writer = BoundedExecutor("writes", 1, 4)
    updater = ProfileUpdater(
        open_store(settings.state_path), Journal(settings.state_path), writer, lambda _: None, 10, 2, known_of
    )
    release = threading.Event()
    blocked = writer.submit(release.wait)
    waiting = [asyncio.create_task(updater.update({f"s{n}": [click(f"w{n}")]})) for n in range(3)]
    await asyncio.sleep(0.05)
    more = [asyncio.create_task(updater.update({f"t{n}": [click(f"v{n}")]})) for n in range(3)]
    await asyncio.sleep(0)
    release.set()
    results = await asyncio.gather(*waiting, *more, return_exceptions=True)
    await blocked
    refused = [result for result in results if isinstance(result, Overloaded)]
    assert refused and len(refused) < 6
    writer.close()


async def test_full_executor_refuses_and_recovers() -> None:
    executor = BoundedExecutor("few", 1, 1)
    release = threading.Event()
    running = [executor.submit(release.wait) for _ in range(2)]
    with pytest.raises(Overloaded, match="few: 2 jobs run or wait already"):
        executor.submit(release.wait)
    release.set()
    await asyncio.gather(*running)
    await asyncio.sleep(0)
    assert await executor.submit(int, "7") == 7
    executor.close()


@pytest.mark.slow
async def test_a_killed_process_keeps_what_it_acknowledged_and_counts_it_once(
    settings: Any, shop: Any, make_event: Callable[..., Any], tmp_path: Path
) -> None:
    """kill -9 in the middle of updates; then everything is sent again, as a relay would."""
    shoppers = [shop.pseudonyms.of("shopper", f"victim-{n}") for n in range(8)]
    start = datetime.now(UTC) - timedelta(hours=1)
    batches = [
        [
            make_event(
                "CLICK",
                start + timedelta(seconds=number),
                item_id="item-001",
                shopper_key=key,
                session_key="e" * 32,
                page_id=f"k-{number}",
            )
            for key in shoppers
        ]
        for number in range(300)
    ]
    acknowledged = 0
    process, port = await _start(settings, tmp_path / "first.log")
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = feature_pb2_grpc.FeatureServiceStub(channel)
            for batch in batches:
                if acknowledged == 40:
                    process.send_signal(signal.SIGKILL)
                try:
                    request = feature_pb2.UpdateProfilesRequest(events=batch)
                    answer = await stub.UpdateProfiles(request, timeout=5)
                except grpc.aio.AioRpcError:
                    break
                assert answer.applied_count == len(shoppers)
                acknowledged += 1
    finally:
        process.kill()
        process.wait()
    assert 40 <= acknowledged < len(batches)
    process, port = await _start(settings, tmp_path / "second.log")
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = feature_pb2_grpc.FeatureServiceStub(channel)
            applied = duplicate = 0
            for batch in batches:
                request = feature_pb2.UpdateProfilesRequest(events=batch)
                answer = await stub.UpdateProfiles(request, timeout=5)
                applied += answer.applied_count
                duplicate += answer.duplicate_count
            assert duplicate >= acknowledged * len(shoppers), "nothing acknowledged was lost"
            assert applied + duplicate == len(batches) * len(shoppers)
            answer = await stub.GetFeatures(
                feature_pb2.GetFeaturesRequest(
                    entity=feature_pb2.ENTITY_SHOPPER,
                    ids=[f"victim-{n}" for n in range(8)],
                    features=["click_count", "event_count"],
                )
            )
            for row in answer.rows:
                assert [value.integer for value in row.values] == [len(batches)] * 2, "and none counted twice"
    finally:
        process.terminate()
        assert process.wait(20) == 0


async def _start(settings: Any, log_path: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The service as a process of its own, once it is ready; and its port."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}",
        "PLANOGRAM_FEATURE_LISTEN": "127.0.0.1:0",
        "PLANOGRAM_FEATURE_STATE_PATH": str(settings.state_path),
        "PLANOGRAM_FEATURE_SHOPPER_KEY_PATH": str(settings.shopper_key_path),
        "PLANOGRAM_FEATURE_LOG_FORMAT": "json",
    }
    with log_path.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.feature"], env=environment, cwd=ROOT, stderr=file
        )
    for _ in range(600):
        await asyncio.sleep(0.1)
        for line in log_path.read_text().splitlines():
            if line.startswith("{") and json.loads(line)["event"] == "server_ready":
                return process, int(json.loads(line)["port"])
        assert process.poll() is None, log_path.read_text()
    raise AssertionError("the service was not ready within a minute")


def test_the_journal_holds_digests_of_who_was_forgotten_and_mends_earlier_ones(tmp_path: Path) -> None:
    key, other = "a1" * 16, "b2" * 16
    with sqlite3.connect(tmp_path / "journal.db") as earlier:
        earlier.execute("CREATE TABLE forgotten (shopper_key TEXT PRIMARY KEY, time_us INTEGER NOT NULL)")
        earlier.execute("INSERT INTO forgotten VALUES (?, 5)", (key,))
    earlier.close()
    journal = Journal(tmp_path)
    journal.forget(other, 7)
    assert journal.forgotten([key, other, "c3" * 16]) == {key: 5, other: 7}
    assert journal.tombstones() == {shopper_digest(key): 5, shopper_digest(other): 7}
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert shopper_digest(key).encode() in held
    assert key.encode() not in held and other.encode() not in held
    journal.close()


def test_who_is_forgotten_during_a_build_is_not_brought_back_by_it(
    tmp_path: Path, open_store: Callable[..., Store]
) -> None:
    store, journal = open_store(tmp_path), Journal(tmp_path)
    store.apply()
    names = {"gone": "a1" * 16, "stays": "b2" * 16}
    rows = [profile_row(key, Profile(updated_us=1_000_000), b"") for key in names.values()]
    table = pa.table(
        {
            "shopper_key": [row.key for row in rows],
            "state": [row.values["state"] for row in rows],
            "applied_event_ids": [b""] * 2,
            "event_timestamp": [row.time for row in rows],
        },
        schema=store.arrow_schema(PROFILE),
    )
    before = journal.tombstones()
    forget(store, journal, names["gone"], 2_000_000)
    store.write_offline(PROFILE, table)
    store.write(PROFILE, rows)
    forget_meanwhile(store, journal, list(names.values()), before, is_online=True)
    gone, stays = store.read(PROFILE, list(names.values()))
    assert gone is None and stays is not None
    offline = pq.read_table(store.offline_path / "shopper_profile.parquet")
    assert offline.column("shopper_key").to_pylist() == [names["stays"]]
    journal.close()
