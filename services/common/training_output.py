"""How does a training run show how far it is?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

Report = Callable[[str, int, int], None]
"""Called with the stage, what is done of it and what there is to do."""

Scalar = Callable[[str, float, int], None]
"""Called with a curve's name, its value and the step."""


@contextlib.contextmanager
def stages(title: str, names: Sequence[str]) -> Iterator[Report]:
    """A progress bar per stage, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {name: progress.add_task(f"{title}: {name}", total=None, start=False) for name in names}

        def report(stage: str, done: int, total: int) -> None:
            progress.start_task(bars[stage])
            progress.update(bars[stage], completed=done, total=total)

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
