"""How far does learning come from log to log, between greedy order and what is known to be possible?"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from services.local.bench.policy import standings
from services.policy.evaluation import plots

REFERENCE = "qmdp"
_LEVELS = (
    ("one log: cascade, page discount 0", "page discount 0, one log", plots.ALARM, "center"),
    ("last round: click order", "click order, last round", plots.QUIET, "bottom"),
    ("one log: click order", "click order, one log", plots.QUIET, "top"),
    ("uniform", "uniform", plots.QUIET, "center"),
)


def plot(results: Sequence[dict[str, float]]) -> str:
    """Value after each log as a share of the exact filter's in the same world, where there is one: the mean
    with its interval over worlds, single worlds in grey, and levels to compare with; as SVG."""
    has_reference = REFERENCE in results[0]
    unit = np.array([result[REFERENCE] if has_reference else 1.0 for result in results])
    names = ["one log: cascade", *sorted(name for name in results[0] if name.startswith("round "))]
    values = np.array([[result[name] for name in names] for result in results]) / unit[:, None]
    count, place = len(results), np.arange(len(names))
    with mpl.rc_context(plots.STYLE):
        figure = Figure((8.0, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.plot(place, values.T, color=plots.LINE, linewidth=1, zorder=1)
        if count > 1:
            drawn = np.random.default_rng(0).integers(count, size=(standings.DRAW_COUNT, count))
            low, high = np.transpose([standings.interval(column[drawn].mean(1)) for column in values.T])
            axes.fill_between(place, low, high, color=plots.ACCENT, alpha=0.15, linewidth=0, zorder=2)
        axes.plot(place, values.mean(0), "o-", color=plots.ACCENT, linewidth=2, zorder=4)
        for name, label, colour, side in _LEVELS:
            level = float((np.array([result[name] for result in results]) / unit).mean())
            axes.axhline(level, color=colour, linewidth=1.2, linestyle=(0, (4, 3)), zorder=3)
            axes.annotate(
                f"{level:.2f}  {label}" if has_reference else f"{level:.4f}  {label}",
                (1.01, level),
                xycoords=("axes fraction", "data"),
                va=side,
                color=plots.INK,
                annotation_clip=False,
            )
        of_what = "as a share of the exact filter's" if has_reference else "margin per session"
        axes.set(
            title=f"What cascade SlateQ earns, {of_what}, {count} worlds",
            xticks=place,
            xticklabels=["one uniform log", *(f"round {number}" for number in place[1:])],
        )
        axes.set_ylim(0, 1 if has_reference else None)
        axes.tick_params(length=0)
        return plots.svg(figure)
