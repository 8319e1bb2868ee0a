"""Is each of Feast's silent failures caught, or impossible here?

The numbers are those of the list of traps that were reproduced before this service was written:
1. the file offline store drops training rows; DuckDB shuffles them and refuses nanoseconds
2. a table of several chunks loses all but the first on write
3. ttl holds in historical reads and not online
4. Redis shows unknown ids as present; it changes the feature list; columns come in its own order
5. SQLite lets older rows overwrite newer ones; Redis drops what is not newer; a push of some columns fails
6. a changed type is accepted silently
7. sqlite-vec works on Python 3.10 only
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from services.common.errors import Incompatible
from services.common.executor import BoundedExecutor
from services.feature.shoppers.acts import CLICK, ShopperEvent
from services.feature.shoppers.known import known_of
from services.feature.shoppers.serialization import loads
from services.feature.shoppers.updating import ProfileUpdater
from services.feature.storage.journal import Journal
from services.feature.storage.store import OFFER, PROFILE, Row, Store, is_fresh

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
_US = pa.timestamp("us", tz="UTC")


def offers(count: int, price: int = 5) -> pa.Table:
    return pa.table(
        {
            "item_id": [f"item-{place:04d}" for place in range(count)],
            "price_micros": pa.array([price + place for place in range(count)], pa.int64()),
            "stock": pa.array([3] * count, pa.int64()),
            "is_active": [True] * count,
            "changed_us": pa.array([1] * count, pa.int64()),
        }
    )


def click(number: int, second: int) -> ShopperEvent:
    time_us = round(NOW.timestamp() * 1e6) + second * 1_000_000
    return ShopperEvent(f"click-{number}", time_us, CLICK, "s", f"p{number}", "", "", "", "item", 0.0, number)


@pytest.fixture
def store(tmp_path: Path, open_store: Callable[..., Store]) -> Store:
    opened = open_store(tmp_path / "state")
    opened.apply()
    return opened


def test_1_historical_join_returns_every_row_in_order(store: Store) -> None:
    store.write_offline(OFFER, offers(200), NOW)
    count = 400
    ids = [f"item-{(7 * place) % 250:04d}" for place in range(count)]
    entities = pa.table(
        {
            "shopper": ["one shopper"] * count,
            "item_id": ids,
            # Nanoseconds, as pandas likes to write them.
            "event_timestamp": pa.array(np.full(count, NOW.timestamp() * 1e9, np.int64)).cast(
                pa.timestamp("ns", tz="UTC")
            ),
            "label": list(range(count)),
        }
    )
    joined = store.historical(entities, [f"{OFFER}:price_micros"])
    assert joined.num_rows == count
    assert joined.column("label").to_pylist() == list(range(count))
    want = [5 + int(item[5:]) if int(item[5:]) < 200 else None for item in ids]
    assert joined.column("price_micros").to_pylist() == want


def test_1_historical_join_sees_nothing_of_the_future(store: Store) -> None:
    store.write_offline(OFFER, offers(2), NOW)
    entities = pa.table(
        {
            "item_id": ["item-0001"] * 2,
            "event_timestamp": pa.array([NOW - timedelta(seconds=1), NOW + timedelta(days=1)], _US),
        }
    )
    assert store.historical(entities, [f"{OFFER}:price_micros"]).column("price_micros").to_pylist() == [
        None,
        6,
    ]


def test_1_the_offline_store_is_duckdb(store: Store) -> None:
    config = yaml.safe_load((store.state_path / "feature_store.yaml").read_text())
    assert config["offline_store"]["type"] == "duckdb"


def test_2_every_chunk_is_written(store: Store) -> None:
    whole = offers(30)
    chunks = pa.concat_tables([whole.slice(0, 10), whole.slice(10, 10), whole.slice(20, 10)])
    assert chunks.column("item_id").num_chunks == 3
    store.write_offline(OFFER, chunks, NOW)
    pulled = store.pull_latest(OFFER, NOW)
    assert pulled.num_rows == 30 and pulled.column("item_id").num_chunks == 1
    store.materialize(OFFER, pulled)
    found = store.read(OFFER, whole.column("item_id").to_pylist(), NOW)
    assert [row.values["price_micros"] for row in found if row] == list(range(5, 35))
    stamped = pa.concat_tables(
        part.append_column("event_timestamp", pa.array([NOW] * part.num_rows, _US))
        for part in (offers(10, 100).slice(0, 5), offers(10, 100).slice(5))
    )
    store.push_offers(stamped)
    pushed = store.read(OFFER, whole.column("item_id").to_pylist()[:10], NOW)
    assert [row.values["price_micros"] for row in pushed if row] == list(range(100, 110))


def test_3_one_rule_of_age_online_and_offline(tmp_path: Path, open_store: Callable[..., Store]) -> None:
    store = open_store(tmp_path / "state", profile_ttl=timedelta(days=10))
    store.apply()
    values = {"state": b"{}", "applied_event_ids": b""}
    store.write(PROFILE, [Row("shopper", NOW, values)])
    table = pa.table(
        {
            "shopper_key": ["shopper"],
            "state": pa.array([b"{}"]),
            "applied_event_ids": pa.array([b""]),
            "event_timestamp": pa.array([NOW], _US),
        }
    )
    store.write_offline(PROFILE, table)
    for days, is_there in ((9, True), (10, True), (11, False)):
        then = NOW + timedelta(days=days)
        assert (store.read(PROFILE, ["shopper"], then)[0] is not None) == is_there
        assert (store.pull_latest(PROFILE, then).num_rows == 1) == is_there
    assert store.read(PROFILE, ["shopper"])[0] is not None, "the writer reads rows of any age"
    assert is_fresh(np.array([0, 5, 9]), 10, 4).tolist() == [False, False, True]


def test_4_unknown_ids_are_absent_and_rows_keep_the_order_asked(store: Store) -> None:
    store.write_offline(OFFER, offers(3), NOW)
    store.materialize(OFFER, store.pull_latest(OFFER, NOW))
    found = store.read(OFFER, ["item-0002", "nobody", "item-0000", "item-0002"], NOW)
    assert [row and row.key for row in found] == ["item-0002", None, "item-0000", "item-0002"]
    assert [row and row.values["price_micros"] for row in found] == [7, None, 5, 7]


def test_one_value_is_what_feasts_own_read_gives(store: Store) -> None:
    long = b"{" + bytes(range(256)) * 40  # beyond a page of SQLite's
    values = {"state": long, "applied_event_ids": b"12345678"}
    store.write(PROFILE, [Row("shopper", NOW, values), Row("other", NOW, {**values, "state": b"{}"})])
    (row,) = store.read(PROFILE, ["shopper"], NOW)
    assert row is not None
    for name, value in row.values.items():
        assert store.read_value(PROFILE, "shopper", name, NOW) == value == values[name]
    assert store.read_value(PROFILE, "nobody", "state", NOW) is None
    age = store._views[PROFILE].ttl
    assert store.read_value(PROFILE, "shopper", "state", NOW + age) == long
    assert store.read_value(PROFILE, "shopper", "state", NOW + age + timedelta(seconds=1)) is None


def test_5_late_events_never_make_a_row_older(store: Store, tmp_path: Path) -> None:
    times = []

    async def send() -> None:
        writer = BoundedExecutor("writes", 1, 10)
        updater = ProfileUpdater(
            store, Journal(tmp_path / "journal"), writer, lambda _: None, 100, 10, known_of
        )
        for number, second in enumerate((100, 50, 100, 10)):
            await updater.update({"shopper": [click(number, second)]})
            (row,) = store.read(PROFILE, ["shopper"])
            assert row is not None
            times.append(loads(row.values["state"]).written_us)
        writer.close()

    asyncio.run(send())
    assert times == sorted(set(times)), "strictly increasing, so no store drops or reorders a write"
    (row,) = store.read(PROFILE, ["shopper"])
    assert row is not None and loads(row.values["state"]).click_count == 4


def test_5_sqlite_has_one_writer(settings: Any, running: Any) -> None:
    from services.common.errors import ConfigurationError

    async def twice() -> None:
        async with running(settings):
            with pytest.raises(ConfigurationError, match="another service runs on"):
                async with running(settings):
                    pass
        with pytest.raises(ConfigurationError, match="one writer"):
            async with running(settings.model_copy(update={"workers": 2})):
                pass

    asyncio.run(twice())


def test_5_whole_rows_are_pushed_or_none(store: Store) -> None:
    table = offers(1).append_column("event_timestamp", pa.array([NOW], _US))
    with pytest.raises(Incompatible, match="push of item_offer"):
        store.push_offers(table.drop_columns(["stock"]))


def test_6_types_are_checked_before_feast_sees_them(store: Store) -> None:
    wrong = offers(1).set_column(2, "stock", pa.array([3.0], pa.float32()))
    with pytest.raises(Incompatible, match=r"item_offer\.stock: got float, want int64"):
        store.write_offline(OFFER, wrong, NOW)
    with pytest.raises(Incompatible, match=r"item_offer\.stock: got absent"):
        store.write_offline(OFFER, wrong.drop_columns(["stock"]), NOW)


def test_6_a_changed_type_is_refused_when_it_is_registered(
    store: Store, tmp_path: Path, open_store: Callable[..., Store]
) -> None:
    again = open_store(tmp_path / "state")
    again.apply()
    (field,) = (one for one in again._views[OFFER].features if one.name == "stock")
    field.dtype = type(field.dtype)  # an object of another name is another type
    with pytest.raises(Incompatible, match=r"item_offer\.stock is registered as Int64"):
        again.apply()


def test_7_nothing_asks_for_sqlite_vec(store: Store) -> None:
    assert not store._config.online_store.vector_enabled
    assert "sqlite_vec" not in sys.modules


def test_feast_arrives_light_and_leaves_the_environment_clean() -> None:
    code = (
        "import os, sys; import services.feature.storage.store; import prometheus_client.values as values; "
        "print('torch' in sys.modules, [name for name in os.environ if 'PROMETHEUS' in name], "
        "values.ValueClass.__name__)"
    )
    assert _python(code) == "False [] MutexValue"


def test_feast_has_no_telemetry_to_switch_off() -> None:
    import importlib.util

    assert importlib.util.find_spec("feast.usage") is None
    assert importlib.util.find_spec("feast.telemetry") is None


def test_feast_is_imported_by_the_store_and_its_repository_alone() -> None:
    root = Path(__file__).parents[2] / "services"
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if any(
            line.lstrip().startswith(("import feast", "from feast")) for line in path.read_text().splitlines()
        )
    }
    store, repository = "feature/storage/store.py", "feature/storage/repo"
    assert {store, f"{repository}/definitions.py"} <= found
    assert {str(Path(name).parent) for name in found - {store}} == {repository}


def test_threads_read_over_connections_of_their_own(store: Store) -> None:
    store.write_offline(OFFER, offers(50), NOW)
    store.materialize(OFFER, store.pull_latest(OFFER, NOW))
    providers, wrong = [], []

    def read() -> None:
        for place in range(50):
            key = f"item-{place:04d}"
            (row,) = store.read(OFFER, [key], NOW)
            if row is None or row.values["price_micros"] != 5 + place:
                wrong.append(key)
        providers.append(store._reader())

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len({id(provider) for provider in providers}) == 4


def test_offline_files_are_replaced_whole(store: Store) -> None:
    path = store.write_offline(OFFER, offers(3), NOW)
    store.write_offline(OFFER, offers(5), NOW)
    assert pq.read_table(path).num_rows == 5
    assert [one.name for one in path.parent.iterdir()] == ["item_offer.parquet"]


def _python(code: str) -> str:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'protos'}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
