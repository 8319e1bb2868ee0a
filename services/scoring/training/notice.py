"""How likely is an item to be noticed where it stands?

A tower that is learned beside the network, as a factor (PAL, Guo et al. 2019, doi:10.1145/3298689.3347033),
and stays behind when the network is served. Two things are in it. The share of attention that is left from
slot to slot and from place to place: it falls and never rises, because a factor that may do both would be
free to take over what belongs to the item. And the pull of the shelf: which module, in which template, and
among how many items a click is shared. On average over what was learned from, the pull is 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.scoring.training.data import (
    DEVICE_COUNT,
    MODULE_COUNT,
    PLACE_COUNT,
    SHELF_SIZE_COUNT,
    SLOT_COUNT,
    TEMPLATE_COUNT,
)

_GENTLE = -4.0  # softplus of it: each place starts 2 % below the one before


class NoticeTower(nn.Module):
    """Log of the factor by which an item's chance of a click is smaller or larger for where it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.slot = nn.Parameter(torch.full((SLOT_COUNT - 1,), _GENTLE))
        self.place = nn.Parameter(torch.full((DEVICE_COUNT, PLACE_COUNT - 1), _GENTLE))
        self.module = nn.Parameter(torch.zeros(MODULE_COUNT))
        self.template = nn.Parameter(torch.zeros(DEVICE_COUNT, TEMPLATE_COUNT))
        self.crowd = nn.Parameter(torch.zeros(()))
        sizes = torch.arange(SHELF_SIZE_COUNT).clamp_min(1).log()
        self.register_buffer("log_size", sizes, persistent=False)
        self.register_buffer("mean_pull", torch.zeros(()))

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
        return self.share(slot, place, device) + self.pull(device, module, template, shelf_size)

    def share(self, slot: Tensor, place: Tensor, device: Tensor) -> Tensor:
        """Log of the attention left of what the first place of the first slot gets, 0 or less."""
        by_slot = functional.pad(functional.softplus(self.slot).cumsum(0), (1, 0))
        by_place = functional.pad(functional.softplus(self.place).cumsum(1), (1, 0))
        result: Tensor = -(by_slot[slot] + by_place[device, place])
        return result

    def pull(self, device: Tensor, module: Tensor, template: Tensor, shelf_size: Tensor) -> Tensor:
        """Log of the shelf's pull against the mean shelf's."""
        crowd = -functional.softplus(self.crowd) * self.log_size[shelf_size]
        result: Tensor = self.module[module] + self.template[device, template] + crowd - self.mean_pull
        return result

    def centre(self, device: Tensor, module: Tensor, template: Tensor, shelf_size: Tensor) -> float:
        """Makes the mean pull over these items 1 in the log, and returns by how much all pulls fell."""
        with torch.no_grad():
            mean = self.pull(device, module, template, shelf_size).mean()
            self.mean_pull += mean
        return float(mean)
