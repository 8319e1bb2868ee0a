"""How does the click network leave torch, and does the graph say the same?"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from services.common import inference
from services.common.tensors import N
from services.scoring.registry import BATCHED_FILE
from services.scoring.scorer import GraphRunner
from services.scoring.signature import OUTPUTS, SPECS
from services.scoring.training.data import Array, Examined
from services.scoring.training.model import ClickNetwork, ServedModel

COMPARED_ROW_COUNT = 1_000
TOLERANCE = 1e-5
"""Largest difference of a probability."""


class ExportError(Exception):
    """The graph disagrees with the network."""


class ServedPages(nn.Module):
    """What is exported: S shoppers with N items each, calibrated probabilities, no notice tower."""

    def __init__(self, network: ClickNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *arrays: Tensor) -> tuple[Tensor, Tensor]:
        """(S, N) click and purchase probabilities of the inputs in the order of SPECS."""
        inputs = {spec.name: array for spec, array in zip(SPECS, arrays, strict=True)}
        logits = self.network.calibrated(self.network(inputs))
        click = torch.sigmoid(logits.click)
        return click, click * torch.sigmoid(logits.conversion)


def export(network: ClickNetwork, path: Path) -> None:
    """Writes the served half of the network as ONNX: for one shopper, and beside it for several at once.

    The graph at `path` follows the signature. That of `BATCHED_FILE`, of the same weights, has an axis of
    shoppers before all others. Numbers of items and of shoppers are free.
    """
    shoppers, items = torch.export.Dim("S"), torch.export.Dim("N")
    # Three shoppers and seven items, never one: a length of 1 is taken for a constant.
    example = tuple(
        torch.zeros(
            [3, *(7 if length == N else length for length in spec.shape)], dtype=getattr(torch, spec.dtype)
        )
        for spec in SPECS
    )
    # It says at each export that torchvision, which nobody needs here, is not installed.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            ServedPages(network).eval(),
            example,
            dynamo=True,
            input_names=[spec.name for spec in SPECS],
            output_names=list(OUTPUTS),
            dynamic_shapes=(
                tuple({0: shoppers, 1: items} if spec.is_per_item else {0: shoppers} for spec in SPECS),
            ),
            verbose=False,
        )
    batched = path.with_name(BATCHED_FILE)
    program.save(str(batched))
    onnx.save(one_shopper(onnx.load(batched)), path)


def one_shopper(pages: onnx.ModelProto) -> onnx.ModelProto:
    """The graph without its axis of shoppers: it is put before the inputs, and taken off the outputs."""
    alone = onnx.ModelProto()
    alone.CopyFrom(pages)
    graph = alone.graph
    del graph.value_info[:]
    inside = {value.name: f"{value.name}/pages" for value in (*graph.input, *graph.output)}
    for node in graph.node:
        node.input[:] = [inside.get(name, name) for name in node.input]
        node.output[:] = [inside.get(name, name) for name in node.output]
    graph.initializer.append(onnx.helper.make_tensor("first_axis", onnx.TensorProto.INT64, [1], [0]))
    before = [_reshape("Unsqueeze", value.name, inside[value.name]) for value in graph.input]
    after = [_reshape("Squeeze", inside[value.name], value.name) for value in graph.output]
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    for value in (*graph.input, *graph.output):
        del value.type.tensor_type.shape.dim[0]
    onnx.checker.check_model(alone)
    return alone


def _reshape(operator: str, source: str, target: str) -> onnx.NodeProto:
    return onnx.helper.make_node(operator, [source, "first_axis"], [target], name=target)


def compare(network: ClickNetwork, path: Path, data: Examined) -> float:
    """The largest difference between graph and network over at least 1,000 items, page by page.

    Raises:
        ExportError: where it is above the tolerance.
    """
    run = GraphRunner(inference.open_session(path, "cpu"))
    served = ServedModel(network).eval()
    worst, compared, page = 0.0, 0, 0
    while compared < COMPARED_ROW_COUNT:
        arrays = page_arrays(data, page % data.page_count)
        with torch.no_grad():
            wanted = served(*(torch.from_numpy(arrays[spec.name]) for spec in SPECS))
        for found, want in zip(run(arrays), wanted, strict=True):
            worst = max(worst, float(np.abs(found - want.numpy()).max(initial=0.0)))
        compared += len(wanted[0])
        page += 1
    if not worst <= TOLERANCE:
        raise ExportError(f"graph and network differ by {worst:g}, limit {TOLERANCE:g}")
    return worst


def page_arrays(data: Examined, page: int) -> dict[str, Array]:
    """One page as a request would send it."""
    rows = slice(int(data.offsets[page]), int(data.offsets[page + 1]))
    return {
        spec.name: (data.item[spec.name][rows] if spec.is_per_item else data.shopper[spec.name][page]).astype(
            spec.dtype
        )
        for spec in SPECS
    }
