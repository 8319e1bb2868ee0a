"""How well does a network foretell what happened on pages that it has not seen?

The log's own policy explored and the network's would do better, so no network reaches a correlation of 1, and
values lie above returns.
"""

from __future__ import annotations

import numpy as np
import torch

from services.policy import programme
from services.policy.page import Array
from services.policy.training import dqn
from services.policy.training.pages import Pages
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import EventReplay
from services.policy.training.slateq import CascadeNetwork

_BATCH = 1_024
_FLOOR = 1e-6


def judge_slots(network: QNetwork, replay: EventReplay, held_out: Array) -> dict[str, float]:
    """Q of served choices, held against the discounted reward that came."""
    if len(held_out) < 2:
        return {}
    with torch.no_grad():
        values = dqn.placed_values(network, replay, torch.from_numpy(held_out)).numpy()
    return _agreement(values, replay.outcomes.returns[held_out].numpy())


def judge_pages(
    network: CascadeNetwork, pages: Pages, held_out: Array, page_discount: float
) -> dict[str, float]:
    """Values of served pages, held against what came; clicks on examined slots, against their chances."""
    if len(held_out) < 2:
        return {}
    values = np.empty(len(held_out))
    losses, clicks, chances = [], [], []
    for begun in range(0, len(held_out), _BATCH):
        some = held_out[begun : begun + _BATCH]
        described = pages.actions.of(some)
        for slot_count in np.unique(pages.slot_count[some]).tolist():
            here = np.flatnonzero(pages.slot_count[some] == slot_count)
            page = pages.placed[some[here], :slot_count]
            actions = np.take_along_axis(described.actions[here], page[:, :, None], 1)
            heads = network.answer(pages.states[some[here]], actions)
            in_place = np.broadcast_to(np.arange(slot_count), page.shape)
            values[begun + here] = programme.page_value(programme.Cascade.of(*heads), in_place)
            examined = pages.is_examined[some[here], :slot_count]
            chance, clicked = heads[0][examined], pages.is_clicked[some[here], :slot_count][examined]
            losses.append(-np.log(np.maximum(np.where(clicked, chance, 1 - chance), _FLOOR)))
            clicks.append(clicked)
            chances.append(chance)
    clicked = np.concatenate(clicks)
    return {
        **_agreement(values, pages.returns(page_discount)[held_out]),
        "click_logloss": float(np.concatenate(losses).mean()),
        "click_ratio": float(np.concatenate(chances).mean() / max(clicked.mean(), _FLOOR)),
    }


def _agreement(values: Array, returns: Array) -> dict[str, float]:
    values, returns = values.astype(np.float64), returns.astype(np.float64)
    deviation = values.std() * returns.std()
    covariance = ((values - values.mean()) * (returns - returns.mean())).mean()
    return {
        "held_out_count": float(len(values)),
        "mean_return": float(returns.mean()),
        "mean_q": float(values.mean()),
        "return_correlation": float(covariance / deviation) if deviation > 0 else 0.0,
        "return_rmse": float(np.sqrt(((values - returns) ** 2).mean())),
        "return_rmse_of_mean": float(returns.std()),
    }
