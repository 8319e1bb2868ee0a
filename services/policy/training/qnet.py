"""What network values a choice?

A dueling network over described actions (Wang et al. 2016, arXiv:1511.06581): Q(s, a) = V(s) + A(s, a) -
A(s, mean action). The paper centres the advantage on its mean over actions; here it is centred on the
advantage of the mean description of the feasible actions, which makes V identifiable just as well and
needs one row more per state instead of all of them. Beside the value it may predict signals of what a
shopper does with the action, which teach the layers that both share; they leave no trace in an export.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from services.policy.programme import Array

STATE_WIDTH = 64
ACTION_WIDTH = 32


class QNetwork(nn.Module):
    """Q values of described actions; scaling of inputs and values is part of the network.

    Symbols: B states, A actions, G signals, D and E widths of state and action.
    """

    def __init__(
        self, state_width: int, action_width: int, signal_count: int = 0, width: int = ACTION_WIDTH
    ) -> None:
        super().__init__()
        self.state_trunk = nn.Sequential(
            nn.Linear(state_width, STATE_WIDTH),
            nn.ReLU(inplace=True),
            nn.Linear(STATE_WIDTH, STATE_WIDTH),
            nn.ReLU(inplace=True),
        )
        self.value = nn.Linear(STATE_WIDTH, 1)
        # The first layer over (state, action), split: its state half is computed once per state.
        self.state_half = nn.Linear(STATE_WIDTH, width)
        self.action_half = nn.Linear(action_width, width, bias=False)
        self.joint = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(width, width), nn.ReLU(inplace=True))
        self.advantage = nn.Linear(width, 1)
        self.signals = nn.Linear(width, signal_count) if signal_count else None
        for name, size in (("state", state_width), ("action", action_width)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_scale", torch.ones(()))

    def fit_scaling(self, states: Tensor, actions: Tensor, returns: Tensor) -> None:
        """Takes means and deviations of (n, D), (n, E) and (n,)."""
        self.state_mean.copy_(states.mean(0))
        self.state_scale.copy_(_scale(states))
        self.action_mean.copy_(actions.mean(0))
        self.action_scale.copy_(_scale(actions))
        self.value_mean.copy_(returns.mean())
        self.value_scale.copy_(returns.std(correction=0).clamp_min(1e-3))

    def forward(self, state: Tensor, actions: Tensor, allowed: Tensor) -> Tensor:
        """(B, A) Q values of (B, D) and (B, A, E); minus infinity where `allowed` (B, A) is false."""
        centre = mean_action(actions, allowed)
        return self.of(state, actions, centre).masked_fill(~allowed, -torch.inf)

    def of(self, state: Tensor, actions: Tensor, centre: Tensor) -> Tensor:
        """(B, A) Q values of (B, D) and (B, A, E), centred on mean actions (B, E)."""
        return self.with_signals(state, actions, centre)[0]

    def with_signals(self, state: Tensor, actions: Tensor, centre: Tensor) -> tuple[Tensor, Tensor | None]:
        """Q values (B, A), and logits (B, A, G) of signals where there are any."""
        trunk = self.state_trunk((state - self.state_mean) / self.state_scale)
        half = self.state_half(trunk)
        hidden, middle = self._hidden(half, actions), self._hidden(half, centre.unsqueeze(1))
        advantage = (self.advantage(hidden) - self.advantage(middle)).squeeze(-1)
        logits = None if self.signals is None else self.signals(hidden)
        return self.value_mean + self.value_scale * (self.value(trunk) + advantage), logits

    def answer(self, states: Array, actions: Array, allowed: Array) -> Array:
        """What `forward` says, from arrays to an array, (B, A) float64."""
        with torch.no_grad():
            found = self(*map(torch.from_numpy, (states, actions, allowed)))
        result: Array = found.numpy().astype(np.float64)
        return result

    def _hidden(self, half: Tensor, actions: Tensor) -> Tensor:
        # Scaling the weights is scaling the actions, at a hundredth of the work.
        weight = self.action_half.weight / self.action_scale
        first = functional.linear(actions, weight, -(weight @ self.action_mean))
        result: Tensor = self.joint(half.unsqueeze(1) + first)
        return result


def mean_action(actions: Tensor, allowed: Tensor) -> Tensor:
    """(B, E) mean description of the actions (B, A, E) that are allowed (B, A)."""
    weight = allowed.to(actions.dtype)
    total = torch.bmm(weight.unsqueeze(1), actions).squeeze(1)
    return total / weight.sum(1, keepdim=True).clamp_min(1.0)


def _scale(columns: Tensor) -> Tensor:
    """Deviations, but 1 for columns that never change, and no less than what keeps rare flags tame."""
    deviation = columns.std(0, correction=0)
    return torch.where(deviation < 1e-6, torch.ones_like(deviation), deviation.clamp_min(0.05))
