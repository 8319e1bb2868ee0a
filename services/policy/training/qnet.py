"""What network values a choice?

A dueling network over described actions (Wang et al. 2016, arXiv:1511.06581): Q(s, a) = V(s) + A(s, a) -
A(s, mean action). The paper centres the advantage on its mean over actions; here it is centred on the
advantage of the mean description of the feasible actions, which makes V identifiable just as well and
needs one row more per state instead of all of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STATE_WIDTH = 64
ACTION_WIDTH = 32


class QNetwork(nn.Module):
    """Q values of described actions; scaling of inputs and values is part of the network.

    Symbols: B states, A actions, D and E widths of state and action.
    """

    def __init__(self, state_width: int, action_width: int) -> None:
        super().__init__()
        self.state_trunk = nn.Sequential(
            nn.Linear(state_width, STATE_WIDTH),
            nn.ReLU(inplace=True),
            nn.Linear(STATE_WIDTH, STATE_WIDTH),
            nn.ReLU(inplace=True),
        )
        self.value = nn.Linear(STATE_WIDTH, 1)
        # The first layer over (state, action), split: its state half is computed once per state.
        self.state_half = nn.Linear(STATE_WIDTH, ACTION_WIDTH)
        self.action_half = nn.Linear(action_width, ACTION_WIDTH, bias=False)
        self.advantage = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Linear(ACTION_WIDTH, ACTION_WIDTH),
            nn.ReLU(inplace=True),
            nn.Linear(ACTION_WIDTH, 1),
        )
        for name, width in (("state", state_width), ("action", action_width)):
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_scale", torch.ones(width))
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
        weight = allowed.to(actions.dtype).unsqueeze(-1)
        centre = (actions * weight).sum(1) / weight.sum(1).clamp_min(1.0)
        return self.of(state, actions, centre).masked_fill(~allowed, -torch.inf)

    def of(self, state: Tensor, actions: Tensor, centre: Tensor) -> Tensor:
        """(B, A) Q values of (B, D) and (B, A, E), centred on mean actions (B, E)."""
        trunk = self.state_trunk((state - self.state_mean) / self.state_scale)
        half = self.state_half(trunk)
        advantage = self._advantage(half, actions) - self._advantage(half, centre.unsqueeze(1))
        return self.value_mean + self.value_scale * (self.value(trunk) + advantage)

    def _advantage(self, half: Tensor, actions: Tensor) -> Tensor:
        # Scaling the weights is scaling the actions, at a hundredth of the work.
        weight = self.action_half.weight / self.action_scale
        hidden = functional.linear(actions, weight, -(weight @ self.action_mean))
        result: Tensor = self.advantage(half.unsqueeze(1) + hidden).squeeze(-1)
        return result


def _scale(columns: Tensor) -> Tensor:
    """Deviations, but 1 for columns that never change, and no less than what keeps rare flags tame."""
    deviation = columns.std(0, correction=0)
    return torch.where(deviation < 1e-6, torch.ones_like(deviation), deviation.clamp_min(0.05))
