"""How does a network leave torch, and does the graph say the same?

Every network is told apart by its signature alone: what it is given, and what it answers.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from services.common import inference
from services.policy.programme import Array
from services.policy.registry import CASCADE_INPUTS, CASCADE_OUTPUTS, INPUTS, OUTPUT
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import Replay
from services.policy.training.slateq import CascadeNetwork

COMPARED_ROW_COUNT = 1_000
TOLERANCE = 1e-4
"""Largest difference in units of the values' scale."""


class ExportError(Exception):
    """The graph disagrees with the network."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Names of what a graph is given and of what it answers.

    Attributes:
        inputs: the first is (B, D), a state each; all others are (B, A) or (B, A, E), an action each.
        outputs: (B, A) each.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


Q_VALUES = Signature(INPUTS, (OUTPUT,))
CASCADE = Signature(CASCADE_INPUTS, CASCADE_OUTPUTS)


def export(network: QNetwork, path: Path) -> None:
    """Writes a Q-network as ONNX with dynamic numbers of states and actions."""
    _write(network, Q_VALUES, (*_example(network), torch.ones(3, 7, dtype=torch.bool)), path)


def export_cascade(network: CascadeNetwork, path: Path) -> None:
    """Writes a cascade network as ONNX with dynamic numbers of states and actions.

    Inputs are "state" (B, D) and "actions" (B, A, E); outputs (B, A) each, in the order of HEADS:
    probabilities of a click and of going on, and values of a click and of giving up in their own unit.
    """
    _write(network, CASCADE, _example(network), path)


def compare(network: QNetwork, path: Path, replay: Replay) -> float:
    """The largest difference between graph and network over at least 1,000 actions, state by state.

    Raises:
        ExportError: where it is above the tolerance, or the data is too small to tell.
    """
    session = inference.open_session(path, "cpu")
    generator = np.random.default_rng(0)
    worst, compared = 0.0, 0
    scale = float(network.value_scale)
    for decision in generator.permutation(len(replay)).tolist():
        rows = torch.tensor([decision])
        choices = replay.feasible(rows)
        given = (replay.states(rows), choices.actions, choices.allowed)
        worst = max(worst, *_differences(session, network, Q_VALUES, given, (scale,)))
        compared += choices.allowed.numel()
        if compared >= COMPARED_ROW_COUNT:
            break
    return _judged(worst, compared)


def compare_cascade(network: CascadeNetwork, path: Path, states: Array, actions: Array) -> float:
    """The largest difference between graph and network, page by page, over all four heads.

    Probabilities differ in their own unit, values in units of their scale.

    Args:
        states: (B, D) float32.
        actions: (B, A, E) float32; B x A at least 1,000.

    Raises:
        ExportError: where it is above the tolerance, or the data is too small to tell.
    """
    session = inference.open_session(path, "cpu")
    scale = float(network.value_scale)
    worst = 0.0
    for page in range(len(states)):
        given = (torch.from_numpy(states[page : page + 1]), torch.from_numpy(actions[page : page + 1]))
        worst = max(worst, *_differences(session, network, CASCADE, given, (1.0, 1.0, scale, scale)))
    return _judged(worst, actions.shape[0] * actions.shape[1])


def _example(network: nn.Module) -> tuple[Tensor, Tensor]:
    # Sizes above 1 and unequal: with 1 x 1 the exporter bakes the sizes in.
    return torch.zeros(3, len(network.state_mean)), torch.zeros(3, 7, len(network.action_mean))


def _write(network: nn.Module, signature: Signature, example: tuple[Tensor, ...], path: Path) -> None:
    states, actions = torch.export.Dim("B"), torch.export.Dim("A")
    # It says at each export that torchvision, which nobody needs here, is not installed.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            network.eval(),
            example,
            dynamo=True,
            input_names=list(signature.inputs),
            output_names=list(signature.outputs),
            dynamic_shapes=({0: states}, *({0: states, 1: actions} for _ in signature.inputs[1:])),
            verbose=False,
        )
    program.save(str(path))


def _differences(
    session: Any,
    network: nn.Module,
    signature: Signature,
    given: tuple[Tensor, ...],
    scales: Sequence[float],
) -> list[float]:
    """The largest difference of each output in units of its scale."""
    with torch.no_grad():
        wanted = network(*given)
    named = {name: part.numpy() for name, part in zip(signature.inputs, given, strict=True)}
    found = session.run(signature.outputs, named)
    told = (wanted,) if isinstance(wanted, Tensor) else wanted
    return [
        _difference(here, there.numpy()) / scale
        for here, there, scale in zip(found, told, scales, strict=True)
    ]


def _difference(found: Array, wanted: Array) -> float:
    """The largest; infinite where only one of them masks."""
    is_masked = np.isneginf(wanted)
    if not np.array_equal(np.isneginf(found), is_masked):
        return np.inf
    return float(np.abs(found[~is_masked] - wanted[~is_masked]).max(initial=0.0))


def _judged(worst: float, compared: int) -> float:
    if compared < COMPARED_ROW_COUNT:
        raise ExportError(f"only {compared} actions to compare, want {COMPARED_ROW_COUNT}")
    if not worst <= TOLERANCE:
        raise ExportError(f"graph and network differ by {worst:g} of the values' scale, limit {TOLERANCE:g}")
    return worst
