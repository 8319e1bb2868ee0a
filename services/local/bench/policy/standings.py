"""Who stands where after the contest, and how sure is that?

Intervals are by bootstrap over worlds, and over seeds within them (10,000 draws, percentiles). In a draw all
entrants meet in the same worlds, so that ratios are paired: worlds differ far more than entrants do.
Symbols: W worlds, K seeds, R draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from services.local.bench import harness
from services.local.bench.harness import Row
from services.policy.evaluation import plots

Array = np.ndarray[Any, Any]
Interval = tuple[float, float]

DRAW_COUNT = 10_000
LEVEL = 0.95


class Played(Protocol):
    """What an entrant earned in one world with one seed, and how long that took."""

    @property
    def world(self) -> int: ...
    @property
    def entrant(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def value(self) -> float: ...
    @property
    def fit_s(self) -> float: ...
    @property
    def play_s(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """One entrant over all worlds and seeds.

    Attributes:
        value: mean expected margin per session; ratio: over that of our own in the same worlds.
        value_interval, ratio_interval: None where there is only one world and seed.
        by_world: (W,) means over seeds.
        fit_s, play_s: mean seconds of learning and of playing.
        count: results behind the figures.
    """

    entrant: str
    value: float
    value_interval: Interval | None
    ratio: float
    ratio_interval: Interval | None
    by_world: tuple[float, ...]
    fit_s: float
    play_s: float
    count: int


def report(
    results: Sequence[Played], own: str, name: str, command: str, folder: Path = Path("reports")
) -> list[Row]:
    """Prints the table, and writes it as bench-<name>.json, .md and .svg."""
    table = standings(results, own)
    rows = [
        Row(
            standing.entrant,
            standing.value,
            "margin per session",
            standing.count,
            floor=table[own].value,
            interval=standing.ratio_interval,
        )
        for standing in table.values()
    ]
    path = harness.report(name, rows, command, folder)
    path.with_suffix(".md").write_text(markdown(list(table.values()), own))
    path.with_suffix(".svg").write_text(plot(list(table.values()), own))
    return rows


def standings(results: Sequence[Played], own: str, seed: int = 0) -> dict[str, Standing]:
    """By entrant, the best first."""
    worlds = sorted({result.world for result in results})
    names = list(dict.fromkeys(result.entrant for result in results))
    values = {name: _values(results, name, worlds) for name in names}
    drawn = _drawn(values, np.random.default_rng(seed))
    found = {}
    for name in sorted(names, key=lambda one: -values[one].mean()):
        mine = [result for result in results if result.entrant == name]
        is_alone = values[name].size == 1
        found[name] = Standing(
            entrant=name,
            value=float(values[name].mean()),
            value_interval=None if is_alone else interval(drawn[name]),
            ratio=float(values[name].mean() / values[own].mean()),
            ratio_interval=None if is_alone or name == own else interval(drawn[name] / drawn[own]),
            by_world=tuple(values[name].mean(1).tolist()),
            fit_s=float(np.mean([result.fit_s for result in mine])),
            play_s=float(np.mean([result.play_s for result in mine])),
            count=len(mine),
        )
    return found


def _values(results: Sequence[Played], name: str, worlds: Sequence[int]) -> Array:
    """(W, K) of one entrant."""
    by_world = [
        [result.value for result in results if result.entrant == name and result.world == world]
        for world in worlds
    ]
    return np.array(by_world)


def _drawn(values: Mapping[str, Array], generator: np.random.Generator) -> dict[str, Array]:
    """(R,) means of each entrant: worlds are drawn for all alike, seeds for each."""
    (world_count,) = {len(table) for table in values.values()}
    worlds = generator.integers(world_count, size=(DRAW_COUNT, world_count))
    drawn = {}
    for name, table in values.items():
        seeds = generator.integers(table.shape[1], size=(*worlds.shape, table.shape[1]))
        drawn[name] = table[worlds[:, :, None], seeds].mean((1, 2))
    return drawn


def interval(drawn: Array) -> Interval:
    """Of the middle LEVEL of what was drawn."""
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)).tolist()
    return low, high


def markdown(table: Sequence[Standing], own: str) -> str:
    """The table, as a page that was laid out for people."""
    lines = [
        f"| entrant | margin per session | 95 % | of {own} | 95 % | learning, s | playing, s | results |",
        "| --- | ---: | :---: | ---: | :---: | ---: | ---: | ---: |",
    ]
    for standing in table:
        cells = (
            standing.entrant,
            f"{standing.value:.4f}",
            _in_words(standing.value_interval, 4),
            f"{standing.ratio:.3f}",
            _in_words(standing.ratio_interval, 3),
            f"{standing.fit_s:.0f}",
            f"{standing.play_s:.0f}",
            str(standing.count),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _in_words(interval: Interval | None, digits: int) -> str:
    return "-" if interval is None else f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def plot(table: Sequence[Standing], own: str) -> str:
    """Shares of our own's value in the same worlds: of each world, and of all with their interval; as SVG."""
    floor = np.array(next(standing.by_world for standing in table if standing.entrant == own))
    with mpl.rc_context(plots.STYLE):
        figure = Figure((8.0, 0.9 + 0.3 * len(table)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(1, color=plots.INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        for place, standing in enumerate(table):
            colour = plots.ACCENT if standing.entrant == own else plots.SECOND
            shares = np.array(standing.by_world) / floor
            axes.plot(shares, np.full(len(shares), place), "o", color=plots.LINE, markersize=4, zorder=2)
            if standing.ratio_interval is not None:
                axes.plot(standing.ratio_interval, [place, place], color=colour, linewidth=2, zorder=3)
            axes.plot(standing.ratio, place, "o", color=colour, markersize=6, zorder=4)
            axes.annotate(
                f"{standing.value:.4f}   {standing.ratio:.0%}",
                (1.02, place),
                xycoords=("axes fraction", "data"),
                va="center",
                color=plots.INK,
                annotation_clip=False,
            )
        axes.set(
            xlabel=f"share of {own}'s in the same worlds; single worlds in grey",
            title="Expected margin per session",
            yticks=range(len(table)),
            yticklabels=[standing.entrant for standing in table],
        )
        axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.set_xlim(left=0)
        axes.set_ylim(len(table) - 0.5, -0.5)
        axes.grid(axis="x", linewidth=0.6)
        axes.tick_params(length=0)
        return plots.svg(figure)
