"""What do rules need to know of a page's items, in wire form?

A record holds all numbers of an item, so that a page's items are a few lines of memory each, and names are
kept as they go over the wire. One compiled pass then writes what protobuf would, field by field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planogram.feature.v1 import feature_pb2
from services.common.compiled import compiled

NAMES = ("brand", "seller", "category")
NUMBERS = (
    *("price_micros", "margin_micros", "stock", "age_rating"),
    *("bid_micros", "first_seen_unix_s", "is_under_review"),
)
SHARES = ("popularity", "discount")
_RECORD = np.dtype(
    [
        ("numbers", "<i8", len(NUMBERS)),
        ("shares", "<u4", len(SHARES)),
        ("names", "<i4", len(NAMES)),
    ],
    align=True,
)
_DELIMITED = 2


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules need to know of N items, by row.

    Attributes:
        ids: (N, W) bytes of the ids; zeros fill up.
        records: (N,) numbers, bits of shares, and places of names.
        name_bytes: all names as elements of their fields; name_offsets: where each begins, and the end.
    """

    ids: NDArray[np.uint8]
    records: NDArray[np.void]
    name_bytes: NDArray[np.uint8]
    name_offsets: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        ids: NDArray[np.bytes_],
        names: Sequence[tuple[NDArray[np.object_], NDArray[np.int32]]],
        columns: Mapping[str, NDArray[Any]],
    ) -> Facts:
        """
        Args:
            names: texts by code, and (N,) codes, of each of NAMES.
            columns: (N,) each, of NUMBERS and SHARES by name.
        """
        records = np.zeros(len(ids), _RECORD)
        elements: list[bytes] = []
        for place, (field, (texts, codes)) in enumerate(zip(NAMES, names, strict=True)):
            records["names"][:, place] = len(elements) + codes
            elements += (
                feature_pb2.ItemFacts(**{field: [text]}).SerializeToString() for text in texts.tolist()
            )
        offsets = np.concatenate(([0], np.cumsum([len(one) for one in elements], dtype=np.int64)))
        bytes_of_ids = ids.view(np.uint8).reshape(len(ids), ids.dtype.itemsize)
        name_bytes = np.frombuffer(b"".join(elements), np.uint8)
        return cls(bytes_of_ids, records, name_bytes, offsets.astype(np.int64)).changed(columns)

    def changed(self, columns: Mapping[str, NDArray[Any]]) -> Facts:
        """Facts with other columns, by name; those that are not named stay."""
        records = self.records.copy()
        for name, column in columns.items():
            if name in NUMBERS:
                records["numbers"][:, NUMBERS.index(name)] = column
            else:
                records["shares"][:, SHARES.index(name)] = column.astype("<f4").view("<u4")
        return replace(self, records=records)

    def describe(self, rows: NDArray[np.int64]) -> bytes:
        """A GatherPageResponse of ids and facts of items alone, in the order of the rows, in wire form."""
        if not len(rows):
            return b""
        records = self.records
        return _written(
            rows,
            self.ids,
            records["numbers"],
            records["shares"],
            records["names"],
            self.name_bytes,
            self.name_offsets,
            _TAGS,
        ).tobytes()


def _tag(field: str) -> int:
    return feature_pb2.ItemFacts.DESCRIPTOR.fields_by_name[field].number << 3 | _DELIMITED


_TAGS = np.array(
    [
        *(
            feature_pb2.GatherPageResponse.DESCRIPTOR.fields_by_name[field].number << 3 | _DELIMITED
            for field in ("item_ids", "item_facts")
        ),
        *(_tag(field) for field in (*NUMBERS, *SHARES)),
    ],
    np.uint8,
)
"""Of a byte each: all of these fields have numbers below 16."""


@compiled
def _put(out: NDArray[np.uint8], at: int, number: int) -> int:
    """Writes a varint; returns where it ends."""
    rest = np.uint64(number)
    while rest >= np.uint64(128):
        out[at] = np.uint8(rest & np.uint64(127)) | np.uint8(128)
        rest >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(rest)
    return at + 1


@compiled
def _size(number: int) -> int:
    """Bytes of a varint."""
    size, rest = 1, np.uint64(number) >> np.uint64(7)
    while rest:
        size += 1
        rest >>= np.uint64(7)
    return size


@compiled
def _open(out: NDArray[np.uint8], at: int, facts_tag: int, tag: int, size: int) -> int:
    """Begins facts that hold one packed field of so many bytes; several of them are one message."""
    out[at] = facts_tag
    at = _put(out, at + 1, 1 + _size(size) + size)
    out[at] = tag
    return _put(out, at + 1, size)


@compiled
def _written(
    rows: NDArray[np.int64],
    ids: NDArray[np.uint8],
    numbers: NDArray[np.int64],
    shares: NDArray[np.uint32],
    names: NDArray[np.int32],
    name_bytes: NDArray[np.uint8],
    name_offsets: NDArray[np.int64],
    tags: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    width, number_count, share_count = ids.shape[1], numbers.shape[1], shares.shape[1]
    of_numbers, of_shares = tags[2 : 2 + number_count], tags[2 + number_count :]
    name_size = 0
    for row in rows:
        for column in range(names.shape[1]):
            name_size += name_offsets[names[row, column] + 1] - name_offsets[names[row, column]]
    each = width + 3 + 10 * number_count + 4 * share_count
    heads = 32 * (1 + number_count + share_count)
    out = np.empty(len(rows) * each + name_size + heads, np.uint8)
    at = 0
    for row in rows:
        size = width
        while size and not ids[row, size - 1]:
            size -= 1
        out[at] = tags[0]
        at = _put(out, at + 1, size)
        for place in range(size):
            out[at + place] = ids[row, place]
        at += size
    out[at] = tags[1]
    at = _put(out, at + 1, name_size)
    for row in rows:
        for column in range(names.shape[1]):
            for place in range(name_offsets[names[row, column]], name_offsets[names[row, column] + 1]):
                out[at] = name_bytes[place]
                at += 1
    for column in range(number_count):
        size = 0
        for row in rows:
            size += _size(numbers[row, column])
        at = _open(out, at, tags[1], of_numbers[column], size)
        for row in rows:
            at = _put(out, at, numbers[row, column])
    for column in range(share_count):
        at = _open(out, at, tags[1], of_shares[column], 4 * len(rows))
        for row in rows:
            bits = shares[row, column]
            for shift in range(0, 32, 8):
                out[at] = np.uint8(bits >> shift & 255)
                at += 1
    return out[:at]
