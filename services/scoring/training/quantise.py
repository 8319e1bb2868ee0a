"""What does a click model lose, and what does it save, with weights of 8 bits?

Static quantisation: what enters and leaves each matrix product is rounded by a range that was seen on pages
of the log. Dynamic quantisation is faster, and of no use here: it takes the range of each run, so that an
item's score depends on the items beside it. Embeddings stay as they are; rounding them saves memory and
costs time. So do products that have no weights, and those that end in one number: there is nothing to save,
and what they say is a chance in hundreds, which rounding would move by some of its parts.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from services.common import artifacts
from services.common.artifacts import Artifact
from services.scoring.registry import BATCHED_FILE, MODEL_FILE
from services.scoring.training import data, twins, weights
from services.scoring.training.data import Array
from services.scoring.training.export import page_arrays
from services.scoring.training.train import split
from services.scoring.training.twins import LARGEST_LOSS

SUFFIX = "-int8"
RANGE_PAGES = 200
"""To take ranges from."""

_OPERATORS = ["MatMul", "Gemm"]


class QuantisationError(Exception):
    """The rounded graph is too far from the one it was made of."""


def quantise(source: Artifact, models: Path, log: Path, is_current: bool = False) -> Artifact:
    """Publishes a version's int8 twin, with what it loses and saves in its manifest.

    Both are run on the latest tenth of the log's pages.

    Args:
        models: store to publish to.
        is_current: points to the new version; otherwise it stands beside, for a request or a shadow to name.

    Raises:
        LogFileError: for a log that cannot be read, or has too few pages.
        WeightsError: for a tower that cannot be read.
        QuantisationError: where it loses more than `LARGEST_LOSS`; nothing is published then.
    """
    tower = weights.load_tower(source) if weights.has_tower(source) else None
    learned, _, test = split(data.read(log))
    count = min(learned.page_count, RANGE_PAGES)
    pages = [page_arrays(learned, page * learned.page_count // count) for page in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        for name in (MODEL_FILE, BATCHED_FILE):
            if source.file(name).is_file():
                to_int8(source.file(name), Path(folder) / name, pages)
        graphs = {"fp32": source.file(MODEL_FILE), "int8": Path(folder) / MODEL_FILE}
        if tower is not None:
            weights.keep_tower(tower, Path(folder))
        metrics = twins.metrics(twins.compare(graphs, dict.fromkeys(graphs, tower), test))
        loss = metrics["int8_click_logloss"] / metrics["fp32_click_logloss"] - 1
        if not loss <= LARGEST_LOSS:
            raise QuantisationError(
                f"{source.version}: log loss grows by {loss:.2%} with int8, limit {LARGEST_LOSS:.0%}"
            )
        kept = twins.manifest_of(source)
        manifest = {**kept, "metrics": {**kept["metrics"], **metrics}, "quantised_from": source.version}
        return artifacts.publish(models, source.version + SUFFIX, Path(folder), manifest, is_current)


def to_int8(source: Path, target: Path, pages: Sequence[Mapping[str, Array]]) -> None:
    """Writes the graph with matrix products in int8.

    Args:
        source: a graph for one shopper or for several.
        pages: inputs of one shopper each, to take ranges from.
    """
    model = onnx.load(source)
    # What the exporter noted of shapes is of weights before they were transposed.
    del model.graph.value_info[:]
    with tempfile.TemporaryDirectory() as folder, _quiet():
        onnx.save(model, Path(folder) / "plain.onnx")
        quantize_static(
            Path(folder) / "plain.onnx",
            target,
            _Pages(pages, {value.name: len(value.type.tensor_type.shape.dim) for value in model.graph.input}),
            quant_format=QuantFormat.QOperator,
            op_types_to_quantize=_OPERATORS,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=left_whole(model),
        )


def left_whole(model: onnx.ModelProto) -> list[str]:
    """Names of the matrix products that are not worth rounding: without weights, or of one column."""
    shapes = {weights.name: tuple(weights.dims) for weights in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in _OPERATORS]
    found = {node.name: [shapes[name] for name in node.input[:2] if name in shapes] for node in products}
    return [name for name, read in found.items() if not read or 1 in read[0]]


class _Pages(CalibrationDataReader):
    """The pages one by one, in as many axes as the graph reads."""

    def __init__(self, pages: Sequence[Mapping[str, Array]], axes: Mapping[str, int]) -> None:
        self._left = iter(pages)
        self._axes = axes

    def get_next(self) -> dict[str, Array] | None:
        page = next(self._left, None)
        if page is None:
            return None
        return {
            name: array if array.ndim == self._axes[name] else array[np.newaxis]
            for name, array in page.items()
        }


@contextmanager
def _quiet() -> Iterator[None]:
    """Without advice to pre-process what the exporter has optimised already."""
    before: Any = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
