"""How is what feature answers read as arrays, without an object for each of its values?

A message's own bytes hold a list of numbers in one piece, and texts one after the other
(https://protobuf.dev/programming-guides/encoding). To write it and to go over its bytes once takes a third of
what asking it for every value takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import ranking_pb2
from services.common.compiled import compiled

Array = np.ndarray[Any, Any]
Answer = feature_pb2.GatherPageResponse | ranking_pb2.RankingInputs
"""What feature answered, as it came or as it was logged."""

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
_COLUMNS = {field.name: field.number for field in feature_pb2.ItemFacts.DESCRIPTOR.fields}
ITEM = 0
"""The column of the items' own ids, beside those of their facts, which fields number from 1."""
NOBODY, ABSENT = -1, -2
"""Numbers of the empty text, and of one that a list does not hold."""


class Texts(NamedTuple):
    """W texts to be found in columns, made once.

    content: the bytes of all, one after the other. ends: (W,) int64. columns: (W,) int64 of each.
    """

    content: Array
    ends: Array
    columns: Array


class Layout(NamedTuple):
    """Where a kind of messages has candidates.

    kinds: (F,) int64 what each column of facts holds, and that of ids. text_count: T, how many of them go to
    the last that holds texts. The others are numbers of fields: of ids, modules and facts, and within a
    module of its id and rows.
    """

    kinds: Array
    text_count: int
    item_ids: int
    modules: int
    item_facts: int
    module_id: int
    rows: int


def texts_of(named: Sequence[tuple[str, str]]) -> Texts:
    """Texts to be found, each given with the name of its column: "item", or that of a list of facts."""
    contents = [text.encode() for _, text in named]
    return Texts(
        content=np.frombuffer(b"".join(contents), np.uint8),
        ends=np.cumsum([len(content) for content in contents], dtype=np.int64),
        columns=np.array([column_of(name) for name, _ in named], np.int64),
    )


class Candidates:
    """N items with their facts, and the rows of M modules.

    Attributes:
        values: (F, N) float64 numbers of the facts, by column; 0 where the message has none.
        numbers: (T, N) int64 a number per text of a column, from 0, as they come, -1 of an empty one; of ids,
            the row. T of the columns go to the last that holds texts.
        rows: (M, R) int64 of each module, R of the longest, and 0 behind the others. length: (M,) int64
        content: the bytes that `begin` and `end`, (T, N), are places in, of each number's text.
    """

    def __init__(self, message: Answer, module_ids: Texts | None = None) -> None:
        """
        Args:
            module_ids: of the M modules; None reads no rows.
        """
        wanted = texts_of(()) if module_ids is None else module_ids
        self._message, self.count = message, len(message.item_ids)
        self.content = np.frombuffer(message.SerializeToString(), np.uint8)
        found = candidates(self.content, _layout(message.DESCRIPTOR), self.count, wanted.content, wanted.ends)
        self.values, self.numbers, self.begin, self.end, self._table, self.rows, self.length = found

    @cached_property
    def ids(self) -> list[str]:
        """By row: made where they are first asked for."""
        return self._message.item_ids[:]

    def number_of(self, name: str) -> Mapping[str, int]:
        """The number of each text of a list of facts; -1, which comes first, of the empty one."""
        column = column_of(name)
        count = int(self.numbers[column].max(initial=-1)) + 1
        begin, end = self.begin[column, :count].tolist(), self.end[column, :count].tolist()
        content = self.content.tobytes()
        texts = [content[at:last].decode() for at, last in zip(begin, end, strict=True)]
        return {"": NOBODY} | {text: place for place, text in enumerate(texts)}

    def numbers_of(self, texts: Texts) -> Array:
        """(W,) int64 the number of each text in its column; NOBODY of the empty one, ABSENT of a stranger."""
        found: Array = numbers_of(self.content, self._table, self.begin, self.end, *texts)
        return found


def column_of(name: str) -> int:
    """The column of a list of facts, or of the items' ids, "item"."""
    return ITEM if name == "item" else _COLUMNS[name]


@cache
def _layout(kind: Descriptor) -> Layout:
    fields, facts = kind.fields_by_name, feature_pb2.ItemFacts.DESCRIPTOR.fields
    module = feature_pb2.ModuleCandidates.DESCRIPTOR.fields_by_name
    kinds = np.full(1 + max(field.number for field in facts), _OTHER)
    kinds[ITEM] = _TEXT
    for field in facts:
        kinds[field.number] = _KINDS.get(field.cpp_type, _OTHER)
    return Layout(
        kinds=kinds,
        text_count=1 + int((kinds == _TEXT).nonzero()[0].max()),
        item_ids=fields["item_ids"].number,
        modules=fields["modules"].number,
        item_facts=fields["item_facts"].number,
        module_id=module["module_id"].number,
        rows=module["rows"].number,
    )


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
def candidates(
    content: Array, layout: Layout, count: int, module_ids: Array, module_ends: Array
) -> tuple[Array, Array, Array, Array, Array, Array, Array]:
    """The N = count items of an answer with F columns, and the rows of M modules.

    Args:
        content: of the answer. module_ids: the bytes of the ids of M modules. module_ends: (M,) where each
            ends there.

    Returns:
        (F, N) float64 numbers; int64 (T, N) a number per text, (T, N) its first byte and (T, N) its end where
        it stands first; the texts by digest, as `numbers_of` reads them; and (M, R) rows, (M,) their count.
    """
    values, text_count = np.zeros((len(layout.kinds), count)), np.zeros(layout.text_count, np.int64)
    first, last = np.zeros((2, layout.text_count, count), np.int64)
    row_begin, length = np.zeros((2, len(module_ends)), np.int64)
    at = expected = 0
    while at < len(content):
        field, begin, at = piece(content, at)
        if field == layout.item_ids:
            place = text_count[ITEM]
            if place < count:
                first[ITEM, place], last[ITEM, place] = begin, at
                text_count[ITEM] += 1
        elif field == layout.modules:
            expected = read_module(
                content, begin, at, layout, module_ids, module_ends, expected, row_begin, length
            )
        elif field == layout.item_facts:
            read_facts(content, begin, at, layout.kinds, values, first, last, text_count)
    rows = np.zeros((len(length), length.max() if len(length) else 0), np.int64)
    for module in range(len(length)):
        at = row_begin[module]
        for place in range(length[module]):
            rows[module, place], at = varint(content, at)
    numbers, table = numbered(content, layout.kinds, first, last)
    return values, numbers, first, last, table, rows, length


@compiled
def read_module(
    content: Array,
    at: int,
    end: int,
    layout: Layout,
    module_ids: Array,
    module_ends: Array,
    expected: int,
    row_begin: Array,
    length: Array,
) -> int:
    """Notes where a module has its rows, if it is wanted, and how many; the place of the one that may follow.

    Args:
        expected: the place that it has if modules come in the order in which they were asked for.
    """
    id_begin = id_end = begin = count = 0
    while at < end:
        field, start, at = piece(content, at)
        if field == layout.module_id:
            id_begin, id_end = start, at
        elif field == layout.rows:
            begin, count = start, 0
            for byte in range(start, at):
                count += content[byte] < 128
    for step in range(len(module_ends)):
        place = (expected + step) % len(module_ends)
        own = module_ends[place - 1] if place else 0
        if is_same(content, id_begin, id_end, module_ids, own, module_ends[place]):
            row_begin[place], length[place] = begin, count
            return place + 1
    return expected


@compiled
def read_facts(
    content: Array,
    at: int,
    end: int,
    kinds: Array,
    values: Array,
    first: Array,
    last: Array,
    text_count: Array,
) -> None:
    """Reads the facts that lie from one place of an answer to another: numbers, and where texts are."""
    count = values.shape[1]
    while at < end:
        column, begin, at = piece(content, at)
        kind = kinds[column] if 0 < column < len(kinds) else _OTHER
        if kind == _TEXT:
            place = text_count[column]
            if place < count:
                first[column, place], last[column, place] = begin, at
                text_count[column] += 1
        elif kind == _WHOLE:
            place = 0
            while begin < at and place < count:
                values[column, place], begin = varint(content, begin)
                place += 1
        elif kind == _FRACTION:
            fractions = content[begin:at].view(np.float32)[:count]
            values[column, : len(fractions)] = fractions


@compiled
def numbered(content: Array, kinds: Array, first: Array, last: Array) -> tuple[Array, Array]:
    """(T, N) a number per text of each column, and the texts by digest, as `numbers_of` reads them.

    Args:
        first, last: (T, N) where each text begins and ends; changed in place to where each number's does.
    """
    count = first.shape[1]
    numbers = np.full(first.shape, NOBODY)
    size = 2
    while size < 2 * count * (kinds == _TEXT).sum():
        size *= 2
    # By the digest of a text, N x its column + its number; what collides moves on by one, and half is free.
    table = np.full(size, -1, np.int32)
    for column in range(len(numbers)):
        if kinds[column] != _TEXT:
            continue
        own, distinct_count = column * count, 0
        for place in range(count):
            begin, end = first[column, place], last[column, place]
            if begin == end and column != ITEM:
                continue
            slot = digest(content, begin, end, column) & (size - 1)
            while table[slot] >= 0:
                number = table[slot] - own
                is_own = 0 <= number < count
                if is_own and is_same(
                    content, begin, end, content, first[column, number], last[column, number]
                ):
                    break
                slot = (slot + 1) & (size - 1)
            if table[slot] < 0:
                number = place if column == ITEM else distinct_count
                table[slot] = own + number
                first[column, number], last[column, number] = begin, end
                distinct_count += 1
            numbers[column, place] = table[slot] - own
    return numbers, table


@compiled
def numbers_of(
    content: Array, table: Array, first: Array, last: Array, wanted: Array, ends: Array, columns: Array
) -> Array:
    """(W,) the number of each text in its column, as `candidates` gave them.

    Args:
        content: of the answer. table, first, last: what `candidates` found in it.
        wanted: the bytes of all texts. ends: (W,) where each ends there. columns: (W,)
    """
    count = first.shape[1]
    found = np.full(len(ends), ABSENT)
    begin = 0
    for place in range(len(ends)):
        end, column = ends[place], columns[place]
        if begin == end:
            found[place] = NOBODY
        slot = digest(wanted, begin, end, column) & (len(table) - 1)
        while begin < end and table[slot] >= 0:
            number = table[slot] - column * count
            if 0 <= number < count and is_same(
                wanted, begin, end, content, first[column, number], last[column, number]
            ):
                found[place] = number
                break
            slot = (slot + 1) & (len(table) - 1)
        begin = end
    return found


def warm_up() -> None:
    """Compiles all of it."""
    message = feature_pb2.GatherPageResponse(item_ids=["i"], modules=[feature_pb2.ModuleCandidates(rows=[0])])
    message.item_facts.brand.append("oak")
    Candidates(message, texts_of([("item", "m")])).numbers_of(texts_of([("brand", "oak")]))
