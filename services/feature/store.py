"""How are features kept in Feast, and read without its traps?

The one module that imports feast (with repo/definitions.py, which holds Feast's own objects). What Feast
does silently is made loud or impossible here: see the notes at each function, and
tests/feature/test_feast_traps.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import sqlite3
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import prometheus_client  # noqa: F401 - before feast, which would switch it to multiprocess files
import pyarrow as pa
import pyarrow.parquet as pq
import redis

from services.common import erasure
from services.common.errors import Incompatible, NotFound, NotReady, Overloaded
from services.feature.lookup import Found, Places, RedisLookup, SqliteLookup


@contextlib.contextmanager
def _light_import() -> Iterator[None]:
    """Imports feast without torch, and leaves no variable behind that child processes would inherit.

    Feast imports torch for image features wherever it is installed, which costs seconds and a quarter of
    a gigabyte, and it points prometheus_client of every child at a folder of its own.
    """
    names = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR")
    before = {name: os.environ[name] for name in names if name in os.environ}
    hide = "torch" not in sys.modules
    if hide:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hide:
            del sys.modules["torch"]
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)


with _light_import():
    import pandas as pd
    from feast import FeatureStore, FeatureView
    from feast.errors import FeatureViewNotFoundException
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.infra.online_stores.helpers import _redis_key, compute_table_id
    from feast.infra.provider import Provider, get_provider
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import FloatList, StringList
    from feast.protos.feast.types.Value_pb2 import Value as ValueProto
    from feast.repo_config import RepoConfig, load_repo_config

    from services.feature.repo.definitions import ITEM_KEY, SHOPPER_KEY, TIMESTAMP, Definitions, define

PROJECT = "planogram"
PROFILE = "shopper_profile"
OFFER = "item_offer"
OFFER_PUSH = "item_offer_push"
ITEM_VIEWS = ("item_attributes", OFFER, "item_statistics", "item_companions")

_US = pa.timestamp("us", tz="UTC")
_ARROW_TYPES = {
    "String": pa.string(),
    "Int64": pa.int64(),
    "Float32": pa.float32(),
    "Bool": pa.bool_(),
    "Bytes": pa.binary(),
    "Array(Float32)": pa.list_(pa.float32()),
    "Array(String)": pa.list_(pa.string()),
}
_VALUES: Mapping[str, Callable[[Any], ValueProto]] = {
    "String": lambda value: ValueProto(string_val=value),
    "Int64": lambda value: ValueProto(int64_val=value),
    "Float32": lambda value: ValueProto(float_val=value),
    "Bool": lambda value: ValueProto(bool_val=value),
    "Bytes": lambda value: ValueProto(bytes_val=value),
    "Array(Float32)": lambda value: ValueProto(float_list_val=FloatList(val=value)),
    "Array(String)": lambda value: ValueProto(string_list_val=StringList(val=value)),
}
_MATERIALIZE_CHUNK = 1_000
_LOCK_MS = 5_000
_LOCK_WAIT_S = 2.0
_UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


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
        self._config_path = self.state_path / "feature_store.yaml"
        self._config = self._write_config(redis_url, offline)
        self._writer = self._provider()
        self._readers = threading.local()
        self._redis_lookups: dict[tuple[str, str], RedisLookup] = {}
        self._feast: FeatureStore | None = None
        self._lock_file: IO[str] | None = None

    def close(self) -> None:
        """Lets go of the writer's place; connections end with their threads."""
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def apply(self) -> None:
        """Registers the definitions and makes the online store's tables.

        Raises:
            Incompatible: where a registered feature has another type; Feast itself would accept the new
                type silently and fail on rows that are stored already.
        """
        feast = self._feature_store()
        for view in self._definitions.views:
            try:
                registered = feast.get_feature_view(view.name)
            except FeatureViewNotFoundException:
                continue
            types = {field.name: str(field.dtype) for field in registered.features}
            for field in view.features:
                found = types.get(field.name, str(field.dtype))
                if found != str(field.dtype):
                    raise Incompatible(
                        f"{self.state_path}: feature {view.name}.{field.name} is registered as {found} and "
                        f"defined as {field.dtype}: give the feature a new name, or delete {self.state_path}"
                    )
        definitions = self._definitions
        feast.apply([*definitions.entities, *definitions.pushes, *definitions.views, *definitions.services])

    def hold_writer_place(self) -> bool:
        """Takes the one writer's place of a SQLite store; false where another process holds it.

        SQLite lets an older row overwrite a newer one, so profiles have one writer. Redis has a lock per
        shopper instead, and always answers true.
        """
        if self.is_redis or self._lock_file is not None:
            return True
        file = (self.state_path / "writer.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._lock_file = file
        return True

    def write_offline(self, view_name: str, table: pa.Table, time: datetime | None = None) -> Path:
        """Replaces the offline rows of a view, whole or not at all.

        Args:
            table: the entity key and every feature, in the declared types; the column event_timestamp,
                unless `time` gives one for all rows.

        Raises:
            Incompatible: for a missing column or another type, which Feast would take and garble.
        """
        if time is not None:
            stamps = pa.array([time] * table.num_rows, _US)
            table = table.append_column(TIMESTAMP, stamps)
        schema = self.arrow_schema(view_name)
        for field in schema:
            found = table.schema.field(field.name).type if field.name in table.schema.names else "absent"
            if found != field.type:
                raise Incompatible(f"{view_name}.{field.name}: got {found}, want {field.type}")
        path = self._offline_file(view_name)
        staging = path.with_name(f".{path.name}.{os.getpid()}")
        # One chunk: Feast loses all but the first chunk of a table that it writes.
        pq.write_table(table.select(schema.names).combine_chunks(), staging)
        return staging.replace(path)

    def pull_latest(self, view_name: str, now: datetime) -> pa.Table:
        """The latest row of each entity, through Feast's offline store, by entity key, stale ones left out.

        Returns:
            The columns of `arrow_schema`, in one chunk.
        """
        view = self._views[view_name]
        schema = self.arrow_schema(view_name)
        path = self._offline_file(view_name)
        # Ray's offline store fails on a file without rows: its first block knows no columns.
        if not path.is_file() or not pq.read_metadata(path).num_rows:
            return schema.empty_table()
        key = _join_key(view)
        with _quiet_ibis():
            job = self._writer.offline_store.pull_latest_from_table_or_query(
                config=self._config,
                data_source=view.batch_source,
                join_key_columns=[key],
                feature_name_columns=[feature.name for feature in view.features],
                timestamp_field=TIMESTAMP,
                created_timestamp_column=None,
                start_date=datetime(1970, 1, 2, tzinfo=UTC),
                end_date=datetime(2200, 1, 1, tzinfo=UTC),
            )
            table = job.to_arrow()
        # Feast hands timestamps back without a zone; they are UTC.
        columns = [table.column(field.name).cast(field.type) for field in schema]
        table = pa.Table.from_arrays(columns, schema=schema).combine_chunks()
        fresh = is_fresh(table.column(TIMESTAMP).cast(pa.int64()).to_numpy(), _us(now), _us_of(view.ttl))
        return table.filter(pa.array(fresh)).sort_by(key).combine_chunks()

    def materialize(self, view_name: str, table: pa.Table) -> int:
        """Writes offline rows into the online store; returns their number.

        In chunks, so that a server that writes to the same SQLite file waits for one chunk at most.
        """
        view = self._views[view_name]
        names = [feature.name for feature in view.features]
        convert = [_VALUES[str(feature.dtype)] for feature in view.features]
        # Millions of short-lived messages: the collector would walk them again and again.
        with _without_collector():
            for start in range(0, table.num_rows, _MATERIALIZE_CHUNK):
                chunk = table.slice(start, _MATERIALIZE_CHUNK).combine_chunks()
                columns = [chunk.column(name).to_pylist() for name in names]
                keys = chunk.column(_join_key(view)).to_pylist()
                times = chunk.column(TIMESTAMP).to_pylist()
                rows = [
                    (
                        self._entity_key(view, key),
                        {
                            name: make(column[row])
                            for name, make, column in zip(names, convert, columns, strict=True)
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
        types = {feature.name: str(feature.dtype) for feature in view.features}
        batch = [
            (
                self._entity_key(view, row.key),
                {name: _VALUES[types[name]](value) for name, value in row.values.items()},
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
        entity_keys = [self._entity_key(view, key) for key in keys]
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
                    row = Row(key, stamp, {name: _plain(value) for name, value in values.items()})
            rows.append(row)
        return rows

    def read_value(self, view_name: str, key: str, feature: str, now: datetime) -> Any:
        """One feature of one entity as `read` gives it from SQLite, several times as fast; None without one.

        Args:
            now: time at which the view's ttl is checked.
        """
        view = self._views[view_name]
        lookup = self._lookup(view, feature)
        with _answering():
            found = lookup.find(key)
        return _fresh_value(found, view, now)

    async def fetch_value(self, view_name: str, key: str, feature: str, now: datetime) -> Any:
        """As `read_value`, from Redis, on the one event loop of this store."""
        view = self._views[view_name]
        lookup = await self._redis_lookup(view, feature)
        with _answering():
            found = await lookup.find(key)
        return _fresh_value(found, view, now)

    async def disconnect(self) -> None:
        """Lets go of the event loop's connections to Redis."""
        client = self._reader().online_store._client_async if self.is_redis else None
        if client is not None:
            await client.aclose()

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
        row_id = "__row"
        table = entities.set_column(
            entities.schema.get_field_index(TIMESTAMP), TIMESTAMP, entities.column(TIMESTAMP).cast(_US)
        ).append_column(row_id, pa.array(range(entities.num_rows), pa.int64()))
        # pandas keeps microseconds here; DuckDB refuses nanoseconds.
        frame = table.to_pandas(timestamp_as_object=False)
        frame[TIMESTAMP] = frame[TIMESTAMP].astype("datetime64[us, UTC]")
        with _quiet_ibis():
            job = self._feature_store().get_historical_features(frame, list(features))
            answer = job.to_arrow().combine_chunks()
        if sorted(answer.column(row_id).to_pylist()) != list(range(entities.num_rows)):
            raise Incompatible(f"historical join: {entities.num_rows} rows in, {answer.num_rows} rows out")
        return answer.sort_by(row_id).drop_columns([row_id]).combine_chunks()

    def delete(self, view_name: str, key: str, *, is_online: bool = True) -> bool:
        """Deletes an entity's rows offline and online, to the last byte; false where none was.

        From the writer's thread. Feast has no such call, so this speaks to the store below it.

        Args:
            is_online: false leaves the online store alone.
        """
        view = self._views[view_name]
        was_offline = self._delete_offline(view, key)
        if not is_online:
            return was_offline
        with _answering():
            return self._delete_online(view, key) or was_offline

    @contextlib.contextmanager
    def locked(self, keys: Sequence[str]) -> Iterator[None]:
        """Keeps other processes from writing these shoppers; on SQLite there is no other writer.

        Raises:
            Overloaded: where another process holds one of them for seconds.
        """
        if not self.is_redis:
            yield
            return
        client = self._redis()
        token = uuid.uuid4().hex
        names = [f"{PROJECT}:lock:{key}" for key in sorted(set(keys))]
        held: list[str] = []
        try:
            with _answering():
                self._take_locks(client, token, names, held)
            yield
        finally:
            if held:
                with client.pipeline(transaction=False) as pipe:
                    for name in held:
                        pipe.eval(_UNLOCK, 1, name, token)
                    pipe.execute()

    def arrow_schema(self, view_name: str) -> pa.Schema:
        """The entity key, the features and event_timestamp of a view, as offline files hold them."""
        view = self._views[view_name]
        fields = [(_join_key(view), pa.string())]
        fields += [(feature.name, _ARROW_TYPES[str(feature.dtype)]) for feature in view.features]
        return pa.schema([*fields, (TIMESTAMP, _US)])

    def _write_config(self, redis_url: str, offline: Mapping[str, str]) -> RepoConfig:
        online = (
            f"{{type: redis, connection_string: {redis_url!r}}}"
            if redis_url
            else f"{{type: sqlite, path: {str(self.state_path / 'online.db')!r}}}"
        )
        text = (
            "# Written by the feature service; `feast -c <this folder> ui` reads it.\n"
            f"project: {PROJECT}\n"
            "provider: local\n"
            f"registry: {{path: {str(self.state_path / 'registry.db')!r}, cache_ttl_seconds: 0}}\n"
            f"online_store: {online}\n"
            f"offline_store: {json.dumps(dict(offline))}\n"
            "entity_key_serialization_version: 3\n"
        )
        staging = self._config_path.with_name(f".{self._config_path.name}.{os.getpid()}")
        staging.write_text(text)
        staging.replace(self._config_path)
        return load_repo_config(self.state_path, self._config_path)

    def _feature_store(self) -> FeatureStore:
        if self._feast is None:
            self._feast = FeatureStore(config=self._config)
        return self._feast

    def _provider(self) -> Provider:
        provider = get_provider(self._config)
        if not self.is_redis:
            # The event log is the durable source, so a commit need not wait for the disk: a killed process
            # loses nothing, and a power cut only what the log still has.
            connection = provider.online_store._get_conn(self._config)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA busy_timeout=10000")
            erasure.overwrite_freed_space(connection)
        return provider

    def _reader(self) -> Provider:
        provider = getattr(self._readers, "provider", None)
        if provider is None:
            provider = self._readers.provider = self._provider()
        return provider

    def _lookup(self, view: FeatureView, feature: str) -> SqliteLookup:
        """Of this thread, on its own connection."""
        lookups: dict[tuple[str, str], SqliteLookup] | None = getattr(self._readers, "lookups", None)
        if lookups is None:
            lookups = self._readers.lookups = {}
        if (view.name, feature) not in lookups:
            connection = self._reader().online_store._get_conn(self._config)
            lookups[view.name, feature] = SqliteLookup(
                connection, self._table(view), feature, self._places(view)
            )
        return lookups[view.name, feature]

    async def _redis_lookup(self, view: FeatureView, feature: str) -> RedisLookup:
        if (view.name, feature) not in self._redis_lookups:
            online = self._reader().online_store
            self._redis_lookups[view.name, feature] = RedisLookup(
                await online._get_client_async(self._config.online_store),
                online._generate_hset_keys_for_features(view, [feature])[1],
                self._places(view),
            )
        return self._redis_lookups[view.name, feature]

    def _places(self, view: FeatureView) -> Places:
        return Places(partial(self._online_key, view))

    def _online_key(self, view: FeatureView, key: str) -> bytes:
        """Where an entity's row is in the online store."""
        entity_key, version = self._entity_key(view, key), self._config.entity_key_serialization_version
        if self.is_redis:
            return bytes(_redis_key(PROJECT, entity_key, entity_key_serialization_version=version))
        return bytes(serialize_entity_key(entity_key, entity_key_serialization_version=version))

    def _table(self, view: FeatureView) -> str:
        is_versioned = self._config.registry.enable_online_feature_view_versioning
        return str(compute_table_id(PROJECT, view, is_versioned))

    def _entity_key(self, view: FeatureView, key: str) -> EntityKey:
        return EntityKey(join_keys=[_join_key(view)], entity_values=[ValueProto(string_val=key)])

    def _offline_file(self, view_name: str) -> Path:
        return self.offline_path / f"{view_name}.parquet"

    def _delete_online(self, view: FeatureView, key: str) -> bool:
        place = self._online_key(view, key)
        if self.is_redis:
            return bool(self._redis().delete(place))
        connection = self._writer.online_store._get_conn(self._config)
        connection.execute("PRAGMA secure_delete = ON")
        with connection:
            # The name comes from the definitions above, never from a caller.
            cursor = connection.execute(f'DELETE FROM "{self._table(view)}" WHERE entity_key = ?', (place,))  # noqa: S608
        erasure.overwrite_freed_space(connection)
        erasure.erase(connection, self.state_path / "online.db", [key])
        return bool(cursor.rowcount)

    def _delete_offline(self, view: FeatureView, key: str) -> bool:
        path = self._offline_file(view.name)
        if not path.is_file():
            return False
        table = pq.read_table(path)
        kept = table.filter(pa.compute.not_equal(table.column(_join_key(view)), key))
        if kept.num_rows == table.num_rows:
            return False
        self.write_offline(view.name, kept)
        return True

    def _redis(self) -> Any:
        return self._writer.online_store._get_client(self._config.online_store)

    def _take_locks(self, client: Any, token: str, names: Sequence[str], held: list[str]) -> None:
        give_up = time.monotonic() + _LOCK_WAIT_S
        missing = list(names)
        while missing:
            with client.pipeline(transaction=False) as pipe:
                for name in missing:
                    pipe.set(name, token, nx=True, px=_LOCK_MS)
                taken = pipe.execute()
            held += [name for name, is_taken in zip(missing, taken, strict=True) if is_taken]
            missing = [name for name, is_taken in zip(missing, taken, strict=True) if not is_taken]
            if missing:
                if time.monotonic() > give_up:
                    raise Overloaded(f"{len(missing)} profiles are locked by another process; retry later")
                time.sleep(0.002)


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
        raise _not_ready(error) from error


_UNREACHABLE = (redis.ConnectionError, redis.TimeoutError, sqlite3.OperationalError)


def _not_ready(error: Exception) -> NotReady:
    return NotReady(f"the online store does not answer: {type(error).__name__}: {error}")


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _quiet_ibis() -> Iterator[None]:
    with warnings.catch_warnings():
        # ibis 12 calls a method that duckdb 1.5 renamed.
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
        yield


def _join_key(view: FeatureView) -> str:
    return SHOPPER_KEY if view.name == PROFILE else ITEM_KEY


def _fresh_value(found: Found | None, view: FeatureView, now: datetime) -> Any:
    if found is None or not is_fresh(_us(found[1]), _us(now), _us_of(view.ttl)):
        return None
    return _plain(ValueProto.FromString(found[0]))


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("val")
    if kind is None:
        return None
    found = getattr(value, kind)
    return list(found.val) if kind.endswith("_list_val") else found


def _us(time_: datetime) -> int:
    return round(time_.timestamp() * 1e6)


def _us_of(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
