"""How does a Q-network learn from logged decisions, slot by slot?

Double DQN (van Hasselt et al. 2015, arXiv:1509.06461) on a fixed log: masks in the target, Polyak
averaging of the target network (Lillicrap et al. 2015, arXiv:1509.02971), and Monte-Carlo returns as
targets for the first steps, which spares the bootstrap its worst guesses. One recipe, whose options make
other learners of it: what the bootstrap follows (the best action; SARSA's, the one that was placed; or what
is expected under the log's policy), which actions it may follow (BCQ's support mask), and how much values
of actions that the log did not take are held down (CQL).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from services.common.training_checkpoint import Progress
from services.policy.training import behaviour
from services.policy.training.course import UNWATCHED, Course
from services.policy.training.pages import TERMINAL
from services.policy.training.qnet import ACTION_WIDTH, QNetwork
from services.policy.training.replay import Replay
from services.policy.training.transitions import PAGE_DISCOUNT

MIN_STEP_COUNT = 300
"""Steps below which a network has not left its first guess, however small the log."""
_PROBE_COUNT = 16_384
"""Decisions that scales of inputs are taken from."""


class Bootstrap(StrEnum):
    """What the value of a next state is the value of."""

    BEST = "best"
    """The best feasible action: Q-learning."""
    PLACED = "placed"
    """The action that was placed next: SARSA, the value of the log's own policy."""
    EXPECTED = "expected"
    """All feasible actions, as likely as a clone of the log's policy makes them: expected SARSA."""


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
    weight_decay: float = 0.01
    polyak: float = 0.01
    """Share of the online network that enters the target network at each step."""
    gradient_limit: float = 10.0
    monte_carlo_share: float = 0.25
    """First share of the steps whose targets are Monte-Carlo returns."""
    page_discount: float = PAGE_DISCOUNT
    """What the next page counts."""
    bootstrap: Bootstrap = Bootstrap.BEST
    support: float = 0.0
    """Share of uniform choice below which the log's policy supports no bootstrap from an action; 0 asks for
    none, .3 is BCQ's."""
    conservatism: float = 0.0
    """Weight of CQL's term: values of all feasible actions are held below that of the one placed."""
    signal_weight: float = 1.0
    """Of the loss of signals, where the log tells any: frequent ones teach what rare rewards cannot."""
    width: int = ACTION_WIDTH
    """Of the layers that see state and action together."""
    seed: int = 0

    def steps_for(self, decision_count: int) -> int:
        """Steps to take on a log of this size."""
        wanted = round(self.epoch_limit * decision_count / self.batch_size)
        return min(self.step_count, max(MIN_STEP_COUNT, wanted))

    @property
    def wants_behaviour(self) -> bool:
        """Whether the log's own policy has to be known."""
        return self.bootstrap is Bootstrap.EXPECTED or self.support > 0


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


def conservative_term(values: Tensor, placed: Tensor, allowed: Tensor) -> Tensor:
    """(B,) by how much a soft maximum over what is feasible exceeds the value of what was placed.

    Args:
        values: (B, A); placed: (B,) index of the action placed; allowed: (B, A) feasible.

    Source: Kumar et al. 2020, arXiv:2006.04779, eq. 4 (CQL(H)).
    """
    soft = torch.logsumexp(values.masked_fill(~allowed, -torch.inf), 1)
    return soft - values.gather(1, placed.unsqueeze(1)).squeeze(1)


def learn(
    replay: Replay,
    recipe: Recipe,
    members: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None,
    on_step: Callable[[int, float], None] | None = None,
    network: QNetwork | None = None,
    course: Course = UNWATCHED,
) -> QNetwork:
    """A network trained on a log.

    Args:
        members: decisions to learn from; all where None. Their successors may lie outside.
        on_step: called with the step and its loss.
        network: what to train; a new one where None.
        course: what to draw of it, and where to keep it.

    Raises:
        CheckpointError: where the course's checkpoint is of another run.
    """
    pool = np.arange(len(replay)) if members is None else members
    cloned = None
    if recipe.wants_behaviour:
        steps = min(recipe.step_count, behaviour.STEP_COUNT)
        cloned = behaviour.clone(replay, steps, recipe.seed, pool)
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng(recipe.seed)
    outcomes = replay.outcomes
    probe = torch.from_numpy(generator.permutation(pool)[:_PROBE_COUNT])
    states, placed = replay.states(probe), replay.placed(probe)
    if network is None:
        network = QNetwork(states.shape[1], placed.shape[1], outcomes.signals.shape[1], recipe.width)
    network.fit_scaling(states, placed, outcomes.returns[pool])
    target = copy.deepcopy(network).requires_grad_(False)
    # Fused steps and in-place averaging: on networks this small the optimiser is a third of the time.
    optimiser = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    step_count = recipe.steps_for(len(pool))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, step_count, recipe.learning_rate * recipe.final_rate_share
    )
    online_weights, target_weights = list(network.parameters()), list(target.parameters())
    parts = {"network": network, "target": target, "optimiser": optimiser, "schedule": schedule}
    progress = Progress(parts, generator, recipe)
    for step in range(course.begin(progress), step_count):
        batch = torch.from_numpy(generator.choice(pool, recipe.batch_size))
        if step < recipe.monte_carlo_share * step_count:
            wanted = outcomes.returns[batch]
        else:
            wanted = targets(replay, batch, network, target, recipe, cloned)
        found, loss = _loss(replay, batch, network, recipe, wanted)
        optimiser.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(online_weights, recipe.gradient_limit)
        optimiser.step()
        schedule.step()
        torch._foreach_lerp_(target_weights, online_weights, recipe.polyak)
        course.after(step, progress, loss, norm, found)
        if on_step is not None:
            on_step(step, float(loss.detach()))
    network.eval()
    return network


def placed_values(network: QNetwork, replay: Replay, decisions: Tensor) -> Tensor:
    """(B,) values of what was placed."""
    placed = replay.placed(decisions).unsqueeze(1)
    return network.of(replay.states(decisions), placed, replay.centres(decisions)).squeeze(1)


def targets(
    replay: Replay,
    batch: Tensor,
    network: QNetwork,
    target: QNetwork,
    recipe: Recipe,
    cloned: QNetwork | None = None,
) -> Tensor:
    """(B,) bootstrapped targets of a batch of decisions.

    Args:
        network, target: what chooses, and what values; only `target` matters without a choice.
        cloned: the log's policy, where the recipe wants to know it.
    """
    outcomes = replay.outcomes
    wanted = outcomes.rewards[batch].clone()
    going_on = (outcomes.following[batch] != TERMINAL).nonzero().squeeze(1)
    if not len(going_on):  # sessions that ended need no network
        return wanted
    following, discount = outcomes.following[batch[going_on]], outcomes.discounts[batch[going_on]]
    with torch.no_grad():
        if recipe.bootstrap is Bootstrap.PLACED:
            wanted[going_on] += discount * placed_values(target, replay, following)
            return wanted
        choices, states = replay.feasible(following), replay.states(following)
        allowed, chance = choices.allowed, None
        if cloned is not None:
            chance = behaviour.log_chances(cloned, states, choices).exp()
            allowed = behaviour.supported(chance, allowed, recipe.support)
        if recipe.bootstrap is Bootstrap.EXPECTED:
            assert chance is not None
            weight = torch.where(allowed, chance, 0.0)
            averaged = target.of(states, choices.actions, choices.centres)
            wanted[going_on] += discount * (weight * averaged).sum(1) / weight.sum(1)
            return wanted
        online = network.of(states, choices.actions, choices.centres).masked_fill_(~allowed, -torch.inf)
        # The target network is read at the online network's choice alone, so it is asked for
        # nothing else: half the work of a step.
        best = choices.actions[torch.arange(len(states)), online.argmax(1)].unsqueeze(1)
        averaged = target.of(states, best, choices.centres)
    never = torch.zeros(len(going_on), dtype=torch.bool)
    wanted[going_on] = td_target(
        wanted[going_on], discount, online, averaged.expand_as(online), allowed, never
    )
    return wanted


def _loss(
    replay: Replay, batch: Tensor, network: QNetwork, recipe: Recipe, wanted: Tensor
) -> tuple[Tensor, Tensor]:
    """Values (B,) of what was placed in units of their scale, and the loss of a batch."""
    states, placed = replay.states(batch), replay.placed(batch).unsqueeze(1)
    if recipe.conservatism:
        choices = replay.feasible(batch)
        centres = choices.centres
    else:
        centres = replay.centres(batch)
    values, logits = network.with_signals(states, placed, centres)
    found = values.squeeze(1) / network.value_scale
    # Squared error finds the mean; Huber's would find less, since rewards are rare and large.
    loss = functional.mse_loss(found, wanted / network.value_scale)
    if logits is not None and recipe.signal_weight:
        told = replay.outcomes.signals[batch]
        loss = loss + recipe.signal_weight * signal_loss(logits.squeeze(1), told)
    if recipe.conservatism:
        everything = network.of(states, choices.actions, choices.centres) / network.value_scale
        held = conservative_term(everything, replay.place(batch), choices.allowed)
        loss = loss + recipe.conservatism * held.mean()
    return found, loss


def signal_loss(logits: Tensor, told: Tensor) -> Tensor:
    """Negative log-likelihood of signals, each a mean over where it is told.

    Args:
        logits, told: (B, G); NaN where nothing is told.
    """
    is_told = ~told.isnan()
    each = functional.binary_cross_entropy_with_logits(logits, told.nan_to_num(), reduction="none")
    return ((each * is_told).sum(0) / is_told.sum(0).clamp_min(1)).sum()
