"""Is the compiled BLAKE2b that of hashlib?"""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.layout import blake2


def signature(key, purpose, size, content, stem_size=0):
    """Of a message, taken at once or after a stem that was taken before."""
    padded = content + bytes(-len(content) % blake2.BLOCK_BYTES)
    words, state = np.frombuffer(padded, np.uint64), blake2.begun(key, purpose, size)
    taken = blake2.absorb_all(state, words, 0, 0, stem_size, False)
    assert taken <= stem_size
    assert blake2.absorb_all(state, words, 0, taken, len(content), True) <= len(content)
    return state.tobytes()[:size]


@settings(deadline=None)  # the first one compiles
@given(
    st.binary(min_size=1, max_size=64),
    st.binary(max_size=16),
    st.integers(1, 64),
    st.binary(min_size=1, max_size=400) | st.sampled_from([127, 128, 129, 256, 257]).map(bytes),
    st.floats(0, 1),
)
def test_signatures_are_those_of_the_library(key, purpose, size, content, share):
    wanted = hashlib.blake2b(content, digest_size=size, key=key, person=purpose).digest()
    assert signature(key, purpose, size, content) == wanted
    assert signature(key, purpose, size, content, int(share * len(content))) == wanted


def test_the_example_of_the_rfc():
    # RFC 7693, appendix A: BLAKE2b-512("abc"), without a key.
    state = blake2._IV.copy()
    state[0] ^= np.uint64(0x01010000 ^ 64)
    words = np.frombuffer(b"abc" + bytes(125), np.uint64)
    blake2.absorb(state, words, 0, 3, True)
    assert (
        state.tobytes().hex().startswith("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1")
    )
