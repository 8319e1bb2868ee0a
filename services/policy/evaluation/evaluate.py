"""How do a log and a candidate policy become estimates, a verdict and a report?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import torch

from services.common.artifacts import Artifact
from services.common.errors import Incompatible
from services.common.training_output import Report
from services.policy.evaluation import evidence, fqe, gate, table
from services.policy.evaluation.blending import Blending, blended
from services.policy.evaluation.decisions import Decisions
from services.policy.evaluation.evidence import Evidence
from services.policy.exploration import Exploration
from services.policy.page import Array
from services.policy.registry import Policy
from services.policy.training import rewards
from services.policy.training.dqn import Recipe
from services.policy.training.rewards import Rewards


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All that a report shows."""

    candidate: str
    exploration: Exploration
    log: Path
    evidence: Evidence
    blending: Blending
    """How a step towards the candidate is taken."""
    by_blend: Mapping[float, Decisions]
    """Those of every blend, with a model's values."""
    shown_blend: float
    """The blend that the gate looked at; the smallest one where none has support."""
    rows: tuple[table.Row, ...]
    decision: gate.Decision

    @property
    def decisions(self) -> Decisions:
        """Those of the candidate itself."""
        return self.by_blend[1.0]


def evaluate(
    log: Path,
    candidate: Policy,
    exploration: Exploration,
    weights: Rewards | None = None,
    page_discount: float = 1.0,
    learned_until: datetime | None = None,
    limits: gate.Limits | None = None,
    blending: Blending | None = None,
    incumbent: str | None = None,
    recipe: Recipe = fqe.RECIPE,
    report: Report = lambda stage, done, total: None,
) -> Evaluation:
    """Evaluates a candidate on a log.

    Args:
        exploration: how the candidate would draw.
        page_discount: what a reward is worth that comes one page later.
        learned_until: the last moment that the candidate learned from, as `learned_until` reads it.
        blending: how to go a step towards the candidate; where None, the way in which the log supports the
            larger one.
        incumbent: the version to compare with, where several served; all that served where None.
        report: called for the stages "read", "fit" and "estimate".

    Raises:
        planogram.files.log.LogFileError: for a log that cannot be read.
        ValueError: where no session of the log says anything about the candidate.
    """
    torch.set_num_threads(1)  # larger pools lose more in hand-over than these small layers gain
    limits = limits or gate.Limits()
    weights = weights or rewards.load()
    found = evidence.read(
        log,
        candidate,
        exploration,
        weights,
        page_discount,
        learned_until,
        incumbent,
        lambda done, total: report("read", done, total),
    )
    report("read", found.transitions.page_count, found.transitions.page_count)
    ways = (Blending.GEOMETRIC, Blending.MIXTURE) if blending is None else (blending,)
    found_steps = {way: _steps(found, way) for way in ways}
    supported = {way: _largest(found, steps, limits) for way, steps in found_steps.items()}
    blending = max(ways, key=lambda way: supported[way] or 0.0)
    steps, chosen = found_steps[blending], supported[blending]
    shown = min(gate.BLENDS) if chosen is None else chosen
    by_blend = _with_values(found, steps, shown, recipe, lambda done, total: report("fit", done, total))
    facts = _facts(log, candidate, exploration, found, limits) | {"blending": blending.value}
    decision = gate.decide(by_blend.__getitem__, limits, facts=facts)
    rows: list[table.Row] = []
    for index, share in enumerate(gate.BLENDS):
        rows += table.rows(by_blend[share], share, is_valued=share == shown)
        report("estimate", index + 1, len(gate.BLENDS))
    return Evaluation(
        candidate.version, exploration, log, found, blending, by_blend, shown, tuple(rows), decision
    )


def learned_until(artifact: Artifact) -> datetime:
    """The last moment that a published policy learned from.

    Raises:
        Incompatible: where its manifest does not say.
    """
    manifest = artifact.manifest
    try:
        last = manifest.get("learned_window", manifest["data_window"])[1]
        # Manifests count whole seconds, rounded down.
        return datetime.fromisoformat(last) + timedelta(seconds=1)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Incompatible(f"{artifact.path}: data_window: {type(error).__name__}: {error}") from None


def _steps(found: Evidence, way: Blending) -> dict[float, Array]:
    """(K,) probabilities of each blend."""
    offsets = found.transitions.offsets
    return {share: blended(found.served, found.candidate, share, offsets, way) for share in gate.BLENDS}


def _largest(found: Evidence, steps: Mapping[float, Array], limits: gate.Limits) -> float | None:
    """The largest blend that the log supports; None where there is none."""
    support = {share: gate.support_of(_asked(found, step)) for share, step in steps.items()}
    return gate.largest_supported(support, limits)[0]


def _asked(found: Evidence, step: Array) -> Decisions:
    """The decisions, with a policy of (K,) probabilities as the candidate."""
    rows = found.transitions.offsets[:-1] + found.transitions.chosen
    return dataclasses.replace(found.decisions, candidate=step[rows])


def _with_values(
    found: Evidence,
    steps: Mapping[float, Array],
    shown: float,
    recipe: Recipe,
    progress: Callable[[int, int], None],
) -> dict[float, Decisions]:
    """The decisions of every step, with a model of the step that the gate looks at.

    Args:
        steps: (K,) probabilities by blend.
        shown: the blend that the model follows, to the session's and the page's end.
    """
    decisions, transitions = found.decisions, found.transitions
    session = np.repeat(np.arange(len(decisions)), np.diff(decisions.sessions().offsets))
    folds = decisions.shoppers[session] % fqe.FOLD_COUNT
    values = []
    for index, data in enumerate((transitions, fqe.to_page_end(transitions, decisions.page_offsets))):
        values.append(fqe.cross_fit(data, steps[shown], folds, recipe))
        progress(index + 1, 2)
    return {
        share: dataclasses.replace(
            _asked(found, step),
            session_values=fqe.averaged(values[0], transitions, step, found.served),
            page_values=fqe.averaged(values[1], transitions, step, found.served),
        )
        for share, step in steps.items()
    }


def _facts(
    log: Path, candidate: Policy, exploration: Exploration, found: Evidence, limits: gate.Limits
) -> dict[str, object]:
    """What the decision's file says about where it comes from."""
    decisions = found.decisions
    return {
        "candidate": {
            "version": candidate.version,
            "mode": exploration.mode.value,
            "epsilon": exploration.epsilon,
            "temperature": exploration.temperature,
        },
        "log": {
            "folder": str(log),
            "session_count": len(decisions),
            "page_count": decisions.page_count,
            "decision_count": len(decisions.served),
            "shopper_count": int(decisions.shoppers.max()) + 1,
            "served_versions": found.versions,
            "sessions_left_out": found.left_out,
            "first": _moment(int(found.transitions.times.min())),
            "last": _moment(int(found.transitions.times.max())),
        },
        "page_discount": decisions.page_discount,
        "limits": dataclasses.asdict(limits),
    }


def _moment(micros: int) -> str:
    return f"{datetime.fromtimestamp(micros / 1e6, UTC):%Y-%m-%d %H:%M} UTC"
