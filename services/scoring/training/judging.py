"""How well does a click model predict pages that it has not seen?

Clicks are predicted where the items stood, so the notice tower has its say here: what is served instead is
the chance on the mean shelf, at its first place in the first slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from services.scoring.scorer import POPULARITY
from services.scoring.signature import SPECS
from services.scoring.training.batch import batches
from services.scoring.training.data import Array, Examined
from services.scoring.training.metrics import evaluate, grouped_auc, reliability
from services.scoring.training.model import ClickNetwork
from services.scoring.training.notice import NoticeTower

_CONTEXT = next(spec for spec in SPECS if spec.name == "context_ids").columns


@dataclass(frozen=True, slots=True)
class Predicted:
    """(R,) chances of examined items, where they stood."""

    click: Array
    purchase: Array


def predict(network: ClickNetwork, tower: NoticeTower, data: Examined) -> Predicted:
    """What is expected of all examined items, in their order."""
    clicks, purchases = [], []
    for batch in batches(data):
        with torch.no_grad():
            logits = network.calibrated(network(batch.inputs))
            click = (tower(**batch.stood) + torch.nn.functional.logsigmoid(logits.click)).exp().clamp_max(1)
            purchase = click * torch.sigmoid(logits.conversion)
        is_item = batch.weight > 0
        clicks.append(click[is_item].numpy())
        purchases.append(purchase[is_item].numpy())
    return Predicted(np.concatenate(clicks), np.concatenate(purchases))


def measure(predicted: Predicted, test: Examined) -> dict[str, float]:
    """Metrics on held-out pages, with the popularity baseline beside."""
    popular = POPULARITY.predict(test.item)
    shopper = np.repeat(test.who, np.diff(test.offsets))
    found = evaluate(predicted.click, test.click)
    baseline = evaluate(popular.click_probability, test.click)
    bought = evaluate(predicted.purchase, test.purchase)
    return {
        **{f"click_{name}": value for name, value in found.items()},
        "click_gauc": grouped_auc(predicted.click, test.click, shopper),
        **{f"popularity_click_{name}": value for name, value in baseline.items()},
        "popularity_click_gauc": grouped_auc(popular.click_probability, test.click, shopper),
        **{f"purchase_{name}": value for name, value in bought.items()},
        "popularity_purchase_auc": evaluate(popular.purchase_probability, test.purchase)["auc"],
        "test_item_count": float(len(test.click)),
        "test_click_count": float(test.click.sum()),
        "test_purchase_count": float(test.purchase.sum()),
    }


def calibration(predicted: Predicted, test: Examined) -> dict[str, Any]:
    """Predicted over observed clicks by decile, segment and page type."""
    lengths = np.diff(test.offsets)
    context = test.shopper["context_ids"]
    groups = {name: np.repeat(context[:, _CONTEXT.index(name)], lengths) for name in ("segment", "page_type")}
    return reliability(predicted.click, test.click, np.repeat(test.who, lengths), groups)
