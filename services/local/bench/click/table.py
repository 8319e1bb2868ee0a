"""Who stands where after the comparison, and how sure is that?

Two things are uncertain: what another seed would have given, and what other shoppers would have done. The
interval of a figure is over seeds alone (Student's t). Differences from our own, in logloss and in the AUC
within shoppers, are drawn again by bootstrap over shoppers, the same for both, and over seeds for each (2,000
draws, percentiles). Symbols: K seeds, U shoppers, R draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from services.local.bench import harness
from services.local.bench.harness import Row
from services.local.bench.policy.standings import LEVEL, Interval, interval
from services.policy.evaluation import plots

Array = np.ndarray[Any, Any]

DRAW_COUNT = 2_000

COLUMNS = {
    "logloss": ("logloss", 5),
    "gauc": ("AUC by shopper", 4),
    "auc": ("AUC", 4),
    "pr_auc": ("PR-AUC", 4),
    "f1": ("F1", 4),
    "ece": ("ECE", 5),
    "predicted_to_observed": ("predicted / observed", 3),
    "worst_decile": ("worst decile", 2),
    "worst_segment": ("worst segment", 2),
    "purchase_auc": ("purchase AUC", 3),
    "parameters": ("parameters", 0),
    "page_ms": ("ms a page", 2),
    "fit_cpu_s": ("learning, CPU s", 0),
}
"""Figures in the order of the table: their headings, and how many digits they are given.

The worst decile and segment are the ratios of predicted to observed clicks farthest from 1, of those with
clicks enough to say.
"""


class Judged(Protocol):
    """What one entrant came to with one seed."""

    @property
    def entrant(self) -> str: ...
    @property
    def figures(self) -> dict[str, float]: ...
    @property
    def loss_of_who(self) -> Array: ...
    @property
    def auc_of_who(self) -> Array: ...
    @property
    def rows_of_who(self) -> Array: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """One entrant over all seeds.

    Attributes:
        figures: means, by the names of COLUMNS, without those it has none of.
        intervals: of the means over seeds; empty for one seed.
        worse_loss, worse_gauc: by how much its logloss is higher and its AUC by shopper lower than our own's,
            with intervals; None for our own.
    """

    entrant: str
    count: int
    figures: Mapping[str, float]
    intervals: Mapping[str, Interval]
    worse_loss: tuple[float, Interval] | None
    worse_gauc: tuple[float, Interval] | None


def report(
    runs: Sequence[Judged], own: str, name: str, command: str, folder: Path = Path("reports")
) -> list[Row]:
    """Prints the differences, and writes bench-<name>.json, .md and .svg."""
    table = standings(runs, own)
    rows = []
    for standing in table:
        for column in ("logloss", "gauc", "auc", "ece", "page_ms"):
            value, spread = standing.figures[column], standing.intervals.get(column)
            rows.append(Row(f"{standing.entrant}: {column}", value, column, standing.count, interval=spread))
        for what, worse in (("logloss over", standing.worse_loss), ("gauc below", standing.worse_gauc)):
            if worse is not None:
                title = f"{standing.entrant}: {what} {own}'s"
                rows.append(Row(title, worse[0], "difference", standing.count, interval=worse[1]))
    path = harness.report(name, rows, command, folder)
    path.with_suffix(".md").write_text(markdown(table, own))
    path.with_suffix(".svg").write_text(plot(table, own))
    return rows


def standings(runs: Sequence[Judged], own: str, seed: int = 0) -> list[Standing]:
    """The lowest logloss first."""
    names = list(dict.fromkeys(run.entrant for run in runs))
    of = {name: [run for run in runs if run.entrant == name] for name in names}
    drawn = {
        name: _drawn(of[name], np.random.default_rng(seed), position) for position, name in enumerate(names)
    }
    found = []
    for name in names:
        figures = {
            column: np.array([run.figures[column] for run in of[name]])
            for column in COLUMNS
            if column in of[name][0].figures
        }
        worse: list[tuple[float, Interval]] = []
        for column, sign, place in (("logloss", 1, 0), ("gauc", -1, 1)):
            ours = np.mean([run.figures[column] for run in of[own]])
            difference = sign * (drawn[name][place] - drawn[own][place])
            worse.append((float(sign * (figures[column].mean() - ours)), interval(difference)))
        found.append(
            Standing(
                entrant=name,
                count=len(of[name]),
                figures={column: float(values.mean()) for column, values in figures.items()},
                intervals={
                    column: _over_seeds(values) for column, values in figures.items() if len(values) > 1
                },
                worse_loss=None if name == own else worse[0],
                worse_gauc=None if name == own else worse[1],
            )
        )
    return sorted(found, key=lambda standing: standing.figures["logloss"])


def _drawn(runs: Sequence[Judged], shoppers: np.random.Generator, position: int) -> tuple[Array, Array]:
    """(R,) logloss and AUC by shopper of one entrant; the same shoppers are drawn for all."""
    rows = runs[0].rows_of_who
    count, seeds = len(rows), np.random.default_rng([position, 1])
    losses = np.array([run.loss_of_who for run in runs]) * rows
    is_judged = ~np.isnan(runs[0].auc_of_who)
    aucs = np.array([np.where(is_judged, run.auc_of_who, 0.0) for run in runs]) * rows
    loss, gauc = np.empty(DRAW_COUNT), np.empty(DRAW_COUNT)
    for draw in range(DRAW_COUNT):
        times = np.bincount(shoppers.integers(count, size=count), minlength=count)
        mine = seeds.integers(len(runs), size=len(runs))
        loss[draw] = (losses[mine].mean(0) * times).sum() / (rows * times).sum()
        gauc[draw] = (aucs[mine].mean(0) * times).sum() / max((rows * times * is_judged).sum(), 1)
    return loss, gauc


def _over_seeds(values: Array) -> Interval:
    """Of the mean, by Student's t."""
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


def in_words(figures: Mapping[str, float]) -> str:
    """The figures of one run in a line."""
    return ", ".join(
        f"{heading} {figures[column]:.{digits}f}"
        for column, (heading, digits) in COLUMNS.items()
        if column in figures
    )


def markdown(table: Sequence[Standing], own: str) -> str:
    """The table, as a page that was laid out for people."""
    headings = [
        "entrant",
        *(heading for heading, _ in COLUMNS.values()),
        f"logloss over {own}'s",
        f"AUC by shopper below {own}'s",
        "seeds",
    ]
    lines = [f"| {' | '.join(headings)} |", f"| --- |{' ---: |' * (len(headings) - 1)}"]
    for standing in table:
        cells = [standing.entrant]
        cells += [_figure(standing, column, digits) for column, (_, digits) in COLUMNS.items()]
        cells += [_worse(standing.worse_loss, 5), _worse(standing.worse_gauc, 4), str(standing.count)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _figure(standing: Standing, column: str, digits: int) -> str:
    if column not in standing.figures or math.isnan(standing.figures[column]):
        return "-"  # it says nothing of purchases, or no group has clicks enough
    value, spread = standing.figures[column], standing.intervals.get(column)
    if spread is None or column in ("parameters", "page_ms", "fit_cpu_s"):
        return f"{value:,.{digits}f}"
    return f"{value:,.{digits}f} ± {value - spread[0]:,.{digits}f}"


def _worse(worse: tuple[float, Interval] | None, digits: int) -> str:
    if worse is None:
        return "-"
    value, (low, high) = worse
    return f"{value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def plot(table: Sequence[Standing], own: str) -> str:
    """Differences from our own with their intervals, to the right where our own is better; as SVG."""
    others = [standing for standing in table if standing.worse_loss and standing.entrant != "popularity"]
    with mpl.rc_context(plots.STYLE):
        figure = Figure((9.0, 1.0 + 0.3 * len(others)), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, title in zip(panels, ("logloss higher by", "AUC by shopper lower by"), strict=True):
            axes.axvline(0, color=plots.INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            for place, standing in enumerate(others):
                worse = standing.worse_loss if axes is panels[0] else standing.worse_gauc
                assert worse is not None
                value, spread = worse
                colour = plots.ACCENT if standing.entrant.startswith(own) else plots.SECOND
                axes.plot(spread, [place, place], color=colour, linewidth=2, zorder=3)
                axes.plot(value, place, "o", color=colour, markersize=6, zorder=4)
            axes.set(title=f"{title} than {own}'s", yticks=range(len(others)))
            axes.set_yticklabels([standing.entrant for standing in others])
            axes.set_ylim(max(len(others), 1) - 0.5, -0.5)
            axes.grid(axis="x", linewidth=0.6)
            axes.tick_params(length=0)
        return plots.svg(figure)
