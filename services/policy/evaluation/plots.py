"""How do support, estimates and weights look?

Every plot is an SVG document. Colours are those of the report's style sheet; type stays text.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from services.policy.evaluation import gate, table
from services.policy.evaluation.decisions import Decisions, Episodes
from services.policy.page import Array

INK, QUIET, LINE = "#1d2733", "#66717f", "#d9dee5"
ACCENT, SECOND, ALARM = "#2364aa", "#3b9c8f", "#c2452d"

_BIN_COUNT = 5
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "planogram",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial"],
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titlecolor": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "grid.color": LINE,
    "legend.frameon": False,
}


def support(found: dict[float, gate.Support], limits: gate.Limits) -> str:
    """Effective samples by blend against what the gate asks for."""
    with mpl.rc_context(STYLE):
        figure = Figure((9.0, 2.7), layout="constrained")
        for axes, (title, name) in zip(
            figure.subplots(1, 2),
            (("First pages", "first_page_share"), ("Sessions", "session_share")),
            strict=True,
        ):
            shares, limit = [getattr(entry, name) for entry in found.values()], getattr(limits, name)
            colours = [ACCENT if share >= limit else ALARM for share in shares]
            bars = axes.bar([f"{blend:g}" for blend in found], shares, color=colours, width=0.55)
            axes.bar_label(
                bars,
                [_percent(share) for share in shares],
                padding=3,
                color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
            axes.axhline(limit, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            axes.set(title=f"{title}, gate at {limit:.0%}", xlabel="blend", ylim=(0, 1.15))
            axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        return svg(figure)


def estimates(rows: Sequence[table.Row], level: str, served: float) -> str:
    """Estimates with their intervals, a panel per blend."""
    blends = sorted({row.blend for row in rows})
    names = list(dict.fromkeys(row.estimator for row in rows if row.level == level))
    names.remove("served")
    with mpl.rc_context(STYLE):
        figure = Figure((9.0, 0.9 + 0.3 * len(names)), layout="constrained")
        panels = figure.subplots(1, len(blends), sharey=True, squeeze=False)[0]
        for axes, blend in zip(panels, blends, strict=True):
            for row in rows:
                if row.level == level and row.blend == blend and row.estimator in names:
                    place = names.index(row.estimator)
                    axes.plot(
                        [row.interval.lower, row.interval.upper], [place, place], color=ACCENT, linewidth=2
                    )
                    axes.plot(row.value, place, "o", color=ACCENT, markersize=5)
            axes.axvline(served, color=SECOND, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.set(title=f"blend {blend:g}", yticks=range(len(names)), yticklabels=names)
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.locator_params(axis="x", nbins=4)
            axes.grid(axis="x", linewidth=0.6)
            axes.tick_params(length=0)
        return svg(figure)


def weights(decisions: Decisions) -> str:
    """How importance weights of first pages and sessions spread; those of 0 are counted apart."""
    with mpl.rc_context(STYLE):
        figure = Figure((9.0, 2.6), layout="constrained")
        panels = (("First pages", decisions.first_pages()), ("Sessions", decisions.sessions()))
        for axes, (title, episodes) in zip(figure.subplots(1, 2), panels, strict=True):
            found = episodes.weights()
            logs = np.log10(found[found > 0])
            edge = max(1.0, float(np.ceil(np.abs(logs).max(initial=0.0))))
            axes.hist(np.clip(logs, -4, 4), bins=np.linspace(-min(edge, 4), min(edge, 4), 41), color=ACCENT)
            axes.axvline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            zero_count = int((found == 0).sum())
            axes.set(title=title, xlabel="weight", ylabel="episodes")
            axes.xaxis.set_major_formatter(lambda exponent, _: f"{float(f'{10**exponent:.2g}'):g}")
            axes.locator_params(axis="x", nbins=6)
            text = f"largest {found.max():.3g}\nmean {found.mean():.2f}\nzero {zero_count:,}"
            axes.annotate(text, (0.98, 0.95), xycoords="axes fraction", ha="right", va="top", color=QUIET)
        return svg(figure)


def overlap(decisions: Decisions) -> str:
    """Served against candidate propensities of what was served: above the line the candidate wants more."""
    served, candidate = decisions.served, np.maximum(decisions.candidate, 1e-4)
    lowest = min(1e-3, float(served.min()), float(candidate.min()))
    edges = np.geomspace(lowest, 1.0, 41)
    with mpl.rc_context(STYLE):
        figure = Figure((4.4, 3.6), layout="constrained")
        axes = figure.subplots()
        counts, _, _ = np.histogram2d(served, np.minimum(candidate, 1.0), bins=[edges, edges])
        shown = np.ma.masked_equal(counts.T, 0)
        mesh = axes.pcolormesh(edges, edges, shown, cmap="Blues", norm="log", vmin=0.5, rasterized=True)
        axes.plot([lowest, 1], [lowest, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xscale="log", yscale="log", xlabel="served propensity", ylabel="candidate's propensity")
        axes.set_aspect("equal")
        figure.colorbar(mesh, ax=axes, label="decisions").outline.set_visible(False)
        return svg(figure)


def reliability(sessions: Episodes, contributions: Array) -> str:
    """What the model expects of a session against what weighted sessions earned, in bins of equal count.

    Args:
        contributions: (E,) of an unbiased estimator that uses no model.
    """
    expected, earned, errors = reliability_bins(sessions, contributions)
    with mpl.rc_context(STYLE):
        figure = Figure((4.4, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.errorbar(expected, earned, errors, fmt="o", color=ACCENT, markersize=5, linewidth=1.5)
        reach = [min(expected.min(), (earned - errors).min()), max(expected.max(), (earned + errors).max())]
        axes.plot(reach, reach, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlabel="model's value (FQE)", ylabel="per-decision IS, 2 standard errors")
        axes.grid(linewidth=0.6)
        axes.tick_params(length=0)
        return svg(figure)


def reliability_bins(sessions: Episodes, contributions: Array) -> tuple[Array, Array, Array]:
    """(bins,) mean expected value, mean contribution, and two standard errors of the latter."""
    if sessions.values is None:
        raise ValueError("sessions.values: got None, want a model's values")
    has_any = np.diff(sessions.offsets) > 0
    expected = sessions.values.expected[sessions.offsets[:-1][has_any]]
    order = np.argsort(expected, kind="stable")
    bins = [part for part in np.array_split(order, min(_BIN_COUNT, len(order) // 2)) if len(part)]
    earned = [contributions[has_any][part] for part in bins]
    return (
        np.array([expected[part].mean() for part in bins]),
        np.array([part.mean() for part in earned]),
        np.array([2 * part.std(ddof=1) / np.sqrt(len(part)) for part in earned]),
    )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    return buffer.getvalue()
