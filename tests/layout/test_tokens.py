"""Is a token taken as it was handed out, and in no other spelling?"""

from __future__ import annotations

import pytest

from planogram.layout.v1 import token_pb2
from services.common.errors import InvalidRequest
from services.layout.tokens import Signer

SIGNER = Signer(b"a secret of enough bytes")


def opened(text: str) -> token_pb2.TrackingToken:
    return SIGNER.open("track", text, token_pb2.TrackingToken, "tracking_token", 10.0, 60.0)


@pytest.mark.parametrize("length", range(4))  # whose last letters hold bits that say nothing
def test_a_token_has_one_spelling(length: int) -> None:
    content = token_pb2.TrackingToken(item_id="x" * length, issued_unix_s=9)
    token = SIGNER.sign("track", content.SerializeToString())
    assert opened(token) == content
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [
        *(token[:place] + "!" + token[place:] for place in range(len(token) + 1)),
        *(token[:-1] + letter for letter in letters if letter != token[-1]),
        *(token + end for end in ("=", "==", "\n", " ", "A")),
        *(token[:end] for end in range(len(token))),
        token.replace("-", "+").replace("_", "/") + "=",
    ]
    for other in others:
        with pytest.raises(InvalidRequest, match="as it was handed out"):
            opened(other)
