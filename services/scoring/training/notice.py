"""How likely is an item to be noticed where it stands?

A tower that is learned beside the network, as a factor (PAL, Guo et al. 2019, doi:10.1145/3298689.3347033),
and stays behind when the network is served. Two things are in it. The share of attention that is left from
slot to slot, and from place to place of a template on a device, where it may end at the edge of the screen:
it falls and never rises, because a factor that may do both would be free to take over what belongs to the
item. And the pull of the shelf: which module, in which template, and among how many items in view a click is
shared. On average over what was learned from, the pull is 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from services.scoring.training.data import (
    DEVICE_COUNT,
    MODULE_COUNT,
    PLACE_COUNT,
    SLOT_COUNT,
    TEMPLATE_COUNT,
)

Array = np.ndarray[Any, Any]

_GENTLE = -4.0  # softplus of it: each place starts 2 % below the one before
_IMAGINED_CLICKS, _IMAGINED_ROWS = 0.5, 50.0


class NoticeTower(nn.Module):
    """Log of the factor by which an item's chance of a click is smaller or larger for where it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.slot = nn.Parameter(torch.full((SLOT_COUNT - 1,), _GENTLE))
        self.place = nn.Parameter(torch.full((TEMPLATE_COUNT, DEVICE_COUNT, PLACE_COUNT - 1), _GENTLE))
        self.module = nn.Parameter(torch.zeros(MODULE_COUNT))
        self.template = nn.Parameter(torch.zeros(TEMPLATE_COUNT, DEVICE_COUNT))
        self.crowd = nn.Parameter(torch.zeros(()))
        self.register_buffer("mean_pull", torch.zeros(()))

    def start(self, place: Tensor, device: Tensor, template: Tensor, click: Tensor) -> None:
        """Begins with the falls from place to place that counting finds.

        The edge of a screen is a fall from some clicks to none, which small steps would take long to reach.

        Args:
            place, device, template, click: (R,) of what is learned from.
        """
        shape = (TEMPLATE_COUNT, DEVICE_COUNT, PLACE_COUNT)
        cell = ((template * DEVICE_COUNT + device) * PLACE_COUNT + place).numpy()
        rows = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
        clicks = np.bincount(cell, click.numpy(), minlength=int(np.prod(shape))).reshape(shape)
        rate = (clicks + _IMAGINED_CLICKS) / (rows + _IMAGINED_CLICKS / max(float(click.mean()), 1e-6))
        falls = np.empty(shape)
        for curve in np.ndindex(shape[:2]):
            falls[curve] = np.log(_never_rising(rate[curve], rows[curve] + 1e-3))
        is_seen = rows[..., 1:] >= _IMAGINED_ROWS
        fall = torch.from_numpy(np.where(is_seen, -np.diff(falls), 0.0)).float()
        gentle = functional.softplus(torch.tensor(_GENTLE))
        with torch.no_grad():
            self.place.copy_(torch.log(torch.expm1(fall.clamp_min(gentle))))

    def forward(
        self,
        slot: Tensor,
        place: Tensor,
        device: Tensor,
        module: Tensor,
        template: Tensor,
        shelf_size: Tensor,
    ) -> Tensor:
        """Log of the factor, in the shape of the arguments."""
        return self.share(slot, place, device, template) + self.pull(device, module, template, shelf_size)

    def share(self, slot: Tensor, place: Tensor, device: Tensor, template: Tensor) -> Tensor:
        """Log of the attention left of what the first place of the first slot gets, 0 or less."""
        by_slot = functional.pad(functional.softplus(self.slot).cumsum(0), (1, 0))
        result: Tensor = self._by_place()[template, device, place] - by_slot[slot]
        return result

    def pull(self, device: Tensor, module: Tensor, template: Tensor, shelf_size: Tensor) -> Tensor:
        """Log of the shelf's pull against the mean shelf's."""
        in_view = self._by_place().exp().cumsum(2)[template, device, shelf_size - 1]
        crowd = -functional.softplus(self.crowd) * in_view.log()
        result: Tensor = self.module[module] + self.template[template, device] + crowd - self.mean_pull
        return result

    def centre(self, device: Tensor, module: Tensor, template: Tensor, shelf_size: Tensor) -> float:
        """Makes the mean pull over these items 1 in the log, and returns by how much all pulls fell."""
        with torch.no_grad():
            mean = self.pull(device, module, template, shelf_size).mean()
            self.mean_pull += mean
        return float(mean)

    def _by_place(self) -> Tensor:
        """Log of the share that each place gets of the first: by template, device and place."""
        return -functional.pad(functional.softplus(self.place).cumsum(2), (1, 0))


def _never_rising(values: Array, weights: Array) -> Array:
    """The nearest sequence that never rises, by pooling adjacent violators (Ayer et al. 1955)."""
    pools: list[tuple[float, float, int]] = []  # sums, weights, lengths
    for pool in zip(values * weights, weights, [1] * len(values), strict=True):
        pools.append(pool)
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] < pools[-1][0] / pools[-1][1]:
            last, before = pools.pop(), pools.pop()
            pools.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    return np.concatenate([np.full(count, total / weight) for total, weight, count in pools])
