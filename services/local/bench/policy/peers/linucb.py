"""What earns LinUCB, a linear model of each action's reward with a bonus for what is not well known?

Disjoint LinUCB (Li et al. 2010, arXiv:1003.0146, algorithm 1) on all examined slots of the log: a ridge
regression of each action on the scaled state. Of clicks and margins as the reward, margins earned more on
world 0 (.067 against .064), and a narrow bonus as much as none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from services.local.bench.policy.front_pages import Encoder
from services.local.bench.policy.log import Log
from services.local.bench.policy.peers import placing
from services.local.bench.policy.peers.decisions import SlotStates
from simulator.front import Decision, Observed

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class LinUcb:
    """Orders pages by the upper ends of the actions' expected rewards.

    Attributes:
        weight: (A, D + 1); inverse: (A, D + 1, D + 1) of the regressions' Gram matrices.
        alpha: width of the bonus, in deviations.
    """

    encoder: Encoder
    states: SlotStates
    weight: Array
    inverse: Array
    alpha: float

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        x = _with_constant(self.states.scaled(self.encoder.states(observed)))
        score = x @ self.weight.T
        if self.alpha:
            spread = np.stack([((x @ inverse) * x).sum(1) for inverse in self.inverse], 1)
            score = score + self.alpha * np.sqrt(np.maximum(spread, 0.0))
        return placing.by_score(score, self.states.module)


def fit(
    log: Log, seed: int, reward: Literal["click", "margin"] = "margin", alpha: float = 0.1, ridge: float = 1.0
) -> LinUcb:
    """Regressions on one pass over the log."""
    pages, states = log.pages, SlotStates.of_log(log)
    page, slot = np.nonzero(pages.is_examined)
    action = pages.placed[page, slot]
    gained = (pages.is_clicked if reward == "click" else pages.reward)[page, slot].astype(np.float64)
    x = _with_constant(states.scaled(pages.states))
    width, count = x.shape[1], len(states.module)
    weight, inverse = np.empty((count, width)), np.empty((count, width, width))
    for one in range(count):
        shown = np.flatnonzero(action == one)
        seen = x[page[shown]]
        inverse[one] = np.linalg.inv(seen.T @ seen + ridge * np.eye(width))
        weight[one] = inverse[one] @ (seen.T @ gained[shown])
    return LinUcb(log.encoder, states, weight, inverse, alpha)


def _with_constant(x: Array) -> Array:
    return np.concatenate((x, np.ones((len(x), 1))), 1, dtype=np.float64)
