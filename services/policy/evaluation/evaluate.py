"""How do a log and a candidate policy become estimates, a verdict and a report?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import torch

from services.common.artifacts import Artifact
from services.common.errors import Incompatible
from services.common.training_output import Report
from services.policy.evaluation import evidence, fqe, gate, table
from services.policy.evaluation.decisions import Decisions
from services.policy.evaluation.evidence import Evidence
from services.policy.exploration import Exploration
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
    decisions: Decisions
    """At blend 1, with a model's values."""
    shown_blend: float
    """The blend that the gate looked at; the smallest one where none has support."""
    rows: tuple[table.Row, ...]
    decision: gate.Decision


def evaluate(
    log: Path,
    candidate: Policy,
    exploration: Exploration,
    weights: Rewards | None = None,
    page_discount: float = 1.0,
    learned_until: datetime | None = None,
    limits: gate.Limits | None = None,
    recipe: Recipe = fqe.RECIPE,
    report: Report = lambda stage, done, total: None,
) -> Evaluation:
    """Evaluates a candidate on a log.

    Args:
        exploration: how the candidate would draw.
        page_discount: what a reward is worth that comes one page later.
        learned_until: the last moment that the candidate learned from, as `learned_until` reads it.
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
        lambda done, total: report("read", done, total),
    )
    report("read", found.transitions.page_count, found.transitions.page_count)
    support = {share: gate.support_of(found.decisions.blended(share)) for share in gate.BLENDS}
    chosen, _ = gate.largest_supported(support, limits)
    shown = min(gate.BLENDS) if chosen is None else chosen
    decisions = _with_values(found, shown, recipe, lambda done, total: report("fit", done, total))
    decision = gate.decide(
        decisions.blended, limits, facts=_facts(log, candidate, exploration, found, limits)
    )
    rows: list[table.Row] = []
    for index, share in enumerate(gate.BLENDS):
        rows += table.rows(decisions.blended(share), share, is_valued=share == shown)
        report("estimate", index + 1, len(gate.BLENDS))
    return Evaluation(candidate.version, exploration, log, found, decisions, shown, tuple(rows), decision)


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


def _with_values(
    found: Evidence, share: float, recipe: Recipe, progress: Callable[[int, int], None]
) -> Decisions:
    """The decisions, with values of the blend that the gate looks at, to the session's and the page's end."""
    decisions, transitions = found.decisions, found.transitions
    followed = (1.0 - share) * found.served + share * found.candidate
    session = np.repeat(np.arange(len(decisions)), np.diff(decisions.sessions().offsets))
    folds = decisions.shoppers[session] % fqe.FOLD_COUNT
    values = []
    for index, data in enumerate((transitions, fqe.to_page_end(transitions, decisions.page_offsets))):
        values.append(fqe.cross_fit(data, followed, found.candidate, found.served, folds, recipe))
        progress(index + 1, 2)
    return dataclasses.replace(decisions, session_values=values[0], page_values=values[1])


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
