"""What did this shopper do with this very item, its category and its brand?

Attention normalises: one look at a category and ten read alike. This counts instead. Every event has a
weight by its kind that fades with its age, at rates that are learned, and what an item gets is the weight of
the events that name the same item, category or brand.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.scoring.signature import SPECS

NAMES = ("item", "category", "brand")
CHANNEL_COUNT = 2
WIDTH = len(NAMES) * CHANNEL_COUNT

_EVENT_COUNT = next(spec.cardinality["event"] for spec in SPECS if spec.name == "history_ids")
_PACES = (-4.0, -1.0)
"""Softplus of them: powers of the age in hours at the start, so one channel remembers and one forgets."""


class Matches(nn.Module):
    """(P, I, WIDTH) logarithms of weighted counts, 0 where nothing matches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Embedding(_EVENT_COUNT, CHANNEL_COUNT)
        nn.init.zeros_(self.weight.weight)
        self.pace = nn.Parameter(torch.tensor(_PACES))

    def forward(self, item_ids: Tensor, history_ids: Tensor, log_age_hours: Tensor) -> Tensor:
        """Of (P, I, 4), (P, L, 4) and (P, L)."""
        events = history_ids[..., 3]
        fading = torch.exp(-functional.softplus(self.pace) * log_age_hours.clamp(0, 10).unsqueeze(-1))
        weight = functional.softplus(self.weight(events)) * fading * (events > 0).unsqueeze(-1)
        counts = []
        for column in range(len(NAMES)):
            own, theirs = item_ids[..., column].unsqueeze(2), history_ids[..., column].unsqueeze(1)
            is_same = ((own == theirs) & (own > 0)).to(weight.dtype)
            counts.append(is_same @ weight)
        return torch.log1p(torch.cat(counts, -1))
