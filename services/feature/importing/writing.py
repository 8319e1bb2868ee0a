"""How does an imported log reach its folder: whole, or not at all?"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from planogram.files import log as files
from services.feature.importing.impressions import Page

PART_SIZE = 5_000


def write_pages(folder: Path, name: str, pages: Iterable[Page]) -> tuple[int, int]:
    """Writes exposures and events in parts; answers how many of each.

    Args:
        name: of the import; files of an earlier import of this name are replaced.
    """
    exposures: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    counts = [0, 0]
    with _staged(folder, name) as part:

        def flush() -> None:
            number = f"{name}-{counts[0]:09}"
            files.write(part, "exposures", exposures, number)
            files.write(part, "events", events, number)
            counts[0], counts[1] = counts[0] + len(exposures), counts[1] + len(events)
            exposures.clear()
            events.clear()

        for page in pages:
            exposures.append(page.exposure)
            events += page.events
            if len(exposures) >= PART_SIZE:
                flush()
        if exposures:
            flush()
    return counts[0], counts[1]


def write_events(folder: Path, name: str, events: Sequence[dict[str, Any]]) -> None:
    """Writes events alone; files of an earlier import of this name are replaced."""
    with _staged(folder, name) as part:
        for start in range(0, len(events), 20 * PART_SIZE):
            files.write(part, "events", events[start : start + 20 * PART_SIZE], f"{name}-{start:09}")


@contextmanager
def _staged(folder: Path, name: str) -> Iterator[Path]:
    """A folder whose files move into `folder` at the end, in the place of earlier ones of this name."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as staging:
        yield Path(staging)
        made = {path.name: path for path in Path(staging).glob("*.parquet")}
        own = re.compile(rf"(events|exposures)-{re.escape(name)}-\d+\.parquet")
        earlier = [path for path in folder.glob("*.parquet") if own.fullmatch(path.name)]
        for file_name, path in made.items():
            path.replace(folder / file_name)
        for path in earlier:
            if path.name not in made:
                path.unlink()
