"""How are many messages signed that begin alike? Keyed BLAKE2b (RFC 7693), compiled.

It is what hashlib has, which makes three objects for each message and takes three times as long for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from services.common.compiled import compiled
from services.layout.columns import Array

BLOCK_BYTES = 128
_WORD_BYTES = 8
_IV = np.array(
    [
        0x6A09E667F3BCC908,
        0xBB67AE8584CAA73B,
        0x3C6EF372FE94F82B,
        0xA54FF53A5F1D36F1,
        0x510E527FADE682D1,
        0x9B05688C2B3E6C1F,
        0x1F83D9ABFB41BD6B,
        0x5BE0CD19137E2179,
    ],
    np.uint64,
)
_SIGMA = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ],
    np.uint64,  # without a sign, so that no index is taken for one from the end
)
_ROUND_COUNT = 12


def begun(key: bytes, purpose: bytes, size: int) -> Array:
    """(8,) uint64 the state in which messages of a byte at least begin that are signed with a key.

    Args:
        key: 1 to 64 bytes. purpose: the personalisation, up to 16 bytes. size: bytes of a signature, 1 to 64.
    """
    parameters = np.zeros(64, np.uint8)
    parameters[:4] = size, len(key), 1, 1
    parameters[48 : 48 + len(purpose)] = np.frombuffer(purpose, np.uint8)
    state: Array = _IV ^ parameters.view(np.uint64)
    block = np.zeros(BLOCK_BYTES, np.uint8)
    block[: len(key)] = np.frombuffer(key, np.uint8)
    absorb(state, block.view(np.uint64), 0, BLOCK_BYTES, False)
    return state


@compiled
def mixed(a: Any, b: Any, c: Any, d: Any, one: Any, other: Any) -> tuple[Any, Any, Any, Any]:
    """Four words of the state with two of the message: G of RFC 7693, section 3.1."""
    a = a + b + one
    d = turned(d ^ a, 32)
    c = c + d
    b = turned(b ^ c, 24)
    a = a + b + other
    d = turned(d ^ a, 16)
    c = c + d
    b = turned(b ^ c, 63)
    return a, b, c, d


@compiled
def turned(word: Any, by: int) -> Any:
    """A word with its bits moved right, those that fall out coming in on the left."""
    return word >> np.uint64(by) | word << np.uint64(64 - by)


@compiled
def absorb(state: Array, words: Array, first: int, count: int, is_last: bool) -> None:
    """Takes a block into the state: F of RFC 7693, section 3.2.

    Args:
        words: uint64 of which the block is 16, from the first; 0 behind the end of the last block.
        count: bytes so far, those of the block and of the key's among them.
    """
    h, iv, at = state, _IV, np.uint64(first)
    a0, a1, a2, a3, b0, b1, b2, b3 = h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
    c0, c1, c2, c3, d0, d1, d2, d3 = iv[0], iv[1], iv[2], iv[3], iv[4], iv[5], iv[6], iv[7]
    d0 ^= np.uint64(count)
    if is_last:
        d2 = ~d2
    for turn in range(_ROUND_COUNT):
        s = _SIGMA[turn % len(_SIGMA)]
        a0, b0, c0, d0 = mixed(a0, b0, c0, d0, words[at + s[0]], words[at + s[1]])
        a1, b1, c1, d1 = mixed(a1, b1, c1, d1, words[at + s[2]], words[at + s[3]])
        a2, b2, c2, d2 = mixed(a2, b2, c2, d2, words[at + s[4]], words[at + s[5]])
        a3, b3, c3, d3 = mixed(a3, b3, c3, d3, words[at + s[6]], words[at + s[7]])
        a0, b1, c2, d3 = mixed(a0, b1, c2, d3, words[at + s[8]], words[at + s[9]])
        a1, b2, c3, d0 = mixed(a1, b2, c3, d0, words[at + s[10]], words[at + s[11]])
        a2, b3, c0, d1 = mixed(a2, b3, c0, d1, words[at + s[12]], words[at + s[13]])
        a3, b0, c1, d2 = mixed(a3, b0, c1, d2, words[at + s[14]], words[at + s[15]])
    h[0] ^= a0 ^ c0
    h[1] ^= a1 ^ c1
    h[2] ^= a2 ^ c2
    h[3] ^= a3 ^ c3
    h[4] ^= b0 ^ d0
    h[5] ^= b1 ^ d1
    h[6] ^= b2 ^ d2
    h[7] ^= b3 ^ d3


@compiled
def absorb_all(state: Array, words: Array, begin: int, at: int, end: int, is_last: bool) -> int:
    """Takes a message into the state, as far as another block follows, or to its end.

    Args:
        words: uint64 of which the message has those from `begin` on; at its end 0 up to a whole block.
        at, end: bytes of the message that were taken before, and that it has.
        is_last: True where nothing follows.

    Returns:
        The bytes that were taken.
    """
    while end - at > BLOCK_BYTES:
        at += BLOCK_BYTES
        absorb(state, words, begin + (at - BLOCK_BYTES) // _WORD_BYTES, BLOCK_BYTES + at, False)
    if is_last:
        absorb(state, words, begin + at // _WORD_BYTES, BLOCK_BYTES + end, True)
    return at
