"""Which click models are loaded, and which artifacts are refused?"""

from __future__ import annotations

import dataclasses
import timeit
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from services.common import inference, log
from services.common.artifacts import Artifact
from services.common.errors import Incompatible
from services.common.inference import Device, Launch, Ranges, TensorRt
from services.common.tensors import N, TensorSpec
from services.common.watching import Versions
from services.scoring import signature
from services.scoring.binding import BoundBatchRunner, BoundRunner, OpenSession
from services.scoring.recent import Recent
from services.scoring.scorer import (
    POPULARITY,
    Arrays,
    BatchRunner,
    ClickModel,
    GraphRunner,
    PaddedRunner,
    Runner,
)
from services.scoring.signature import OUTPUTS, Signature

MODEL_FILE = "model.onnx"
BATCHED_FILE = "batched.onnx"
"""The same graph with an axis of shoppers; versions without it run requests one by one."""

# Sizes that a graph must run at before it serves: one item, a few, and a page's worth.
_WARM_UP_COUNTS = (1, 7, 200)
# Least, usual and most items of a request.
_ITEM_COUNTS = (1, 200, signature.MAX_ITEM_COUNT)

_SHORT_S = 1.5e-3
_TIMED_COUNT = 200
_TIMES = 5

_DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int32)": "int32"}


def open_registry(
    root: Path,
    device: Device,
    batch_size: int = 1,
    recent: Recent | None = None,
    tensorrt: TensorRt | None = None,
    launch: Launch = "plain",
) -> Versions[ClickModel]:
    """The click models of a store, read for the first time; blocks.

    Args:
        batch_size: above 1, loads what runs as many requests at once as well.
        recent: requests that a new version is run on before it serves.
        tensorrt: what runs graphs on CUDA, if it is to be TensorRT.
        launch: how a run gets its memory; captured on CUDA alone.
    """
    versions = Versions(
        root,
        lambda artifact: open_model(artifact, device, batch_size, recent, tensorrt, launch),
        POPULARITY,
        log.logger("scoring"),
    )
    versions.refresh()
    return versions


def open_model(
    artifact: Artifact,
    device: Device,
    batch_size: int = 1,
    recent: Recent | None = None,
    tensorrt: TensorRt | None = None,
    launch: Launch = "plain",
) -> ClickModel:
    """A warm model of a verified artifact.

    Args:
        batch_size: above 1, loads what runs as many requests at once, where the artifact has it.
        recent: requests to run it on beside made-up ones.
        tensorrt: what runs graphs on CUDA, if it is to be TensorRT.
        launch: how a run gets its memory; captured on CUDA alone.

    Raises:
        Incompatible: where manifest, fingerprint and graph disagree, or the graph does not run.
    """
    where = f"{artifact.path}"
    try:
        declared = signature.from_manifest(artifact.manifest["signature"])
        fingerprint = artifact.manifest["schema_fingerprint"]
        trained = datetime.fromisoformat(artifact.manifest["trained"])
        metrics = {name: float(value) for name, value in artifact.manifest["metrics"].items()}
        baseline = {name: tuple(map(float, row)) for name, row in artifact.manifest["baseline"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Incompatible(f"{where}: manifest: {type(error).__name__}: {error}") from None
    if declared.fingerprint != fingerprint:
        raise Incompatible(
            f"{where}: schema_fingerprint is {fingerprint}, its signature has {declared.fingerprint}"
        )
    graphs = _Graphs(artifact, declared, device, tensorrt, launch)
    try:
        model = ClickModel(artifact.version, declared, device, graphs.runner(), metrics, trained, baseline)
        if batch_size > 1 and BATCHED_FILE in artifact.manifest["files"]:
            model = dataclasses.replace(model, batch_runner=graphs.batch_runner(batch_size))
        _warm_up(model, recent.of(fingerprint) if recent is not None else [], batch_size, where)
        if device == "cpu":
            model = dataclasses.replace(model, short_item_count=_short_item_count(model))
    except Incompatible:
        raise
    except Exception as error:  # ONNX Runtime's own exceptions share no base below Exception
        raise Incompatible(f"{where}: {error}") from None
    return model


@dataclass(frozen=True, slots=True)
class _Graphs:
    """How the graphs of an artifact are opened; each is held against the signature."""

    artifact: Artifact
    declared: Signature
    device: Device
    tensorrt: TensorRt | None
    launch: Launch

    def runner(self) -> Runner:
        if self.launch == "plain":
            return GraphRunner(self._free(MODEL_FILE, ranges(self.declared)))
        self._check(inference.open_session(self.artifact.file(MODEL_FILE), "cpu"), MODEL_FILE)
        return BoundRunner(self._fixed(MODEL_FILE), self.declared, self.device)

    def batch_runner(self, size: int) -> BatchRunner:
        if self.launch == "plain":
            return PaddedRunner(self._free(BATCHED_FILE, ranges(self.declared, size)), self.declared)
        self._check(inference.open_session(self.artifact.file(BATCHED_FILE), "cpu"), BATCHED_FILE)
        return BoundBatchRunner(self._fixed(BATCHED_FILE), self.declared, self.device, size)

    def _free(self, name: str, shapes: Ranges) -> Any:
        session = inference.open_session(
            self.artifact.file(name), self.device, tensorrt=self.tensorrt, ranges=shapes
        )
        self._check(session, name)
        return session

    def _fixed(self, name: str) -> OpenSession:
        return lambda lengths: inference.open_session(
            self.artifact.file(name),
            self.device,
            tensorrt=self.tensorrt,
            lengths=lengths,
            is_captured=self.launch == "captured",
        )

    def _check(self, session: Any, name: str) -> None:
        has_shoppers = name == BATCHED_FILE
        where = f"{self.artifact.path}: {name}" if has_shoppers else f"{self.artifact.path}"
        _check_graph(session, self.declared, where, has_shoppers)


def ranges(declared: Signature, batch_size: int = 1) -> Ranges:
    """The shapes that a graph is asked for: from one item to as many as a request may have.

    Args:
        batch_size: above 1, of the graph with an axis of shoppers.
    """
    shoppers = (1, batch_size, batch_size) if batch_size > 1 else None

    def shape(spec: TensorSpec, place: int) -> tuple[int, ...]:
        lengths = tuple(_ITEM_COUNTS[place] if length == N else length for length in spec.shape)
        return lengths if shoppers is None else (shoppers[place], *lengths)

    return {spec.name: (shape(spec, 0), shape(spec, 1), shape(spec, 2)) for spec in declared.specs}


def _warm_up(model: ClickModel, recent: Sequence[Arrays], batch_size: int, where: str) -> None:
    """Runs a model at several sizes and on what was really asked of late, alone and together."""
    made_up = [signature.zeros(model.signature, count) for count in _WARM_UP_COUNTS]
    requests = [*made_up, *recent]
    for arrays in requests:
        count = model.item_count(arrays)
        if model.predict(arrays).click_probability.shape != (count,):
            raise Incompatible(f"{where}: does not answer one probability per item")
    if model.batch_runner is not None:
        for start in range(0, len(requests), batch_size):
            model.predict_many(requests[start : start + batch_size])


def _short_item_count(model: ClickModel) -> int:
    """Items that a warm model scores within _SHORT_S, by the best of a few calls."""
    arrays = signature.zeros(model.signature, _TIMED_COUNT)
    best_s = min(timeit.repeat(lambda: model.predict(arrays), number=1, repeat=_TIMES))
    return min(signature.MAX_ITEM_COUNT, int(_TIMED_COUNT * _SHORT_S / best_s))


def _check_graph(session: Any, declared: Signature, where: str, has_shoppers: bool = False) -> None:
    inputs = {node.name: node for node in session.get_inputs()}
    if set(inputs) != {spec.name for spec in declared.specs}:
        raise Incompatible(
            f"{where}: the graph reads {sorted(inputs)}, its signature names "
            f"{sorted(spec.name for spec in declared.specs)}"
        )
    for spec in declared.specs:
        node = inputs[spec.name]
        fixed = [length if isinstance(length, int) else N for length in node.shape]
        want = [N, *spec.shape] if has_shoppers else list(spec.shape)
        if _DTYPES.get(node.type) != np.dtype(spec.dtype).name or fixed != want:
            raise Incompatible(
                f"{where}: {spec.name}: the graph reads {node.type} {node.shape}, "
                f"its signature says {spec.dtype} {want}"
            )
    outputs = [node.name for node in session.get_outputs()]
    if not set(OUTPUTS) <= set(outputs):
        raise Incompatible(f"{where}: the graph answers {outputs}, want {list(OUTPUTS)}")
