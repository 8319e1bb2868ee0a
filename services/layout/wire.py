"""How do the longest parts of pages and of plan requests look as bytes?

Of a page that is its slots with their tokens and items, of a request the rows of its modules: each is written
in one pass (https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from struct import Struct
from typing import NamedTuple

import numpy as np

from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2, token_pb2
from planogram.policy.v1 import policy_pb2
from services.common.compiled import compiled
from services.layout import blake2
from services.layout.blake2 import BLOCK_BYTES, absorb_all
from services.layout.columns import ITEM, Array, Candidates
from services.layout.rules.order import Shelves
from services.layout.tokens import SIGNATURE_BYTES

_NUMBER, _FIXED_64, _LENGTH_AHEAD = range(3)
_DOUBLE = Struct("<Bd")
_PAGE_SLOT = layout_pb2.Page.DESCRIPTOR.fields_by_name["slots"].number << 3 | _LENGTH_AHEAD
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
_GROUP_LIMIT = (
    policy_pb2.PlanPageRequest.DESCRIPTOR.fields_by_name["group_limits"].number << 3 | _LENGTH_AHEAD
)
_GROUP = policy_pb2.GroupLimit.DESCRIPTOR.fields_by_name
_GROUP_ID, _GROUP_MOST = (_GROUP[name].number << 3 | _NUMBER for name in ("group_id", "max_item_count"))
_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8)
"""Of URL-safe base64, RFC 4648."""
_MESSAGE = SIGNATURE_BYTES // 8
"""The word at which what is signed begins in a token."""
_LARGEST_FRAME = 16
"""Bytes of tags and lengths around a token or module: two tags of up to three, two lengths of up to five."""
_LARGEST_ITEM = 21
"""Bytes around an item's id: two tags of up to three, a length of up to five, a number of up to ten."""


class Signable(NamedTuple):
    """A slot before its tokens are signed.

    plain: the bytes of the Slot without token and items. stem: those that all its tokens begin with.
    rows: of its items. charges_micros: of each, from 0.
    """

    plain: bytes
    stem: bytes
    rows: Sequence[int]
    charges_micros: Sequence[int]


def slots(signable: Sequence[Signable], begun: Array, candidates: Candidates) -> bytes:
    """The bytes of a Page that holds slots with their tokens, and their items with theirs.

    Args:
        begun: the state in which signatures begin, as `blake2.begun` gives it. candidates: by row.
    """
    counts = np.array([len(slot.rows) for slot in signable], np.int64)
    rows = np.fromiter(chain.from_iterable([slot.rows for slot in signable]), np.int64)
    charges = np.fromiter(chain.from_iterable([slot.charges_micros for slot in signable]), np.int64)
    plain = pieces([slot.plain for slot in signable])
    stems = pieces([slot.stem for slot in signable])
    content: bytes = written(
        *plain,
        *stems,
        begun,
        counts,
        rows,
        charges,
        candidates.content,
        candidates.begin[ITEM],
        candidates.end[ITEM],
    ).tobytes()
    return content


def double(field: int, value: float) -> bytes:
    """The field of a number below 16 with a double; nothing of 0, as protobuf leaves that out."""
    return _DOUBLE.pack(field << 3 | _FIXED_64, value) if value else b""


class Pieces(NamedTuple):
    """Many contents: the bytes of all, one after the other, and int64 how many each has."""

    content: Array
    sizes: Array


def pieces(contents: Sequence[bytes]) -> Pieces:
    """Contents, joined."""
    sizes = np.fromiter(map(len, contents), np.int64, len(contents))
    return Pieces(np.frombuffer(b"".join(contents), np.uint8), sizes)


def group_limits(most: Array) -> bytes:
    """The bytes of a PlanPageRequest that holds the limits of G groups of items.

    Args:
        most: (G,) items of each; negative where there is no limit.
    """
    content: bytes = group_limits_of(most).tobytes()
    return content


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
        at = put_bytes(out, at, ids, begin, end)
    if charge > 0:
        at = put_number(out, at, charge_tag)
        at = put_number(out, at, charge)
    return at


@compiled
def item_size(id_tag: int, charge_tag: int, id_size: int, charge: int) -> int:
    """Bytes that `put_item` writes."""
    size = 0
    if id_size > 0:
        size += number_size(id_tag) + number_size(id_size) + id_size
    if charge > 0:
        size += number_size(charge_tag) + number_size(charge)
    return size


@compiled
def text_size(size: int) -> int:
    """Letters that `put_text` writes of so many bytes."""
    return (4 * size + 2) // 3


@compiled
def written(
    plain: Array,
    plain_sizes: Array,
    stems: Array,
    stem_sizes: Array,
    begun: Array,
    counts: Array,
    rows: Array,
    charges: Array,
    ids: Array,
    id_begin: Array,
    id_end: Array,
) -> Array:
    """The bytes of a Page with S slots that hold T items.

    Args:
        plain, plain_sizes: what each slot holds beside its token and items, one after the other; (S,).
        stems, stem_sizes: what its tokens begin with, in the same way. begun: (8,) uint64 state.
        counts: (S,) items of each slot. rows, charges: (T,) of the items.
        ids: the bytes that those of N items lie in. id_begin, id_end: (N,) where.
    """
    room, largest, item = len(plain) + _LARGEST_FRAME * len(counts), 0, 0
    for slot in range(len(counts)):
        room += text_size(SIGNATURE_BYTES + stem_sizes[slot]) + _LARGEST_FRAME
        for _ in range(counts[slot]):
            own = id_end[rows[item]] - id_begin[rows[item]] + _LARGEST_ITEM
            largest = max(largest, own)
            room += own + text_size(SIGNATURE_BYTES + stem_sizes[slot] + own) + _LARGEST_FRAME
            item += 1
    out = np.empty(room, np.uint8)
    # A token's signature and what it signs, with room for the last block.
    largest += SIGNATURE_BYTES + (stem_sizes.max() if len(stem_sizes) else 0) + BLOCK_BYTES
    token = np.zeros((largest + 7) // 8 * 8, np.uint8)
    words, shared = token.view(np.uint64), np.empty(text_size(len(token)), np.uint8)
    of_stem, state = begun.copy(), begun.copy()
    at = first_item = plain_begin = stem_begin = 0
    for slot in range(len(counts)):
        stem_end = SIGNATURE_BYTES + stem_sizes[slot]
        put_bytes(token, SIGNATURE_BYTES, stems, stem_begin, stem_begin + stem_sizes[slot])
        stem_begin += stem_sizes[slot]
        end_item = first_item + counts[slot]
        own_size = text_size(stem_end)
        size = plain_sizes[slot] + number_size(_SLOT_TOKEN) + number_size(own_size) + own_size
        for item in range(first_item, end_item):
            whole = framed_size(stem_end, id_end[rows[item]] - id_begin[rows[item]], charges[item])
            size += number_size(_SLOT_ITEM) + number_size(whole) + whole
        at = put_number(out, at, _PAGE_SLOT)
        at = put_number(out, at, size)
        at = put_bytes(out, at, plain, plain_begin, plain_begin + plain_sizes[slot])
        plain_begin += plain_sizes[slot]
        of_stem[:] = begun
        taken = absorb_all(of_stem, words, _MESSAGE, 0, stem_sizes[slot], False)
        # Three bytes are four letters: those that a stem alone makes up are the same in all its tokens.
        last = stem_end - stem_end % 3
        first = min(SIGNATURE_BYTES + 2, last)
        shared_size = put_text(shared, 0, token, first, last)
        at = put_number(out, at, _SLOT_TOKEN)
        at = put_number(out, at, own_size)
        token[stem_end:] = 0
        filled = stem_end
        sign(words, of_stem, taken, stem_sizes[slot], state)
        at = put_token(out, at, token, stem_end, shared, shared_size, first, last)
        for item in range(first_item, end_item):
            begin, end, charge = id_begin[rows[item]], id_end[rows[item]], charges[item]
            at = put_number(out, at, _SLOT_ITEM)
            at = put_number(out, at, framed_size(stem_end, end - begin, charge))
            at = put_item(out, at, _ITEM_ID, _ITEM_CHARGE, ids, begin, end, charge)
            token_end = put_item(token, stem_end, _TOKEN_ID, _TOKEN_CHARGE, ids, begin, end, charge)
            for place in range(token_end, filled):
                token[place] = 0
            filled = token_end
            at = put_number(out, at, _ITEM_TOKEN)
            at = put_number(out, at, text_size(token_end))
            sign(words, of_stem, taken, token_end - SIGNATURE_BYTES, state)
            at = put_token(out, at, token, token_end, shared, shared_size, first, last)
        first_item = end_item
    return out[:at]


@compiled
def framed_size(stem_end: int, id_size: int, charge: int) -> int:
    """Bytes of an Item with its token, whose signature and stem end where `stem_end` says."""
    text = text_size(stem_end + item_size(_TOKEN_ID, _TOKEN_CHARGE, id_size, charge))
    frame = number_size(_ITEM_TOKEN) + number_size(text)
    return item_size(_ITEM_ID, _ITEM_CHARGE, id_size, charge) + frame + text


@compiled
def sign(words: Array, begun: Array, taken: int, size: int, state: Array) -> None:
    """Puts the signature ahead of what a token holds.

    Args:
        words: uint64 of the token. size: bytes that are signed.
        begun: (8,) uint64 state after those of them that were taken. state: (8,) uint64, written over.
    """
    for word in range(len(state)):
        state[word] = begun[word]
    absorb_all(state, words, _MESSAGE, taken, size, True)
    for word in range(_MESSAGE):
        words[word] = state[word]


@compiled
def put_token(
    out: Array, at: int, token: Array, end: int, shared: Array, shared_size: int, first: int, last: int
) -> int:
    """Writes a token as text; where the next thing begins.

    Args:
        shared: the text of its bytes from `first` to `last`, which it has in common with others.
    """
    at = put_text(out, at, token, 0, first)
    at = put_bytes(out, at, shared, 0, shared_size)
    return put_text(out, at, token, last, end)


@compiled
def put_bytes(out: Array, at: int, content: Array, begin: int, end: int) -> int:
    """Writes bytes; where the next thing begins. A loop, since numba counts who holds each slice."""
    for place in range(end - begin):
        out[at + place] = content[begin + place]
    return at + end - begin


@compiled
def group_limits_of(most: Array) -> Array:
    """The bytes of a PlanPageRequest with the limits of G groups.

    Args:
        most: (G,) items of each; negative where there is no limit.
    """
    out = np.empty(_LARGEST_ITEM * len(most), np.uint8)
    at = 0
    for group in range(len(most)):
        if most[group] < 0:
            continue
        size = (
            number_size(_GROUP_ID) + number_size(group) + number_size(_GROUP_MOST) + number_size(most[group])
        )
        at = put_number(out, at, _GROUP_LIMIT)
        at = put_number(out, at, size)
        at = put_number(out, at, _GROUP_ID)
        at = put_number(out, at, group)
        at = put_number(out, at, _GROUP_MOST)
        at = put_number(out, at, most[group])
    return out[:at]


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
    candidates = Candidates(feature_pb2.GatherPageResponse(item_ids=["a"]))
    begun = blake2.begun(b"key", b"warm", SIGNATURE_BYTES)
    slots([Signable(b"", b"content", [0], [1])], begun, candidates)
    group_limits(np.ones(1, np.int64))
    modules(pieces([b"content"]), Shelves(np.zeros((1, 1), np.int64), np.ones(1, np.int64)))
