"""How is a page's answer written as bytes, which protobuf then reads in one go?

To set its fields one by one from Python takes longer than to read them all. The bytes of two answers, one
behind the other, are those of an answer that holds what repeats of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planogram.feature.v1 import feature_pb2
from services.common.compiled import compiled
from services.common.tensors import fill
from services.feature.pages.placing import Placed

Tensors = Mapping[str, NDArray[Any]]

_DELIMITED = 2
_LONGEST_VARINT = 5
"""Bytes of a number below 2**32."""


def modules(module_ids: Sequence[str], page: Placed) -> dict[str, bytes]:
    """By module a GatherPageResponse with its candidates alone, in wire form."""
    packed, ends = np.empty(_LONGEST_VARINT * len(page.positions), np.uint8), np.empty_like(page.ends)
    _pack(page.positions, page.ends, packed, ends)
    all_rows, start, found = packed.tobytes(), 0, {}
    for module_id, end in zip(module_ids, ends.tolist(), strict=True):
        rows = all_rows[start:end]
        start = end
        module = _named(module_id) + _ROWS + _varint(len(rows)) + rows
        found[module_id] = _MODULES + _varint(len(module)) + module
    return found


def session(state: bytes) -> bytes:
    """A GatherPageResponse with a session alone, of a SessionState; both in wire form."""
    return _SESSION + _varint(len(state)) + state


def feature_set(fingerprint: str, shopper: Tensors, item: Tensors) -> list[bytes | NDArray[Any]]:
    """A GatherPageResponse that holds one set of tensors alone, in wire form and in pieces to join."""
    named = _fingerprint(fingerprint)
    pieces: list[bytes | NDArray[Any]] = [_FEATURE_SETS, b"", named]
    size = len(named)
    for field, arrays in (("shopper_tensors", shopper), ("item_tensors", item)):
        for name, array in arrays.items():
            head = _head(field, name, array.dtype, array.shape)
            size += len(head) + array.nbytes
            pieces += (head, array)
    pieces[1] = _varint(size)
    return pieces


@lru_cache(maxsize=16_384)
def _head(field: str, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """What a feature set says of a tensor ahead of its numbers, which are the last of it."""
    message, blank = feature_pb2.FeatureSet(), np.zeros(shape, dtype)
    fill(getattr(message, field)[name], blank)
    wire = message.SerializeToString()
    return wire[: len(wire) - blank.nbytes]


@lru_cache(maxsize=64)
def _fingerprint(fingerprint: str) -> bytes:
    return feature_pb2.FeatureSet(schema_fingerprint=fingerprint).SerializeToString()


@lru_cache(maxsize=4096)
def _named(module_id: str) -> bytes:
    return feature_pb2.ModuleCandidates(module_id=module_id).SerializeToString()


@lru_cache(maxsize=4096)
def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


def _tag(message: Any, field: str) -> bytes:
    return _varint(message.DESCRIPTOR.fields_by_name[field].number << 3 | _DELIMITED)


_MODULES = _tag(feature_pb2.GatherPageResponse, "modules")
_FEATURE_SETS = _tag(feature_pb2.GatherPageResponse, "feature_sets")
_SESSION = _tag(feature_pb2.GatherPageResponse, "session")
_ROWS = _tag(feature_pb2.ModuleCandidates, "rows")


@compiled
def _pack(
    numbers: NDArray[np.int32],
    ends: NDArray[np.int64],
    packed: NDArray[np.uint8],
    packed_ends: NDArray[np.int64],
) -> None:
    """Writes numbers of several groups as varints, and where each group ends."""
    at, place = 0, 0
    for group in range(len(ends)):
        while place < ends[group]:
            rest = numbers[place]
            while rest > 127:
                packed[at] = rest & 127 | 128
                rest >>= 7
                at += 1
            packed[at] = rest
            at += 1
            place += 1
        packed_ends[group] = at
