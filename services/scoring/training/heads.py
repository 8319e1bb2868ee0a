"""How do clicks and purchases share what is learned?

Both heads keep purchases conditional on clicks, P(purchase) = P(click) P(purchase | click), so that purchases
are learned from all examined items (ESMM, Ma et al. 2018, arXiv:1804.07931) and never come out likelier than
clicks. With gated experts (MMoE, Ma et al. 2018, doi:10.1145/3219819.3220007) each head mixes perceptrons of
its own choice; without, both read one.

Layers that read items beside their shopper work on the shopper once: W [i, s] = W1 i + W2 s.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from services.scoring.training.architecture import Architecture, Heads


@dataclass(frozen=True, slots=True)
class Logits:
    """What the network says, before calibration: (P, I) each."""

    click: Tensor
    """Log-odds of P(click | examined)."""
    conversion: Tensor
    """Log-odds of P(purchase | click)."""


class SplitLinear(nn.Module):
    """A linear layer over [item, shopper], without ever writing the shopper beside each item."""

    def __init__(self, item_width: int, shopper_width: int, width: int) -> None:
        super().__init__()
        whole = nn.Linear(item_width + shopper_width, width)  # for its initial weights
        self.item = nn.Linear(item_width, width)
        self.shopper = nn.Linear(shopper_width, width, bias=False)
        with torch.no_grad():
            self.item.weight.copy_(whole.weight[:, :item_width])
            self.item.bias.copy_(whole.bias)
            self.shopper.weight.copy_(whole.weight[:, item_width:])

    def forward(self, item: Tensor, shopper: Tensor) -> Tensor:
        """(P, I, width) of (P, I, item_width) and (P, 1, shopper_width)."""
        result: Tensor = self.item(item) + self.shopper(shopper)
        return result


class Perceptron(nn.Module):
    """Hidden layers over [item, shopper]."""

    def __init__(self, item_width: int, shopper_width: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.first = SplitLinear(item_width, shopper_width, widths[0])
        self.rest = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))

    def forward(self, item: Tensor, shopper: Tensor) -> Tensor:
        """(P, I, widths[-1])."""
        state = torch.relu(self.first(item, shopper))
        for layer in self.rest:
            state = torch.relu(layer(state))
        return state


class EsmmHeads(nn.Module):
    """One perceptron beside the cross layers, and two linear heads on both."""

    def __init__(self, item_width: int, shopper_width: int, shape: Architecture) -> None:
        super().__init__()
        self.deep = Perceptron(item_width, shopper_width, shape.hidden_widths)
        width = item_width + shopper_width + shape.hidden_widths[-1]
        self.click, self.conversion = nn.Linear(width, 1), nn.Linear(width, 1)

    def forward(self, item: Tensor, shopper: Tensor, crossed: Tensor) -> Logits:
        """Logits of (P, I, item_width), (P, 1, shopper_width) and the cross layers' (P, I, both)."""
        features = torch.cat([crossed, self.deep(item, shopper)], -1)
        return Logits(self.click(features).squeeze(-1), self.conversion(features).squeeze(-1))


class GatedExperts(nn.Module):
    """Several perceptrons beside the cross layers; each head mixes them by a gate of its own."""

    def __init__(self, item_width: int, shopper_width: int, shape: Architecture) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            Perceptron(item_width, shopper_width, shape.hidden_widths) for _ in range(shape.expert_count)
        )
        self.gates = nn.ModuleList(
            SplitLinear(item_width, shopper_width, shape.expert_count) for _ in range(2)
        )
        width = item_width + shopper_width + shape.hidden_widths[-1]
        self.click, self.conversion = nn.Linear(width, 1), nn.Linear(width, 1)

    def forward(self, item: Tensor, shopper: Tensor, crossed: Tensor) -> Logits:
        """As of EsmmHeads."""
        answers = torch.stack([expert(item, shopper) for expert in self.experts], -1)
        click, conversion = (
            head(torch.cat([crossed, self._mixed(answers, gate(item, shopper))], -1)).squeeze(-1)
            for head, gate in zip((self.click, self.conversion), self.gates, strict=True)
        )
        return Logits(click, conversion)

    @staticmethod
    def _mixed(answers: Tensor, gate: Tensor) -> Tensor:
        """(P, I, D) of (P, I, D, experts) and (P, I, experts)."""
        return (answers * torch.softmax(gate, -1).unsqueeze(-2)).sum(-1)


AnyHeads = EsmmHeads | GatedExperts

HEADS: dict[Heads, type[AnyHeads]] = {Heads.ESMM: EsmmHeads, Heads.MMOE: GatedExperts}
