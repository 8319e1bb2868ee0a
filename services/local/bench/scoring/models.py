"""Which graphs are measured? One untrained network: as it is served, and with its shopper tiled."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from planogram.scoring.v1 import scoring_pb2
from services.common import artifacts
from services.common.artifacts import Artifact
from services.common.tensors import N, to_tensor
from services.scoring import signature
from services.scoring.registry import MODEL_FILE
from services.scoring.signature import CURRENT, OUTPUTS, SPECS
from services.scoring.training.export import export
from services.scoring.training.model import ClickNetwork
from services.scoring.training.quantise import to_int8

Arrays = dict[str, np.ndarray[Any, Any]]

TILED_FILE = "tiled.onnx"
INT8_FILE = "int8.onnx"

_CALIBRATION_PAGES = 20


class TiledModel(nn.Module):
    """What a graph costs whose shopper is repeated for every item: the floor of computing it once."""

    def __init__(self, network: ClickNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *arrays: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) click and purchase probabilities of the inputs in the order of SPECS."""
        count = arrays[0].shape[0]
        inputs = {
            spec.name: array.unsqueeze(1) if spec.is_per_item else array.expand(count, *array.shape)
            for spec, array in zip(SPECS, arrays, strict=True)
        }
        logits = self.network.calibrated(self.network(inputs))
        click = torch.sigmoid(logits.click).squeeze(1)
        return click, click * torch.sigmoid(logits.conversion).squeeze(1)


def build(folder: Path, seed: int) -> Artifact:
    """Publishes the served graph to folder/models, and writes others of the same weights beside it.

    An untrained network costs what a trained one of its shape does.
    """
    torch.manual_seed(seed)
    network = ClickNetwork()
    _export_tiled(network, folder / TILED_FILE)
    manifest = {
        "signature": signature.to_manifest(CURRENT),
        "schema_fingerprint": CURRENT.fingerprint,
        "trained": "2026-01-01T00:00:00+00:00",
        "metrics": {},
        "baseline": {},
    }
    with tempfile.TemporaryDirectory() as source:
        export(network, Path(source) / MODEL_FILE)
        random = np.random.default_rng(seed + 1)
        pages = [page(200, random) for _ in range(_CALIBRATION_PAGES)]
        to_int8(Path(source) / MODEL_FILE, folder / INT8_FILE, pages)
        return artifacts.publish(folder / "models", "untrained", Path(source), manifest)


def page(count: int, random: np.random.Generator) -> Arrays:
    """Inputs of a shopper with a full history before `count` items."""
    arrays = {}
    for spec in SPECS:
        shape = [count if length == N else length for length in spec.shape]
        if spec.cardinality:
            limits = np.array([spec.cardinality[column] for column in spec.columns])
            arrays[spec.name] = random.integers(1, limits, shape)
        else:
            arrays[spec.name] = random.normal(0, 0.5, shape).astype(np.float32)
    return arrays


def request(arrays: Arrays) -> scoring_pb2.ScoreItemsRequest:
    """The request that carries these inputs."""
    message = scoring_pb2.ScoreItemsRequest(schema_fingerprint=CURRENT.fingerprint)
    for spec in SPECS:
        tensors = message.item_tensors if spec.is_per_item else message.shopper_tensors
        tensors[spec.name].CopyFrom(to_tensor(arrays[spec.name]))
    return message


def _export_tiled(network: ClickNetwork, path: Path) -> None:
    items = torch.export.Dim("N")
    example = tuple(torch.from_numpy(array) for array in page(7, np.random.default_rng(0)).values())
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            TiledModel(network).eval(),
            example,
            dynamo=True,
            input_names=[spec.name for spec in SPECS],
            output_names=list(OUTPUTS),
            dynamic_shapes=(tuple({0: items} if spec.is_per_item else None for spec in SPECS),),
            verbose=False,
        )
    program.save(str(path))
