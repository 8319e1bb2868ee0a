"""What does a click model lose, and what does it save, with weights of 8 bits?

Static quantisation: what enters and leaves each matrix product is rounded by a range that was seen on pages
of the log. Dynamic quantisation is faster, and of no use here: it takes the range of each run, so that an
item's score depends on the items beside it. Embeddings stay as they are; rounding them saves memory and
costs time.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from services.common import artifacts, inference
from services.common.artifacts import Artifact
from services.scoring.registry import BATCHED_FILE, MODEL_FILE
from services.scoring.scorer import GraphRunner
from services.scoring.training import data
from services.scoring.training.data import Array, Examined
from services.scoring.training.export import page_arrays
from services.scoring.training.metrics import auc, logloss
from services.scoring.training.train import split

SUFFIX = "-int8"
LARGEST_LOSS = 0.01
"""Of log loss, relative; a version that loses more is not published."""
MOST_PAGES = 2_000
"""To compare on, and tenth of it to take ranges from."""

_OPERATORS = ["MatMul", "Gemm"]


class QuantisationError(Exception):
    """The rounded graph is too far from the one it was made of."""


def quantise(source: Artifact, models: Path, log: Path, is_current: bool = False) -> Artifact:
    """Publishes a version's int8 twin, with what it loses and saves in its manifest.

    Both are run on the latest tenth of the log's pages, as they are served: without the notice tower, so
    that their losses tell of the difference and not of the model.

    Args:
        models: store to publish to.
        is_current: points to the new version; otherwise it stands beside, for a request or a shadow to name.

    Raises:
        LogFileError: for a log that cannot be read, or has too few pages.
        QuantisationError: where it loses more than `LARGEST_LOSS`; nothing is published then.
    """
    learned, _, test = split(data.read(log))
    count = min(learned.page_count, MOST_PAGES // 10)
    pages = [page_arrays(learned, page * learned.page_count // count) for page in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        for name in (MODEL_FILE, BATCHED_FILE):
            if source.file(name).is_file():
                to_int8(source.file(name), Path(folder) / name, pages)
        metrics = compare(source.file(MODEL_FILE), Path(folder) / MODEL_FILE, test)
        loss = metrics["int8_click_logloss"] / metrics["fp32_click_logloss"] - 1
        if not loss <= LARGEST_LOSS:
            raise QuantisationError(
                f"{source.version}: log loss grows by {loss:.2%} with int8, limit {LARGEST_LOSS:.0%}"
            )
        kept = {
            name: value
            for name, value in source.manifest.items()
            if name not in ("files", "published", "version")
        }
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
        )


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


def compare(plain: Path, rounded: Path, test: Examined) -> dict[str, float]:
    """How far two graphs are apart on the same pages, in probability, log loss, AUC and time."""
    count = min(test.page_count, MOST_PAGES)
    runs = {
        name: GraphRunner(inference.open_session(path, "cpu"))
        for name, path in (("fp32", plain), ("int8", rounded))
    }
    clicks: dict[str, list[Array]] = {name: [] for name in runs}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for page in range(count):
        arrays = page_arrays(test, page)
        for name, run in runs.items():
            began_s = time.thread_time()
            click, _ = run(arrays)
            seconds[name].append(time.thread_time() - began_s)
            clicks[name].append(click)
    seen = {name: np.concatenate(found) for name, found in clicks.items()}
    clicked = test.click[: int(test.offsets[count])]
    distance = np.abs(seen["int8"] - seen["fp32"])
    return {
        "int8_click_largest_difference": float(distance.max()),
        "int8_click_mean_difference": float(distance.mean()),
        **{f"{name}_click_logloss": logloss(each, clicked) for name, each in seen.items()},
        **{f"{name}_click_auc": auc(each, clicked) for name, each in seen.items()},
        **{f"{name}_page_ms": 1e3 * float(np.median(each)) for name, each in seconds.items()},
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
