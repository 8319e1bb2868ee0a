"""What is minimised?

The negative log-likelihood of clicks and purchases where the items stood.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from services.scoring.training.architecture import Architecture
from services.scoring.training.batch import Batch, batches
from services.scoring.training.data import Examined
from services.scoring.training.heads import Logits
from services.scoring.training.model import ClickNetwork
from services.scoring.training.notice import NoticeTower
from services.scoring.training.team import ALONE, Team

_NEVER_CERTAIN = -1e-6


class Objective(nn.Module):
    """The network and its tower as one; answers the loss of a batch."""

    def __init__(self, shape: Architecture, is_mixed: bool = False) -> None:
        super().__init__()
        self.network, self.tower = ClickNetwork(shape), NoticeTower()
        self._is_mixed = is_mixed

    def forward(self, batch: Batch) -> Tensor:
        """The loss, summed over what the batch stands for."""
        with torch.autocast(batch.click.device.type, torch.bfloat16, enabled=self._is_mixed):
            logits: Logits = self.network(batch.inputs)
        return batch_loss(Logits(logits.click.float(), logits.conversion.float()), self.tower, batch)


def batch_loss(logits: Logits, tower: NoticeTower, batch: Batch) -> Tensor:
    """Negative log-likelihood of clicks and purchases, summed over what the batch stands for."""
    noticed = tower(**batch.stood)
    click = noticed + nn.functional.logsigmoid(logits.click)
    purchase = click + nn.functional.logsigmoid(logits.conversion)
    loss = _nll(click, batch.click) + _nll(purchase, batch.purchase)
    return (loss * batch.weight).sum()


def mean_loss(objective: Objective, data: Examined, team: Team = ALONE) -> float:
    """Loss per examined item, all items taken."""
    total, device = 0.0, next(objective.parameters()).device
    for batch in batches(data, part=team.rank, part_count=team.count):
        with torch.no_grad():
            total += float(objective(batch.to(device)))
    return team.total(total) / len(data.click)


def _nll(log_chance: Tensor, happened: Tensor) -> Tensor:
    log_chance = log_chance.clamp_max(_NEVER_CERTAIN)
    return -(happened * log_chance + (1 - happened) * torch.log(-torch.expm1(log_chance)))
