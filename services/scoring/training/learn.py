"""How does the click network learn from examined items?

What a step draws follows from the seed and its number alone, so that a run which goes on from a checkpoint,
and a run of several processes, take the steps of one that did neither.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from services.common import training_checkpoint
from services.common.training_checkpoint import Progress
from services.common.training_output import Scalar
from services.scoring.signature import SPECS
from services.scoring.training.batch import Batch, collate, draw
from services.scoring.training.data import PLACE_NAMES, Array, Examined
from services.scoring.training.model import ClickNetwork
from services.scoring.training.notice import NoticeTower
from services.scoring.training.objective import Objective, mean_loss
from services.scoring.training.recipe import Precision, Recipe
from services.scoring.training.team import ALONE, Team

_TOWER_SPEED = 10.0
_GRADIENT_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on, and what is kept.

    Attributes:
        scalar: takes the curves: loss/train, loss/valid and learning_rate, by pass.
        on_step: called with steps done and steps at most.
        checkpoint: file to keep the run in, and to go on from where it is there; None keeps nothing.
        checkpoint_period: steps from one to the next.
    """

    scalar: Scalar = lambda name, value, step: None
    on_step: Callable[[int, int], None] = lambda done, total: None
    checkpoint: Path | None = None
    checkpoint_period: int = 200


UNWATCHED = Watch()


@dataclass(frozen=True, slots=True)
class Trained:
    """A network and the tower it was trained with, on the CPU."""

    network: ClickNetwork
    tower: NoticeTower
    epoch_count: int
    valid_loss: float


class Record:
    """The best weights so far, how many passes ago they were found, and the loss of this pass."""

    def __init__(self, objective: Objective) -> None:
        self.best_loss, self.waited, self.epoch_count = float("inf"), 0, 0
        self.loss, self.weight = 0.0, 0.0
        self.best = copy.deepcopy(objective.state_dict())

    def tell(self, held_out: float, objective: Objective) -> None:
        """Takes the held-out loss of a pass."""
        self.epoch_count += 1
        self.loss = self.weight = 0.0
        if held_out < self.best_loss:
            self.best_loss, self.waited = held_out, 0
            self.best = copy.deepcopy(objective.state_dict())
        else:
            self.waited += 1

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update(state_dict)


def learn(
    train: Examined,
    valid: Examined,
    recipe: Recipe,
    watch: Watch = UNWATCHED,
    team: Team = ALONE,
    begun: Objective | None = None,
) -> Trained:
    """Trains until the loss on `valid`, which is later in time, stops falling.

    Args:
        begun: a network and its tower that learn on, in place; None begins with new ones.

    Raises:
        CheckpointError: where the checkpoint is of another recipe.
    """
    torch.manual_seed(recipe.seed)
    device = team.device
    if begun is None:
        objective = Objective(recipe.architecture, _is_mixed(recipe, device))
        _start(objective, train, recipe)
    else:
        objective = begun
        _forget_rare(objective, train, recipe)
    objective.to(device)
    steps_per_epoch = -(-train.page_count // recipe.batch_size)
    step_count = recipe.epoch_count * steps_per_epoch
    optimiser, schedule = _optimiser(objective, recipe, step_count)
    average = AveragedModel(objective, avg_fn=_moving(recipe.averaging))
    judged: Objective = average.module if recipe.averaging else objective
    record = Record(objective)
    parts = {"objective": objective, "optimiser": optimiser, "schedule": schedule, "record": record}
    progress = Progress(parts | {"average": average}, None, recipe)
    first = 0
    if watch.checkpoint is not None and watch.checkpoint.exists():
        first = training_checkpoint.load(watch.checkpoint, progress)
    joined = team.joined(objective)
    order: Array = np.empty(0, np.int64)
    for step in range(first, step_count):
        if record.waited >= recipe.patience:
            break
        epoch, place = divmod(step, steps_per_epoch)
        if place == 0 or step == first:
            order = np.random.default_rng([recipe.seed, epoch]).permutation(train.page_count)
        batch, weight = _batch(train, np.array_split(order, steps_per_epoch)[place], recipe, step, team)
        loss = joined(batch.to(device))
        optimiser.zero_grad()
        # Processes' gradients are averaged: times their number, that is the sum over the whole batch.
        (loss * team.count / weight).backward()
        nn.utils.clip_grad_norm_(objective.parameters(), _GRADIENT_LIMIT)
        optimiser.step()
        schedule.step()
        if recipe.averaging:
            average.update_parameters(objective)
        watch.on_step(step + 1, step_count)
        record.loss += float(loss.detach())
        record.weight += weight
        if place + 1 == steps_per_epoch:
            watch.scalar("learning_rate", schedule.get_last_lr()[0], epoch)
            watch.scalar("loss/train", team.total(record.loss) / record.weight, epoch)
            held_out = mean_loss(judged, valid, team)
            record.tell(held_out, judged)
            watch.scalar("loss/valid", held_out, epoch)
        if watch.checkpoint is not None and team.is_first and (step + 1) % watch.checkpoint_period == 0:
            training_checkpoint.keep(watch.checkpoint, step + 1, progress)
    objective.load_state_dict(record.best)
    objective.cpu().eval()
    _centre(objective, train)
    return Trained(objective.network, objective.tower, record.epoch_count, record.best_loss)


def _start(objective: Objective, train: Examined, recipe: Recipe) -> None:
    """Scales inputs and starts both heads at the base rates, with the mean shelf's pull at 1."""
    _forget_rare(objective, train, recipe)
    clicks, purchases = float(train.click.sum()), float(train.purchase.sum())
    # One imagined click in a hundred and one purchase in ten keep the rates of small logs off 0.
    objective.network.fit_scaling(
        torch.from_numpy(train.item["item_numbers"]),
        (clicks + 1) / (len(train.click) + 100),
        (purchases + 1) / (clicks + 10),
    )
    columns = (train.place, train.device, train.template, train.click)
    objective.tower.start(*(torch.from_numpy(column) for column in columns))
    _centre(objective, train, is_moved=False)


def _forget_rare(objective: Objective, train: Examined, recipe: Recipe) -> None:
    if recipe.min_count:
        objective.network.forget_rare(_counts(train), recipe.min_count)


def _counts(train: Examined) -> dict[str, torch.Tensor]:
    """How often each code was learned from, by table."""
    ids = np.concatenate(
        [train.item["item_ids"][:, :3], train.shopper["history_ids"][..., :3].reshape(-1, 3)]
    )
    sizes = next(spec.cardinality for spec in SPECS if spec.name == "item_ids")
    return {
        name: torch.from_numpy(np.bincount(ids[:, column], minlength=sizes[name]))
        for column, name in enumerate(("item", "category", "brand"))
    }


def _centre(objective: Objective, train: Examined, is_moved: bool = True) -> None:
    """Makes 1 the pull of the mean shelf, and moves what all shelves had in common to the network."""
    names = [name for name in PLACE_NAMES if name not in ("slot", "place")]
    fell = objective.tower.centre(**{name: torch.from_numpy(getattr(train, name)) for name in names})
    if is_moved:
        with torch.no_grad():
            objective.network.heads.click.bias += fell


def _optimiser(
    objective: Objective, recipe: Recipe, step_count: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    groups = [
        {"params": list(objective.network.parameters())},
        # Few numbers behind a flat curve, and decay would pull them towards a steep fall: faster, freely.
        {
            "params": list(objective.tower.parameters()),
            "lr": _TOWER_SPEED * recipe.learning_rate,
            "weight_decay": 0.0,
        },
    ]
    optimiser = torch.optim.AdamW(groups, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    last = recipe.learning_rate / 20
    return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, step_count, last)


def _moving(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential average that forgets its beginning: the first steps count less long."""

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        return torch.lerp(current, averaged, kept)

    return average


def _batch(train: Examined, pages: Array, recipe: Recipe, step: int, team: Team) -> tuple[Batch, float]:
    """This process's part of a step's batch, and what the whole of it stands for."""
    generator = np.random.default_rng([recipe.seed, step, 1])
    drawn = draw(train, pages, recipe.negative_limit, generator)
    weight = float(sum(weights.sum() for _, weights in drawn))
    mine = slice(team.rank, None, team.count)
    return collate(train, pages[mine], drawn[mine]), weight


def _is_mixed(recipe: Recipe, device: torch.device) -> bool:
    if recipe.precision is Precision.AUTO:
        return device.type == "cuda" and bool(torch.cuda.is_bf16_supported())
    return recipe.precision is Precision.MIXED
