"""What did shoppers earn who met a candidate in a canary, and those who met the incumbent?

Read from an exported log, by the policy version of every page. A shopper counts once, with the first session
of the canary: later ones are no new evidence, and what they earn may come of the first. Who met both
versions, or another, tells nothing about either and is left out.

Symbols: N shoppers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from planogram.files import log as files
from services.policy.page import Array
from services.policy.training.logged import acts_by_page, seen_on
from services.policy.training.rewards import Rewards

SET_ASIDE = "set aside as no shopper's"
UNKNOWN = "without a key, so that they cannot be told apart"
BOTH = "met both versions in their first session"
OTHER = "met another version, or none, in their first session"


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """N shoppers in the order in which they first came."""

    is_candidate: Array
    """(N,)"""
    outcomes: Array
    """(N,) what each earned in their first session."""
    times: Array
    """(N,) when each first came, microseconds since 1970."""
    left_out: dict[str, int]
    """Sessions that do not count, by reason."""
    later_sessions: int
    """Of shoppers who count already."""
    top_module_exposure_share: float | None
    """Of the candidate's examined slots, the share that one module takes; None before any."""

    def __len__(self) -> int:
        return len(self.outcomes)


@dataclass(slots=True)
class _Session:
    shopper: str
    time: int
    versions: set[str]
    earned: float


def read(
    folder: Path, incumbent: str, candidate: str, rewards: Rewards, since: datetime | None = None
) -> Arms:
    """Both arms of a canary.

    Args:
        since: when the canary began; sessions that began before are no part of it.

    Raises:
        planogram.files.log.LogFileError: for a log that cannot be read.
        ValueError: where both versions are one.
    """
    if incumbent == candidate:
        raise ValueError(f"candidate: got {candidate}, which is the incumbent")
    acts, set_aside = acts_by_page(folder), files.read_set_aside(folder)
    first = 0 if since is None else round(since.timestamp() * 1e6)
    sessions: dict[str, _Session] = {}
    shown: Counter[str] = Counter()
    for exposure in files.read_exposures(folder):
        key, time = exposure.session_key, files.micros(exposure.time)
        session = sessions.setdefault(key, _Session(exposure.shopper_key, time, set(), 0.0))
        session.versions.add(exposure.policy_version)
        if key in set_aside.session_keys:
            continue
        seen = seen_on(exposure, acts.get(exposure.page_id, []), rewards)
        session.earned += sum(seen.rewards)
        if exposure.policy_version == candidate and session.time >= first:
            shown.update(slot.module_id for slot in exposure.slots[: seen.lowest + 1])
    return _gather(
        {key: session for key, session in sessions.items() if session.time >= first},
        incumbent,
        candidate,
        set_aside.session_keys,
        _top_share(shown),
    )


def _gather(
    sessions: dict[str, _Session],
    incumbent: str,
    candidate: str,
    set_aside: frozenset[str],
    top_share: float | None,
) -> Arms:
    left_out: Counter[str] = Counter()
    met: set[str] = set()
    kept: list[tuple[int, bool, float]] = []
    later = 0
    for key, session in sorted(sessions.items(), key=lambda pair: pair[1].time):
        reason = SET_ASIDE if key in set_aside else "" if session.shopper else UNKNOWN
        if not reason:
            if session.shopper in met:
                later += 1
                continue
            met.add(session.shopper)
            reason = _unusable(session.versions, incumbent, candidate)
        if reason:
            left_out[reason] += 1
        else:
            kept.append((session.time, candidate in session.versions, session.earned))
    times, is_candidate, outcomes = zip(*kept, strict=True) if kept else ((), (), ())
    return Arms(
        is_candidate=np.array(is_candidate, bool),
        outcomes=np.array(outcomes, np.float64),
        times=np.array(times, np.int64),
        left_out=dict(left_out),
        later_sessions=later,
        top_module_exposure_share=top_share,
    )


def _unusable(versions: set[str], incumbent: str, candidate: str) -> str:
    if versions == {incumbent, candidate}:
        return BOTH
    return "" if versions in ({incumbent}, {candidate}) else OTHER


def _top_share(shown: Counter[str]) -> float | None:
    return max(shown.values()) / shown.total() if shown else None


def moment(micros: int) -> str:
    """A time of a log in words that `datetime.fromisoformat` reads."""
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat()
