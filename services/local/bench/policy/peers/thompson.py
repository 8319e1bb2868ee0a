"""What earns Thompson sampling on modules, segment by segment?

Beta-Bernoulli bandits on clicks (Chapelle and Li 2011), one for each segment and action, times what a click
on the action brings on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.local.bench.policy.log import Log
from services.local.bench.policy.peers import placing
from simulator.front import Decision, Observed

Array = np.ndarray[Any, Any]

PRIOR_CLICKS = 200.0
"""Clicks at the mean margin of all that each action is given beforehand: purchases are one click in fifty."""


@dataclass(frozen=True, slots=True)
class Thompson:
    """Orders pages by click rates drawn from their posterior, times margins.

    Attributes:
        clicked, unclicked: (K + 1, A) parameters of the Beta posteriors; the last row is for no segment.
        margin: (A,) mean of a click.
        module: (A,)
    """

    clicked: Array
    unclicked: Array
    margin: Array
    module: Array

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        drawn = random.beta(self.clicked[observed.segment], self.unclicked[observed.segment])
        return placing.by_score(drawn * self.margin, self.module)


def fit(log: Log, seed: int) -> Thompson:
    """Posteriors of all examined slots, with a uniform prior."""
    pages, count = log.pages, len(log.encoder.catalogue.module)
    page, slot = np.nonzero(pages.is_examined)
    action, is_clicked = pages.placed[page, slot], pages.is_clicked[page, slot]
    shape = (len(log.shop.world.type_share) + 1, count)
    clicked, unclicked = np.ones(shape), np.ones(shape)
    segment = log.trace.observed.segment[page]
    np.add.at(clicked, (segment, action), is_clicked)
    np.add.at(unclicked, (segment, action), ~is_clicked)
    clicks = np.bincount(action, is_clicked, count)
    earned = np.bincount(action, pages.reward[page, slot], count)
    mean = earned.sum() / max(clicks.sum(), 1)
    margin = (earned + mean * PRIOR_CLICKS) / (clicks + PRIOR_CLICKS)
    return Thompson(clicked, unclicked, margin, log.encoder.catalogue.module)
