"""How does a Q-network learn from logged decisions?

Double DQN (van Hasselt et al. 2015, arXiv:1509.06461) on a fixed log: masks in the target, Polyak
averaging of the target network (Lillicrap et al. 2015, arXiv:1509.02971), and Monte-Carlo returns as
targets for the first steps, which spares the bootstrap its worst guesses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from services.policy.training.qnet import QNetwork
from services.policy.training.transitions import TERMINAL, Transitions

MIN_STEP_COUNT = 300
"""Steps below which a network has not left its first guess, however small the log."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    step_count: int = 2_500
    epoch_limit: float = 8.0
    """Most times that a decision is learned from on average; small logs take fewer steps. Beyond it the
    network learns the log's noise by heart, and the bootstrap's max makes rising values of it."""
    batch_size: int = 512
    learning_rate: float = 2e-3
    final_rate_share: float = 0.05
    """The learning rate falls to this share of itself, along a cosine."""
    polyak: float = 0.01
    """Share of the online network that enters the target network at each step."""
    gradient_limit: float = 10.0
    monte_carlo_share: float = 0.25
    """First share of the steps whose targets are Monte-Carlo returns."""
    seed: int = 0

    def steps_for(self, decision_count: int) -> int:
        """Steps to take on a log of this size."""
        wanted = round(self.epoch_limit * decision_count / self.batch_size)
        return min(self.step_count, max(MIN_STEP_COUNT, wanted))


@dataclass(frozen=True, slots=True)
class Replay:
    """Transitions as tensors."""

    states: Tensor
    actions: Tensor
    offsets: Tensor
    centres: Tensor
    """(T, E) mean description of each decision's feasible actions."""
    chosen_actions: Tensor
    """(T, E)"""
    rewards: Tensor
    following: Tensor
    discounts: Tensor
    returns: Tensor

    @classmethod
    def of(cls, transitions: Transitions) -> Replay:
        # reduceat sums each decision's rows; every decision has at least one.
        counts = np.diff(transitions.offsets)
        sums = np.add.reduceat(transitions.actions, transitions.offsets[:-1], axis=0, dtype=np.float32)
        chosen = transitions.actions[transitions.offsets[:-1] + transitions.chosen]
        return cls(
            states=torch.from_numpy(transitions.states),
            actions=torch.from_numpy(transitions.actions),
            offsets=torch.from_numpy(transitions.offsets),
            centres=torch.from_numpy(sums / counts[:, None].astype(np.float32)),
            chosen_actions=torch.from_numpy(chosen.astype(np.float32)),
            rewards=torch.from_numpy(transitions.rewards),
            following=torch.from_numpy(transitions.following),
            discounts=torch.from_numpy(transitions.discounts),
            returns=torch.from_numpy(transitions.returns()),
        )

    def feasible(self, decisions: Tensor) -> tuple[Tensor, Tensor]:
        """(B, A, E) descriptions and (B, A) mask of the decisions' feasible actions, padded."""
        first, last = self.offsets[decisions], self.offsets[decisions + 1]
        place = torch.arange(int((last - first).max()))
        allowed = place < (last - first).unsqueeze(1)
        rows = (first.unsqueeze(1) + place).clamp_max(len(self.actions) - 1)
        return self.actions[rows].float(), allowed


def td_target(
    reward: Tensor,
    discount: Tensor,
    next_q_online: Tensor,
    next_q_target: Tensor,
    allowed: Tensor,
    is_terminal: Tensor,
) -> Tensor:
    """Double-DQN target, one value per transition.

    Args:
        reward: (B,) in expected-margin units.
        discount: (B,) 1 within a page, less to the next page.
        next_q_online, next_q_target: (B, A) at the next state.
        allowed: (B, A) true where the action is feasible; others never enter the max.
        is_terminal: (B,) true where the session ended; no bootstrap there.

    Source: van Hasselt et al. 2015, arXiv:1509.06461, eq. 4.
    """
    best = next_q_online.masked_fill(~allowed, -torch.inf).argmax(1, keepdim=True)
    bootstrap = next_q_target.gather(1, best).squeeze(1)
    # where, not a product: minus infinity at a terminal state must not become NaN.
    return reward + torch.where(is_terminal, 0.0, discount * bootstrap)


def learn(
    transitions: Transitions,
    recipe: Recipe,
    members: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None,
    on_step: Callable[[int, float], None] | None = None,
    network: QNetwork | None = None,
) -> QNetwork:
    """A network trained on a log.

    Args:
        members: decisions to learn from; all where None. Their successors may lie outside.
        on_step: called with the step and its loss.
        network: what to train; a new one where None.
    """
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng(recipe.seed)
    replay = Replay.of(transitions)
    pool = np.arange(len(transitions)) if members is None else members
    if network is None:
        network = QNetwork(replay.states.shape[1], replay.actions.shape[1])
    network.fit_scaling(replay.states[pool], replay.chosen_actions[pool], replay.returns[pool])
    target = copy.deepcopy(network).requires_grad_(False)
    # Fused steps and in-place averaging: on networks this small the optimiser is a third of the time.
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, fused=True)
    step_count = recipe.steps_for(len(pool))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, step_count, recipe.learning_rate * recipe.final_rate_share
    )
    online_weights, target_weights = list(network.parameters()), list(target.parameters())
    # Squared error finds the mean; Huber's would find less, since rewards are rare and large.
    loss_of = nn.MSELoss()
    for step in range(step_count):
        batch = torch.from_numpy(generator.choice(pool, recipe.batch_size))
        if step < recipe.monte_carlo_share * step_count:
            wanted = replay.returns[batch]
        else:
            wanted = _bootstrap(replay, batch, network, target)
        found = network.of(
            replay.states[batch], replay.chosen_actions[batch].unsqueeze(1), replay.centres[batch]
        )
        loss = loss_of(found.squeeze(1) / network.value_scale, wanted / network.value_scale)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(online_weights, recipe.gradient_limit)
        optimiser.step()
        schedule.step()
        torch._foreach_lerp_(target_weights, online_weights, recipe.polyak)
        if on_step is not None:
            on_step(step, float(loss.detach()))
    network.eval()
    return network


def _bootstrap(replay: Replay, batch: Tensor, network: QNetwork, target: QNetwork) -> Tensor:
    """(B,) double-DQN targets of a batch of decisions."""
    wanted = replay.rewards[batch].clone()
    going_on = (replay.following[batch] != TERMINAL).nonzero().squeeze(1)
    if len(going_on):
        following = replay.following[batch[going_on]]
        actions, allowed = replay.feasible(following)
        states, centres = replay.states[following], replay.centres[following]
        with torch.no_grad():
            online = network.of(states, actions, centres).masked_fill_(~allowed, -torch.inf)
            # The target network is read at the online network's choice alone, so it is asked for
            # nothing else: half the work of a step.
            best = actions[torch.arange(len(actions)), online.argmax(1)].unsqueeze(1)
            averaged = target.of(states, best, centres)
        wanted[going_on] = td_target(
            wanted[going_on],
            replay.discounts[batch[going_on]],
            online,
            averaged.expand_as(online),
            allowed,
            torch.zeros(len(going_on), dtype=torch.bool),  # sessions that ended need no network
        )
    return wanted
