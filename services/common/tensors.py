"""How do arrays cross the wire, and which encoding do they follow?"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from planogram.common.v1 import tensor_pb2
from services.common.errors import InvalidRequest

_DTYPES: dict[tensor_pb2.DataType, np.dtype[Any]] = {
    tensor_pb2.DATA_TYPE_FLOAT32: np.dtype("<f4"),
    tensor_pb2.DATA_TYPE_INT64: np.dtype("<i8"),
    tensor_pb2.DATA_TYPE_INT32: np.dtype("<i4"),
    tensor_pb2.DATA_TYPE_BOOL: np.dtype("?"),
}
NAMED = {dtype.name: dtype for dtype in _DTYPES.values()}
CODES = {dtype: code for code, dtype in _DTYPES.items()}

N = -1
"""The item axis in a TensorSpec's shape."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One named input: what is in it, and how it is laid out."""

    name: str
    dtype: str
    """numpy name: "float32", "int64", "int32" or "bool"."""
    shape: tuple[int, ...]
    """Length of each axis; N is the item axis."""
    columns: tuple[str, ...] = ()
    """Meaning of the last axis, where each place has its own."""
    cardinality: Mapping[str, int] = field(default_factory=dict)
    """Number of distinct ids by column, 0 included, for integer inputs."""

    @property
    def is_per_item(self) -> bool:
        return bool(self.shape) and self.shape[0] == N


def fingerprint(specs: Sequence[TensorSpec], revision: str = "") -> str:
    """64 hex digits that change with any name, type, shape, column, cardinality or order.

    Args:
        revision: changes the fingerprint where values mean something new under the same names.
    """
    document = [{**asdict(spec), "cardinality": dict(sorted(spec.cardinality.items()))} for spec in specs]
    text = json.dumps([revision, document], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def to_tensor(array: np.ndarray[Any, Any]) -> tensor_pb2.Tensor:
    """The wire form of an array of a supported dtype, with one copy of its bytes."""
    tensor = tensor_pb2.Tensor()
    fill(tensor, array)
    return tensor


def fill(tensor: tensor_pb2.Tensor, array: np.ndarray[Any, Any]) -> None:
    """Writes an array into an empty message, such as one within another: no second copy is made."""
    tensor.dtype = CODES[array.dtype]
    tensor.shape.extend(array.shape)
    tensor.data = array.tobytes()


def from_tensor(tensor: tensor_pb2.Tensor, field_name: str = "tensor") -> np.ndarray[Any, Any]:
    """A read-only array over the message's bytes, without a copy.

    Raises:
        InvalidRequest: for an unknown dtype, a bad shape or a size that disagrees.
    """
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None:
        raise InvalidRequest(f"{field_name}.dtype", tensor.dtype, "a known dtype")
    shape = tuple(tensor.shape)
    if len(shape) > 8 or (shape and min(shape) < 0):
        raise InvalidRequest(f"{field_name}.shape", shape, "0 to 8 axes of length 0 or more")
    count = math.prod(shape)
    if len(tensor.data) != count * dtype.itemsize:
        raise InvalidRequest(
            f"{field_name}.data",
            f"{len(tensor.data)} bytes",
            f"{count * dtype.itemsize} bytes for {shape} {dtype}",
        )
    try:
        return np.frombuffer(tensor.data, dtype).reshape(shape)
    except ValueError:  # beside an axis of length 0, others may be longer than any array has
        raise InvalidRequest(f"{field_name}.shape", shape, "lengths that an array can have") from None


def read(
    specs: Sequence[TensorSpec],
    shopper_tensors: Mapping[str, tensor_pb2.Tensor],
    item_tensors: Mapping[str, tensor_pb2.Tensor],
    count: int,
    largest: float = math.inf,
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a message by name, each held against its spec.

    Args:
        count: what N must be.
        largest: of a float's size.

    Raises:
        InvalidRequest: names the tensor, what it is and what it must be.
    """
    arrays = {}
    for spec in specs:
        tensors = item_tensors if spec.is_per_item else shopper_tensors
        where = f"{'item' if spec.is_per_item else 'shopper'}_tensors[{spec.name}]"
        if spec.name not in tensors:
            raise InvalidRequest(where, "absent", f"{spec.dtype} of shape {spec.shape}")
        array = from_tensor(tensors[spec.name], where)
        want = tuple(count if length == N else length for length in spec.shape)
        if array.dtype.name != spec.dtype or array.shape != want:
            raise InvalidRequest(where, f"{array.dtype} {array.shape}", f"{spec.dtype} {want}")
        if spec.cardinality:
            _check_ids(array, [spec.cardinality[column] for column in spec.columns], where)
        elif array.dtype.kind == "f":
            _check_numbers(array, largest, where)
        arrays[spec.name] = array
    return arrays


def _check_ids(ids: np.ndarray[Any, Any], limits: Sequence[int], where: str) -> None:
    rows = ids.reshape(-1, len(limits))
    if not ((rows >= 0) & (rows < limits)).all():
        raise InvalidRequest(where, f"ids from {ids.min()} to {ids.max()}", f"0 to below {limits}")


def _check_numbers(numbers: np.ndarray[Any, Any], largest: float, where: str) -> None:
    if not np.isfinite(numbers).all():
        raise InvalidRequest(where, "NaN or infinity", "finite numbers")
    found = np.abs(numbers).max(initial=0)
    if found > largest:
        raise InvalidRequest(where, f"a number of size {found:.4g}", f"-{largest:g} to {largest:g}")
