"""Which policy gathers the first log, when nothing is known?"""

from __future__ import annotations

import numpy as np

from simulator.front.records import Decision
from simulator.front.seen import Observed
from simulator.front.shop import SLOT_COUNT, Catalogue


class Uniform:
    """Draws each slot uniformly among the actions of modules that do not stand above."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._module = catalogue.module

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        count = len(observed.rows)
        is_free = np.ones((count, len(self._module)), bool)
        placed, propensity = np.empty((count, SLOT_COUNT), np.int64), np.empty((count, SLOT_COUNT))
        for slot in range(SLOT_COUNT):
            total = is_free.cumsum(1)
            wanted = (random.random(count) * total[:, -1]).astype(np.int64)
            placed[:, slot] = (total > wanted[:, None]).argmax(1)
            propensity[:, slot] = 1 / total[:, -1]
            is_free &= self._module != self._module[placed[:, slot]][:, None]
        return Decision(placed, propensity)
