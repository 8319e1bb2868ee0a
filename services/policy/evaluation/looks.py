"""Where does a canary stand by the log, and what has it come through?

Every look counts all shoppers since the canary began, stage by stage, so that nothing has to be kept between
looks but when each stage began; the file says that, and the verdict with its reasons.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from services.common.errors import ConfigurationError
from services.policy.evaluation import canary
from services.policy.evaluation.arms import Arms
from services.policy.evaluation.canary import Canary, Plan, Verdict

_HEADER = "# Where a canary stands; reasons in the order in which they were looked at.\n"
_CHUNK = 100
"""Shoppers after whom the baseline moves: it must not know whom it is taken off."""
_DEVIATIONS = 4.0
"""Of the number of shoppers who met the candidate, beyond which the share was another one."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A share of shoppers, and since when it is served; None for the beginning of the log."""

    share: float
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Course:
    """What a canary has come through: its stages, and the verdict of the latest look."""

    incumbent: str
    candidate: str
    stages: tuple[Stage, ...]
    verdict: Verdict = Verdict.HOLD

    def continued(self, share: float, since: datetime | None, plan: Plan) -> Course:
        """The course with a further stage, where the share is that of the next.

        Raises:
            ConfigurationError: for a share that the canary is not at, and a stage without a beginning.
        """
        if self.verdict in (Verdict.KILL, Verdict.NO_UPLIFT_SHOWN):
            raise ConfigurationError(f"the canary of {self.candidate} is over: {self.verdict.value}")
        latest = self.stages[-1]
        if share == latest.share:
            return self
        following = plan.shares[plan.shares.index(latest.share) + 1 :][:1]
        if self.verdict not in (Verdict.ADVANCE, Verdict.PROMOTE) or following != (share,):
            raise ConfigurationError(
                f"--share: got {share:g}, want {latest.share:g}, where the canary is"
                + (f", or {following[0]:g}" if following and self.verdict is Verdict.ADVANCE else "")
            )
        if since is None or (latest.since is not None and since <= latest.since):
            raise ConfigurationError(
                f"--since: got {since or 'nothing'}, want when the share of {share:g} began"
            )
        return dataclasses.replace(self, stages=(*self.stages, Stage(share, since)))


def begin(incumbent: str, candidate: str, share: float, since: datetime | None, plan: Plan) -> Course:
    """A course at its first stage.

    Raises:
        ConfigurationError: for another share than the plan's first.
    """
    if share != plan.shares[0]:
        raise ConfigurationError(f"--share: got {share:g}, want {plan.shares[0]:g}, where a canary begins")
    return Course(incumbent, candidate, (Stage(share, since),))


def look(course: Course, arms: Arms, plan: Plan, readings: Mapping[str, float]) -> Canary:
    """The canary after all shoppers so far, judged.

    Raises:
        ConfigurationError: where a stage's shoppers did not meet the candidate in its share.
    """
    begins = [0 if stage.since is None else round(stage.since.timestamp() * 1e6) for stage in course.stages]
    ends = [*begins[1:], math.inf]
    state = Canary()
    for stage, first, end in zip(course.stages, begins, ends, strict=True):
        here = np.flatnonzero((arms.times >= first) & (arms.times < end))
        _check_share(stage.share, arms.is_candidate[here])
        state = dataclasses.replace(state, stage=plan.shares.index(stage.share), stage_count=0)
        for begun in range(0, len(here), _CHUNK):
            some = here[begun : begun + _CHUNK]
            state = canary.observe(state, plan, arms.is_candidate[some], arms.outcomes[some])
    return canary.judge(state, plan, readings)


def _check_share(share: float, is_candidate: np.ndarray[Any, Any]) -> None:
    """Bounds rest on the share with which shoppers were drawn: another one would make a difference up."""
    count, met = len(is_candidate), int(is_candidate.sum())
    if abs(met - count * share) > _DEVIATIONS * math.sqrt(count * share * (1 - share)) + 1:
        raise ConfigurationError(
            f"--share: got {share:g}, but {met:,} of {count:,} shoppers met the candidate, {met / count:.1%}"
        )


def load(path: Path) -> Course | None:
    """The course that a file tells of; None where there is no file.

    Raises:
        ConfigurationError: names the file and what is wrong.
    """
    if not path.exists():
        return None
    try:
        found = yaml.safe_load(path.read_text())
        stages = tuple(Stage(float(each["share"]), _moment(each["since"])) for each in found["stages"])
        return Course(found["incumbent"], found["candidate"], stages, Verdict(found["verdict"]))
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: {type(error).__name__}: {error}") from None


def write(
    course: Course, state: Canary, arms: Arms, plan: Plan, facts: Mapping[str, Any], path: Path
) -> None:
    """Writes where the canary stands as YAML; parents are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(
        document(course, state, arms, plan, facts), sort_keys=False, allow_unicode=True, width=120
    )
    path.write_text(_HEADER + text)


def document(
    course: Course, state: Canary, arms: Arms, plan: Plan, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Where the canary stands, in plain types.

    Args:
        facts: where it comes from: log, readings; for the reader of the file.
    """
    bounds = canary.difference(state, plan)
    is_known = math.isfinite(bounds.lower)
    return {
        "verdict": state.verdict.value,
        "serve_share": canary.share(state, plan),
        "reasons": list(state.reasons),
        "difference_bounds": [round(bounds.lower, 6), round(bounds.upper, 6)] if is_known else None,
        "incumbent": course.incumbent,
        "candidate": course.candidate,
        "stages": [
            {"share": stage.share, "since": None if stage.since is None else stage.since.isoformat()}
            for stage in course.stages
        ],
        "arms": {
            name: {"shopper_count": len(outcomes), "mean_earned": _mean(outcomes)}
            for name, outcomes in (
                ("incumbent", arms.outcomes[~arms.is_candidate]),
                ("candidate", arms.outcomes[arms.is_candidate]),
            )
        },
        "sessions_left_out": arms.left_out,
        "later_sessions": arms.later_sessions,
        "confidence": plan.confidence,
        "guardrails": {rail.name: rail.limit for rail in plan.guardrails},
        **facts,
    }


def _mean(outcomes: Sequence[float] | np.ndarray[Any, Any]) -> float | None:
    return round(float(np.mean(outcomes)), 6) if len(outcomes) else None


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
