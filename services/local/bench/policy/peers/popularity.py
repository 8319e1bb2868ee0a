"""What earns a shop that shows everybody what is clicked most?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.local.bench.policy.log import Log
from services.local.bench.policy.peers import placing
from simulator.front import Decision, Observed

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Popularity:
    """One page for everybody: (A,) click rates once examined, modules in their better template."""

    rate: Array
    module: Array

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        page = placing.by_score(self.rate[None], self.module).placed[0]
        return placing.repeated(page, len(observed.rows))


def fit(log: Log, seed: int) -> Popularity:
    """Clicks over examinations, both weighted by the inverse propensity with which they were shown."""
    pages = log.pages
    weight = pages.is_examined / pages.propensity
    count = len(log.encoder.catalogue.module)
    seen = np.bincount(pages.placed.ravel(), weight.ravel(), count)
    clicked = np.bincount(pages.placed.ravel(), (weight * pages.is_clicked).ravel(), count)
    return Popularity(clicked / np.maximum(seen, 1e-12), log.encoder.catalogue.module)
