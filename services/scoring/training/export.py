"""How does the click network leave torch, and does the graph say the same?"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import torch

from services.common import inference
from services.common.tensors import N
from services.scoring.scorer import GraphRunner
from services.scoring.signature import OUTPUTS, SPECS
from services.scoring.training.data import Array, Examined
from services.scoring.training.model import ClickNetwork, ServedModel

COMPARED_ROW_COUNT = 1_000
TOLERANCE = 1e-5
"""Largest difference of a probability."""


class ExportError(Exception):
    """The graph disagrees with the network."""


def export(network: ClickNetwork, path: Path) -> None:
    """Writes the served half of the network as ONNX with a dynamic number of items."""
    items = torch.export.Dim("N")
    # Seven items, never one: a length of 1 is taken for a constant.
    example = tuple(
        torch.zeros([7 if length == N else length for length in spec.shape], dtype=getattr(torch, spec.dtype))
        for spec in SPECS
    )
    # It says at each export that torchvision, which nobody needs here, is not installed.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            ServedModel(network).eval(),
            example,
            dynamo=True,
            input_names=[spec.name for spec in SPECS],
            output_names=list(OUTPUTS),
            dynamic_shapes=(tuple({0: items} if spec.is_per_item else None for spec in SPECS),),
            verbose=False,
        )
    program.save(str(path))


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
