"""How do logs leave the layout service? As Parquet, for the feature pipeline and the trainers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planogram.events.v1 import events_pb2
from planogram.files import forgetting as file_forgetting
from planogram.files import log as log_file
from services.common.errors import NotFound
from services.layout import event_log, forgetting
from services.layout.segments import segments as segments_of

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

    Reviews stay behind: no learner reads them, and they hold what people wrote.

    Args:
        progress: called with the number of rows written so far.

    Raises:
        NotFound: where there is no segment.
    """
    if not segments_of(segments):
        raise NotFound(f"{segments}: no event log here; serve a page first")
    staging = _staging(target)
    shutil.rmtree(staging, ignore_errors=True)
    written = 0
    counts = {}
    until = forgetting.forgotten(segments)
    sources: dict[str, Iterable[Mapping[str, Any]]] = {
        "exposures": (
            log_file.exposure_row(record)
            for record in event_log.read_exposures(segments)
            if _is_known(record, until)
        ),
        "events": (
            log_file.event_row(record)
            for record in event_log.read_events(segments)
            if record.type != events_pb2.EVENT_TYPE_REVIEW and _is_known(record, until)
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
    _write_tombstones(staging, until, f"{PREFIX}00000")
    _replace(staging, target)
    # Behind the rows: whoever was forgotten while they were written is not left among them.
    forget_in(segments, target, f"{PREFIX}00000")
    return Exported(counts["exposures"], counts["events"], event_log.lost_count(segments))


def forget_in(segments: Path, target: Path, part: str) -> None:
    """Writes the tombstones of all segments beside an export, and takes what they cover out of its files.

    Raises:
        LogFileError: for a file that cannot be read.
    """
    until = forgetting.forgotten(segments)
    _write_tombstones(target, until, part)
    for folder in (target, _staging(target)):  # an export that was killed left the second
        file_forgetting.purge(folder, until)


def _staging(target: Path) -> Path:
    return target.with_name(f".{target.name}.exporting")


def _write_tombstones(folder: Path, until: Mapping[str, int], part: str) -> None:
    rows = [{"shopper_digest": digest, "time": until_us} for digest, until_us in sorted(until.items())]
    log_file.write(folder, "forgotten", rows, part)


def _is_known(record: events_pb2.Exposure | events_pb2.Event, until: Mapping[str, int]) -> bool:
    if not until or not record.shopper_key:
        return True
    last = until.get(forgetting.shopper_digest(record.shopper_key))
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
