"""Do a message's tensors follow their specs, and which arrays do they hold?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planogram.common.v1 import tensor_pb2
from services.common.errors import InvalidRequest
from services.common.tensors import CODES, NAMED, TensorSpec, from_tensor

Tensors = Mapping[str, tensor_pb2.Tensor]

_WITHOUT_SIGN = np.uint32(2**31 - 1)
_UNSIGNED: dict[int, np.dtype[Any]] = {4: np.dtype("<u4"), 8: np.dtype("<u8")}


class Layout:
    """Specs, ready to hold the tensors of many messages against them."""

    def __init__(self, specs: Sequence[TensorSpec], most_items: int, largest: float = math.inf) -> None:
        """
        Args:
            most_items: the largest N there is.
            largest: of a number's size.
        """
        self._largest = np.float32(min(largest, float(np.finfo(np.float32).max)))
        self._groups = _groups([_expected(spec) for spec in specs], most_items)

    def read(self, shopper: Tensors, items: Tensors, count: int) -> dict[str, NDArray[Any]]:
        """The arrays by name; they lie over one copy of the messages' bytes for each dtype.

        Args:
            shopper, items: the message's `shopper_tensors` and `item_tensors`.
            count: what N must be.

        Raises:
            InvalidRequest: names the tensor, what it is and what it must be.
        """
        arrays = {}
        for group in self._groups:
            contents = [one.content(shopper, items, count) for one in group.members]
            # Looked at together: to call numpy takes longer than what it then does.
            flat = np.frombuffer(b"".join(contents), group.dtype)
            is_good = group.is_good(flat, self._largest)
            start = 0
            for one, content in zip(group.members, contents, strict=True):
                end = start + len(content) // group.dtype.itemsize
                part = flat[start:end]
                if not is_good:
                    one.check(part, self._largest)
                arrays[one.spec.name] = part.reshape(one.shape(count))
                start = end
        return arrays


@dataclass(frozen=True, slots=True)
class _Expected:
    """What follows from a spec, worked out once.

    Attributes:
        where: its place in the message.
        code: of the dtype on the wire; tail, row_bytes: lengths, and bytes, without the item axis.
    """

    spec: TensorSpec
    where: str
    dtype: np.dtype[Any]
    code: int
    is_per_item: bool
    tail: tuple[int, ...]
    row_bytes: int

    def shape(self, count: int) -> tuple[int, ...]:
        return (count, *self.tail) if self.is_per_item else self.tail

    def content(self, shopper: Tensors, items: Tensors, count: int) -> bytes:
        """The bytes of its tensor.

        Raises:
            InvalidRequest: for a tensor that is absent or of another dtype or shape.
        """
        tensor, want = (items if self.is_per_item else shopper).get(self.spec.name), self.shape(count)
        if tensor is None:
            raise InvalidRequest(self.where, "absent", f"{self.spec.dtype} of shape {self.spec.shape}")
        content = tensor.data  # each look at it copies it
        size = self.row_bytes * count if self.is_per_item else self.row_bytes
        if tensor.dtype != self.code or len(content) != size or tuple(tensor.shape) != want:
            array = from_tensor(tensor, self.where)
            raise InvalidRequest(self.where, f"{array.dtype} {array.shape}", f"{self.spec.dtype} {want}")
        return content

    def check(self, flat: NDArray[Any], largest: np.float32) -> None:
        """
        Raises:
            InvalidRequest: for an id or a number out of bounds.
        """
        if self.spec.cardinality:
            limits = [self.spec.cardinality[column] for column in self.spec.columns]
            if not ((flat.reshape(-1, len(limits)) >= 0) & (flat.reshape(-1, len(limits)) < limits)).all():
                raise InvalidRequest(
                    self.where, f"ids from {flat.min()} to {flat.max()}", f"0 to below {limits}"
                )
        elif self.dtype.kind == "f":
            if not np.isfinite(flat).all():
                raise InvalidRequest(self.where, "NaN or infinity", "finite numbers")
            found = np.abs(flat).max(initial=0)
            if found > largest:
                raise InvalidRequest(
                    self.where, f"a number of size {found:.4g}", f"-{largest:g} to {largest:g}"
                )


@dataclass(frozen=True, slots=True)
class _Group:
    """Tensors of one dtype that are looked at together.

    Attributes:
        limits: what each id must be below, of all members one behind the other; the last of them alone may
            be shorter. None where there are no ids.
    """

    dtype: np.dtype[Any]
    members: Sequence[_Expected]
    limits: NDArray[Any] | None

    def is_good(self, flat: NDArray[Any], largest: np.float32) -> bool:
        """Whether all ids are below their limits, or all numbers of no larger a size."""
        if self.limits is not None:
            # Seen without a sign, what is below 0 is far above every limit.
            is_within = flat.view(self.limits.dtype) < self.limits[: len(flat)]
            return bool(np.count_nonzero(is_within) == len(flat))
        if self.dtype.kind != "f":
            return True
        # Without the sign, the bits of floats are ordered as their sizes are, and infinity and NaN come last.
        sizes = flat.view(np.uint32) & _WITHOUT_SIGN
        return bool(sizes.max(initial=0) <= largest.view(np.uint32))


def _expected(spec: TensorSpec) -> _Expected:
    dtype = NAMED[spec.dtype]
    tail = spec.shape[1:] if spec.is_per_item else spec.shape
    field = "item_tensors" if spec.is_per_item else "shopper_tensors"
    return _Expected(
        spec=spec,
        where=f"{field}[{spec.name}]",
        dtype=dtype,
        code=CODES[dtype],
        is_per_item=spec.is_per_item,
        tail=tail,
        row_bytes=math.prod(tail) * dtype.itemsize,
    )


def _groups(expected: Sequence[_Expected], most_items: int) -> list[_Group]:
    """Tensors of one dtype together; of those with ids, a group holds one per item at most, and last."""
    found: list[_Group] = []
    for dtype in dict.fromkeys(one.dtype for one in expected):
        alike = [one for one in expected if one.dtype == dtype]
        with_ids = [one for one in alike if one.spec.cardinality]
        of_shopper = [one for one in with_ids if not one.is_per_item]
        of_items = [one for one in with_ids if one.is_per_item]
        others = [one for one in alike if not one.spec.cardinality]
        groups = [[*of_shopper, *of_items[:1]], *([one] for one in of_items[1:])]
        found += (_Group(dtype, group, _limits(group, most_items)) for group in groups if group)
        found += [_Group(dtype, others, None)] if others else []
    return found


def _limits(group: Sequence[_Expected], most_items: int) -> NDArray[Any]:
    unsigned = _UNSIGNED[group[0].dtype.itemsize]
    return np.concatenate(
        [
            np.resize(
                np.array([one.spec.cardinality[column] for column in one.spec.columns], unsigned),
                math.prod(one.shape(most_items)),
            )
            for one in group
        ]
    )
