"""Which choices did a log's own policy make, and how likely was each?

Behaviour cloning: a Q-network whose values are logits of the logged choice among what was feasible. Served
by softmax it is a safe start; it also says which actions the log supports, and what is expected under it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from services.policy.training.qnet import QNetwork
from services.policy.training.replay import Feasible, Replay

STEP_COUNT = 600
_BATCH_SIZE = 512
_LEARNING_RATE = 3e-3
_PROBE_COUNT = 4_096


def clone(
    replay: Replay,
    step_count: int = STEP_COUNT,
    seed: int = 0,
    members: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None,
) -> QNetwork:
    """A network that chooses as the log did.

    Args:
        members: decisions to learn from; all where None.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    pool = np.arange(len(replay)) if members is None else members
    probe = torch.from_numpy(generator.choice(pool, min(len(pool), _PROBE_COUNT), replace=False))
    states, placed = replay.states(probe), replay.placed(probe)
    network = QNetwork(states.shape[1], placed.shape[1])
    network.fit_scaling(states, placed, torch.tensor([-1.0, 1.0]))  # logits: mean 0, scale 1
    optimiser = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, step_count)
    for _ in range(step_count):
        batch = torch.from_numpy(generator.choice(pool, _BATCH_SIZE))
        choices = replay.feasible(batch)
        chance = log_chances(network, replay.states(batch), choices)
        loss = nn.functional.nll_loss(chance, replay.place(batch))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    network.eval()
    return network


def log_chances(network: QNetwork, states: Tensor, choices: Feasible) -> Tensor:
    """(B, A) log-probabilities of a cloned policy; minus infinity where nothing may stand."""
    logits = network.of(states, choices.actions, choices.centres)
    return torch.log_softmax(logits.masked_fill(~choices.allowed, -torch.inf), 1)


def supported(chance: Tensor, allowed: Tensor, share: float) -> Tensor:
    """(B, A) true for feasible actions that the log takes often enough to be learned about.

    Args:
        chance: (B, A) probability of each under the log's policy.
        share: of uniform choice, 0 to 1: what is less likely than that over the number feasible is dropped.
            Somebody is always above the mean, so something is left.

    Source: Fujimoto et al. 2019, arXiv:1910.01708, equation 11, with uniform choice in place of the most
    likely action, so that the threshold means the same where the log hardly prefers anything.
    """
    floor = share / allowed.sum(1, keepdim=True).clamp_min(1)
    return allowed & (chance >= floor)
