"""How do thousands of sessions run on front pages that a policy lays out, as fast as arrays go?

The same seed brings the same shoppers with the same luck. Shapes: B sessions, S slots, K types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from simulator import modules, session
from simulator.front.columns import concatenated, taken
from simulator.front.page import Luck, turn
from simulator.front.records import Decision, Outcome, Policy, Trace, joined
from simulator.front.seen import Acts, Observed
from simulator.front.shop import Front
from simulator.session import HiddenState, Start
from simulator.shopper import COLD_SHARE, SEGMENT_ACCURACY

MAX_PAGES = 40
BATCH = 4_096

Watcher = Callable[[Observed, HiddenState, Decision, Acts], None]


class Part(Enum):
    """Which part of a shop's course is played; all are one where the shop stays as it is."""

    BEFORE = "before"
    """The shop as it was built."""
    ACROSS = "across"
    """Sessions in order of time, the later ones in what the shop becomes: a log that a change cuts."""
    AFTER = "after"
    """What the shop becomes: where policies that learned from such a log are valued."""


@dataclass(frozen=True, slots=True)
class Visits:
    """B sessions as they begin.

    Attributes:
        state, is_scanner: hidden.
    """

    observed: Observed
    state: HiddenState
    is_scanner: np.ndarray


def play(
    front: Front,
    policy: Policy,
    session_count: int,
    seed: int,
    is_traced: bool = False,
    watch: Watcher | None = None,
    reveal: Callable[[HiddenState], None] | None = None,
    part: Part = Part.BEFORE,
) -> Outcome:
    """Runs sessions to their end.

    Args:
        watch: sees every page with the hidden state behind it; for the oracle and its tests alone.
        reveal: is told the hidden state before each page is laid out; likewise.
    """
    batches = []
    for shop, first, end in _stretches(front, part, session_count):
        for begun in range(first, end, BATCH):
            random = np.random.default_rng([front.world.seed, seed, begun, 0xF07])
            count = min(BATCH, end - begun)
            batches.append(_play_batch(shop, policy, count, random, is_traced, watch, reveal))
    offsets = np.cumsum([0] + [len(batch.value) for batch in batches[:-1]])
    traces = [
        replace(batch.trace, session=batch.trace.session + offset)
        for batch, offset in zip(batches, offsets, strict=True)
        if batch.trace is not None
    ]
    return replace(
        concatenated([replace(batch, trace=None) for batch in batches]),
        trace=joined(traces) if is_traced else None,
    )


def begin(front: Front, count: int, random: np.random.Generator) -> Visits:
    """Sessions as they begin, and what is known of them."""
    world = front.world
    # Types are drawn in the order of their segments' names: a type's index leaves no trace.
    order = np.argsort(world.segments)
    place = random.choice(len(order), count, p=world.type_share[order])
    segment = _segments(place, len(order), random)
    is_scanner = random.random(count) < world.regime.scanner_share
    context = front.draw_contexts(count, random)
    state, _, _ = session.begin(world, order[place], random.random((count, len(Start))))
    observed = Observed.begin(context, segment, front.catalogue.category_count, len(modules.FAMILIES))
    return Visits(observed, state, is_scanner)


def _stretches(front: Front, part: Part, session_count: int) -> list[tuple[Front, int, int]]:
    """Shops, and the first and the last but one of the sessions that are played in each."""
    if front.after is None or part is Part.BEFORE:
        return [(front, 0, session_count)]
    if part is Part.AFTER:
        return [(front.after, 0, session_count)]
    change = round(session_count * front.world.regime.shift_at)
    return [(front, 0, change), (front.after, change, session_count)]


def _play_batch(
    front: Front,
    policy: Policy,
    count: int,
    random: np.random.Generator,
    is_traced: bool,
    watch: Watcher | None,
    reveal: Callable[[HiddenState], None] | None,
) -> Outcome:
    # Draws of mind and of choice come from streams of their own, so that policies share their luck.
    mind, taste = random.spawn(2)
    visits = begin(front, count, mind)
    observed, state, is_scanner = visits.observed, visits.state, visits.is_scanner
    is_cold = observed.segment == len(front.world.type_share)
    value, pages, clicks = np.zeros(count), np.zeros(count), np.zeros(count)
    first_pages = np.zeros((count, 2))
    parts: list[Trace] = []
    for index in range(MAX_PAGES):
        # The draws of everybody who began, so that a session's luck does not depend on the others'.
        rows = observed.rows
        luck = taken(Luck.draw(count, mind), rows)
        if reveal is not None:
            reveal(state)
        decision = policy.decide(observed, taste)
        done = turn(front, observed, state, decision.placed, is_scanner[rows], luck)
        acts = done.acts
        if index == MAX_PAGES - 1:
            acts = replace(acts, is_over=np.ones(len(rows), bool))
        value[rows] += done.worth
        pages[rows] += 1
        clicks[rows] += acts.is_clicked.any(1)
        if index < first_pages.shape[1]:
            first_pages[rows, index] = done.worth
        if watch is not None:
            watch(observed, state, decision, acts)
        if is_traced:
            everything = np.ones(len(rows), bool)
            parts.append(Trace(rows.copy(), observed.take(everything), decision, acts))
        observed.note(acts, done.family, done.shelf_category, done.shelf_family)
        stays = ~acts.is_over
        observed, state = observed.take(stays), done.state.take(stays)
        if not stays.any():
            break
    return Outcome(value, pages, clicks, first_pages, is_cold, _in_order(parts) if is_traced else None)


def _in_order(parts: list[Trace]) -> Trace:
    """One trace of many pages at once, by session and page."""
    trace = joined(parts)
    order = np.lexsort((trace.observed.page_index, trace.session))
    return Trace(
        trace.session[order],
        taken(trace.observed, order),
        taken(trace.decision, order),
        taken(trace.acts, order),
    )


def _segments(place: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """(B,) what marketing takes shoppers for; `count` for those it does not know.

    Args:
        place: (B,) of the segment that shoppers of this type are usually found in.
    """
    is_right = random.random(len(place)) < SEGMENT_ACCURACY
    guess = random.integers(count, size=len(place))
    is_cold = random.random(len(place)) < COLD_SHARE
    return np.where(is_cold, count, np.where(is_right, place, guess))
