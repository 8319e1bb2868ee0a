"""How do arrays cross the wire, and which encoding do they follow?"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
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
_NAMED = {dtype.name: dtype for dtype in _DTYPES.values()}
_UNSIGNED: dict[int, np.dtype[Any]] = {4: np.dtype("<u4"), 8: np.dtype("<u8")}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}

_ROOT_OF_FLOAT32 = 1e19
"""Numbers whose squares float32 can hold."""

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
    tensor.dtype = _CODES[array.dtype]
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
    return np.frombuffer(tensor.data, dtype).reshape(shape)


def check(
    tensors: Mapping[str, tensor_pb2.Tensor],
    specs: Sequence[TensorSpec],
    count: int,
    field_name: str,
    largest: float = math.inf,
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a tensor map, held against their specs, over the messages' own bytes.

    Args:
        count: what N must be.
        largest: of a number's size.

    Raises:
        InvalidRequest: names the tensor, what it is and what it must be.
    """
    arrays = {}
    for spec in specs:
        tensor = tensors.get(spec.name)
        want = (count, *spec.shape[1:]) if spec.is_per_item else spec.shape
        dtype = _NAMED[spec.dtype]
        if (
            tensor is None
            or _DTYPES.get(tensor.dtype) is not dtype
            or tuple(tensor.shape) != want
            or len(tensor.data) != math.prod(want) * dtype.itemsize
        ):
            raise _mismatch(tensor, spec, want, f"{field_name}[{spec.name}]")
        array = np.frombuffer(tensor.data, dtype)
        if dtype.kind == "f" and not _is_small(array, largest):
            _check_numbers(array, largest, f"{field_name}[{spec.name}]")
        array = array.reshape(want)
        if spec.cardinality:
            _check_ids(array, spec, field_name)
        arrays[spec.name] = array
    return arrays


def _mismatch(
    tensor: tensor_pb2.Tensor | None, spec: TensorSpec, want: tuple[int, ...], where: str
) -> InvalidRequest:
    if tensor is None:
        return InvalidRequest(where, "absent", f"{spec.dtype} of shape {spec.shape}")
    try:
        array = from_tensor(tensor, where)
    except InvalidRequest as error:
        return error
    return InvalidRequest(where, f"{array.dtype} {array.shape}", f"{spec.dtype} {want}")


def _is_small(flat: np.ndarray[Any, Any], largest: float) -> bool:
    """Whether all are surely finite and within the limit; nearly every array is, and this is one pass.

    No number is larger than the root of the sum of squares, and a sum with NaN in it is below nothing. The
    half keeps clear of rounding.
    """
    with np.errstate(over="ignore"):
        return bool(np.dot(flat, flat) < 0.5 * min(largest, _ROOT_OF_FLOAT32) ** 2)


def _check_numbers(flat: np.ndarray[Any, Any], largest: float, where: str) -> None:
    if not np.isfinite(flat).all():
        raise InvalidRequest(where, "NaN or infinity", "finite numbers")
    found = max(flat.max(), -flat.min())
    if found > largest:
        raise InvalidRequest(where, f"a number of size {found:.4g}", f"-{largest:g} to {largest:g}")


def _check_ids(array: np.ndarray[Any, Any], spec: TensorSpec, field_name: str) -> None:
    limits = _limits(tuple(map(spec.cardinality.__getitem__, spec.columns)))
    # Seen without a sign, what is below 0 is far above every limit.
    unsigned = array.view(_UNSIGNED[array.dtype.itemsize])
    if not (unsigned < limits).all():
        raise InvalidRequest(
            f"{field_name}[{spec.name}]",
            f"ids from {array.min()} to {array.max()}",
            f"0 to below {limits.tolist()}",
        )


@lru_cache(maxsize=64)
def _limits(cardinalities: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return np.array(cardinalities, np.uint64)
