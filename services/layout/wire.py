"""How do the longest parts of pages and of plan requests look as bytes?

Of a page that is the tokens and items of its slots, of a request the rows of its modules: each is written in
one pass (https://protobuf.dev/programming-guides/encoding). Signatures are the library's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice, pairwise
from typing import NamedTuple

import numpy as np

from planogram.layout.v1 import layout_pb2, token_pb2
from planogram.policy.v1 import policy_pb2
from services.common.compiled import compiled
from services.layout.columns import Array
from services.layout.rules.order import Shelves
from services.layout.tokens import SIGNATURE_BYTES, Stem

_NUMBER, _LENGTH_AHEAD = 0, 2
_SLOT, _ITEM = layout_pb2.Slot.DESCRIPTOR.fields_by_name, layout_pb2.Item.DESCRIPTOR.fields_by_name
_TOKEN = token_pb2.TrackingToken.DESCRIPTOR.fields_by_name
_SLOT_TOKEN = _SLOT["tracking_token"].number << 3 | _LENGTH_AHEAD
_SLOT_ITEM = _SLOT["items"].number << 3 | _LENGTH_AHEAD
_ITEM_TOKEN = _ITEM["tracking_token"].number << 3 | _LENGTH_AHEAD
_ITEM_ID = _ITEM["item_id"].number << 3 | _LENGTH_AHEAD
_ITEM_CHARGE = _ITEM["charge_micros"].number << 3 | _NUMBER
_TOKEN_ID = _TOKEN["item_id"].number << 3 | _LENGTH_AHEAD
_TOKEN_CHARGE = _TOKEN["charge_micros"].number << 3 | _NUMBER
_MODULE = policy_pb2.PlanPageRequest.DESCRIPTOR.fields_by_name["modules"].number << 3 | _LENGTH_AHEAD
_ROWS = policy_pb2.Module.DESCRIPTOR.fields_by_name["rows"].number << 3 | _LENGTH_AHEAD
_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8)
"""Of URL-safe base64, RFC 4648."""
_LARGEST_FRAME = 16
"""Bytes of tags and lengths around a token or module: two tags of up to three, two lengths of up to five."""
_LARGEST_ITEM = 21
"""Bytes around an item's id: two tags of up to three, a length of up to five, a number of up to ten."""


class Signable(NamedTuple):
    """A slot's token and items before they are signed.

    stem: what all its tokens begin with. item_ids: of its items. charges_micros: of each, from 0.
    """

    stem: Stem
    item_ids: Sequence[str]
    charges_micros: Sequence[int]


def signed(slots: Sequence[Signable]) -> list[bytes]:
    """Of each slot, the bytes of a Slot that holds its token and its items with theirs."""
    ids = pieces([item_id.encode() for _, item_ids, _ in slots for item_id in item_ids])
    charges = np.fromiter(chain.from_iterable(own for _, _, own in slots), np.int64, len(ids.sizes))
    counts = np.array([len(item_ids) for _, item_ids, _ in slots], np.int64)
    rests, rest_ends = endings(*ids, charges, counts)
    endings_of = iter(parted(rests, rest_ends))
    signatures = [
        signature
        for stem, item_ids, _ in slots
        for signature in stem.sign(islice(endings_of, 1 + len(item_ids)))
    ]
    return parted(
        *written(
            np.frombuffer(b"".join(signatures), np.uint8),
            *pieces([stem.content for stem, _, _ in slots]),
            rests,
            rest_ends,
            *ids,
            charges,
            counts,
        )
    )


class Pieces(NamedTuple):
    """Many contents: the bytes of all, one after the other, and int64 how many each has."""

    content: Array
    sizes: Array


def pieces(contents: Sequence[bytes]) -> Pieces:
    """Contents, joined."""
    sizes = np.fromiter(map(len, contents), np.int64, len(contents))
    return Pieces(np.frombuffer(b"".join(contents), np.uint8), sizes)


def parted(content: Array, ends: Array) -> list[bytes]:
    """What lies one after the other, each by itself.

    Args:
        ends: where each ends.
    """
    whole = content.tobytes()
    return [whole[begin:end] for begin, end in pairwise((0, *ends.tolist()))]


def modules(plain: Pieces, rows: Shelves) -> bytes:
    """The bytes of a PlanPageRequest that holds M modules with their rows.

    Args:
        plain: the bytes of each Module without rows.
    """
    content: bytes = with_rows(*plain, *rows).tobytes()
    return content


@compiled
def put_number(out: Array, at: int, value: int) -> int:
    """Writes a whole number of seven bits a byte, the lowest first; where the next thing begins."""
    while value >= 128:
        out[at] = value & 127 | 128
        value >>= 7
        at += 1
    out[at] = value
    return at + 1


@compiled
def put_text(out: Array, at: int, content: Array, begin: int, end: int) -> int:
    """Writes bytes as base64 without padding; where the next thing begins."""
    while begin + 3 <= end:
        bits = int(content[begin]) << 16 | int(content[begin + 1]) << 8 | int(content[begin + 2])
        for place in range(4):
            out[at + place] = _ALPHABET[bits >> 18 - 6 * place & 63]
        begin, at = begin + 3, at + 4
    if begin < end:
        left = end - begin
        bits = int(content[begin]) << 16
        if left == 2:
            bits |= int(content[begin + 1]) << 8
        for place in range(left + 1):
            out[at + place] = _ALPHABET[bits >> 18 - 6 * place & 63]
        at += left + 1
    return at


@compiled
def number_size(value: int) -> int:
    """Bytes that `put_number` writes."""
    size = 1
    while value >= 128:
        value >>= 7
        size += 1
    return size


@compiled
def put_item(
    out: Array, at: int, id_tag: int, charge_tag: int, ids: Array, begin: int, end: int, charge: int
) -> int:
    """Writes an item's id and charge, without what is empty or 0; where the next thing begins.

    Args:
        id_tag, charge_tag: tags of the two in the message that they stand in.
    """
    if end > begin:
        at = put_number(out, at, id_tag)
        at = put_number(out, at, end - begin)
        out[at : at + end - begin] = ids[begin:end]
        at += end - begin
    if charge > 0:
        at = put_number(out, at, charge_tag)
        at = put_number(out, at, charge)
    return at


@compiled
def endings(ids: Array, id_sizes: Array, charges: Array, item_counts: Array) -> tuple[Array, Array]:
    """How the tokens of S slots end, of each slot its own token, whose ending is empty, ahead of its items.

    Args:
        ids: bytes of the ids of N items, one after the other. id_sizes, charges: (N,) item_counts: (S,)

    Returns:
        The bytes of T = S + N endings, one after the other, and (T,) where each ends.
    """
    out = np.empty(len(ids) + _LARGEST_ITEM * len(id_sizes), np.uint8)
    ends = np.empty(len(item_counts) + len(id_sizes), np.int64)
    at = token = item = id_begin = 0
    for slot in range(len(item_counts)):
        ends[token] = at
        token += 1
        for _ in range(item_counts[slot]):
            id_end = id_begin + id_sizes[item]
            at = put_item(out, at, _TOKEN_ID, _TOKEN_CHARGE, ids, id_begin, id_end, charges[item])
            ends[token] = at
            id_begin = id_end
            item, token = item + 1, token + 1
    return out[:at], ends


@compiled
def written(
    signatures: Array,
    stems: Array,
    stem_sizes: Array,
    rests: Array,
    rest_ends: Array,
    ids: Array,
    id_sizes: Array,
    charges: Array,
    item_counts: Array,
) -> tuple[Array, Array]:
    """The tokens and items of S slots with T tokens, of each slot its own token ahead of its items.

    Args:
        signatures: (16 T,) bytes. stems: bytes, one after the other. stem_sizes: (S,) how many each has.
        rests, rest_ends: what `endings` gave. ids, id_sizes, charges, item_counts: as it takes them.

    Returns:
        The bytes of all slots, and (S,) where each ends.
    """
    largest = SIGNATURE_BYTES + (stem_sizes.max() if len(stem_sizes) else 0)
    largest += _LARGEST_ITEM + (id_sizes.max() if len(id_sizes) else 0)
    room = len(ids) + len(rest_ends) * (4 * (largest // 3 + 1) + _LARGEST_FRAME + _LARGEST_ITEM)
    out = np.empty(room, np.uint8)
    content, shared = np.empty(largest, np.uint8), np.empty(4 * (largest // 3 + 1), np.uint8)
    fields = np.empty(largest, np.uint8)
    ends = np.empty(len(item_counts), np.int64)
    at = token = item = stem_begin = rest_begin = id_begin = 0
    for slot in range(len(item_counts)):
        stem_end = SIGNATURE_BYTES + stem_sizes[slot]
        content[SIGNATURE_BYTES:stem_end] = stems[stem_begin : stem_begin + stem_sizes[slot]]
        stem_begin += stem_sizes[slot]
        # Three bytes are four letters: those that a stem alone makes up are the same in all its tokens.
        last = stem_end - stem_end % 3
        first = min(SIGNATURE_BYTES + 2, last)
        shared_size = put_text(shared, 0, content, first, last)
        for own in range(1 + item_counts[slot]):
            rest_end = rest_ends[token]
            size = stem_end + rest_end - rest_begin
            content[:SIGNATURE_BYTES] = signatures[token * SIGNATURE_BYTES : (token + 1) * SIGNATURE_BYTES]
            content[stem_end:size] = rests[rest_begin:rest_end]
            text_size = (4 * size + 2) // 3
            if own == 0:
                at = put_number(out, at, _SLOT_TOKEN)
            else:
                id_end = id_begin + id_sizes[item]
                filled = put_item(fields, 0, _ITEM_ID, _ITEM_CHARGE, ids, id_begin, id_end, charges[item])
                at = put_number(out, at, _SLOT_ITEM)
                at = put_number(out, at, filled + 1 + number_size(text_size) + text_size)
                out[at : at + filled] = fields[:filled]
                at = put_number(out, at + filled, _ITEM_TOKEN)
                id_begin = id_end
                item += 1
            at = put_number(out, at, text_size)
            at = put_text(out, at, content, 0, first)
            out[at : at + shared_size] = shared[:shared_size]
            at = put_text(out, at + shared_size, content, last, size)
            rest_begin = rest_end
            token += 1
        ends[slot] = at
    return out[:at], ends


@compiled
def with_rows(plain: Array, sizes: Array, rows: Array, length: Array) -> Array:
    """The bytes of M modules with their rows.

    Args:
        plain: bytes of the modules without rows, one after the other. sizes: (M,) how many each has.
        rows: (M, R) of which each module has the first `length`, (M,).
    """
    packed = np.zeros(len(sizes), np.int64)
    total = 0
    for module in range(len(sizes)):
        for place in range(length[module]):
            packed[module] += number_size(rows[module, place])
        total += sizes[module] + packed[module] + _LARGEST_FRAME
    out = np.empty(total, np.uint8)
    at = begin = 0
    for module in range(len(sizes)):
        own = number_size(_ROWS) + number_size(packed[module]) + packed[module] if packed[module] else 0
        at = put_number(out, at, _MODULE)
        at = put_number(out, at, sizes[module] + own)
        out[at : at + sizes[module]] = plain[begin : begin + sizes[module]]
        begin, at = begin + sizes[module], at + sizes[module]
        if own:
            at = put_number(out, at, _ROWS)
            at = put_number(out, at, packed[module])
            for place in range(length[module]):
                at = put_number(out, at, rows[module, place])
    return out[:at]


def warm_up() -> None:
    """Compiles all of it."""
    stem = Stem(b"key", "warm", b"content")
    signed([Signable(stem, ["a"], [1])])
    modules(pieces([b"content"]), Shelves(np.zeros((1, 1), np.int64), np.ones(1, np.int64)))
