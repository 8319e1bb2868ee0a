"""What earns a page in the order that a merchandiser would choose by hand?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.local.bench.policy.log import Log
from services.local.bench.policy.peers import placing
from simulator.front import SLOT_COUNT, Catalogue, Decision, Observed

LEADING = ("hero", "popular", "new-in")
"""Modules at the top; bestsellers by category follow, in the catalogue's order."""


@dataclass(frozen=True, slots=True)
class Editorial:
    """One page, (S,) actions, for everybody."""

    page: np.ndarray[tuple[int], np.dtype[np.int64]]

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        return placing.repeated(self.page, len(observed.rows))


def fit(log: Log, seed: int) -> Editorial:
    """Nothing is learned; each module stands in the first of its templates."""
    return Editorial(page_of(log.encoder.catalogue))


def page_of(catalogue: Catalogue) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(S,) actions of the page."""
    names = catalogue.module_ids
    shelves = [name for name in names if name.startswith("bestsellers-")]
    wanted = [*LEADING, *shelves][:SLOT_COUNT]
    return np.array([np.flatnonzero(catalogue.module == names.index(name))[0] for name in wanted])
