"""How does a training run show how far it is?"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

Report = Callable[[str, int, int], None]
"""Called with the stage, what is done of it and what there is to do."""

Scalar = Callable[[str, float, int], None]
"""Called with a curve's name, its value and the step."""


LINE_EVERY_S = 5.0


class PlainLines:
    """Prints counts as lines, one every few seconds; nothing on a terminal, which has a bar."""

    def __init__(self, stream: TextIO, every_s: float = LINE_EVERY_S) -> None:
        self._stream = stream
        self._every_s = every_s
        self._begun_s = self._last_s = time.monotonic()

    def tell(self, what: str, done: int, total: int) -> None:
        """Says that so many are done, unless a line was printed just now."""
        now_s = time.monotonic()
        if self._stream.isatty() or now_s - self._last_s < self._every_s:
            return
        self._last_s = now_s
        text = f"  {what}: {done:,} of {total:,} after {now_s - self._begun_s:.0f} s"
        print(text, file=self._stream, flush=True)


@contextlib.contextmanager
def stages(title: str, names: Sequence[str]) -> Iterator[Report]:
    """A progress bar per stage, on standard error; lines where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    lines = PlainLines(sys.stderr)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {name: progress.add_task(f"{title}: {name}", total=None, start=False) for name in names}

        def report(stage: str, done: int, total: int) -> None:
            progress.start_task(bars[stage])
            progress.update(bars[stage], completed=done, total=total)
            lines.tell(f"{title}: {stage}", done, total)

        yield report


@contextlib.contextmanager
def curves(folder: Path | None) -> Iterator[Scalar]:
    """Writes curves for TensorBoard; without a folder, nothing."""
    if folder is None:
        yield lambda name, value, step: None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))
    try:
        yield writer.add_scalar
    finally:
        writer.close()
