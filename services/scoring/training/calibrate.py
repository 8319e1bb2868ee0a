"""How are the network's probabilities made to mean what they say?

Platt scaling on data later than the training data (Platt 1999): the log-odds of a click get a slope and a
shift, those of a purchase after a click a shift, fitted by maximum likelihood with a prior that keeps
small logs near what the network said. The three numbers become part of the graph.
"""

from __future__ import annotations

import numpy as np
import torch

from services.scoring.training.batch import Batch, batches
from services.scoring.training.data import Examined
from services.scoring.training.heads import Logits
from services.scoring.training.model import ClickNetwork
from services.scoring.training.notice import NoticeTower
from services.scoring.training.objective import batch_loss

_PRIOR_WEIGHT = 5.0


def calibrate(network: ClickNetwork, tower: NoticeTower, data: Examined) -> None:
    """Fits the network's calibration in place."""
    with torch.no_grad():
        scored: list[tuple[Logits, Batch]] = [(network(batch.inputs), batch) for batch in batches(data)]
    free = torch.tensor([1.0, 0.0, 0.0], requires_grad=True)
    start = free.detach().clone()
    optimiser = torch.optim.LBFGS([free], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = _PRIOR_WEIGHT * ((free - start) ** 2).sum()
        for logits, batch in scored:
            scaled = Logits(free[0] * logits.click + free[1], logits.conversion + free[2])
            loss = loss + batch_loss(scaled, tower, batch)
        loss.backward()
        return loss

    with torch.enable_grad():
        optimiser.step(closure)
    fitted = free.detach().numpy().astype(np.float64)
    if not (np.isfinite(fitted).all() and fitted[0] > 0):
        raise ArithmeticError(f"calibration ended at slope and shifts {fitted.tolist()}")
    network.click_slope.fill_(float(fitted[0]))
    network.click_shift.fill_(float(fitted[1]))
    network.conversion_shift.fill_(float(fitted[2]))
