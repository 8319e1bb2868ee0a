"""How is something measured so that the figure can be trusted on a noisy machine?

The thing and its floor run in turns within one run, window by window; what is reported is their ratio.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        floor: the same figure of the floor; None where there is none.
        ratio: value over floor.
        reach: what the figure should come to; None where nothing was promised.
        is_more_better: which side of `reach` counts as met.
        n: observations behind the value.
        interval: of 95 %, of the ratio, or of the value where there is no floor.
    """

    name: str
    value: float
    unit: str
    n: int
    floor: float | None = None
    reach: float | None = None
    is_more_better: bool = True
    seed: int | None = None
    interval: tuple[float, float] | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """Whether the ratio, or the value where there is no floor, comes up to `reach`."""
        if self.reach is None:
            return None
        measured = self.value if self.ratio is None else self.ratio
        return measured >= self.reach if self.is_more_better else measured <= self.reach


def in_turns(
    thing: Callable[[], float],
    floor: Callable[[], float],
    windows: int,
    tick: Callable[[], None] = lambda: None,
) -> tuple[list[float], list[float]]:
    """What both answer in each of `windows` turns, thing and floor by turns in changing order."""
    things: list[float] = []
    floors: list[float] = []
    for window in range(windows):
        order = ((thing, things), (floor, floors))
        for measure, into in order if window % 2 == 0 else reversed(order):
            into.append(measure())
            tick()
    return things, floors


def median_ratio(things: Sequence[float], floors: Sequence[float]) -> float:
    """The median of the windows' ratios: a slow minute of the machine hits both sides of a window."""
    return statistics.median(thing / floor for thing, floor in zip(things, floors, strict=True))


_FILE_WIDTH = 160
"""Columns of a table that is written to no terminal."""


def report(name: str, rows: Sequence[Row], command: str, folder: Path = Path("reports")) -> Path:
    """Prints the rows as a table and writes reports/bench-<name>.json."""
    table = Table(title=f"bench {name}", title_justify="left")
    for column in ("figure", "value", "unit", "floor", "ratio", "95 %", "reach", "met", "n"):
        is_text = column in ("figure", "unit")
        table.add_column(column, justify="left" if is_text else "right", no_wrap=column != "figure")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.value:.3g}",
            row.unit,
            *("-" if number is None else f"{number:.3g}" for number in (row.floor, row.ratio)),
            "-" if row.interval is None else "{:.3g} to {:.3g}".format(*row.interval),
            "-" if row.reach is None else f"{row.reach:.3g}",
            {None: "-", True: "yes", False: "no"}[row.met],
            str(row.n),
        )
    console = Console()
    if not console.is_terminal:  # a file has room for whole lines
        console = Console(width=_FILE_WIDTH)
    console.print(table)
    path = folder / f"bench-{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    document = [
        {**asdict(row), "ratio": row.ratio, "met": row.met, "command": command, "machine": machine()}
        for row in rows
    ]
    path.write_text(json.dumps(document, indent=2) + "\n")
    console.print(f"written to {path}", style="dim")
    return path


def machine() -> str:
    """The machine in words."""
    system, python = f"{platform.system()} {platform.machine()}", platform.python_version()
    return f"{system}, {os.cpu_count()} cores, Python {python}"
