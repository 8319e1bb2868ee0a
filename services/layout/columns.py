"""How are the lists of a message read as arrays, without an object for each of their values?

A message's own bytes hold a list of numbers in one piece, and texts one after the other
(https://protobuf.dev/programming-guides/encoding). To write it and to go over its bytes once takes a third of
what asking it for every value takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

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


NOBODY, ABSENT = -1, -2
"""Numbers of the empty text, and of one that a list does not hold."""


class Texts(NamedTuple):
    """W texts to be found in lists of messages of one kind, made once.

    content: the bytes of all, one after the other. ends: (W,) int64. fields: (W,) int64 of the list of each.
    """

    content: Array
    ends: Array
    fields: Array


class Columns:
    """Lists of N values each, which are all that a message holds; what a list holds beyond N is left out."""

    def __init__(self, message: Message, count: int) -> None:
        self._fields = message.DESCRIPTOR.fields_by_name
        self._content = message.SerializeToString()
        content = np.frombuffer(self._content, np.uint8)
        found = columns(content, _kinds(message.DESCRIPTOR), count)
        self.all_values, self.all_numbers, self._begin, self._end, self._table = found
        """Of F fields, by number: (F, N) `values` and (F, N) `numbers`."""

    def values(self, name: str) -> Array:
        """(N,) float64: a list of numbers; 0 where the message has none."""
        values: Array = self.all_values[self._fields[name].number]
        return values

    def numbers(self, name: str) -> Array:
        """(N,) int64: a number per text of a list, from 0, as they come; -1 of an empty one."""
        numbers: Array = self.all_numbers[self._fields[name].number]
        return numbers

    def number_of(self, name: str) -> Mapping[str, int]:
        """The number of each text of a list; -1, which comes first, of the empty one."""
        number = self._fields[name].number
        count = int(self.all_numbers[number].max(initial=-1)) + 1
        begin, end = self._begin[number, :count].tolist(), self._end[number, :count].tolist()
        texts = [self._content[at:last].decode() for at, last in zip(begin, end, strict=True)]
        return {"": NOBODY} | {text: place for place, text in enumerate(texts)}

    def numbers_of(self, texts: Texts) -> Array:
        """(W,) int64: the number of each text in its list; NOBODY of the empty one, ABSENT of a stranger."""
        content = np.frombuffer(self._content, np.uint8)
        found: Array = numbers_of(content, self._table, self._begin, self._end, *texts)
        return found


def texts_of(kind: type[Message], named: Sequence[tuple[str, str]]) -> Texts:
    """Texts to be found, each given with the name of its list, as `Columns.numbers_of` takes them."""
    fields = kind.DESCRIPTOR.fields_by_name
    contents = [text.encode() for _, text in named]
    return Texts(
        content=np.frombuffer(b"".join(contents), np.uint8),
        ends=np.cumsum([len(content) for content in contents], dtype=np.int64),
        fields=np.array([fields[name].number for name, _ in named], np.int64),
    )


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
    ends = np.fromiter(accumulate(map(len, contents)), np.int64, len(contents))
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
def is_same(content: Array, begin: int, end: int, other: Array, other_begin: int, other_end: int) -> bool:
    """Whether two texts are the same."""
    if end - begin != other_end - other_begin:
        return False
    at = begin
    while at < end and content[at] == other[other_begin + at - begin]:
        at += 1
    return bool(at == end)


@compiled
def columns(content: Array, kinds: Array, count: int) -> tuple[Array, Array, Array, Array, Array]:
    """The lists of a message of F fields, of N = count values each, by field number.

    Args:
        kinds: (F,) what each field holds.

    Returns:
        (F, N) float64 numbers; int64 (F, N) a number per text, (F, N) its first byte and (F, N) its end where
        it stands first; and the texts by digest, as `numbers_of` reads them.
    """
    values = np.zeros((len(kinds), count))
    numbers = np.full((len(kinds), count), -1)
    first, last = np.empty((2, len(kinds), count), np.int64)
    text_count, distinct_count = np.zeros(len(kinds), np.int64), np.zeros(len(kinds), np.int64)
    size = 2
    while size < 2 * count * (kinds == _TEXT).sum():
        size *= 2
    # By the digest of a text, N x its field + its number; what collides moves on by one, and half is free.
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
                    if is_own and is_same(
                        content, at, end, content, first[field, number], last[field, number]
                    ):
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
    return values, numbers, first, last, table


@compiled
def numbers_of(
    content: Array,
    table: Array,
    first: Array,
    last: Array,
    wanted: Array,
    ends: Array,
    fields: Array,
) -> Array:
    """(W,) the number of each text in the list of its field, as `columns` gave them.

    Args:
        content: of the message. table, first, last: what `columns` found in it.
        wanted: the bytes of all texts. ends: (W,) where each ends there. fields: (W,)
    """
    count = first.shape[1]
    found = np.full(len(ends), ABSENT)
    begin = 0
    for place in range(len(ends)):
        end, field = ends[place], fields[place]
        if begin == end:
            found[place] = NOBODY
        slot = digest(wanted, begin, end, field) & (len(table) - 1)
        while begin < end and table[slot] >= 0:
            number = table[slot] - field * count
            if 0 <= number < count and is_same(
                wanted, begin, end, content, first[field, number], last[field, number]
            ):
                found[place] = number
                break
            slot = (slot + 1) & (len(table) - 1)
        begin = end
    return found


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
    _, _, first, last, table = columns(content, np.array([_OTHER, _TEXT, _WHOLE, _FRACTION]), 1)
    numbers_of(content, table, first, last, content[2:3], np.array([1]), np.array([1]))
    unpacked(content, np.array([len(content)]), 2)
