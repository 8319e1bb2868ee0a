"""How does an evaluation read?

One HTML file without anything outside it: verdict and reasons first, then what they rest on.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import jinja2

from services.policy.evaluation import estimators, gate, plots, table
from services.policy.evaluation.blending import Blending
from services.policy.evaluation.evaluate import Evaluation

_TEMPLATE = Path(__file__).with_name("report.html")

_HEADLINES = {
    gate.Verdict.PROMOTE_TO_CANARY: "Promote to canary",
    gate.Verdict.INSUFFICIENT_SUPPORT: "Insufficient support",
    gate.Verdict.NO_UPLIFT_SHOWN: "No uplift shown",
}
_MEANINGS = {
    gate.Verdict.PROMOTE_TO_CANARY: "At the blend named, sessions would have earned more than they did as "
    "served, beyond what chance explains. Show it to 5 % of shoppers.",
    gate.Verdict.INSUFFICIENT_SUPPORT: "The candidate decides so differently that this log cannot tell. That "
    "says nothing against it: serve with more exploration, log more sessions, or take a smaller step.",
    gate.Verdict.NO_UPLIFT_SHOWN: "The log could tell about the blend named, and shows no uplift beyond what "
    "chance explains. Keep what is served.",
}

_STEPS = {
    Blending.GEOMETRIC: "whose probabilities are the geometric mean of the candidate's, weighted “blend”, "
    "and those served",
    Blending.MIXTURE: "that follows the candidate with probability “blend” in each slot",
}


def write(evaluation: Evaluation, limits: gate.Limits, path: Path) -> None:
    """Writes the report; parents are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(evaluation, limits))


def render(evaluation: Evaluation, limits: gate.Limits) -> str:
    """The report as HTML."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    decision, decisions = evaluation.decision, evaluation.decisions
    return environment.from_string(_TEMPLATE.read_text()).render(
        evaluation=evaluation,
        decision=decision,
        decisions=decisions,
        limits=limits,
        step=_STEPS[evaluation.blending],
        headline=_HEADLINES[decision.verdict],
        meaning=_MEANINGS[decision.verdict],
        log=decision.facts["log"],
        levels=(table.SESSION, table.PAGE),
        plots={name: _uri(svg) for name, svg in _plots(evaluation, limits).items()},
        weight_limit=table.WEIGHT_LIMIT,
        return_limits=table.RETURN_LIMITS,
    )


def _plots(evaluation: Evaluation, limits: gate.Limits) -> Mapping[str, str]:
    shown = evaluation.by_blend[evaluation.shown_blend]
    sessions = shown.sessions()
    page_value = estimators.on_policy(shown.pages()).value
    return {
        "support": plots.support(dict(evaluation.decision.support), limits),
        "session": plots.estimates(evaluation.rows, table.SESSION, evaluation.decision.served_value),
        "page": plots.estimates(evaluation.rows, table.PAGE, page_value),
        "weights": plots.weights(shown),
        "overlap": plots.overlap(evaluation.decisions),
        "reliability": plots.reliability(sessions, estimators.per_decision(sessions).contributions),
    }


def _uri(svg: str) -> str:
    """An image of its own, so that ids of several plots do not meet in one document."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
