"""How does a Q-network leave torch, and does the graph say the same?"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import torch

from services.common import inference
from services.policy.registry import INPUTS, OUTPUT
from services.policy.training.dqn import Replay
from services.policy.training.qnet import QNetwork
from services.policy.training.transitions import Transitions

COMPARED_ROW_COUNT = 1_000
TOLERANCE = 1e-4
"""Largest difference in units of the values' scale."""


class ExportError(Exception):
    """The graph disagrees with the network."""


def export(network: QNetwork, path: Path) -> None:
    """Writes the network as ONNX with dynamic numbers of states and actions."""
    # Sizes above 1 and unequal: with 1 x 1 the exporter bakes the sizes in.
    example = (
        torch.zeros(3, len(network.state_mean)),
        torch.zeros(3, 7, len(network.action_mean)),
        torch.ones(3, 7, dtype=torch.bool),
    )
    states, actions = torch.export.Dim("B"), torch.export.Dim("A")
    # It says at each export that torchvision, which nobody needs here, is not installed.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            network.eval(),
            example,
            dynamo=True,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_shapes=({0: states}, {0: states, 1: actions}, {0: states, 1: actions}),
            verbose=False,
        )
    program.save(str(path))


def compare(network: QNetwork, path: Path, transitions: Transitions) -> float:
    """The largest difference between graph and network over at least 1,000 actions, state by state.

    Raises:
        ExportError: where it is above the tolerance, or the data is too small to tell.
    """
    session = inference.open_session(path, "cpu")
    replay = Replay.of(transitions)
    generator = np.random.default_rng(0)
    worst, compared = 0.0, 0
    scale = float(network.value_scale)
    for decision in generator.permutation(len(transitions)).tolist():
        actions, allowed = replay.feasible(torch.tensor([decision]))
        state = replay.states[decision : decision + 1]
        with torch.no_grad():
            wanted = network(state, actions, allowed).numpy()
        inputs = (state.numpy(), actions.numpy(), allowed.numpy())
        found = session.run((OUTPUT,), dict(zip(INPUTS, inputs, strict=True)))[0]
        worst = max(worst, float(np.abs(found - wanted).max()) / scale)
        compared += wanted.size
        if compared >= COMPARED_ROW_COUNT:
            break
    if compared < COMPARED_ROW_COUNT:
        raise ExportError(f"only {compared} actions to compare, want {COMPARED_ROW_COUNT}")
    if not worst <= TOLERANCE:
        raise ExportError(f"graph and network differ by {worst:g} of the values' scale, limit {TOLERANCE:g}")
    return worst
