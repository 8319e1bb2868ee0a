"""How far does learning come from log to log, between greedy order and what is known to be possible?"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from services.local.bench.policy import standings
from services.policy.evaluation import plots

_LEVELS = (
    ("qmdp", "exact filter (QMDP)", plots.SECOND),
    ("one log: click order", "click order, one log", plots.QUIET),
    ("last round: click order", "click order, last round", plots.QUIET),
    ("one log: cascade, page discount 0", "page discount 0, one log", plots.ALARM),
    ("uniform", "uniform", plots.LINE),
)


def plot(results: Sequence[dict[str, float]]) -> str:
    """Mean value after each log, with its interval over worlds, worlds in grey, and levels to compare with;
    as SVG."""
    names = ["one log: cascade", *sorted(name for name in results[0] if name.startswith("round "))]
    values = np.array([[result[name] for name in names] for result in results])
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
        for name, label, colour in _LEVELS:
            if name in results[0]:
                level = float(np.mean([result[name] for result in results]))
                axes.axhline(level, color=colour, linewidth=1.2, linestyle=(0, (4, 3)), zorder=3)
                axes.annotate(
                    f"{level:.4f}  {label}",
                    (1.01, level),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    color=plots.INK,
                    annotation_clip=False,
                )
        axes.set(
            title=f"Expected margin per session of cascade SlateQ, {count} worlds",
            xticks=place,
            xticklabels=["one uniform log", *(f"round {number}" for number in place[1:])],
        )
        axes.set_ylim(bottom=0)
        axes.tick_params(length=0)
        return plots.svg(figure)
