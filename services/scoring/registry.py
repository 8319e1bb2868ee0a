"""Which click models are loaded, and which artifacts are refused?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from services.common import inference, log
from services.common.artifacts import Artifact
from services.common.errors import Incompatible
from services.common.inference import Device
from services.common.tensors import N
from services.common.watching import Versions
from services.scoring import signature
from services.scoring.scorer import POPULARITY, ClickModel, GraphRunner
from services.scoring.signature import OUTPUTS, Signature

MODEL_FILE = "model.onnx"

# Sizes that a graph must run at before it serves: one item, a few, and a page's worth.
_WARM_UP_COUNTS = (1, 7, 200)

_DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int32)": "int32"}


def open_registry(root: Path, device: Device) -> Versions[ClickModel]:
    """The click models of a store, read for the first time; blocks."""
    versions = Versions(
        root, lambda artifact: open_model(artifact, device), POPULARITY, log.logger("scoring")
    )
    versions.refresh()
    return versions


def open_model(artifact: Artifact, device: Device) -> ClickModel:
    """A warm model of a verified artifact.

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
    try:
        session = inference.open_session(artifact.file(MODEL_FILE), device)
        _check_graph(session, declared, where)
        model = ClickModel(
            artifact.version, declared, device, GraphRunner(session), metrics, trained, baseline
        )
        for count in _WARM_UP_COUNTS:
            if model.predict(signature.zeros(declared, count)).click_probability.shape != (count,):
                raise Incompatible(f"{where}: does not answer one probability per item")
    except Incompatible:
        raise
    except Exception as error:  # ONNX Runtime's own exceptions share no base below Exception
        raise Incompatible(f"{where}: {error}") from None
    return model


def _check_graph(session: Any, declared: Signature, where: str) -> None:
    inputs = {node.name: node for node in session.get_inputs()}
    if set(inputs) != {spec.name for spec in declared.specs}:
        raise Incompatible(
            f"{where}: the graph reads {sorted(inputs)}, its signature names "
            f"{sorted(spec.name for spec in declared.specs)}"
        )
    for spec in declared.specs:
        node = inputs[spec.name]
        fixed = [length if isinstance(length, int) else N for length in node.shape]
        if _DTYPES.get(node.type) != np.dtype(spec.dtype).name or fixed != list(spec.shape):
            raise Incompatible(
                f"{where}: {spec.name}: the graph reads {node.type} {node.shape}, "
                f"its signature says {spec.dtype} {list(spec.shape)}"
            )
    outputs = [node.name for node in session.get_outputs()]
    if not set(OUTPUTS) <= set(outputs):
        raise Incompatible(f"{where}: the graph answers {outputs}, want {list(OUTPUTS)}")
