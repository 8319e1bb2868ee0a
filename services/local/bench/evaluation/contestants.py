"""With which probability does a policy make each choice on a front page, and a blend of two?

Shapes: B pages at once, P pages of a log, S slots, A actions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.local.bench.policy.contenders import Exploring, lay_out, slot_values
from services.local.bench.policy.contenders import served as served_chances
from services.local.bench.policy.front_pages import Encoder, FrontActions
from services.policy.evaluation.blending import Blending, blended
from services.policy.programme import Cascade
from services.policy.training.slateq import CascadeNetwork
from simulator.front import SLOT_COUNT, Decision, Observed, Trace, taken

Array = np.ndarray[Any, Any]

_BATCH = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class Contestant:
    """A policy to which the page so far matters by what is free alone.

    Attributes:
        cascade: what actions bring, of pages that were observed.
        exploring: how it draws.
    """

    name: str
    cascade: Callable[[Observed], Cascade]
    exploring: Exploring

    def chances(self, cascade: Cascade, is_free: Array, slot: int) -> Array:
        """(B, A) its probabilities in a slot."""
        return served_chances(slot_values(cascade, is_free, slot), is_free, self.exploring)


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """Goes a step from the incumbent towards the candidate in each slot."""

    incumbent: Contestant
    candidate: Contestant
    share: float
    blending: Blending
    module: Array
    """(A,)"""

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        count = len(observed.rows)
        both = self.incumbent.cascade(observed), self.candidate.cascade(observed)
        is_free = np.ones((count, len(self.module)), bool)
        placed, propensity = np.empty((count, SLOT_COUNT), np.int64), np.empty((count, SLOT_COUNT))
        for slot in range(SLOT_COUNT):
            served, candidate = (
                who.chances(cascade, is_free, slot)
                for who, cascade in zip((self.incumbent, self.candidate), both, strict=True)
            )
            chance = blend(served, candidate, self.share, self.blending)
            placed[:, slot], propensity[:, slot] = _drawn(chance, random)
            is_free &= self.module != self.module[placed[:, slot]][:, None]
        return Decision(placed, propensity)


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """A contestant as a policy that lays out pages."""

    who: Contestant
    module: Array
    """(A,)"""

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        return lay_out(self.who.cascade(observed), self.module, self.who.exploring, random)


def blend(served: Array, candidate: Array, share: float, blending: Blending) -> Array:
    """(B, A) probabilities of a blend, as the evaluation blends."""
    count, width = served.shape
    offsets = np.arange(0, count * width + 1, width)
    flat = blended(served.ravel(), candidate.ravel(), share, offsets, blending)
    return flat.reshape(count, width)


def _drawn(chance: Array, random: np.random.Generator) -> tuple[Array, Array]:
    """(B,) actions drawn from (B, A) probabilities, and the probability of each."""
    cumulative = np.cumsum(chance, 1)
    wanted = random.random(len(chance)) * cumulative[:, -1]
    chosen = np.minimum((cumulative <= wanted[:, None]).sum(1), chance.shape[1] - 1)
    return chosen, np.take_along_axis(chance, chosen[:, None], 1)[:, 0]


class Recording:
    """A contestant alone, that remembers with which probability it could have made each choice."""

    def __init__(self, who: Contestant, module: Array) -> None:
        self._who, self._module = who, module
        self._chances: list[Array] = []
        self._places: list[tuple[int, Array, Array]] = []
        self._batch = -1

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        count = len(observed.rows)
        self._batch += not observed.page_index.any()
        cascade = self._who.cascade(observed)
        is_free = np.ones((count, len(self._module)), bool)
        placed, propensity = np.empty((count, SLOT_COUNT), np.int64), np.empty((count, SLOT_COUNT))
        chances = np.empty((count, SLOT_COUNT, len(self._module)), np.float32)
        for slot in range(SLOT_COUNT):
            chance = self._who.chances(cascade, is_free, slot)
            placed[:, slot], propensity[:, slot] = _drawn(chance, random)
            chances[:, slot] = chance
            is_free &= self._module != self._module[placed[:, slot]][:, None]
        self._chances.append(chances)
        self._places.append((self._batch, observed.rows.copy(), observed.page_index.copy()))
        return Decision(placed, propensity)

    def steps(self, trace: Trace) -> Iterator[Step]:
        """What `steps` would answer of the trace that came of it."""
        batch = np.concatenate([np.full(len(rows), number) for number, rows, _ in self._places])
        rows, index = (np.concatenate(column) for column in list(zip(*self._places, strict=True))[1:])
        order = np.lexsort((index, rows, batch))
        chances = np.concatenate(self._chances)
        for pages, slot in _examined(trace):
            yield pages, slot, chances[order[pages], slot].astype(np.float64)


Step = tuple[Array, int, Array]
"""Pages of a log on which a slot was examined, the slot, and (pages, A) probabilities there."""


def steps(who: Contestant, trace: Trace, module: Array) -> Iterator[Step]:
    """With which probability a policy would have made each choice in every examined slot of a log.

    Examined slots are the upper ones of their pages.
    """
    for start, group in itertools.groupby(_examined(trace), lambda step: step[0][0] // _BATCH * _BATCH):
        batch = np.arange(start, min(start + _BATCH, len(trace.session)))
        placed = trace.decision.placed[batch]
        cascade = who.cascade(taken(trace.observed, batch))
        is_free = np.ones((len(batch), len(module)), bool)
        for pages, slot in group:
            rows = pages - start
            yield pages, slot, who.chances(_of_rows(cascade, rows), is_free[rows], slot)
            is_free &= module != module[placed[:, slot]][:, None]


def _examined(trace: Trace) -> Iterator[tuple[Array, int]]:
    """Pages and slot, batch by batch from the top down, where any of the batch was examined."""
    is_examined = trace.acts.is_examined
    for start in range(0, len(is_examined), _BATCH):
        for slot in range(SLOT_COUNT):
            rows = np.flatnonzero(is_examined[start : start + _BATCH, slot])
            if len(rows):
                yield start + rows, slot


@dataclass(frozen=True, slots=True, eq=False)
class Likelihoods:
    """With which probability the choices of a log's T examined slots would have been made.

    Attributes:
        candidate: (T,) by the candidate.
        geometric: (T, N) by the geometric blend of each of the shares with what was served.
    """

    candidate: Array
    geometric: Array


def likelihoods(
    candidate: Iterable[Step], served: Iterable[Step], trace: Trace, shares: Sequence[float]
) -> Likelihoods:
    """Reads what the candidate and the served policy would have done, in order of page and slot."""
    shape = trace.acts.is_examined.shape
    alone, geometric = np.ones(shape), np.ones((*shape, len(shares)))
    for (pages, slot, theirs), (_, _, before) in zip(candidate, served, strict=True):
        chosen = (np.arange(len(pages)), trace.decision.placed[pages, slot])
        alone[pages, slot] = theirs[chosen]
        for number, share in enumerate(shares):
            geometric[pages, slot, number] = blend(before, theirs, share, Blending.GEOMETRIC)[chosen]
    return Likelihoods(alone[trace.acts.is_examined], geometric[trace.acts.is_examined])


def _of_rows(cascade: Cascade, rows: Array) -> Cascade:
    return Cascade(cascade.worth[rows], cascade.last_worth[rows], cascade.passing[rows])


def whole_sessions(name: str, encoder: Encoder, network: CascadeNetwork, exploring: Exploring) -> Contestant:
    """Pages by all that a cascade network says."""

    def cascade(observed: Observed) -> Cascade:
        actions = FrontActions(encoder, observed).of(np.arange(len(observed.rows))).actions
        return network.cascade(encoder.states(observed), actions)

    return Contestant(name, cascade, exploring)


def click_order(name: str, encoder: Encoder, network: CascadeNetwork, exploring: Exploring) -> Contestant:
    """What is most likely to be clicked from the top down, by the same network's click head."""

    def cascade(observed: Observed) -> Cascade:
        actions = FrontActions(encoder, observed).of(np.arange(len(observed.rows))).actions
        click, *_ = network.answer(encoder.states(observed), actions)
        return _of_scores(click)

    return Contestant(name, cascade, exploring)


def one_page(name: str, score: Array, exploring: Exploring) -> Contestant:
    """The same scores (A,) for everybody."""

    def cascade(observed: Observed) -> Cascade:
        return _of_scores(np.tile(score, (len(observed.rows), 1)))

    return Contestant(name, cascade, exploring)


def _of_scores(score: Array) -> Cascade:
    return Cascade(score, score, np.zeros_like(score))
