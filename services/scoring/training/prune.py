"""What does a click model lose, and what does it save, without the units that matter least?

Whole units leave, so that matrices become smaller and nothing is sparse: hidden units of the perceptrons, and
columns of what cross layers, perceptrons and heads read of item and shopper. A unit's importance is the
squared first-order change of the loss without it (Molchanov et al. 2019, arXiv:1906.10771, eq. 8), summed
over batches of the log. What is left learns on for a little, and is calibrated anew.

Symbols: U units of a group.
"""

from __future__ import annotations

import copy
import itertools
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from services.common import artifacts
from services.common.artifacts import Artifact
from services.scoring.registry import MODEL_FILE
from services.scoring.training import data, judging, twins, weights
from services.scoring.training.batch import collate, draw
from services.scoring.training.calibrate import calibrate
from services.scoring.training.data import Examined
from services.scoring.training.export import compare, export
from services.scoring.training.heads import EsmmHeads, Perceptron, SplitLinear
from services.scoring.training.learn import Trained, learn
from services.scoring.training.model import ClickNetwork
from services.scoring.training.objective import Objective
from services.scoring.training.recipe import Recipe
from services.scoring.training.train import split
from services.scoring.training.twins import LARGEST_LOSS

SUFFIX = "-pruned"
BATCH_COUNT = 60
"""Batches that importance is taken from."""
SPEED = 0.5
"""Learning rate of what is left, over that of the recipe."""


class PruningError(Exception):
    """What is left is too far from the whole."""


class Columns(nn.Module):
    """Some columns of the last axis."""

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, features: Tensor) -> Tensor:
        """(..., U) of wider features."""
        return features.index_select(-1, self.kept)


def prune(
    source: Artifact, models: Path, log: Path, share: float, epoch_count: int = 2, is_current: bool = False
) -> Artifact:
    """Publishes a version's pruned twin, with what it loses and saves in its manifest.

    Args:
        models: store to publish to.
        share: of each group's units that leave, at least 0 and below 1.
        epoch_count: most passes over the data that what is left learns on for.
        is_current: points to the new version; otherwise it stands beside, for a request or a shadow to name.

    Raises:
        LogFileError: for a log that cannot be read, or has too few pages.
        WeightsError: for a version whose weights are not there.
        PruningError: where it loses more than `LARGEST_LOSS` where items stood; nothing is published then.
    """
    objective, recipe = weights.load(source)
    examined = data.read(log)
    learned, valid, test = split(examined)
    before = judging.measure(judging.predict(objective.network, objective.tower, test), test)
    trained = pruned(objective, learned, valid, replace(recipe, epoch_count=epoch_count), share)
    calibrate(trained.network, trained.tower, valid)
    predicted = judging.predict(trained.network, trained.tower, test)
    metrics = judging.measure(predicted, test)
    loss = metrics["click_logloss"] / before["click_logloss"] - 1
    if not loss <= LARGEST_LOSS:
        raise PruningError(
            f"{source.version}: log loss grows by {loss:.2%} without {share:.0%} of the units, "
            f"limit {LARGEST_LOSS:.0%}"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILE
        export(trained.network, path)
        metrics["export_difference"] = compare(trained.network, path, examined)
        weights.keep_tower(trained.tower, Path(folder))
        graphs = {"fp32": source.file(MODEL_FILE), "pruned": path}
        towers = {"fp32": objective.tower, "pruned": trained.tower}
        metrics |= twins.metrics(twins.compare(graphs, towers, test))
        metrics |= {
            "whole_click_logloss": before["click_logloss"],
            "whole_parameter_count": float(parameter_count(objective.network)),
            "pruned_parameter_count": float(parameter_count(trained.network)),
        }
        kept = twins.manifest_of(source)
        manifest = {
            **kept,
            "metrics": {**kept["metrics"], **metrics},
            "calibration": judging.calibration(predicted, test),
            "pruned_from": source.version,
            "pruned_share": share,
        }
        return artifacts.publish(models, source.version + SUFFIX, Path(folder), manifest, is_current)


def parameter_count(network: nn.Module) -> int:
    """Numbers that were learned."""
    return sum(parameter.numel() for parameter in network.parameters())


def pruned(begun: Objective, learned: Examined, valid: Examined, recipe: Recipe, share: float) -> Trained:
    """A smaller network, which has learned on; `begun` stays as it is.

    Args:
        recipe: that `begun` was trained by; epochs are those of learning on.
        share: of each group's units that leave, at least 0 and below 1.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share is {share}, want 0 to below 1")
    objective = copy.deepcopy(begun)
    groups = importance(objective, learned, recipe)
    kept = {name: _strongest(found, share) for name, found in groups.items()}
    shrink(objective.network, kept)
    gentler = replace(recipe, learning_rate=SPEED * recipe.learning_rate)
    return learn(learned, valid, gentler, begun=objective)


def importance(objective: Objective, learned: Examined, recipe: Recipe) -> dict[str, Tensor]:
    """(U,) by group: `item` and `shopper` columns, and `<perceptron>.<layer>` hidden units.

    The last layers of several experts are mixed unit by unit, so they are one group, `last`.
    """
    generator = np.random.default_rng(recipe.seed)
    found: dict[str, Tensor] = {}
    objective.train()
    for _ in range(BATCH_COUNT):
        count = min(recipe.batch_size, learned.page_count)
        pages = generator.choice(learned.page_count, count, replace=False)
        drawn = draw(learned, pages, recipe.negative_limit, generator)
        with _gated(objective.network) as gates:
            loss = objective(collate(learned, pages, drawn))
            (loss / float(sum(weight.sum() for _, weight in drawn))).backward()
        for name, gate in gates.items():
            assert gate.grad is not None
            found[name] = found.get(name, torch.zeros_like(gate)) + gate.grad.detach() ** 2
    objective.zero_grad()
    objective.eval()
    return {name: values.detach() for name, values in found.items()}


def shrink(network: ClickNetwork, kept: Mapping[str, Tensor]) -> None:
    """Takes all other units out of a network, in place.

    Args:
        kept: (K,) indexes by the groups of `importance`.
    """
    item, shopper = kept["item"], kept["shopper"]
    item_width, shopper_width = _item_width(network), _shopper_width(network)
    both = torch.cat([item, item_width + shopper])
    network.item_columns, network.shopper_columns = Columns(item), Columns(shopper)
    if network.first_cross is not None:
        _narrow_split(network.first_cross, both, item, shopper)
    for cross in network.crosses:
        _narrow(cross, both, both)
    for name, perceptron in _perceptrons(network):
        layers = [kept[_group(name, place, perceptron)] for place in range(1 + len(perceptron.rest))]
        _narrow_split(perceptron.first, layers[0], item, shopper)
        for layer, (before, own) in zip(perceptron.rest, itertools.pairwise(layers), strict=True):
            _narrow(layer, own, before)
    for gate in getattr(network.heads, "gates", []):
        _narrow_split(gate, torch.arange(gate.item.out_features), item, shopper)
    read = torch.cat([both, item_width + shopper_width + kept["last"]])
    for head in (network.heads.click, network.heads.conversion):
        _narrow(head, torch.arange(1), read)


def _strongest(values: Tensor, share: float) -> Tensor:
    """(K,) indexes of what stays, in their order; at least one."""
    count = max(1, math.ceil(len(values) * (1 - share)))
    return torch.sort(torch.topk(values, count).indices).values


def _perceptrons(network: ClickNetwork) -> list[tuple[str, Perceptron]]:
    heads = network.heads
    if isinstance(heads, EsmmHeads):
        return [("deep", heads.deep)]
    return [(f"expert {number}", expert) for number, expert in enumerate(heads.experts)]


def _group(name: str, place: int, perceptron: Perceptron) -> str:
    return "last" if place == len(perceptron.rest) else f"{name}.{place}"


def _item_width(network: ClickNetwork) -> int:
    return int(_perceptrons(network)[0][1].first.item.in_features)


def _shopper_width(network: ClickNetwork) -> int:
    return int(_perceptrons(network)[0][1].first.shopper.in_features)


@contextmanager
def _gated(network: ClickNetwork) -> Iterator[dict[str, nn.Parameter]]:
    """Factors of 1 on all units, by group, within the block."""
    gates: dict[str, nn.Parameter] = {}
    with ExitStack() as hooks:

        def gate(module: nn.Module, name: str, width: int) -> None:
            one = gates.setdefault(name, nn.Parameter(torch.ones(width)))
            handle = module.register_forward_hook(lambda _, __, found: found * one)
            hooks.callback(handle.remove)

        gate(network.item_columns, "item", _item_width(network))
        gate(network.shopper_columns, "shopper", _shopper_width(network))
        for name, perceptron in _perceptrons(network):
            # Before the rectifier: a factor of 1, or of 0, passes it unchanged.
            gate(perceptron.first, _group(name, 0, perceptron), perceptron.first.item.out_features)
            for place, layer in enumerate(perceptron.rest, 1):
                gate(layer, _group(name, place, perceptron), layer.out_features)
        yield gates


def _narrow(layer: nn.Linear, rows: Tensor, columns: Tensor) -> None:
    """Leaves some outputs and inputs of a layer."""
    layer.weight = nn.Parameter(layer.weight.detach()[rows][:, columns].clone())
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias.detach()[rows].clone())
    layer.out_features, layer.in_features = len(rows), len(columns)


def _narrow_split(layer: SplitLinear, rows: Tensor, item: Tensor, shopper: Tensor) -> None:
    _narrow(layer.item, rows, item)
    _narrow(layer.shopper, rows, shopper)
