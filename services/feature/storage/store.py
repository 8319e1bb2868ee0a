"""How are features kept in Feast, and read without its traps?

Speaks to Feast with the modules below repo/, and all others speak to this one. What Feast does silently is
made loud or impossible there and here: see the notes at each function, and tests/feature/test_feast_traps.py.
"""

from __future__ import annotations

import contextlib
import gc
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import prometheus_client  # noqa: F401 - before feast, which would switch it to multiprocess files
import pyarrow as pa
import redis

from services.common.errors import Incompatible, NotFound, NotReady
from services.feature.storage.locking import RedisLocks, WriterPlace
from services.feature.storage.lookup import Found
from services.feature.storage.repo.loading import light_import

with light_import():
    import pandas as pd
    from feast import FeatureStore, FeatureView
    from feast.infra.provider import Provider
    from feast.protos.feast.types.Value_pb2 import Value

    from services.feature.storage.repo.configuration import open_provider, write_configuration
    from services.feature.storage.repo.definitions import TIMESTAMP, Definitions, define
    from services.feature.storage.repo.offline import OfflineFiles, joined
    from services.feature.storage.repo.online import RedisRows, SqliteRows
    from services.feature.storage.repo.registry import register
    from services.feature.storage.repo.values import (
        arrow_schema_of,
        entity_key_of,
        join_key_of,
        makers_of,
        plain,
    )

PROFILE = "shopper_profile"
OFFER = "item_offer"
OFFER_PUSH = "item_offer_push"
ITEM_VIEWS = ("item_attributes", OFFER, "item_statistics", "item_companions")

_MATERIALIZE_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """One stored row of a feature view."""

    key: str
    time: datetime
    """The row's event timestamp: to the microsecond on Redis and in files, to the second on SQLite."""
    values: Mapping[str, Any]


class Store:
    """Feast's registry, offline files and online store below one folder.

    Reads may come from several threads, each of which gets a connection of its own; writes come from one.
    """

    def __init__(
        self,
        state_path: Path,
        redis_url: str,
        profile_ttl: timedelta,
        offline: Mapping[str, str] = MappingProxyType({"type": "duckdb"}),
    ) -> None:
        """
        Args:
            redis_url: empty for SQLite.
            offline: Feast's configuration of the offline store.
        """
        self.state_path = state_path.resolve()
        self.offline_path = self.state_path / "offline"
        self.is_redis = bool(redis_url)
        self.offline_path.mkdir(parents=True, exist_ok=True)
        self._definitions: Definitions = define(self.offline_path, profile_ttl)
        self._views = {view.name: view for view in self._definitions.views}
        self._config = write_configuration(self.state_path, redis_url, offline)
        self._files = OfflineFiles(self.offline_path)
        self._writer = self._provider()
        self._readers = threading.local()
        self._redis_rows = RedisRows(self._writer, self._config) if self.is_redis else None
        self._feast: FeatureStore | None = None
        self._writer_place = WriterPlace(self.state_path / "writer.lock")

    def close(self) -> None:
        """Lets go of the writer's place; connections end with their threads."""
        self._writer_place.leave()

    def apply(self) -> None:
        """Registers the definitions and makes the online store's tables.

        Raises:
            Incompatible: where a registered feature has another type.
        """
        register(self._feature_store(), self._definitions, self.state_path)

    def hold_writer_place(self) -> bool:
        """Takes the one writer's place of a SQLite store; false where another process holds it.

        Redis has a lock per shopper instead, and always answers true.
        """
        return self.is_redis or self._writer_place.take()

    def write_offline(self, view_name: str, table: pa.Table, time: datetime | None = None) -> Path:
        """Replaces the offline rows of a view, whole or not at all.

        Args:
            table: the entity key and every feature, in the declared types; the column event_timestamp,
                unless `time` gives one for all rows.

        Raises:
            Incompatible: for a missing column or another type, which Feast would take and garble.
        """
        return self._files.write(self._views[view_name], table, time)

    def pull_latest(self, view_name: str, now: datetime) -> pa.Table:
        """The latest row of each entity, through Feast's offline store, by entity key, stale ones left out.

        Returns:
            The columns of `arrow_schema`, in one chunk.
        """
        view = self._views[view_name]
        table = self._files.latest(view, self._writer, self._config).combine_chunks()
        fresh = is_fresh(table.column(TIMESTAMP).cast(pa.int64()).to_numpy(), _us(now), _us_of(view.ttl))
        return table.filter(pa.array(fresh)).sort_by(join_key_of(view)).combine_chunks()

    def materialize(self, view_name: str, table: pa.Table) -> int:
        """Writes offline rows into the online store; returns their number.

        In chunks, so that a server that writes to the same SQLite file waits for one chunk at most.
        """
        view = self._views[view_name]
        makers = makers_of(view)
        # Millions of short-lived messages: the collector would walk them again and again.
        with _without_collector():
            for start in range(0, table.num_rows, _MATERIALIZE_CHUNK):
                chunk = table.slice(start, _MATERIALIZE_CHUNK).combine_chunks()
                columns = [chunk.column(name).to_pylist() for name in makers]
                keys = chunk.column(join_key_of(view)).to_pylist()
                times = chunk.column(TIMESTAMP).to_pylist()
                rows = [
                    (
                        entity_key_of(view, key),
                        {
                            name: make(column[row])
                            for (name, make), column in zip(makers.items(), columns, strict=True)
                        },
                        times[row],
                        None,
                    )
                    for row, key in enumerate(keys)
                ]
                self._writer.online_write_batch(self._config, view, rows, None)
        return int(table.num_rows)

    def write(self, view_name: str, rows: Sequence[Row]) -> None:
        """Writes rows into the online store in one commit, from the writer's thread.

        Timestamps must increase strictly per entity: Redis drops a row that is not newer than the stored
        one, without an error.
        """
        view = self._views[view_name]
        makers = makers_of(view)
        batch = [
            (
                entity_key_of(view, row.key),
                {name: makers[name](value) for name, value in row.values.items()},
                row.time,
                None,
            )
            for row in rows
        ]
        with _answering():
            self._writer.online_write_batch(self._config, view, batch, None)

    def read(
        self,
        view_name: str,
        keys: Sequence[str],
        now: datetime | None = None,
        *,
        as_writer: bool = False,
    ) -> list[Row | None]:
        """Online rows in the order of the keys; None where nothing is stored or it is stale.

        Args:
            now: time at which the view's ttl is checked; None reads rows of any age.
            as_writer: on the writer's own connection and thread.
        """
        view = self._views[view_name]
        provider = self._writer if as_writer else self._reader()
        # A list of our own each time, because the Redis store appends to the one it is given.
        names = [feature.name for feature in view.features]
        entity_keys = [entity_key_of(view, key) for key in keys]
        with _answering():
            found = provider.online_read(self._config, view, entity_keys, names)
        rows: list[Row | None] = []
        for key, (stamp, values) in zip(keys, found, strict=True):
            row = None
            # Redis answers an unknown id with nulls and the year 1970, SQLite with None. By name, because
            # the order of columns is the store's own.
            if stamp is not None and values and any(value.WhichOneof("val") for value in values.values()):
                is_kept = now is None or bool(is_fresh(_us(stamp), _us(now), _us_of(view.ttl)))
                if is_kept:
                    row = Row(key, stamp, {name: plain(value) for name, value in values.items()})
            rows.append(row)
        return rows

    def read_value(self, view_name: str, key: str, feature: str, now: datetime) -> Any:
        """One feature of one entity as `read` gives it from SQLite, several times as fast; None without one.

        Args:
            now: time at which the view's ttl is checked.
        """
        view = self._views[view_name]
        lookup = self._sqlite_rows().lookup(view, feature)
        with _answering():
            found = lookup.find(key)
        return _fresh_value(found, view, now)

    async def fetch_value(self, view_name: str, key: str, feature: str, now: datetime) -> Any:
        """As `read_value`, from Redis, on the one event loop of this store."""
        view = self._views[view_name]
        lookup = await self._redis().lookup(view, feature)
        with _answering():
            found = await lookup.find(key)
        return _fresh_value(found, view, now)

    async def disconnect(self) -> None:
        """Lets go of the event loop's connections to Redis."""
        if self._redis_rows is not None:
            await self._redis_rows.disconnect()

    def push_offers(self, table: pa.Table) -> None:
        """Pushes whole rows of item_offer through Feast's push source, from the writer's thread.

        Raises:
            Incompatible: for a missing column; Feast's push of some columns fails half-way.
        """
        schema = self.arrow_schema(OFFER)
        if table.schema != schema:
            raise Incompatible(
                f"push of {OFFER}: got {table.schema.names}, want {schema.names} in their types"
            )
        frame: pd.DataFrame = table.combine_chunks().to_pandas()
        with _answering():
            self._feature_store().push(OFFER_PUSH, frame)

    def historical(self, entities: pa.Table, features: Sequence[str]) -> pa.Table:
        """Features as they were at each row's event_timestamp, in the order of the rows.

        Args:
            entities: entity keys and event_timestamp (UTC); other columns come back unchanged.
            features: names such as "item_statistics:click_rate".

        Raises:
            Incompatible: where Feast answers another number of rows than it was asked for.
        """
        return joined(self._feature_store(), entities, features)

    def delete(self, view_name: str, key: str, *, is_online: bool = True) -> bool:
        """Deletes an entity's rows offline and online, to the last byte; false where none was.

        From the writer's thread. Feast has no such call, so this speaks to the store below it.

        Args:
            is_online: false leaves the online store alone.
        """
        view = self._views[view_name]
        was_offline = self._files.delete(view, key)
        if not is_online:
            return was_offline
        rows = self._redis_rows or SqliteRows(self._writer, self._config)
        with _answering():
            return rows.delete(view, key) or was_offline

    @contextlib.contextmanager
    def locked(self, keys: Sequence[str]) -> Iterator[None]:
        """Keeps other processes from writing these shoppers; on SQLite there is no other writer.

        Raises:
            Overloaded: where another process holds one of them for seconds.
        """
        if not self.is_redis:
            yield
            return
        names = [f"{self._config.project}:lock:{key}" for key in sorted(set(keys))]
        locks = RedisLocks(self._redis().client, names)
        try:
            with _answering():
                locks.take()
            yield
        finally:
            locks.release()

    def arrow_schema(self, view_name: str) -> pa.Schema:
        """The entity key, the features and event_timestamp of a view, as offline files hold them."""
        return arrow_schema_of(self._views[view_name])

    def _feature_store(self) -> FeatureStore:
        if self._feast is None:
            self._feast = FeatureStore(config=self._config)
        return self._feast

    def _provider(self) -> Provider:
        return open_provider(self._config)

    def _reader(self) -> Provider:
        provider = getattr(self._readers, "provider", None)
        if provider is None:
            provider = self._readers.provider = self._provider()
        return provider

    def _sqlite_rows(self) -> SqliteRows:
        """Of this thread, on its own connection."""
        rows: SqliteRows | None = getattr(self._readers, "rows", None)
        if rows is None:
            rows = self._readers.rows = SqliteRows(self._reader(), self._config)
        return rows

    def _redis(self) -> RedisRows:
        assert self._redis_rows is not None
        return self._redis_rows


def is_fresh(stamp_us: Any, now_us: int, ttl_us: int) -> Any:
    """Whether rows of a time are still good at `now`: the one ttl rule, online and offline.

    Feast applies a view's ttl in historical reads and forgets it online.

    Args:
        stamp_us: microseconds since 1970, one or an array.
    """
    return now_us - stamp_us <= ttl_us


def require_items(store: Store) -> None:
    """
    Raises:
        NotFound: where the pipeline has not filled the offline store yet.
    """
    for view_name in ITEM_VIEWS:
        if not (store.offline_path / f"{view_name}.parquet").is_file():
            raise NotFound(f"{store.offline_path}: no {view_name}.parquet: run `planogram build-features`")


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Turns a store that cannot be reached or is locked into an error that asks to come back."""
    try:
        yield
    except _UNREACHABLE as error:
        raise NotReady(f"the online store does not answer: {type(error).__name__}: {error}") from error


_UNREACHABLE = (redis.ConnectionError, redis.TimeoutError, sqlite3.OperationalError)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _fresh_value(found: Found | None, view: FeatureView, now: datetime) -> Any:
    if found is None or not is_fresh(_us(found[1]), _us(now), _us_of(view.ttl)):
        return None
    return plain(Value.FromString(found[0]))


def _us(time_: datetime) -> int:
    return round(time_.timestamp() * 1e6)


def _us_of(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
