"""How do the longest parts of plan requests and answers look as bytes?

A request lists hundreds of rows in dozens of modules, an answer hundreds of choices: to hand a message each
of them costs more than to read or write them all in one compiled pass. What is left of modules, slots and
limits without rows and relevance is the same for all pages of a blueprint, byte for byte.

Symbols: M modules, R rows of the longest module, A actions, a feasible actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planogram.common.v1 import choices_pb2
from planogram.policy.v1 import policy_pb2
from services.common.compiled import compiled

Array = np.ndarray[Any, Any]

_VARINT, _FIXED64, _DELIMITED, _GROUP, _GROUP_END, _FIXED32 = range(6)
"""Ways to write a field, in the lowest three bits of its tag."""
_PAGE_FIELDS = policy_pb2.PlanPageRequest.DESCRIPTOR.fields_by_name
_MODULE_FIELDS = policy_pb2.Module.DESCRIPTOR.fields_by_name
_MODULES = _PAGE_FIELDS["modules"].number << 3 | _DELIMITED
_SLOTS = _PAGE_FIELDS["slots"].number << 3 | _DELIMITED
_LIMITS = _PAGE_FIELDS["module_limits"].number << 3 | _DELIMITED
_ROWS = _MODULE_FIELDS["rows"].number << 3 | _DELIMITED
_RELEVANCE = _MODULE_FIELDS["relevance"].number << 3 | _FIXED32
_DECISION_FIELDS = policy_pb2.SlotDecision.DESCRIPTOR.fields_by_name
_SHOWN, _FEASIBLE, _MASKED = (
    _DECISION_FIELDS[name].number << 3 | _DELIMITED for name in ("rows", "feasible", "masked")
)
_FEASIBLE_FIELDS = choices_pb2.FeasibleChoices.DESCRIPTOR.fields_by_name
_MODULE, _TEMPLATE, _PROPENSITY, _VALUE = (
    _FEASIBLE_FIELDS[name].number << 3 | _DELIMITED
    for name in ("module_index", "template_index", "propensity", "q_value")
)
_MASKED_FIELDS = policy_pb2.MaskedModules.DESCRIPTOR.fields_by_name
_MASKED_MODULE, _REASON = (
    _MASKED_FIELDS[name].number << 3 | _DELIMITED for name in ("module_index", "reason")
)
_NEXT = 0
"""Begins an entry of a blueprint: the tag of no field."""
_LONGEST = 10
"""Bytes of a varint."""
_ONE = np.float32(1).view(np.uint32)


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of one page, and what they have in common with those of other pages.

    Attributes:
        blueprint: modules without rows and relevance, slots and limits; equal for pages that differ in
            nothing else.
        rows: (M, R) items of each module, best first; 0 beyond its end; not checked. All 0 for modules that
            have more than were asked for.
        length: (M,) how many items each module has.
        relevance: (M, 2) float32, whether each module is an answer, and its relevance; 0 of others; not
            checked.
    """

    blueprint: bytes
    rows: Array
    length: Array
    relevance: Array


def modules_of(request: policy_pb2.PlanPageRequest, most_rows: int) -> Modules:
    """The modules of a request.

    Args:
        most_rows: R at most; the caller refuses modules that have more.
    """
    data = np.frombuffer(request.SerializeToString(), np.uint8)
    blueprint, rows, length, relevance = _read(data, most_rows)
    return Modules(blueprint.tobytes(), rows, length, relevance)


def columns_of(
    rows: Array,
    feasible: Array,
    module: Array,
    template: Array,
    propensities: Array,
    values: Array,
    reasons: Array,
) -> bytes:
    """The columns of a SlotDecision alone: rows, feasible and masked.

    Args:
        rows: items shown.
        feasible, propensities, values: (a,); module, template: (A,) indexes of each action's.
        reasons: (M,) why each module is not possible, 0 where it is.
    """
    return _written(rows, feasible, module, template, propensities, values, reasons).tobytes()


@compiled
def _read(data: Array, most_rows: int) -> tuple[Array, Array, Array, Array]:
    """Blueprint (bytes,), rows (M, R), length (M,) and relevance (M, 2) of a whole request (bytes,)."""
    module_count = _count(data, _MODULES)
    length = np.zeros(module_count, np.int64)
    bits = np.zeros((module_count, 2), np.uint32)  # of relevance
    kept, flat = np.empty(2 * len(data), np.uint8), np.empty(len(data), np.int64)
    kept_count = flat_count = at = 0
    module = -1
    while at < len(data):
        begin = at
        tag, at = _varint(data, at)
        at, end = _value(data, at, tag)
        if tag == _MODULES:
            module += 1
            kept[kept_count], kept[kept_count + 1] = _NEXT, tag
            kept_count += 2
            while at < end:
                begin = at
                tag, at = _varint(data, at)
                at, after = _value(data, at, tag)
                if tag == _ROWS:
                    while at < after:
                        flat[flat_count], at = _varint(data, at)
                        flat_count += 1
                        length[module] += 1
                elif tag == _RELEVANCE:
                    bits[module, 0] = _ONE
                    for place in range(4):
                        bits[module, 1] |= np.uint32(data[at + place]) << np.uint32(8 * place)
                else:
                    kept[kept_count : kept_count + after - begin] = data[begin:after]
                    kept_count += after - begin
                at = after
        elif tag in (_SLOTS, _LIMITS):
            kept[kept_count] = _NEXT
            kept[kept_count + 1 : kept_count + 1 + end - begin] = data[begin:end]
            kept_count += 1 + end - begin
        at = end
    longest = min(length.max() if module_count else 0, most_rows)
    rows = np.zeros((module_count, max(longest, 1)), np.int64)
    start = 0
    for module in range(module_count):
        if length[module] <= longest:
            rows[module, : length[module]] = flat[start : start + length[module]]
        start += length[module]
    return kept[:kept_count], rows, length, bits.view(np.float32)


@compiled
def _count(data: Array, wanted: int) -> int:
    """How many fields of a message have a tag."""
    count = at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        _, at = _value(data, at, tag)
        count += tag == wanted
    return count


@compiled
def _value(data: Array, at: int, tag: int) -> tuple[int, int]:
    """Where the value behind a tag begins and ends; a group, which only newer callers write, with its end."""
    begin, depth = at, 0
    while True:
        way = tag & 7
        if way == _DELIMITED:
            size, at = _varint(data, at)
            if depth == 0:
                begin = at
            at += size
        elif way == _VARINT:
            at = _varint(data, at)[1]
        elif way == _GROUP:
            depth += 1
        elif way == _GROUP_END:
            depth -= 1
        else:
            at += 8 if way == _FIXED64 else 4
        if depth == 0:
            return begin, at
        tag, at = _varint(data, at)


@compiled
def _varint(data: Array, at: int) -> tuple[Any, int]:
    """The number that begins at a place, as a signed one of 64 bits, and where it ends."""
    number, shift = np.int64(0), 0
    while data[at] >= 128:
        number |= np.int64(data[at] & 127) << shift
        shift += 7
        at += 1
    return number | np.int64(data[at]) << shift, at + 1


@compiled
def _written(
    rows: Array,
    feasible: Array,
    module: Array,
    template: Array,
    propensities: Array,
    values: Array,
    reasons: Array,
) -> Array:
    """As `columns_of`, (bytes,)."""
    masked = np.flatnonzero(reasons)
    most = _LONGEST * (6 + len(rows) + 3 * len(feasible) + 2 * len(masked))
    out, inner = np.empty(2 * most, np.uint8), np.empty(most, np.uint8)
    end = _put_numbers(out, 0, _SHOWN, rows)
    size = _put_numbers(inner, 0, _MODULE, module[feasible])
    size = _put_numbers(inner, size, _TEMPLATE, template[feasible])
    size = _put_bytes(inner, size, _PROPENSITY, propensities.view(np.uint8))
    size = _put_bytes(inner, size, _VALUE, values.astype(np.float32).view(np.uint8))
    end = _put_bytes(out, end, _FEASIBLE, inner[:size])
    size = _put_numbers(inner, 0, _MASKED_MODULE, masked)
    size = _put_numbers(inner, size, _REASON, reasons[masked])
    end = _put_bytes(out, end, _MASKED, inner[:size])
    return out[:end]


@compiled
def _put_numbers(out: Array, at: int, tag: int, numbers: Array) -> int:
    """Writes a packed field of numbers, none below 0; returns where it ends."""
    if not len(numbers):
        return at
    size = 0
    for number in numbers:
        rest = number
        size += 1
        while rest >= 128:
            rest >>= 7
            size += 1
    at = _put(out, _put(out, at, tag), size)
    for number in numbers:
        at = _put(out, at, number)
    return at


@compiled
def _put_bytes(out: Array, at: int, tag: int, data: Array) -> int:
    """Writes a field of these bytes; returns where it ends."""
    at = _put(out, _put(out, at, tag), len(data))
    out[at : at + len(data)] = data
    return at + len(data)


@compiled
def _put(out: Array, at: int, number: int) -> int:
    """Writes a varint that is not below 0; returns where it ends."""
    while number >= 128:
        out[at] = number & 127 | 128
        number >>= 7
        at += 1
    out[at] = number
    return at + 1
