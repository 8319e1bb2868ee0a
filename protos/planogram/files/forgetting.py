"""How do forgotten shoppers leave the files of a log, or any other Parquet file with their keys?

Readers of a log pass over rows that a tombstone covers (`log.read_forgotten`); here the files lose them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from planogram.files.log import LogFileError, shopper_digest

_BATCH = 512
"""Rows held at a time: exposures are most of a log."""


def purge(folder: Path, until_us: Mapping[str, int]) -> int:
    """Rewrites those files of a log that hold rows of forgotten shoppers; returns how many rows there were.

    What was set aside of their sessions and events goes first, because the rows alone tell which those are.

    Args:
        until_us: time up to which rows go, microseconds since 1970, by shopper_digest.

    Raises:
        LogFileError: for a file that cannot be read.
    """
    paths = [path for kind in ("events", "exposures") for path in sorted(folder.glob(f"{kind}-*.parquet"))]
    found = [path for path in paths if _covers(path, until_us)]
    if not found:
        return 0
    names: dict[str, set[str]] = {"session_key": set(), "event_id": set()}
    for path in found:
        for batch in _batches(path, ["shopper_key", "time", *names]):
            gone = batch.filter(_mask(batch, until_us))
            for name in names:
                if name in gone.schema.names:
                    names[name].update(gone.column(name).to_pylist())
    for path in sorted(folder.glob("set-aside-*.parquet")):
        _rewrite(path, lambda batch: _any_of(batch, names))
    return sum(purge_file(path, until_us) for path in found)


def purge_file(path: Path, until_us: Mapping[str, int]) -> int:
    """Rewrites one file without what forgotten shoppers did; returns how many rows that were.

    Args:
        path: Parquet with columns shopper_key and time.
        until_us: as of `purge`.
    """
    if not path.is_file() or not _covers(path, until_us):
        return 0
    return _rewrite(path, lambda batch: _mask(batch, until_us))


def _covers(path: Path, until_us: Mapping[str, int]) -> bool:
    if not until_us:
        return False
    batches = _batches(path, ["shopper_key", "time"], 65_536)
    return any(pc.any(_mask(batch, until_us)).as_py() for batch in batches)


def _mask(batch: pa.RecordBatch, until_us: Mapping[str, int]) -> pa.Array:
    """Which rows a tombstone covers."""
    keys = pc.fill_null(batch.column("shopper_key"), "")
    until = {key: until_us.get(shopper_digest(key), -1) for key in keys.unique().to_pylist() if key}
    last = pa.array([until.get(key, -1) for key in keys.to_pylist()], pa.int64())
    times = pc.fill_null(batch.column("time").cast(pa.int64()), 0)
    return pc.less_equal(times, last)


def _any_of(batch: pa.RecordBatch, names: Mapping[str, set[str]]) -> pa.Array:
    masks = [
        pc.is_in(batch.column(name), pa.array(sorted({text for text in texts if text}), pa.string()))
        for name, texts in names.items()
    ]
    return pc.or_(*masks)


def _rewrite(path: Path, is_gone: Any) -> int:
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    with (
        pq.ParquetFile(path) as source,
        pq.ParquetWriter(staging, source.schema_arrow, compression="zstd") as to,
    ):
        for batch in source.iter_batches(_BATCH):
            kept = batch.filter(pc.invert(is_gone(batch)))
            count += len(batch) - len(kept)
            to.write_batch(kept)
    staging.replace(path)
    return count


def _batches(path: Path, names: list[str], size: int = _BATCH) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(path) as file:
            known = [name for name in names if name in file.schema_arrow.names]
            yield from file.iter_batches(size, columns=known)
    except (OSError, pa.ArrowInvalid) as error:
        raise LogFileError(f"{path}: {error}") from None
