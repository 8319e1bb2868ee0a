"""How do examined items become tensors?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from services.scoring.training.data import PLACE_NAMES, Array, Examined

Drawn = tuple[Array, Array]
"""Rows of one page, and how many examined items each stands for."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some pages, their items padded to the longest."""

    inputs: Mapping[str, Tensor]
    stood: Mapping[str, Tensor]
    """(P, I) each: where items stood, by PLACE_NAMES."""
    click: Tensor
    purchase: Tensor
    weight: Tensor
    """(P, I) how many examined items each stands for; 0 for padding."""

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        if device.type == "cpu":
            return self
        return Batch(
            {name: tensor.to(device, non_blocking=True) for name, tensor in self.inputs.items()},
            {name: tensor.to(device, non_blocking=True) for name, tensor in self.stood.items()},
            *(tensor.to(device, non_blocking=True) for tensor in (self.click, self.purchase, self.weight)),
        )


def draw(
    data: Examined, pages: Array, negative_limit: int | None, generator: np.random.Generator | None
) -> list[Drawn]:
    """What is learned from of each page.

    Args:
        negative_limit: items without a click to draw per page, each weighted by how many it stands for,
            so that the expected loss is that of all items; None takes all, and needs no generator.
    """
    drawn = []
    for page in pages.tolist():
        rows = np.arange(data.offsets[page], data.offsets[page + 1])
        weight = np.ones(len(rows), np.float32)
        negatives = np.flatnonzero(data.click[rows] == 0)
        if negative_limit is not None and generator is not None and len(negatives) > negative_limit:
            some = generator.choice(negatives, negative_limit, replace=False)
            weight[some] = len(negatives) / negative_limit
            kept = np.concatenate([np.flatnonzero(data.click[rows]), some])
            rows, weight = rows[kept], weight[kept]
        drawn.append((rows, weight))
    return drawn


def collate(data: Examined, pages: Array, drawn: Sequence[Drawn] | None = None) -> Batch:
    """Rows of some pages, padded; all rows where none were drawn."""
    drawn = draw(data, pages, None, None) if drawn is None else drawn
    lengths = np.array([len(rows) for rows, _ in drawn])
    is_item = np.arange(lengths.max()) < lengths[:, None]
    index = np.zeros(is_item.shape, np.int64)
    index[is_item] = np.concatenate([rows for rows, _ in drawn])
    weight = np.zeros(is_item.shape, np.float32)
    weight[is_item] = np.concatenate([weights for _, weights in drawn])
    inputs = {name: torch.from_numpy(array[index]) for name, array in data.item.items()}
    inputs |= {name: torch.from_numpy(array[pages]) for name, array in data.shopper.items()}
    return Batch(
        inputs=inputs,
        stood={name: torch.from_numpy(getattr(data, name)[index]) for name in PLACE_NAMES},
        click=torch.from_numpy(data.click[index]),
        purchase=torch.from_numpy(data.purchase[index]),
        weight=torch.from_numpy(weight),
    )


def batches(data: Examined, size: int = 256, part: int = 0, part_count: int = 1) -> Iterator[Batch]:
    """All items of all pages, in order; with parts, those of every so-manieth batch."""
    for first in range(part * size, data.page_count, part_count * size):
        yield collate(data, np.arange(first, min(first + size, data.page_count)))
