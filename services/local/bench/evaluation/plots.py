"""How do the proof's figures look? As SVG documents in the style of the evaluation's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from services.local.bench.evaluation.accuracy import Truth
from services.local.bench.evaluation.verdicts import POWER_REACH, PROMOTED
from services.policy.evaluation import plots
from services.policy.evaluation.plots import ACCENT, ALARM, INK, SECOND, STYLE

_SHOWN = 100


def accuracy(found: Sequence[dict[str, Any]], truths: Mapping[float, Truth], session_count: int) -> str:
    """Estimates with their intervals against the truth, a panel per blend."""
    with mpl.rc_context(STYLE):
        figure = Figure((9.0, 3.4), layout="constrained")
        panels = figure.subplots(1, len(truths), sharey=True, squeeze=False)[0]
        for axes, (blend, truth) in zip(panels, truths.items(), strict=True):
            mine = [one for one in found if one["blend"] == blend]
            shown = sorted(mine[:_SHOWN], key=lambda one: float(one["value"]))
            for place, one in enumerate(shown):
                holds = one["lower"] <= truth.value <= one["upper"]
                colour = ACCENT if holds else ALARM
                axes.plot([place, place], [one["lower"], one["upper"]], color=colour, linewidth=1)
                axes.plot(place, one["value"], "o", color=colour, markersize=2)
            axes.axhline(truth.value, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            axes.set(
                title=f"Blend {blend:g}: {len(shown)} of {len(mine)} logs of {session_count:,} sessions",
                xlabel="logs, in order of the estimate; dashed: what the blend earns",
                xticks=[],
            )
        panels[0].set_ylabel("margin per session")
        return plots.svg(figure)


def power(curves: Mapping[str, Mapping[str, Sequence[Sequence[Any]]]]) -> str:
    """Share of logs on which better candidates are promoted, by their size.

    Args:
        curves: verdicts by size, by a name that says what the candidate is.
    """
    with mpl.rc_context(STYLE):
        figure = Figure((8.0, 3.8), layout="constrained")
        axes = figure.subplots()
        for (name, found), colour in zip(curves.items(), (ACCENT, SECOND), strict=False):
            counts = np.array([int(size) for size in found])
            bounds = np.array([_bounds(verdicts) for verdicts in found.values()])
            axes.fill_between(counts, bounds[:, 0], bounds[:, 1], color=colour, alpha=0.15, linewidth=0)
            shares = [_share(verdicts) for verdicts in found.values()]
            axes.plot(counts, shares, "o-", color=colour, markersize=5, label=name)
        axes.axhline(POWER_REACH, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        sizes = sorted({int(size) for found in curves.values() for size in found})
        axes.set(
            xscale="log",
            ylim=(0, 1.02),
            xticks=sizes,
            xticklabels=[f"{size:,}" for size in sizes],
            xlabel=f"sessions of the log; dashed: {POWER_REACH:.0%}",
            title="Logs on which a better candidate is promoted, with 95 % intervals",
        )
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.grid(axis="y", linewidth=0.6)
        figure.legend(loc="outside lower left", ncols=1)
        return plots.svg(figure)


def _share(verdicts: Sequence[Sequence[Any]]) -> float:
    return sum(bool(verdict == PROMOTED) for verdict, _ in verdicts) / len(verdicts)


def _bounds(verdicts: Sequence[Sequence[Any]]) -> tuple[float, float]:
    promoted = sum(verdict == PROMOTED for verdict, _ in verdicts)
    found = stats.binomtest(promoted, len(verdicts)).proportion_ci(method="exact")
    return float(found.low), float(found.high)
