"""How are the files of features written, read and joined as they were?"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureStore, FeatureView
from feast.infra.provider import Provider
from feast.repo_config import RepoConfig

from services.common.errors import Incompatible
from services.feature.storage.repo.definitions import TIMESTAMP
from services.feature.storage.repo.values import TIME, arrow_schema_of, join_key_of


class OfflineFiles:
    """One Parquet file for each view, in the folder that the definitions name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, view: FeatureView, table: pa.Table, time: datetime | None = None) -> Path:
        """Replaces the rows of a view, whole or not at all.

        Args:
            table: the columns of `arrow_schema_of`; event_timestamp may be left to `time`.

        Raises:
            Incompatible: for a missing column or another type, which Feast would take and garble.
        """
        if time is not None:
            table = table.append_column(TIMESTAMP, pa.array([time] * table.num_rows, TIME))
        schema = arrow_schema_of(view)
        for field in schema:
            found = table.schema.field(field.name).type if field.name in table.schema.names else "absent"
            if found != field.type:
                raise Incompatible(f"{view.name}.{field.name}: got {found}, want {field.type}")
        path = self._path(view)
        staging = path.with_name(f".{path.name}.{os.getpid()}")
        # One chunk: Feast loses all but the first chunk of a table that it writes.
        pq.write_table(table.select(schema.names).combine_chunks(), staging)
        return staging.replace(path)

    def latest(self, view: FeatureView, provider: Provider, config: RepoConfig) -> pa.Table:
        """The latest row of each entity, of any age, through Feast's offline store.

        Returns:
            The columns of `arrow_schema_of`.
        """
        schema = arrow_schema_of(view)
        path = self._path(view)
        # Ray's offline store fails on a file without rows: its first block knows no columns.
        if not path.is_file() or not pq.read_metadata(path).num_rows:
            return schema.empty_table()
        with _quiet_ibis():
            job = provider.offline_store.pull_latest_from_table_or_query(
                config=config,
                data_source=view.batch_source,
                join_key_columns=[join_key_of(view)],
                feature_name_columns=[feature.name for feature in view.features],
                timestamp_field=TIMESTAMP,
                created_timestamp_column=None,
                start_date=datetime(1970, 1, 2, tzinfo=UTC),
                end_date=datetime(2200, 1, 1, tzinfo=UTC),
            )
            table = job.to_arrow()
        # Feast hands timestamps back without a zone; they are UTC.
        columns = [table.column(field.name).cast(field.type) for field in schema]
        return pa.Table.from_arrays(columns, schema=schema)

    def delete(self, view: FeatureView, key: str) -> bool:
        """Deletes an entity's rows; false where none was."""
        path = self._path(view)
        if not path.is_file():
            return False
        table = pq.read_table(path)
        kept = table.filter(pa.compute.not_equal(table.column(join_key_of(view)), key))
        if kept.num_rows == table.num_rows:
            return False
        self.write(view, kept)
        return True

    def _path(self, view: FeatureView) -> Path:
        return self._folder / f"{view.name}.parquet"


def joined(feast: FeatureStore, entities: pa.Table, features: Sequence[str]) -> pa.Table:
    """Features as they were at each row's event_timestamp, in the order of the rows.

    Raises:
        Incompatible: where Feast answers another number of rows than it was asked for.
    """
    row_id = "__row"
    table = entities.set_column(
        entities.schema.get_field_index(TIMESTAMP), TIMESTAMP, entities.column(TIMESTAMP).cast(TIME)
    ).append_column(row_id, pa.array(range(entities.num_rows), pa.int64()))
    # pandas keeps microseconds here; DuckDB refuses nanoseconds.
    frame = table.to_pandas(timestamp_as_object=False)
    frame[TIMESTAMP] = frame[TIMESTAMP].astype("datetime64[us, UTC]")
    with _quiet_ibis():
        answer = feast.get_historical_features(frame, list(features)).to_arrow().combine_chunks()
    if sorted(answer.column(row_id).to_pylist()) != list(range(entities.num_rows)):
        raise Incompatible(f"historical join: {entities.num_rows} rows in, {answer.num_rows} rows out")
    return answer.sort_by(row_id).drop_columns([row_id]).combine_chunks()


@contextlib.contextmanager
def _quiet_ibis() -> Iterator[None]:
    with warnings.catch_warnings():
        # ibis 12 calls a method that duckdb 1.5 renamed.
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
        yield
