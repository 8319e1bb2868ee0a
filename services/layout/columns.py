"""How are the lists of a message read as arrays, without an object for each of their values?

A message's own bytes hold a list of numbers in one piece, and texts one after the other
(https://protobuf.dev/programming-guides/encoding). To write it and to go over its bytes once takes a third of
what asking it for every value takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from services.common.compiled import compiled

Array = np.ndarray[Any, Any]

_OTHER, _TEXT, _WHOLE, _FRACTION = range(4)
_VARINT, _FIXED_64, _LENGTH_AHEAD = range(3)
"""Wire types; groups are not written any more, and 5 is of four bytes."""
_KINDS = {
    FieldDescriptor.CPPTYPE_STRING: _TEXT,
    FieldDescriptor.CPPTYPE_INT32: _WHOLE,
    FieldDescriptor.CPPTYPE_INT64: _WHOLE,
    FieldDescriptor.CPPTYPE_BOOL: _WHOLE,
    FieldDescriptor.CPPTYPE_FLOAT: _FRACTION,
}


class Columns:
    """Lists of N values each, which are all that a message holds; what a list holds beyond N is left out."""

    def __init__(self, message: Message, count: int) -> None:
        self._fields = message.DESCRIPTOR.fields_by_name
        self._content = message.SerializeToString()
        content = np.frombuffer(self._content, np.uint8)
        found = columns(content, _kinds(message.DESCRIPTOR), count)
        self._values, self._numbers, self._begin, self._end = found

    def values(self, name: str) -> Array:
        """(N,) float64: a list of numbers; 0 where the message has none."""
        values: Array = self._values[self._fields[name].number]
        return values

    def numbers(self, name: str) -> Array:
        """(N,) int64: a number per text of a list, from 0, as they come; -1 of an empty one."""
        numbers: Array = self._numbers[self._fields[name].number]
        return numbers

    def number_of(self, name: str) -> Mapping[str, int]:
        """The number of each text of a list; -1, which comes first, of the empty one."""
        number = self._fields[name].number
        count = int(self._numbers[number].max(initial=-1)) + 1
        begin, end = self._begin[number, :count].tolist(), self._end[number, :count].tolist()
        texts = [self._content[at:last].decode() for at, last in zip(begin, end, strict=True)]
        return {"": -1} | {text: place for place, text in enumerate(texts)}


def lists(messages: Sequence[Message | None], name: str) -> tuple[Array, Array]:
    """A list of whole numbers of each of K messages.

    Args:
        messages: of one kind; None stands for an empty one.

    Returns:
        (K, R) int64 numbers, R of the longest list, and 0 behind the others; (K,) int64 how many each holds.
    """
    contents = [b"" if message is None else message.SerializeToString() for message in messages]
    kind = next((message.DESCRIPTOR for message in messages if message is not None), None)
    wanted = 0 if kind is None else kind.fields_by_name[name].number
    ends = np.cumsum([len(content) for content in contents], dtype=np.int64)
    values, length = unpacked(np.frombuffer(b"".join(contents), np.uint8), ends, wanted)
    return values, length


@cache
def _kinds(kind: Descriptor) -> Array:
    """What the fields of a kind of messages hold, by their numbers."""
    kinds = np.zeros(1 + max(field.number for field in kind.fields), np.int64)
    for field in kind.fields:
        kinds[field.number] = _KINDS.get(field.cpp_type, _OTHER)
    return kinds


@compiled
def varint(content: Array, at: int) -> tuple[int, int]:
    """A whole number of seven bits a byte, the lowest first, and where the next thing begins."""
    value = shift = 0
    while content[at] >= 128:
        value |= int(content[at] & 127) << shift
        shift += 7
        at += 1
    return value | int(content[at]) << shift, at + 1


@compiled
def piece(content: Array, at: int) -> tuple[int, int, int]:
    """The number of the field at a place, and where its content begins and ends.

    Lists and texts have a length ahead of them; a number that stands alone, which only a newer caller may
    have sent, counts as field 0.
    """
    tag, at = varint(content, at)
    kind = tag & 7
    if kind == _LENGTH_AHEAD:
        length, at = varint(content, at)
        return tag >> 3, at, at + length
    if kind == _VARINT:
        _, end = varint(content, at)
        return 0, at, end
    return 0, at, at + (8 if kind == _FIXED_64 else 4)


@compiled
def digest(content: Array, begin: int, end: int, seed: int) -> int:
    """FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) of a text, without its sign."""
    value = seed ^ 0x4BF29CE484222325
    for at in range(begin, end):
        value = (value ^ int(content[at])) * 0x100000001B3
    return (value ^ value >> 32) & 0x7FFFFFFF


@compiled
def is_same(content: Array, begin: int, end: int, other_begin: int, other_end: int) -> bool:
    """Whether two texts are the same."""
    at = begin
    while at < end and content[at] == content[other_begin + at - begin]:
        at += 1
    return bool(at == end and end - begin == other_end - other_begin)


@compiled
def columns(content: Array, kinds: Array, count: int) -> tuple[Array, Array, Array, Array]:
    """The lists of a message of F fields, of N = count values each, by field number.

    Args:
        kinds: (F,) what each field holds.

    Returns:
        (F, N) float64 numbers; int64 (F, N) a number per text, (F, N) its first byte and (F, N) its end where
        it stands first.
    """
    values = np.zeros((len(kinds), count))
    numbers = np.full((len(kinds), count), -1)
    first, last = np.zeros((2, len(kinds), count), np.int64)
    text_count, distinct_count = np.zeros(len(kinds), np.int64), np.zeros(len(kinds), np.int64)
    size = 2
    while size < 2 * count * (kinds == _TEXT).sum():
        size *= 2
    # By the digest of a text, N x its field + its number; what collides moves on by one.
    table = np.full(size, -1)
    at = 0
    while at < len(content):
        field, at, end = piece(content, at)
        length = end - at
        kind = kinds[field] if field < len(kinds) else _OTHER
        if kind == _TEXT:
            place = text_count[field]
            text_count[field] += 1
            if length > 0 and place < count:
                slot = digest(content, at, end, field) & (size - 1)
                own = field * count  # of the first text of the field in the table
                while table[slot] >= 0:
                    number = table[slot] - own
                    is_own = 0 <= number < count
                    if is_own and is_same(content, at, end, first[field, number], last[field, number]):
                        break
                    slot = (slot + 1) & (size - 1)
                if table[slot] < 0:
                    first[field, distinct_count[field]] = at
                    last[field, distinct_count[field]] = end
                    table[slot] = own + distinct_count[field]
                    distinct_count[field] += 1
                numbers[field, place] = table[slot] - own
        elif kind == _WHOLE:
            place = 0
            while at < end and place < count:
                values[field, place], at = varint(content, at)
                place += 1
        elif kind == _FRACTION:
            fractions = content[at:end].view(np.float32)[:count]
            values[field, : len(fractions)] = fractions
        at = end
    return values, numbers, first, last


@compiled
def unpacked(content: Array, ends: Array, wanted: int) -> tuple[Array, Array]:
    """A list of whole numbers of each of K messages that lie one after the other.

    Args:
        ends: (K,) where each message ends. wanted: the number of the field.
    """
    begin, length = np.zeros((2, len(ends)), np.int64)
    at = 0
    for message in range(len(ends)):
        while at < ends[message]:
            field, start, at = piece(content, at)
            if field == wanted:
                begin[message] = start
                for byte in range(start, at):
                    length[message] += content[byte] < 128
    values = np.zeros((len(ends), length.max() if len(ends) else 0), np.int64)
    for message in range(len(ends)):
        at = begin[message]
        for place in range(length[message]):
            values[message, place], at = varint(content, at)
    return values, length


def warm_up() -> None:
    """Compiles all of it."""
    content = np.frombuffer(b"\x0a\x01\x61\x12\x01\x01\x1a\x04\x00\x00\x00\x00", np.uint8)
    columns(content, np.array([_OTHER, _TEXT, _WHOLE, _FRACTION]), 1)
    unpacked(content, np.array([len(content)]), 2)
