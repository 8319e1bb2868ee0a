"""What does a candidate policy earn from each logged decision on, by a model fitted to the log?

Fitted Q evaluation (Le et al. 2019, arXiv:1903.08738): Q-learning's regression, with the candidate's mean
over the next feasible actions where Q-learning takes the best of them. The model is biased off the log's
support and says so nowhere; it serves doubly robust estimates, and never decides alone.

Symbols: T decisions, A feasible actions of one, K = sum of A.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from services.policy.evaluation.decisions import ActionValues
from services.policy.page import Array
from services.policy.training.dqn import Recipe, placed_values
from services.policy.training.pages import TERMINAL
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import EventReplay
from services.policy.training.transitions import Transitions

FOLD_COUNT = 2
RECIPE = Recipe(step_count=1_000, learning_rate=1e-3, polyak=0.02)
"""Fewer steps than learning takes: without a max there is nothing to chase, and a fit is made per fold."""

_BATCH_SIZE = 4_096


def fqe_target(reward: Tensor, discount: Tensor, next_q: Tensor, probability: Tensor) -> Tensor:
    """Fitted-Q-evaluation target, one value per transition.

    Args:
        reward: (B,)
        discount: (B,) 1 within a page, less to the next page, 0 at the end.
        next_q: (B, A) at the next state; anything where the action is not feasible.
        probability: (B, A) candidate's at the next state; 0 where the action is not feasible.

    Source: Le et al. 2019, arXiv:1903.08738, algorithm 3.
    """
    # where, not a product: minus infinity at a masked action must not become NaN.
    return reward + discount * torch.where(probability > 0, probability * next_q, 0.0).sum(1)


def fit(
    transitions: Transitions,
    probabilities: Array,
    recipe: Recipe = RECIPE,
    members: Array | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> QNetwork:
    """A network of the candidate's values, fitted to a log.

    Args:
        probabilities: (K,) candidate's of each decision's feasible actions, in the rows of
            `transitions.actions`; they sum to 1 over each decision.
        members: decisions to fit to; all where None.
        on_step: called with the step and its loss.
    """
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng(recipe.seed)
    replay, chances = EventReplay.of(transitions), torch.from_numpy(probabilities.astype(np.float32))
    pool = np.arange(len(transitions)) if members is None else members
    rows = torch.from_numpy(pool)
    states, placed = replay.states(rows), replay.placed(rows)
    network = QNetwork(states.shape[1], placed.shape[1])
    network.fit_scaling(states, placed, replay.outcomes.returns[rows])
    target = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, fused=True)
    step_count = recipe.steps_for(len(pool))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, step_count, recipe.learning_rate * recipe.final_rate_share
    )
    online_weights, target_weights = list(network.parameters()), list(target.parameters())
    for step in range(step_count):
        batch = torch.from_numpy(generator.choice(pool, recipe.batch_size))
        # The served policy's returns are where the fit starts from: near, where the candidate is.
        is_start = step < recipe.monte_carlo_share * step_count
        wanted = replay.outcomes.returns[batch] if is_start else _targets(replay, chances, batch, target)
        found = placed_values(network, replay, batch)
        loss = nn.functional.mse_loss(found / network.value_scale, wanted / network.value_scale)
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


def predict(network: QNetwork, transitions: Transitions) -> Array:
    """(K,) the network's values of every decision's feasible actions."""
    count = len(transitions)
    replay, values = EventReplay.of(transitions), np.empty(transitions.offsets[-1])
    with torch.no_grad():
        for start in range(0, count, _BATCH_SIZE):
            batch = torch.arange(start, min(start + _BATCH_SIZE, count))
            choices = replay.feasible(batch)
            found = network.of(replay.states(batch), choices.actions, choices.centres)
            first, last = transitions.offsets[start], transitions.offsets[int(batch[-1]) + 1]
            values[first:last] = found[choices.allowed].numpy()
    return values


def averaged(values: Array, transitions: Transitions, candidate: Array, served: Array) -> ActionValues:
    """Values of every decision: of what was served, and means over two policies.

    Args:
        values: (K,) as `predict` and `cross_fit` answer.
        candidate, served: (K,) probabilities of each decision's feasible actions.
    """
    count = len(transitions)
    owner = np.repeat(np.arange(count), np.diff(transitions.offsets))
    return ActionValues(
        chosen=values[transitions.offsets[:-1] + transitions.chosen],
        expected=np.bincount(owner, weights=values * candidate, minlength=count),
        expected_served=np.bincount(owner, weights=values * served, minlength=count),
    )


def cross_fit(
    transitions: Transitions,
    followed: Array,
    folds: Array,
    recipe: Recipe = RECIPE,
    on_step: Callable[[int, float], None] | None = None,
) -> Array:
    """(K,) values of every decision's feasible actions by a network that did not see its shopper.

    A model that has seen a decision's own reward would make doubly robust estimates too sure of it.

    Args:
        followed: (K,) probabilities of the policy that is valued: the candidate's, or a blend's.
        folds: (T,) 0 to below FOLD_COUNT; all decisions of a shopper are of one fold.

    Source: Chernozhukov et al. 2018, arXiv:1608.00060, definition 3.1.
    """
    parts = []
    for fold in range(FOLD_COUNT):
        others = np.flatnonzero(folds != fold)
        network = fit(transitions, followed, recipe, others if len(others) else None, on_step)
        parts.append(predict(network, transitions))
    result: Array = np.choose(np.repeat(folds, np.diff(transitions.offsets)), parts)
    return result


def to_page_end(transitions: Transitions, page_offsets: Array) -> Transitions:
    """The same decisions, with nothing after the page: what page-level estimates want a model of.

    Args:
        page_offsets: (P + 1,) decisions of each page, as in `Decisions`.
    """
    last = page_offsets[1:][np.diff(page_offsets) > 0] - 1
    following, discounts = transitions.following.copy(), transitions.discounts.copy()
    following[last], discounts[last] = TERMINAL, 0.0
    return dataclasses.replace(transitions, following=following, discounts=discounts)


def _targets(replay: EventReplay, chances: Tensor, batch: Tensor, target: QNetwork) -> Tensor:
    """(B,) targets of a batch of decisions."""
    outcomes = replay.outcomes
    wanted = outcomes.rewards[batch].clone()
    going_on = (outcomes.following[batch] != TERMINAL).nonzero().squeeze(1)
    if len(going_on):
        following = outcomes.following[batch[going_on]]
        choices = replay.feasible(following)
        rows = replay.offsets[following].unsqueeze(1) + torch.arange(choices.actions.shape[1])
        probability = torch.where(choices.allowed, chances[rows.clamp_max(len(chances) - 1)], 0.0)
        with torch.no_grad():
            next_q = target.of(replay.states(following), choices.actions, choices.centres)
        discount = outcomes.discounts[batch[going_on]]
        wanted[going_on] = fqe_target(wanted[going_on], discount, next_q, probability)
    return wanted
