"""How do requests and answers look as bytes?

To ask protobuf for nine tensors, and numpy for what they hold, takes half of what a request costs beside the
graph. One compiled pass reads a request as it is commonly written, holds all of it against the signature and
lays the tensors side by side. What it does not know, and whatever is wrong, it declines: the caller reads
such a message field by field, and says what is wrong with it.

Symbols: B bytes of a request, S tensors of a signature, N items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planogram.common.v1 import tensor_pb2
from planogram.scoring.v1 import scoring_pb2
from services.common.compiled import compiled
from services.common.tensors import CODES, NAMED, TensorSpec, fill

Array = NDArray[Any]

_VARINT, _DELIMITED = 0, 2
"""Ways to write a field, in the lowest three bits of its tag."""


def _tag(message: Any, field: str, way: int = _DELIMITED) -> int:
    number: int = message.DESCRIPTOR.fields_by_name[field].number
    return number << 3 | way


_FINGERPRINT = _tag(scoring_pb2.ScoreItemsRequest, "schema_fingerprint")
_SHOPPER = _tag(scoring_pb2.ScoreItemsRequest, "shopper_tensors")
_ITEM = _tag(scoring_pb2.ScoreItemsRequest, "item_tensors")
_VERSION = _tag(scoring_pb2.ScoreItemsRequest, "model_version")
_KEY = _tag(scoring_pb2.ScoreItemsRequest.ItemTensorsEntry, "key")
_VALUE = _tag(scoring_pb2.ScoreItemsRequest.ItemTensorsEntry, "value")
_DTYPE = _tag(tensor_pb2.Tensor, "dtype", _VARINT)
_SHAPE = _tag(tensor_pb2.Tensor, "shape")
_DATA = _tag(tensor_pb2.Tensor, "data")

_NONE = -1
"""No such number: of a request that is declined, and of a tensor that is not there."""
_LONGEST = 5
"""Bytes of the longest number that is read: what has more is longer than any message."""
_MOST_AXES = 8

_NAME, _NAME_END, _IS_PER_ITEM, _CODE, _ROW_BYTES, _START, _START_PER_ITEM, _CHECK, _LIMIT, _WIDTH, _AXES = (
    range(11)
)
"""Columns of what is expected of each tensor: where in the names its name begins and ends; its dtype on the
wire; bytes of one item, or of all where it has none; where it is laid, START + N * START_PER_ITEM; what its
numbers are held against, where the limits of its ids begin, and how many numbers share them; how many axes it
has beside the item axis. The lengths of these axes follow."""
_UNBOUNDED, _IDS_32, _IDS_64, _FLOATS = range(4)
"""What numbers are held against."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a request that follows a signature holds.

    Attributes:
        arrays: by tensor name; they lie over one buffer of their own.
        model_version: the version it asks for, if any.
    """

    arrays: dict[str, Array]
    model_version: str | None


class Reader:
    """Reads the requests of one signature."""

    def __init__(
        self, specs: Sequence[TensorSpec], fingerprint: str, most_items: int, largest: float
    ) -> None:
        """
        Args:
            fingerprint: of the specs.
            most_items: the largest N there is.
            largest: of a float's size.
        """
        self._most_items = most_items
        self._largest = np.float32(min(largest, float(np.finfo(np.float32).max)))
        self._fingerprint = np.frombuffer(fingerprint.encode(), np.uint8)
        self._expected = np.zeros((len(specs), _AXES + 1 + _MOST_AXES), np.int64)
        self._views: list[tuple[str, np.dtype[Any], bool, tuple[int, ...], int, int]] = []
        names, limits, start, start_per_item = b"", list[int](), 0, 0
        # The longest numbers first, so that their length divides the address of each tensor.
        longest_first = sorted(specs, key=lambda spec: NAMED[spec.dtype].itemsize, reverse=True)
        for row, spec in zip(self._expected, longest_first, strict=True):
            name, dtype = spec.name.encode(), NAMED[spec.dtype]
            axes = spec.shape[1:] if spec.is_per_item else spec.shape
            size = math.prod(axes) * dtype.itemsize
            row[: _AXES + 1 + len(axes)] = (
                len(names),
                len(names) + len(name),
                spec.is_per_item,
                CODES[dtype],
                size,
                start,
                start_per_item,
                _check(spec, dtype),
                len(limits),
                len(spec.columns),
                len(axes),
                *axes,
            )
            self._views.append((spec.name, dtype, spec.is_per_item, axes, start, start_per_item))
            names += name
            limits += [spec.cardinality[column] for column in spec.columns if spec.cardinality]
            if spec.is_per_item:
                start_per_item += size
            else:
                start += size
        self._names, self._limits = np.frombuffer(names, np.uint8), np.array(limits, np.int64)

    def read(self, wire: bytes) -> Request | None:
        """What a ScoreItemsRequest in wire form holds; None where it must be read field by field."""
        laid, version = np.empty(len(wire) // 8 + 1, np.int64), np.zeros(2, np.int64)
        count = _read(
            np.frombuffer(wire, np.uint8),
            self._fingerprint,
            self._expected,
            self._names,
            self._limits,
            self._largest,
            self._most_items,
            laid,
            version,
        )
        begin, end = version.tolist()
        named = wire[begin:end]
        if count == _NONE or not named.isascii():
            return None
        arrays: dict[str, Array] = {
            name: np.ndarray(
                (count, *axes) if is_per_item else axes, dtype, laid, start + count * start_per_item
            )
            for name, dtype, is_per_item, axes, start, start_per_item in self._views
        }
        return Request(arrays, named.decode() if begin else None)


def answer(click: Array, purchase: Array, model_version: str, device: int) -> bytes:
    """A ScoreItemsResponse in wire form.

    Args:
        click, purchase: (N,) float32.
    """
    return b"".join(
        (
            _head("click_probability", len(click)),
            click.tobytes(),
            _head("purchase_probability", len(purchase)),
            purchase.tobytes(),
            _served(model_version, device),
        )
    )


@lru_cache(maxsize=4096)
def _head(field: str, count: int) -> bytes:
    """What an answer says of a tensor ahead of its numbers, which are the last of it."""
    message, blank = scoring_pb2.ScoreItemsResponse(), np.zeros(count, np.float32)
    fill(getattr(message, field), blank)
    wire = message.SerializeToString()
    return wire[: len(wire) - blank.nbytes]


@lru_cache(maxsize=64)
def _served(model_version: str, device: Any) -> bytes:
    return scoring_pb2.ScoreItemsResponse(model_version=model_version, device=device).SerializeToString()


def warm_up() -> None:
    """Compiles what requests need, so that none of them waits for it."""
    Reader((), "", 0, 0.0).read(b"")
    are_probabilities(np.zeros(0, np.float32), np.zeros(0, np.float32))


def _check(spec: TensorSpec, dtype: np.dtype[Any]) -> int:
    if spec.cardinality:
        return _IDS_64 if dtype.itemsize == 8 else _IDS_32
    return _FLOATS if dtype.kind == "f" else _UNBOUNDED


@compiled
def _read(
    data: Array,
    fingerprint: Array,
    expected: Array,
    names: Array,
    limits: Array,
    largest: Any,
    most_items: int,
    laid: Array,
    version: Array,
) -> int:
    """N of a request (B,), whose tensors then lie in `laid`; _NONE where it is declined.

    Args:
        laid: at least B bytes, as int64; version: (2,) where the name of the version begins and ends, or 0.
    """
    found = np.full((len(expected), 2), _NONE)  # where each tensor's numbers begin and end
    count, is_ours, at = _NONE, False, 0
    while at < len(data):
        tag, at, end = _field(data, at, len(data))
        if at == _NONE:
            return _NONE
        if tag == _FINGERPRINT and not is_ours:
            is_ours = _is_same(data[at:end], fingerprint)
            if not is_ours:
                return _NONE
        elif tag in (_SHOPPER, _ITEM):
            place, begin, stop, length = _tensor(data, at, end, expected, names, tag == _ITEM)
            if place == _NONE or found[place, 0] != _NONE:
                return _NONE
            found[place, 0], found[place, 1] = begin, stop
            if tag == _ITEM:
                if count == _NONE:
                    count = length
                if length != count:
                    return _NONE
        elif tag == _VERSION and version[0] == 0:
            version[0], version[1] = at, end
        else:
            return _NONE
        at = end
    if not (is_ours and 0 <= count <= most_items):
        return _NONE
    for place in range(len(expected)):
        if not _lay(data, found[place, 0], found[place, 1], expected[place], limits, largest, count, laid):
            return _NONE
    return count


@compiled
def _tensor(
    data: Array, at: int, end: int, expected: Array, names: Array, is_per_item: bool
) -> tuple[int, int, int, int]:
    """Which of the expected tensors an entry of a map is, where its numbers begin and end, and the item axis.

    All _NONE for an entry that is none of them, or of another dtype or shape.
    """
    nothing = (_NONE, _NONE, _NONE, _NONE)
    tag, at, stop = _field(data, at, end)
    if at == _NONE or tag != _KEY:
        return nothing
    place = _NONE
    for candidate in range(len(expected)):
        name = names[expected[candidate, _NAME] : expected[candidate, _NAME_END]]
        if _is_same(data[at:stop], name) and expected[candidate, _IS_PER_ITEM] == is_per_item:
            place = candidate
    if place == _NONE:
        return nothing
    tag, at, stop = _field(data, stop, end)
    if at == _NONE or tag != _VALUE or stop != end:
        return nothing
    begin = finish = code = _NONE
    length = _item_axis(data, end, end, expected[place])  # as long as no shape is read
    while at < end:
        tag, at, stop = _field(data, at, end)
        if at == _NONE:
            return nothing
        if tag == _DTYPE and code == _NONE:
            code = stop
            stop = at
        elif tag == _SHAPE and length == _NONE:
            length = _item_axis(data, at, stop, expected[place])
            if length == _NONE:
                return nothing
        elif tag == _DATA and begin == _NONE:
            begin, finish = at, stop
        else:
            return nothing
        at = stop
    if code != expected[place, _CODE] or length == _NONE:
        return nothing
    if begin == _NONE:  # no numbers are not written
        begin = finish = end
    return place, begin, finish, length


@compiled
def _item_axis(data: Array, at: int, end: int, expected: Array) -> int:
    """The length of a shape's item axis, 0 without one; _NONE where another axis is not as expected."""
    first = 0
    if expected[_IS_PER_ITEM]:
        first, at = _varint(data, at, end)
    for axis in range(expected[_AXES]):
        length, at = _varint(data, at, end)
        if length != expected[_AXES + 1 + axis]:
            return _NONE
    return first if at == end else _NONE


@compiled
def _lay(
    data: Array, begin: int, end: int, expected: Array, limits: Array, largest: Any, count: int, laid: Array
) -> bool:
    """Lays a tensor's numbers in their place; False where there are not as many, or any is out of bounds."""
    size = expected[_ROW_BYTES] * (count if expected[_IS_PER_ITEM] else 1)
    if begin == _NONE or end - begin != size:
        return False
    start = expected[_START] + count * expected[_START_PER_ITEM]
    place = laid.view(np.uint8)[start : start + size]
    for byte in range(size):
        place[byte] = data[begin + byte]
    below = limits[expected[_LIMIT] : expected[_LIMIT] + expected[_WIDTH]]
    if expected[_CHECK] == _IDS_64:
        return _are_below(place.view(np.int64), below)
    if expected[_CHECK] == _IDS_32:
        return _are_below(place.view(np.int32), below)
    if expected[_CHECK] == _FLOATS:
        numbers = place.view(np.float32)
        good = 0
        for number in range(len(numbers)):
            good += abs(numbers[number]) <= largest  # not so of NaN
        return good == len(numbers)
    return True


@compiled
def _are_below(ids: Array, limits: Array) -> bool:
    """Whether ids, of as many columns as there are limits, are 0 to below these."""
    good = 0
    for row in range(0, len(ids), len(limits)):
        for column in range(len(limits)):
            good += 0 <= ids[row + column] < limits[column]
    return good == len(ids)


@compiled
def _is_same(some: Array, other: Array) -> bool:
    if len(some) != len(other):
        return False
    different = 0
    for place in range(len(some)):
        different += some[place] != other[place]
    return different == 0


@compiled
def _field(data: Array, at: int, end: int) -> tuple[int, int, int]:
    """A field's tag and where its value begins and ends; of a number, instead of its end, the number.

    All _NONE where it is written in a way that no field here is, or goes beyond the end.
    """
    tag, at = _varint(data, at, end)
    value, at = _varint(data, at, end)
    if at != _NONE and tag & 7 == _VARINT:
        return tag, at, value
    if at == _NONE or tag & 7 != _DELIMITED or at + value > end:
        return _NONE, _NONE, _NONE
    return tag, at, at + value


@compiled
def _varint(data: Array, at: int, end: int) -> tuple[Any, int]:
    """The number that begins at a place, and where it ends; both _NONE where there is none of few bytes."""
    number = np.int64(0)
    for byte in range(_LONGEST if at != _NONE else 0):
        if at >= end:
            break
        number |= np.int64(data[at] & 127) << (7 * byte)
        at += 1
        if data[at - 1] < 128:
            return number, at
    return _NONE, _NONE


@compiled
def are_probabilities(click: Array, purchase: Array) -> bool:
    """Whether all of (N,) float32 are 0 to 1, and no purchase is above its click; not so of NaN."""
    good = 0
    for item in range(len(click)):
        good += 0.0 <= purchase[item] <= click[item] <= 1.0
    return good == len(click)
