"""How does a graph run without fetching memory for every call?

Its inputs and outputs stay where they are on the device (ONNX Runtime's I/O binding), one set for each of a
few sizes; a request is padded to the next size, which changes no item's answer, and cut again. A graph whose
lengths are all fixed can be captured by CUDA as well, and is then launched at once instead of kernel by
kernel.

Symbols: S shoppers, N items.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from services.common.inference import Device
from services.scoring.scorer import Arrays
from services.scoring.signature import MAX_ITEM_COUNT, OUTPUTS, Signature

ITEM_COUNTS = (50, 200, 500, 1_000, MAX_ITEM_COUNT)
"""Sizes that requests are padded to."""

Array = np.ndarray[Any, Any]
OpenSession = Callable[[Mapping[str, int]], Any]
"""A session of the graph with its named axes held at lengths."""


class Buffers:
    """One session of fixed lengths, with all it reads and writes in place; one run at a time."""

    def __init__(self, session: Any, device: Device) -> None:
        """
        Raises:
            ValueError: for a session with an axis of no fixed length.
        """
        self.staged: dict[str, Array] = {}
        """What the next run reads, by input; written under the lock."""
        self.lock = threading.Lock()
        self._session, self._binding = session, session.io_binding()
        self._values = {}
        for node in session.get_inputs():
            self.staged[node.name] = np.zeros(_fixed(node), _DTYPES[node.type])
            self._values[node.name] = _value(self.staged[node.name], device)
            self._binding.bind_ortvalue_input(node.name, self._values[node.name])
        outputs = {node.name: node for node in session.get_outputs()}
        for name in OUTPUTS:
            array = np.zeros(_fixed(outputs[name]), _DTYPES[outputs[name].type])
            self._binding.bind_ortvalue_output(name, _value(array, device))

    def run(self) -> list[Array]:
        """Copies of the outputs, in the order of OUTPUTS, for what is staged."""
        for name, value in self._values.items():
            value.update_inplace(self.staged[name])
        self._session.run_with_iobinding(self._binding)
        copies: list[Array] = self._binding.copy_outputs_to_cpu()
        return copies


class BoundRunner:
    """A Runner over buffers of several sizes."""

    def __init__(self, open_session: OpenSession, signature: Signature, device: Device) -> None:
        self._sizes = ITEM_COUNTS
        self._buffers = [Buffers(open_session({"N": count}), device) for count in self._sizes]
        self._first_item = signature.item_specs[0].name

    def __call__(self, arrays: Arrays) -> tuple[Array, Array]:
        count = len(arrays[self._first_item])
        buffers = self._buffers[bisect_left(self._sizes, count)]
        with buffers.lock:
            for name, staged in buffers.staged.items():
                staged[: len(arrays[name])] = arrays[name]
            click, purchase = buffers.run()
        return click[:count], purchase[:count]


class BoundBatchRunner:
    """A BatchRunner over buffers of several sizes, each for `shopper_count` requests."""

    def __init__(
        self, open_session: OpenSession, signature: Signature, device: Device, shopper_count: int
    ) -> None:
        self._sizes, self._shopper_count = ITEM_COUNTS, shopper_count
        self._buffers = [
            Buffers(open_session({"S": shopper_count, "N": count}), device) for count in self._sizes
        ]
        self._first_item = signature.item_specs[0].name

    def __call__(self, requests: Sequence[Arrays]) -> list[tuple[Array, Array]]:
        found = []
        for first in range(0, len(requests), self._shopper_count):
            found += self._run(requests[first : first + self._shopper_count])
        return found

    def _run(self, requests: Sequence[Arrays]) -> list[tuple[Array, Array]]:
        counts = [len(arrays[self._first_item]) for arrays in requests]
        buffers = self._buffers[bisect_left(self._sizes, max(counts))]
        with buffers.lock:
            for name, staged in buffers.staged.items():
                for row, arrays in enumerate(requests):
                    staged[row, : len(arrays[name])] = arrays[name]
            click, purchase = buffers.run()
        return [(click[row, :count], purchase[row, :count]) for row, count in enumerate(counts)]


_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}


def _fixed(node: Any) -> list[int]:
    if not all(isinstance(length, int) for length in node.shape):
        raise ValueError(f"{node.name}: shape is {node.shape}, want lengths; its free axes are named S and N")
    return list(node.shape)


def _value(like: Array, device: Device) -> Any:
    return ort.OrtValue.ortvalue_from_shape_and_type(list(like.shape), like.dtype.type, device, 0)
