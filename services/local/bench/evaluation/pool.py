"""Which sessions has the incumbent served, and how likely was each choice under it and the candidate?

A million sessions on disk, part by part; logs of any size are drawn from them. Symbols: U sessions,
P pages, T examined slots, S slots.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.local.bench.evaluation import contestants, kept
from services.local.bench.evaluation.contestants import Contestant, Likelihoods, Recording
from services.local.bench.evaluation.sizes import POOL_SEED, Size
from services.policy.evaluation import gate
from services.policy.evaluation.decisions import Decisions
from simulator import front
from simulator.front import Acts, Decision, Front, Observed, Trace, taken

Array = np.ndarray[Any, Any]

STEPS = tuple(share for share in gate.BLENDS if share < 1.0)
"""Blends of which the probabilities are kept beside the candidate's."""

_OBSERVED = tuple(field.name for field in dataclasses.fields(Observed) if field.name != "rows")
_EXACT_AS_BYTES = 127


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Served sessions, without what was seen; a choice of them is a log too."""

    served: Array
    """(T,) float32."""
    candidate: Array
    """(T,) float32."""
    geometric: Array
    """(T, N) float32, of the geometric blends of STEPS."""
    rewards: Array
    """(T,) float32."""
    page_lengths: Array
    """(P,) examined slots."""
    session_lengths: Array
    """(U,) pages."""

    def __len__(self) -> int:
        return len(self.session_lengths)

    def drawn(self, sessions: Array) -> Log:
        """Some of the sessions, in the order given."""
        pages = ranges(self.session_lengths, sessions)
        rows = ranges(self.page_lengths, pages)
        return Log(
            self.served[rows],
            self.candidate[rows],
            self.geometric[rows],
            self.rewards[rows],
            self.page_lengths[pages],
            self.session_lengths[sessions],
        )

    def of(self, found: Likelihoods) -> Log:
        """The same log, asked about another candidate."""
        return dataclasses.replace(
            self,
            candidate=found.candidate.astype(np.float32),
            geometric=found.geometric.astype(np.float32),
        )

    def geometric_blend(self, share: float) -> Decisions:
        """The log's decisions with a geometric blend as candidate, of one of STEPS, or 1."""
        return self.decisions(self.candidate if share == 1.0 else self.geometric[:, STEPS.index(share)])

    def mixture(self, share: float) -> Decisions:
        """The log's decisions with a mixture as candidate."""
        return self.decisions(self.candidate).blended(share)

    def decisions(self, candidate: Array) -> Decisions:
        """As the evaluation reads it: every session is a shopper's own, and a later page counts in full.

        Args:
            candidate: (T,)
        """
        return Decisions(
            served=np.minimum(self.served.astype(np.float64), 1.0),
            candidate=np.minimum(candidate.astype(np.float64), 1.0),
            rewards=self.rewards.astype(np.float64),
            page_offsets=offsets(self.page_lengths),
            session_offsets=offsets(self.session_lengths),
            shoppers=np.arange(len(self)),
        )


def fill(
    folder: Path,
    shop: Front,
    incumbent: Contestant,
    candidate: Contestant,
    size: Size,
    say: Callable[[str], None],
) -> list[Path]:
    """Plays the parts that are not there yet; paths of all, in order."""
    counts = [
        min(size.part_sessions, size.pool_sessions - begun)
        for begun in range(0, size.pool_sessions, size.part_sessions)
    ]
    paths = [folder / f"{number:03}-{count}.npz" for number, count in enumerate(counts)]
    for number, (path, count) in enumerate(zip(paths, counts, strict=True)):
        if path.exists():
            continue
        kept.arrays(path, lambda: _play(shop, incumbent, candidate, count, POOL_SEED + number))  # noqa: B023
        say(f"pool: {path.name} of {len(paths)}")
    return paths


def load(paths: Sequence[Path]) -> Log:
    """All sessions of some parts, one behind the other."""
    parts = []
    for path in paths:
        with np.load(path) as file:
            parts.append([file[field.name] for field in dataclasses.fields(Log)])
    return Log(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def load_trace(path: Path) -> tuple[Log, Trace]:
    """One part, and its pages as any policy would have seen them."""
    with np.load(path) as file:
        log = Log(*(file[field.name] for field in dataclasses.fields(Log)))
        placed = file["placed"].astype(np.int64)
        observed = Observed(np.arange(len(placed)), *(_wide(file[name]) for name in _OBSERVED))
    nothing = np.zeros(len(placed), bool)
    is_examined = np.arange(placed.shape[1]) < log.page_lengths[:, None]
    acts = Acts(
        is_examined, np.zeros_like(is_examined), is_examined, nothing, nothing, nothing, nothing, nothing
    )
    session = np.repeat(np.arange(len(log)), log.session_lengths)
    return log, Trace(session, observed, Decision(placed, np.ones(placed.shape)), acts)


def traced(log: Log, trace: Trace, sessions: Array) -> tuple[Log, Trace]:
    """Some sessions of a part."""
    pages = ranges(log.session_lengths, sessions)
    return log.drawn(sessions), Trace(
        trace.session[pages],
        taken(trace.observed, pages),
        taken(trace.decision, pages),
        taken(trace.acts, pages),
    )


def of_trace(trace: Trace, found: Likelihoods) -> Log:
    """A trace as a log."""
    is_examined = trace.acts.is_examined
    return Log(
        served=trace.decision.propensity[is_examined].astype(np.float32),
        candidate=found.candidate.astype(np.float32),
        geometric=found.geometric.astype(np.float32),
        rewards=trace.acts.margin[is_examined].astype(np.float32),
        page_lengths=is_examined.sum(1),
        session_lengths=np.bincount(trace.session),
    )


def ranges(lengths: Array, chosen: Array) -> Array:
    """Rows of the chosen of consecutive runs, one behind the other."""
    lengths = lengths.astype(np.int64)
    starts, counts = (np.cumsum(lengths) - lengths)[chosen], lengths[chosen]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows: Array = np.repeat(starts, counts) + within
    return rows


def offsets(lengths: Array) -> Array:
    """(n + 1,) where runs begin, and the end."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def _play(
    shop: Front, incumbent: Contestant, candidate: Contestant, count: int, seed: int
) -> dict[str, Array]:
    module = shop.catalogue.module
    recording = Recording(incumbent, module)
    trace = front.play(shop, recording, count, seed, is_traced=True).trace
    assert trace is not None
    asked = contestants.steps(candidate, trace, module)
    log = of_trace(trace, contestants.likelihoods(asked, recording.steps(trace), trace, STEPS))
    columns = {name: _narrow(getattr(trace.observed, name)) for name in _OBSERVED}
    columns |= {field.name: getattr(log, field.name) for field in dataclasses.fields(Log)}
    columns |= {name: columns[name].astype(np.uint8) for name in ("page_lengths", "session_lengths")}
    return columns | {"placed": trace.decision.placed.astype(np.uint8)}


def _narrow(column: Array) -> Array:
    """Whole numbers as bytes, where they fit."""
    if (
        column.dtype == bool
        or not (column == np.rint(column)).all()
        or np.abs(column).max() > _EXACT_AS_BYTES
    ):
        return column
    return column.astype(np.int8)


def _wide(column: Array) -> Array:
    """Numbers that may be counted on."""
    return column.astype(np.int64) if column.dtype == np.int8 else column
