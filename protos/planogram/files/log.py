"""How are exposures and events laid out in Parquet, the form in which logs leave the layout service?

A log is a folder of files:

    <folder>/events-<anything>.parquet       one row per event, one column per field
    <folder>/exposures-<anything>.parquet    one row per page: a few columns, and the whole
                                             planogram.events.v1.Exposure as bytes in `payload`
    <folder>/set-aside-<anything>.parquet    what the feature pipeline found not to count: one row per
                                             session (all its pages and events) or per event
    <folder>/forgotten-<anything>.parquet    shoppers who asked to be forgotten, by a digest of their key;
                                             readers drop what the other files still hold of them

Rows may stand in any order and twice; readers merge, and drop all but one row of an id.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google.protobuf.timestamp_pb2 import Timestamp

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2

_TIME = pa.timestamp("us", tz="UTC")

EVENTS = pa.schema(
    [
        ("event_id", pa.string()),
        ("time", _TIME),
        ("shopper_key", pa.string()),
        ("session_key", pa.string()),
        ("key_epoch", pa.string()),
        ("page_id", pa.string()),
        ("slot_id", pa.string()),
        ("module_id", pa.string()),
        ("family", pa.string()),
        ("category", pa.string()),
        ("item_id", pa.string()),
        ("type", pa.string()),  # EventType without its prefix: "CLICK"
        ("dwell_ms", pa.int64()),
        ("quantity", pa.int32()),
        ("price_micros", pa.int64()),
        ("margin_micros", pa.int64()),
        ("charge_micros", pa.int64()),
        ("query", pa.string()),
        ("rating", pa.float32()),
        ("writer", pa.string()),
        ("sequence", pa.int64()),
    ]
)

EXPOSURES = pa.schema(
    [
        ("page_id", pa.string()),
        ("time", _TIME),
        ("shopper_key", pa.string()),
        ("session_key", pa.string()),
        ("page_type", pa.string()),  # PageType without its prefix: "HOME"
        ("policy_version", pa.string()),
        ("scoring_version", pa.string()),
        ("payload", pa.binary()),
    ]
)

SET_ASIDE = pa.schema(
    [
        ("session_key", pa.string()),  # empty where one event alone is meant
        ("event_id", pa.string()),  # empty where a whole session is meant
        ("reason", pa.string()),
    ]
)

FORGOTTEN = pa.schema(
    [
        ("shopper_digest", pa.string()),  # `shopper_digest` of the shopper_key
        ("time", _TIME),  # rows of the shopper up to here do not exist
    ]
)

_LATER_COLUMNS = frozenset({"category", "charge_micros"})
"""Columns that files of earlier versions lack; empty there."""

_SCHEMAS = {"events": EVENTS, "exposures": EXPOSURES, "set-aside": SET_ASIDE, "forgotten": FORGOTTEN}
_EVENT_PREFIX = "EVENT_TYPE_"
_PAGE_PREFIX = "PAGE_TYPE_"


@dataclass(frozen=True, slots=True)
class SetAside:
    """What of a log is there and does not count."""

    session_keys: frozenset[str]
    event_ids: frozenset[str]

    def __str__(self) -> str:
        return f"{len(self.session_keys):,} sessions and {len(self.event_ids):,} single events set aside"


class LogFileError(ValueError):
    """A log file that cannot be read; the message names the file and the row or column."""


def event_row(event: events_pb2.Event) -> dict[str, Any]:
    """One event as a row of EVENTS."""
    row = {name: getattr(event, name) for name in EVENTS.names}
    row["time"] = micros(event.time)
    row["type"] = events_pb2.EventType.Name(event.type).removeprefix(_EVENT_PREFIX)
    return row


def event_of(row: Mapping[str, Any]) -> events_pb2.Event:
    """The event of a row of EVENTS; the inverse of `event_row`."""
    fields = {
        name: value for name, value in row.items() if value is not None and name not in ("time", "type")
    }
    event = events_pb2.Event(**fields, type=_EVENT_PREFIX + row["type"])
    event.time.FromDatetime(row["time"])
    return event


def exposure_row(exposure: events_pb2.Exposure, payload: bytes | None = None) -> dict[str, Any]:
    """One exposure as a row of EXPOSURES; `payload` spares serialising it again."""
    return {
        "page_id": exposure.page_id,
        "time": micros(exposure.time),
        "shopper_key": exposure.shopper_key,
        "session_key": exposure.session_key,
        "page_type": context_pb2.PageType.Name(exposure.context.page_type).removeprefix(_PAGE_PREFIX),
        "policy_version": exposure.policy_version,
        "scoring_version": exposure.scoring_version,
        "payload": exposure.SerializeToString() if payload is None else payload,
    }


def write(folder: Path, kind: str, rows: Sequence[Mapping[str, Any]] | pa.Table, part: str) -> Path:
    """Writes one file, whole or not at all.

    Args:
        kind: "events", "exposures", "set-aside" or "forgotten".
        rows: rows of EVENTS, EXPOSURES, SET_ASIDE or FORGOTTEN, or a table of that schema.
        part: distinguishes the file from the folder's others; the same part is replaced.
    """
    schema = _SCHEMAS[kind]
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows), schema=schema)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{kind}-{part}.parquet"
    staging = folder / f".{target.name}.{os.getpid()}"
    pq.write_table(table.cast(schema), staging, compression="zstd")
    return staging.replace(target)


def read_events(folder: Path) -> pa.Table:
    """All events of a log, one row per event id, in order of time."""
    return _read(folder, "events", EVENTS, "event_id")


def shopper_digest(shopper_key: str) -> str:
    """What stands for a forgotten shopper's key: 32 hex digits that no log holds."""
    return hashlib.sha256(shopper_key.encode()).hexdigest()[:32]


def read_forgotten(folder: Path) -> dict[str, int]:
    """Microseconds since 1970 up to which a forgotten shopper's rows do not exist, by shopper_digest."""
    until: dict[str, int] = {}
    for path in sorted(folder.glob("forgotten-*.parquet")):
        table = _read_file(path, FORGOTTEN)
        columns = (
            table.column("shopper_digest").to_pylist(),
            table.column("time").cast(pa.int64()).to_pylist(),
        )
        for digest, time_us in zip(*columns, strict=True):
            until[digest] = max(time_us, until.get(digest, time_us))
    return until


def read_set_aside(folder: Path) -> SetAside:
    """What was set aside of a log; nothing where no pipeline went over it."""
    paths = sorted(folder.glob("set-aside-*.parquet"))
    table = pa.concat_tables([SET_ASIDE.empty_table(), *(_read_file(path, SET_ASIDE) for path in paths)])
    names = ("session_key", "event_id")
    sessions, events = (frozenset(table.column(name).to_pylist()) - {"", None} for name in names)
    return SetAside(sessions, events)


def read_counted_events(folder: Path) -> pa.Table:
    """All events of a log but those set aside, one row per event id, in order of time."""
    events, found = read_events(folder), read_set_aside(folder)
    is_out = pc.or_(
        pc.is_in(events.column("session_key"), pa.array(sorted(found.session_keys), pa.string())),
        pc.is_in(events.column("event_id"), pa.array(sorted(found.event_ids), pa.string())),
    )
    return events.filter(pc.invert(is_out))


def read_exposure_table(folder: Path) -> pa.Table:
    """All exposures of a log as rows of EXPOSURES, one per page id, in order of time."""
    return _read(folder, "exposures", EXPOSURES, "page_id")


def read_exposures(folder: Path) -> Iterator[events_pb2.Exposure]:
    """All exposures of a log, one per page id, in order of time.

    Raises:
        LogFileError: where a payload is no Exposure.
    """
    for row, payload in enumerate(read_exposure_table(folder).column("payload").to_pylist()):
        try:
            yield events_pb2.Exposure.FromString(payload)
        except Exception as error:
            raise LogFileError(f"{folder}: exposure {row}: payload: {error}") from None


def micros(time: Timestamp) -> int:
    """Microseconds since 1970."""
    return time.seconds * 1_000_000 + time.nanos // 1_000


def timestamp(time: datetime) -> Timestamp:
    """The wire form of an aware datetime."""
    result = Timestamp()
    result.FromDatetime(time)
    return result


def _read(folder: Path, kind: str, schema: pa.Schema, key: str) -> pa.Table:
    paths = sorted(folder.glob(f"{kind}-*.parquet"))
    if not paths:
        raise LogFileError(f"{folder}: no {kind}-*.parquet in this folder")
    table = pa.concat_tables(_read_file(path, schema) for path in paths)
    table = _without_forgotten(table, read_forgotten(folder))
    table = table.sort_by([("time", "ascending"), (key, "ascending")])
    return _drop_duplicates(table, key).combine_chunks()


def _read_file(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        table = pq.read_table(path)
        table.validate(full=True)  # texts that are no UTF-8 would fail whoever reads them
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise LogFileError(f"{path}: {error}") from None
    for name in schema.names:
        if name in _LATER_COLUMNS and name not in table.column_names:
            table = table.append_column(schema.field(name), pa.nulls(len(table), schema.field(name).type))
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise LogFileError(f"{path}: column {missing[0]!r} is missing; want {schema.names}")
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise LogFileError(f"{path}: {error}") from None


def _without_forgotten(table: pa.Table, until: Mapping[str, int]) -> pa.Table:
    if not until:
        return table
    keys = table.column("shopper_key")
    last = {key: until.get(shopper_digest(key), -1) for key in keys.unique().to_pylist() if key}
    times = table.column("time").cast(pa.int64()).to_pylist()
    keep = [(time_us or 0) > last.get(key, -1) for key, time_us in zip(keys.to_pylist(), times, strict=True)]
    return table if all(keep) else table.filter(pa.array(keep, pa.bool_()))


def _drop_duplicates(table: pa.Table, key: str) -> pa.Table:
    seen: set[str] = set()
    keep = []
    for value in table.column(key).to_pylist():
        keep.append(value not in seen)
        seen.add(value)
    return table if all(keep) else table.filter(pa.array(keep))


def chunked(rows: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    """Lists of at most `size` rows, for writing large logs in parts."""
    batch: list[Mapping[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
