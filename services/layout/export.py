"""How do logs leave the layout service? As Parquet, for the feature pipeline and the trainers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    sources: dict[str, Iterable[Mapping[str, Any]]] = {
        "exposures": (log_file.exposure_row(record) for record in event_log.read_exposures(segments)),
        "events": (log_file.event_row(record) for record in event_log.read_events(segments)),
    }
    for kind, rows in sources.items():
        before = written
        log_file.write(staging, kind, [], f"{PREFIX}00000")
        for part, chunk in enumerate(log_file.chunked(rows, ROWS_PER_FILE)):
            log_file.write(staging, kind, chunk, f"{PREFIX}{part:05d}")
            written += len(chunk)
            progress(written)
        counts[kind] = written - before
    _replace(staging, target)
    return Exported(counts["exposures"], counts["events"], event_log.lost_count(segments))


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
