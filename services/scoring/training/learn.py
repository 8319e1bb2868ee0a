"""How does the click network learn from examined items?"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from services.scoring.training.data import Array, Examined
from services.scoring.training.model import ClickNetwork, Inputs, Logits, NoticeTower

_NEVER_CERTAIN = -1e-6
_TOWER_SPEED = 10.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    epoch_count: int = 8
    """Most passes over the data; early stopping may end sooner."""
    patience: int = 2
    """Passes without a better held-out loss after which training stops."""
    batch_size: int = 128
    """Pages per step."""
    negative_limit: int = 12
    """Items without a click that are learned from per page and pass; those drawn stand for the rest."""
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Some pages, their items padded to the longest."""

    inputs: Inputs
    slot: Tensor
    place: Tensor
    device: Tensor
    click: Tensor
    purchase: Tensor
    weight: Tensor
    """(P, I) how many examined items each stands for; 0 for padding."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network and the tower it was trained with."""

    network: ClickNetwork
    tower: NoticeTower
    epoch_count: int


def learn(
    train: Examined,
    valid: Examined,
    recipe: Recipe,
    on_epoch: Callable[[int, float, float], None] = lambda epoch, loss, held_out: None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Trained:
    """Trains until the loss on `valid`, which is later in time, stops falling.

    Args:
        on_epoch: called with the pass, its loss and the held-out loss.
        on_step: called with steps done and steps at most.
    """
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng(recipe.seed)
    network, tower = ClickNetwork(), NoticeTower()
    clicks, purchases = float(train.click.sum()), float(train.purchase.sum())
    # One imagined click in a hundred and one purchase in ten keep the rates of small logs off 0.
    network.fit_scaling(
        torch.from_numpy(train.item["item_numbers"]),
        (clicks + 1) / (len(train.click) + 100),
        (purchases + 1) / (clicks + 10),
    )
    parameters = [*network.parameters(), *tower.parameters()]
    groups = [
        {"params": list(network.parameters())},
        # Few numbers behind a flat curve, and decay would pull them towards a steep fall: faster, freely.
        {"params": list(tower.parameters()), "lr": _TOWER_SPEED * recipe.learning_rate, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    step_count = recipe.epoch_count * -(-train.page_count // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, step_count, recipe.learning_rate / 20)
    best_loss, best, waited, step, epoch = np.inf, (network.state_dict(), tower.state_dict()), 0, 0, 0
    for epoch in range(recipe.epoch_count):
        network.train()
        total, weight = 0.0, 0.0
        order = generator.permutation(train.page_count)
        for pages in np.array_split(order, -(-len(order) // recipe.batch_size)):
            batch = collate(train, pages, recipe.negative_limit, generator)
            loss = batch_loss(network(batch.inputs), tower, batch)
            optimiser.zero_grad()
            (loss / batch.weight.sum()).backward()
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimiser.step()
            schedule.step()
            step += 1
            on_step(step, step_count)
            total, weight = total + float(loss.detach()), weight + float(batch.weight.sum())
        held_out = mean_loss(network, tower, valid)
        on_epoch(epoch, total / weight, held_out)
        if held_out < best_loss:
            best_loss, waited = held_out, 0
            best = copy.deepcopy((network.state_dict(), tower.state_dict()))
        else:
            waited += 1
            if waited == recipe.patience:
                break
    network.load_state_dict(best[0])
    tower.load_state_dict(best[1])
    network.eval()
    tower.eval()
    return Trained(network, tower, epoch + 1)


def batch_loss(logits: Logits, tower: NoticeTower, batch: Batch) -> Tensor:
    """Negative log-likelihood of clicks and purchases, summed over what the batch stands for."""
    noticed = tower(batch.slot, batch.place, batch.device)
    click = noticed + nn.functional.logsigmoid(logits.click)
    purchase = click + nn.functional.logsigmoid(logits.conversion)
    loss = _nll(click, batch.click) + _nll(purchase, batch.purchase)
    return (loss * batch.weight).sum()


def mean_loss(network: ClickNetwork, tower: NoticeTower, data: Examined) -> float:
    """Loss per examined item, all items taken."""
    total = 0.0
    for batch in batches(data):
        with torch.no_grad():
            total += float(batch_loss(network(batch.inputs), tower, batch))
    return total / len(data.click)


def batches(data: Examined, size: int = 256) -> Iterator[Batch]:
    """All items of all pages, in order."""
    for first in range(0, data.page_count, size):
        yield collate(data, np.arange(first, min(first + size, data.page_count)))


def collate(data: Examined, pages: Array, negative_limit: int | None = None, generator: Any = None) -> Batch:
    """The items of some pages, padded.

    Args:
        negative_limit: items without a click to draw per page, each weighted by how many it stands for,
            so that the expected loss is that of all items; None takes all.
    """
    chosen, weights = [], []
    for page in pages.tolist():
        rows = np.arange(data.offsets[page], data.offsets[page + 1])
        weight = np.ones(len(rows), np.float32)
        negatives = np.flatnonzero(data.click[rows] == 0)
        if negative_limit is not None and len(negatives) > negative_limit:
            drawn = generator.choice(negatives, negative_limit, replace=False)
            weight[drawn] = len(negatives) / negative_limit
            kept = np.concatenate([np.flatnonzero(data.click[rows]), drawn])
            rows, weight = rows[kept], weight[kept]
        chosen.append(rows)
        weights.append(weight)
    lengths = np.array([len(rows) for rows in chosen])
    is_item = np.arange(lengths.max()) < lengths[:, None]
    index = np.zeros(is_item.shape, np.int64)
    index[is_item] = np.concatenate(chosen)
    weight = np.zeros(is_item.shape, np.float32)
    weight[is_item] = np.concatenate(weights)
    inputs = {name: torch.from_numpy(array[index]) for name, array in data.item.items()}
    inputs |= {name: torch.from_numpy(array[pages]) for name, array in data.shopper.items()}
    return Batch(
        inputs=inputs,
        slot=torch.from_numpy(data.slot[index]),
        place=torch.from_numpy(data.place[index]),
        device=torch.from_numpy(data.device[index]),
        click=torch.from_numpy(data.click[index]),
        purchase=torch.from_numpy(data.purchase[index]),
        weight=torch.from_numpy(weight),
    )


def _nll(log_chance: Tensor, happened: Tensor) -> Tensor:
    log_chance = log_chance.clamp_max(_NEVER_CERTAIN)
    return -(happened * log_chance + (1 - happened) * torch.log(-torch.expm1(log_chance)))
