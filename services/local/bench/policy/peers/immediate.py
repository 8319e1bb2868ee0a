"""What earns ranking by click probability times what a click brings at once?

The ranking of most shops that learn: p(click) p(purchase | click) margin, for the page at hand. Both factors
are heads of a cascade network trained with page discount 0, whose value of a click is the margin that is
expected of the page it is clicked on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.local.bench.policy.front_pages import Encoder, FrontActions
from services.local.bench.policy.log import Log
from services.local.bench.policy.peers import placing
from services.policy.training import slateq
from services.policy.training.slateq import CascadeNetwork
from simulator.front import Decision, Observed


@dataclass(frozen=True, slots=True)
class Immediate:
    """Orders pages by what each action brings on the page itself."""

    encoder: Encoder
    network: CascadeNetwork

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        everyone = np.arange(len(observed.rows))
        actions = FrontActions(self.encoder, observed).of(everyone).actions
        click, _, clicked_value, _ = self.network.answer(self.encoder.states(observed), actions)
        return placing.by_score(click * clicked_value, self.encoder.catalogue.module)


def fit(log: Log, seed: int) -> Immediate:
    """The network is trained as our own is, but for the discount."""
    recipe = replace(log.size.recipe, page_discount=0.0, seed=seed)
    return Immediate(log.encoder, slateq.learn(log.pages, recipe))
