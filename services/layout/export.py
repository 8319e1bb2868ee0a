"""How do logs leave the layout service? As Parquet, for the feature pipeline and the trainers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planogram.events.v1 import events_pb2
from planogram.files import log as log_file
from services.common.errors import NotFound
from services.layout import event_log

ROWS_PER_FILE = 10_000
PREFIX = "served."
"""Of an export's own parts. No import can take it: the names of imports hold no dot."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote, and how many records crashes took before they reached the disk."""

    exposure_count: int
    event_count: int
    lost_count: int


def export(segments: Path, target: Path, progress: Callable[[int], None] = lambda count: None) -> Exported:
    """Writes all segments to `target`, replacing what an earlier export wrote there and nothing else.

    Args:
        progress: called with the number of rows written so far.

    Raises:
        NotFound: where there is no segment.
    """
    if not event_log.segments(segments):
        raise NotFound(f"{segments}: no event log here; serve a page first")
    staging = target.with_name(f".{target.name}.exporting")
    shutil.rmtree(staging, ignore_errors=True)
    written = 0
    counts = {}
    until = event_log.forgotten(segments)
    sources: dict[str, Iterable[Mapping[str, Any]]] = {
        "exposures": (
            log_file.exposure_row(record)
            for record in event_log.read_exposures(segments)
            if _is_known(record, until)
        ),
        "events": (
            log_file.event_row(record)
            for record in event_log.read_events(segments)
            if _is_known(record, until)
        ),
    }
    for kind, rows in sources.items():
        before = written
        log_file.write(staging, kind, [], f"{PREFIX}00000")
        for part, chunk in enumerate(log_file.chunked(rows, ROWS_PER_FILE)):
            log_file.write(staging, kind, chunk, f"{PREFIX}{part:05d}")
            written += len(chunk)
            progress(written)
        counts[kind] = written - before
    write_forgotten(segments, staging, f"{PREFIX}00000")
    _replace(staging, target)
    return Exported(counts["exposures"], counts["events"], event_log.lost_count(segments))


def write_forgotten(segments: Path, target: Path, part: str) -> None:
    """Writes the tombstones of all segments beside an export, so that no copy made before is read."""
    rows = [
        {"shopper_digest": digest, "time": until_us}
        for digest, until_us in sorted(event_log.forgotten(segments).items())
    ]
    log_file.write(target, "forgotten", rows, part)


def _is_known(record: events_pb2.Exposure | events_pb2.Event, until: Mapping[str, int]) -> bool:
    if not until or not record.shopper_key:
        return True
    last = until.get(event_log.shopper_digest(record.shopper_key))
    return last is None or log_file.micros(record.time) > last


def _replace(staging: Path, target: Path) -> None:
    """Moves the new parts into place, then takes away earlier ones that none of them replaced."""
    target.mkdir(parents=True, exist_ok=True)
    made = {path.name for path in staging.glob("*.parquet")}
    for name in sorted(made):
        (staging / name).replace(target / name)
    for path in target.glob(f"*-{PREFIX}*.parquet"):
        if path.name not in made:
            path.unlink()
    staging.rmdir()
