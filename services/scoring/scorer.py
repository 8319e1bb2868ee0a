"""How does a click model turn tensors into probabilities?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from services.common.inference import Device
from services.scoring.signature import CURRENT, MAX_ITEM_COUNT, OUTPUTS, Signature
from services.scoring.wire import are_probabilities

Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model says of N items."""

    click_probability: np.ndarray[Any, Any]
    """(N,) float32, P(click | examined), finite, 0 to 1."""
    purchase_probability: np.ndarray[Any, Any]
    """(N,) float32, P(purchase | examined), never above click_probability."""


_NOTHING = Predictions(np.zeros(0, np.float32), np.zeros(0, np.float32))


class Runner(Protocol):
    """What computes raw probabilities: a graph, or a formula."""

    def __call__(self, arrays: Arrays) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Click and purchase probabilities, (N,) each, of inputs that follow the signature."""
        ...


class BatchRunner(Protocol):
    """What computes raw probabilities of several requests at once."""

    def __call__(self, requests: Sequence[Arrays]) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Per request what a Runner answers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
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
    batch_runner: BatchRunner | None = None
    """None where requests run one by one."""
    short_item_count: int = 0
    """Items up to which a call takes about a millisecond, of this process's own time."""

    def item_count(self, arrays: Arrays) -> int:
        """N of inputs that follow the model's signature."""
        return len(arrays[self.signature.item_specs[0].name])

    def predict(self, arrays: Arrays) -> Predictions:
        """The predictions for inputs that follow the model's signature.

        Raises:
            FloatingPointError: where the model answers what is no number.
        """
        if self.item_count(arrays) == 0:  # some kernels of ONNX Runtime refuse a length of 0
            return _NOTHING
        return self._bounded(*self.runner(arrays))

    def predict_many(self, requests: Sequence[Arrays]) -> list[Predictions]:
        """As `predict` for each of several requests, in one run where the model can.

        Raises:
            FloatingPointError: where the model answers any of them what is no number.
        """
        asked = [arrays for arrays in requests if self.item_count(arrays) > 0]
        if self.batch_runner is None or len(asked) < 2:
            return [self.predict(arrays) for arrays in requests]
        found = iter([self._bounded(*raw) for raw in self.batch_runner(asked)])
        return [next(found) if self.item_count(arrays) > 0 else _NOTHING for arrays in requests]

    def _bounded(self, click: np.ndarray[Any, Any], purchase: np.ndarray[Any, Any]) -> Predictions:
        """What the runner answered, as probabilities.

        Raises:
            FloatingPointError: where it is no number.
        """
        click, purchase = np.ascontiguousarray(click, np.float32), np.ascontiguousarray(purchase, np.float32)
        if are_probabilities(click, purchase):
            return Predictions(click, purchase)
        if not (np.isfinite(click).all() and np.isfinite(purchase).all()):
            raise FloatingPointError(f"{self.version} answered NaN or infinity")
        # Rounding in float32 may step over a bound by one unit in the last place.
        click = np.clip(click, 0.0, 1.0)
        return Predictions(click, np.clip(purchase, 0.0, click))


class GraphRunner:
    """Runs an ONNX graph whose inputs and outputs bear the names of the signature."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __call__(self, arrays: Arrays) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        click, purchase = self._session.run(OUTPUTS, arrays)
        return click, purchase


class PaddedRunner:
    """Runs an ONNX graph with an axis of shoppers before those of the signature.

    A request is a row of it; those with fewer items than the longest are padded with zeros, which change
    no other item's answer, and cut again.
    """

    def __init__(self, session: Any, signature: Signature) -> None:
        self._session = session
        self._signature = signature

    def __call__(self, requests: Sequence[Arrays]) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        counts = [len(arrays[self._signature.item_specs[0].name]) for arrays in requests]
        inputs = {
            spec.name: np.stack([arrays[spec.name] for arrays in requests])
            for spec in self._signature.shopper_specs
        }
        for spec in self._signature.item_specs:
            padded = np.zeros((len(requests), max(counts), *spec.shape[1:]), spec.dtype)
            for row, arrays in enumerate(requests):
                padded[row, : counts[row]] = arrays[spec.name]
            inputs[spec.name] = padded
        click, purchase = self._session.run(OUTPUTS, inputs)
        return [(click[row, :count], purchase[row, :count]) for row, count in enumerate(counts)]


def _smoothed_rates(arrays: Arrays) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    numbers = arrays["item_numbers"]
    return numbers[:, _CLICK_RATE], numbers[:, _PURCHASE_RATE]


_NUMBERS = next(spec for spec in CURRENT.specs if spec.name == "item_numbers").columns
_CLICK_RATE, _PURCHASE_RATE = _NUMBERS.index("click_rate"), _NUMBERS.index("purchase_rate")

POPULARITY = ClickModel("popularity-0", CURRENT, "cpu", _smoothed_rates, short_item_count=MAX_ITEM_COUNT)
"""Smoothed popularity: what serves until a model is trained, and the baseline of those that are."""
