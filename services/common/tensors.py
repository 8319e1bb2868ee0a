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


class Layout:
    """Specs, ready to hold the tensors of many messages against them."""

    def __init__(
        self, specs: Sequence[TensorSpec], field_name: str, most_items: int, largest: float = math.inf
    ) -> None:
        """
        Args:
            field_name: of the tensor map, for messages.
            most_items: the largest N there is.
            largest: of a number's size.
        """
        self._field_name, self._largest = field_name, largest
        self._small = 0.5 * min(largest, _ROOT_OF_FLOAT32) ** 2
        self._expected = [_expected(spec, most_items) for spec in specs]

    def read(self, tensors: Mapping[str, tensor_pb2.Tensor], count: int) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of a tensor map, over the messages' own bytes.

        Args:
            count: what N must be.

        Raises:
            InvalidRequest: names the tensor, what it is and what it must be.
        """
        arrays = {}
        with np.errstate(over="ignore"):
            for one in self._expected:
                tensor = tensors.get(one.spec.name)
                want = (count, *one.tail) if one.is_per_item else one.tail
                size = one.row_bytes * count if one.is_per_item else one.row_bytes
                data = b"" if tensor is None else tensor.data  # each look at it copies it
                if (
                    tensor is None
                    or tensor.dtype != one.code
                    or len(data) != size
                    or tuple(tensor.shape) != want
                ):
                    raise _mismatch(tensor, one.spec, want, f"{self._field_name}[{one.spec.name}]")
                flat = np.frombuffer(data, one.dtype)
                if one.limits is not None:
                    # Seen without a sign, what is below 0 is far above every limit.
                    is_within = flat.view(one.limits.dtype) < one.limits[: len(flat)]
                    if np.count_nonzero(is_within) != len(flat):
                        raise _beyond(flat, one.spec, self._field_name)
                # No number is larger than the root of the sum of squares, and a sum with NaN in it is below
                # nothing: nearly every array is small in one pass. The half keeps clear of rounding.
                elif one.is_float and not np.dot(flat, flat) < self._small:
                    _check_numbers(flat, self._largest, f"{self._field_name}[{one.spec.name}]")
                arrays[one.spec.name] = flat.reshape(want)
        return arrays


@dataclass(frozen=True, slots=True)
class _Expected:
    """What follows from a spec, worked out once.

    Attributes:
        code: of the dtype on the wire; tail, row_bytes: lengths, and bytes, without the item axis.
        limits: (largest size,) what each id must be below, flat; None where there are no ids.
    """

    spec: TensorSpec
    dtype: np.dtype[Any]
    code: int
    is_per_item: bool
    is_float: bool
    tail: tuple[int, ...]
    row_bytes: int
    limits: np.ndarray[Any, Any] | None


def _expected(spec: TensorSpec, most_items: int) -> _Expected:
    dtype = _NAMED[spec.dtype]
    tail = spec.shape[1:] if spec.is_per_item else spec.shape
    size = math.prod(tail) * (most_items if spec.is_per_item else 1)
    limits = None
    if spec.cardinality:
        row = np.array([spec.cardinality[column] for column in spec.columns], _UNSIGNED[dtype.itemsize])
        limits = np.resize(row, size)
    return _Expected(
        spec=spec,
        dtype=dtype,
        code=_CODES[dtype],
        is_per_item=spec.is_per_item,
        is_float=dtype.kind == "f",
        tail=tail,
        row_bytes=math.prod(tail) * dtype.itemsize,
        limits=limits,
    )


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


def _check_numbers(flat: np.ndarray[Any, Any], largest: float, where: str) -> None:
    if not np.isfinite(flat).all():
        raise InvalidRequest(where, "NaN or infinity", "finite numbers")
    found = max(flat.max(), -flat.min())
    if found > largest:
        raise InvalidRequest(where, f"a number of size {found:.4g}", f"-{largest:g} to {largest:g}")


def _beyond(flat: np.ndarray[Any, Any], spec: TensorSpec, field_name: str) -> InvalidRequest:
    limits = [spec.cardinality[column] for column in spec.columns]
    return InvalidRequest(
        f"{field_name}[{spec.name}]", f"ids from {flat.min()} to {flat.max()}", f"0 to below {limits}"
    )
