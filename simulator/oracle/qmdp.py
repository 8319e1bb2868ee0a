"""What could anybody earn who infers all that can be inferred?

Shapes: B sessions, H hidden states, A actions, S slots.
"""

from __future__ import annotations

import numpy as np

from simulator.front.records import Decision
from simulator.front.seen import Acts, Observed
from simulator.front.shop import SLOT_COUNT, Front
from simulator.oracle.filter import Filter
from simulator.oracle.minds import Space
from simulator.oracle.pages import slots_of
from simulator.oracle.solver import Solution
from simulator.session import HiddenState


class Qmdp:
    """Acts on the exact belief as if all became known after this page: the honest reference, no bound.

    Slots are filled top-down: the belief is weighted by how likely each mind is to come so far, and what
    stands below is valued by the programme over belief-averaged slots.

    Source: Littman, Cassandra & Kaelbling 1995, Learning policies for partially observable environments.
    """

    def __init__(self, front: Front, solutions: list[Solution], space: Space) -> None:
        self._filter = Filter(front, space, [solution.odds for solution in solutions])
        self._module = front.catalogue.module
        # (H, 3 A) worth, last worth, passing of each context, as one matrix product
        self._slots = [
            np.concatenate((slots.worth, slots.last_worth, slots.passing), 1).astype(np.float32)
            for slots in (slots_of(solution.odds, solution.following) for solution in solutions)
        ]

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        if not observed.page_index.any():
            self._filter.begin(observed)
        placed = np.empty((len(observed.rows), SLOT_COUNT), np.int64)
        for context in np.unique(observed.context):
            here = np.flatnonzero(observed.context == context)
            placed[here] = self._pages(self._filter.belief[observed.rows[here]], self._slots[context])
        return Decision(placed, np.ones(placed.shape))

    def belief(self, observed: Observed) -> np.ndarray:
        """(B, H) what is believed of the sessions as their page begins."""
        return self._filter.belief[observed.rows]

    def watch(self, observed: Observed, state: HiddenState, decision: Decision, acts: Acts) -> None:
        """Takes in what was done; of the arguments, the hidden state is not read."""
        del state
        self._filter.update(observed, decision, acts)

    def _pages(self, belief: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        count = len(self._module)
        weight = belief.copy()
        page = np.empty((len(belief), SLOT_COUNT), np.int64)
        is_free = np.ones((len(belief), count), bool)
        for slot in range(SLOT_COUNT):
            mean = (weight @ matrix) / np.maximum(weight.sum(1, keepdims=True), 1e-30)
            worth, last, passing = np.split(mean.astype(np.float64), 3, 1)
            left = SLOT_COUNT - slot
            own = (
                last if left == 1 else worth + passing * _rest_value(worth, last, passing, is_free, left - 1)
            )
            page[:, slot] = np.where(is_free, own, -np.inf).argmax(1)
            chosen = page[:, slot]
            is_free &= self._module != self._module[chosen][:, None]
            weight *= matrix[:, 2 * count + chosen].T
        return page


def _rest_value(
    worth: np.ndarray, last: np.ndarray, passing: np.ndarray, is_free: np.ndarray, slot_count: int
) -> np.ndarray:
    """(B, 1) value of the slots below, by the programme over what is free."""
    index = np.where(is_free, worth / (1 - passing), -np.inf)
    top = np.argsort(-index, axis=1)[:, : 2 * slot_count + 4]
    order = top[:, ::-1]
    worth, last, passing, is_free = (
        np.take_along_axis(part, order, 1) for part in (worth, last, passing, is_free)
    )
    value = np.full((len(worth), slot_count + 1), -np.inf)
    for place in range(order.shape[1]):
        offered = np.empty((len(worth), slot_count))
        offered[:, 0] = last[:, place]
        offered[:, 1:] = worth[:, place, None] + passing[:, place, None] * value[:, 1:-1]
        offered[~is_free[:, place]] = -np.inf
        value[:, 1:] = np.maximum(value[:, 1:], offered)
    return value[:, -1:]
