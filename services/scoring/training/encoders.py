"""What do items read from a shopper's history?

Five encoders, one face: (P, I, Q) items and (P, L, E) events become (P, I, D), or (P, 1, D) where all items
read the same. What does not depend on the item is computed once per shopper, in training and in the graph.
An empty history reads as zeros.

Symbols: P pages, I items of a page, L length of the history, Q, E, D widths.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.scoring.training.architecture import Encoder

_FAR_BELOW = -1e9
_HEAD_COUNT = 2
_KERNEL_WIDTH = 3


class TargetAttention(nn.Module):
    """Each item weighs the events by likeness (DIN, Zhou et al. 2018, arXiv:1706.06978)."""

    is_per_item = True

    def __init__(self, item_width: int, event_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(item_width, width)
        self.key = nn.Linear(event_width, width)
        self.memory = nn.Linear(event_width, width)

    def forward(self, item: Tensor, events: Tensor, is_event: Tensor) -> Tensor:
        """(P, I, D) of items, events and (P, L) true where there is an event."""
        keys, memory = self.key(events), self.memory(events)
        scores = self.query(item) @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
        scores = scores.masked_fill(~is_event.unsqueeze(1), _FAR_BELOW)
        return (torch.softmax(scores, -1) @ memory) * _has_any(is_event)


class Transformer(nn.Module):
    """One block of self-attention over the events (SASRec, Kang and McAuley 2018, arXiv:1808.09781, but
    looking both ways: all events are past), read by target attention.

    Events carry their age, so there are no positions to add.
    """

    is_per_item = True

    def __init__(self, item_width: int, event_width: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(event_width, width)
        self.look = nn.Linear(width, 3 * width)
        self.leave = nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.before_look, self.before_think = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read = TargetAttention(item_width, width, width)

    def forward(self, item: Tensor, events: Tensor, is_event: Tensor) -> Tensor:
        """As of TargetAttention."""
        state = self.enter(events)
        state = state + self.leave(self._looked(self.before_look(state), is_event))
        state = state + self.think(self.before_think(state))
        found: Tensor = self.read(item, state, is_event)
        return found

    def _looked(self, state: Tensor, is_event: Tensor) -> Tensor:
        pages, length, width = state.shape
        parts = self.look(state).view(pages, length, 3, _HEAD_COUNT, width // _HEAD_COUNT)
        query, key, memory = parts.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(2, 3) / (width // _HEAD_COUNT) ** 0.5
        scores = scores.masked_fill(~is_event[:, None, None], _FAR_BELOW)
        looked = torch.softmax(scores, -1) @ memory
        return looked.transpose(1, 2).reshape(pages, length, width)


class Gru(nn.Module):
    """The last state of a gated recurrent unit (GRU4Rec, Hidasi et al. 2016, arXiv:1511.06939)."""

    is_per_item = False

    def __init__(self, item_width: int, event_width: int, width: int) -> None:
        super().__init__()
        self.unit = nn.GRU(event_width, width, batch_first=True)

    def forward(self, item: Tensor, events: Tensor, is_event: Tensor) -> Tensor:
        """(P, 1, D); the newest event comes first, and is read last."""
        _, last = self.unit((events * is_event.unsqueeze(-1)).flip(1))
        return last.transpose(0, 1) * _has_any(is_event)


class Cnn(nn.Module):
    """Convolutions over runs of events, and the largest answer of each (Caser's horizontal filters, Tang and
    Wang 2018, arXiv:1809.07426).
    """

    is_per_item = False

    def __init__(self, item_width: int, event_width: int, width: int) -> None:
        super().__init__()
        padding = _KERNEL_WIDTH // 2
        self.first = nn.Conv1d(event_width, width, _KERNEL_WIDTH, padding=padding)
        self.second = nn.Conv1d(width, width, _KERNEL_WIDTH, padding=padding)

    def forward(self, item: Tensor, events: Tensor, is_event: Tensor) -> Tensor:
        """(P, 1, D)."""
        mask = is_event.unsqueeze(1).to(events.dtype)
        state = functional.relu(self.first(events.transpose(1, 2) * mask)) * mask
        state = functional.relu(self.second(state)) * mask
        return state.amax(2).unsqueeze(1)


class MeanPooling(nn.Module):
    """The mean of the events (Covington et al. 2016, doi:10.1145/2959100.2959190)."""

    is_per_item = False

    def __init__(self, item_width: int, event_width: int, width: int) -> None:
        super().__init__()
        self.memory = nn.Linear(event_width, width)

    def forward(self, item: Tensor, events: Tensor, is_event: Tensor) -> Tensor:
        """(P, 1, D)."""
        mask = is_event.unsqueeze(-1).to(events.dtype)
        mean: Tensor = (self.memory(events) * mask).sum(1, keepdim=True) / mask.sum(
            1, keepdim=True
        ).clamp_min(1)
        return mean


AnyEncoder = TargetAttention | Transformer | Gru | Cnn | MeanPooling

ENCODERS: dict[Encoder, type[AnyEncoder]] = {
    Encoder.ATTENTION: TargetAttention,
    Encoder.TRANSFORMER: Transformer,
    Encoder.GRU: Gru,
    Encoder.CNN: Cnn,
    Encoder.MEAN: MeanPooling,
}


def _has_any(is_event: Tensor) -> Tensor:
    """(P, 1, 1) 1 where there is an event, else 0."""
    return is_event.any(-1).to(torch.float32)[:, None, None]
