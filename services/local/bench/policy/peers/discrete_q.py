"""What do d3rlpy's double DQN and discrete CQL make of the log?

The algorithms are the library's, with its own losses and networks (two layers of 64, as ours), fed with
batches of the log's decisions through `update`. It knows no masks: its bootstrap takes the maximum over all
actions, those of modules that stand above included; when pages are laid out, what may not stand is left out.

Settings were chosen on worlds 0 and 1. Rates of 3e-4, 1e-3 and 2e-3 were tried, rewards in margins and over
their deviation (the losses are Huber's, which are squares below 1 and would clip rare purchases), discounts
of 1 and .99, 3,000 to 10,000 steps, CQL's weight at .001, .01 and .1, and a target network renewed every 100,
250 and 1,000 steps: 100 was best to the page's end, where rewards have six steps to come up, and 250 down the
cascade. The library's defaults (rate 6e-5, renewed every 8,000 steps, batches of 32) are for hundreds of
times as many steps.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from services.local.bench.policy.front_pages import Encoder
from services.local.bench.policy.log import Log
from services.local.bench.policy.peers import placing
from services.local.bench.policy.peers.decisions import SlotStates, Steps
from services.policy.training.pages import Pages
from simulator.front import Decision, Observed

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        epoch_limit: most times that a decision is learned from on average; small logs take fewer steps.
        renewal: steps from one copy into the target network to the next.
        alpha: weight of CQL's conservative loss.
        reward_scale: factor of rewards.
    """

    step_count: int = 5_000
    epoch_limit: float = 10.0
    batch_size: int = 512
    learning_rate: float = 1e-3
    discount: float = 1.0
    renewal: int = 250
    alpha: float = 0.01
    reward_scale: float = 1.0
    widths: tuple[int, ...] = (64, 64)

    def steps_for(self, decision_count: int) -> int:
        """Steps to take on a log of this size."""
        return min(self.step_count, max(100, round(self.epoch_limit * decision_count / self.batch_size)))


class SlotQ:
    """Fills each slot with the action of the highest value.

    Args:
        network: from (B, width) descriptions of decisions to (B, A) values.
    """

    def __init__(self, encoder: Encoder, states: SlotStates, network: Callable[[Any], Any]) -> None:
        self._encoder, self._states, self._network = encoder, states, network

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        states = self._encoder.states(observed)

        def values(slot: int, placed: Array) -> Array:
            described = self._states.describe(states, np.full(len(states), slot), placed)
            with torch.no_grad():
                result: Array = self._network(torch.from_numpy(described)).numpy()
            return result

        return placing.by_slot(len(states), self._states.module, values)


PAGE_END = Recipe(renewal=100)


def fit(
    log: Log,
    seed: int,
    algorithm: Literal["double DQN", "CQL"],
    cut: Callable[[Pages], Steps],
    recipe: Recipe = Recipe(),
) -> SlotQ:
    """A policy by values that the library learned from the log's decisions.

    Args:
        cut: `to_the_page_end` or `down_the_cascade`.
    """
    with contextlib.redirect_stderr(io.StringIO()):  # its dependency Gym says at length that it is old
        import d3rlpy
        from d3rlpy.dataset import TransitionMiniBatch

    torch.set_num_threads(1)
    d3rlpy.seed(seed)
    pages, states = log.pages, SlotStates.of_log(log)
    steps = cut(pages)
    shared = {
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "gamma": recipe.discount,
        "target_update_interval": recipe.renewal,
        "encoder_factory": d3rlpy.models.VectorEncoderFactory(list(recipe.widths)),
        "reward_scaler": d3rlpy.preprocessing.MultiplyRewardScaler(recipe.reward_scale),
    }
    if algorithm == "CQL":
        learner = d3rlpy.algos.DiscreteCQLConfig(alpha=recipe.alpha, **shared).create(device="cpu:0")
    else:
        learner = d3rlpy.algos.DoubleDQNConfig(**shared).create(device="cpu:0")
    learner.create_impl((states.width,), len(states.module))
    generator = np.random.default_rng(seed)
    for _ in range(recipe.steps_for(len(steps))):
        batch = generator.integers(len(steps), size=recipe.batch_size)
        page, next_page = steps.page[batch], steps.next_page[batch]
        learner.update(
            TransitionMiniBatch(
                observations=states.describe(pages.states[page], steps.slot[batch], pages.placed[page]),
                actions=_column(steps.action[batch]),
                rewards=_column(steps.reward[batch]),
                next_observations=states.describe(
                    pages.states[next_page], steps.next_slot[batch], pages.placed[next_page]
                ),
                next_actions=_column(pages.placed[next_page, steps.next_slot[batch]]),
                terminals=_column(steps.is_over[batch]),
                intervals=np.ones((len(batch), 1), np.float32),
                transitions=[],
            )
        )
    (network,) = learner.impl.q_function.eval()
    return SlotQ(log.encoder, states, lambda described: network(described).q_value)


def _column(values: Array) -> Array:
    return values.astype(np.float32)[:, None]
