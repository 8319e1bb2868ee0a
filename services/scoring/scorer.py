"""How does a click model turn tensors into probabilities?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from services.common.inference import Device
from services.scoring.signature import CURRENT, OUTPUTS, Signature

Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model says of N items."""

    click_probability: np.ndarray[Any, Any]
    """(N,) float32, P(click | examined), finite, 0 to 1."""
    purchase_probability: np.ndarray[Any, Any]
    """(N,) float32, P(purchase | examined), never above click_probability."""


class Runner(Protocol):
    """What computes raw probabilities: a graph, or a formula."""

    def __call__(self, arrays: Arrays) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Click and purchase probabilities, (N,) each, of inputs that follow the signature."""
        ...


@dataclass(frozen=True, slots=True)
class ClickModel:
    """One loaded version."""

    version: str
    signature: Signature
    device: Device
    runner: Runner
    metrics: Mapping[str, float] = field(default_factory=dict)
    trained: datetime | None = None
    baseline: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Means of its training data by tensor name, last axis only; what explanations start from."""

    def predict(self, arrays: Arrays) -> Predictions:
        """The predictions for inputs that follow the model's signature.

        Raises:
            FloatingPointError: where the model answers what is no number.
        """
        count = len(arrays[self.signature.item_specs[0].name])
        if count == 0:  # some kernels of ONNX Runtime refuse a length of 0
            nothing = np.zeros(0, np.float32)
            return Predictions(nothing, nothing)
        click, purchase = self.runner(arrays)
        if not (np.isfinite(click).all() and np.isfinite(purchase).all()):
            raise FloatingPointError(f"{self.version} answered NaN or infinity")
        # Rounding in float32 may step over a bound by one unit in the last place.
        click = np.clip(click, 0.0, 1.0, dtype=np.float32)
        return Predictions(click, np.clip(purchase, 0.0, click, dtype=np.float32))


class GraphRunner:
    """Runs an ONNX graph whose inputs and outputs bear the names of the signature."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __call__(self, arrays: Arrays) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        click, purchase = self._session.run(OUTPUTS, dict(arrays))
        return click, purchase


def _smoothed_rates(arrays: Arrays) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    numbers = arrays["item_numbers"]
    return numbers[:, _CLICK_RATE], numbers[:, _PURCHASE_RATE]


_NUMBERS = next(spec for spec in CURRENT.specs if spec.name == "item_numbers").columns
_CLICK_RATE, _PURCHASE_RATE = _NUMBERS.index("click_rate"), _NUMBERS.index("purchase_rate")

POPULARITY = ClickModel("popularity-0", CURRENT, "cpu", _smoothed_rates)
"""Smoothed popularity: what serves until a model is trained, and the baseline of those that are."""
