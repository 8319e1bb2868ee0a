"""How does layout recognise what it handed out: tracking tokens and cursors, and derive seeds?"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection
from functools import cached_property, lru_cache
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from planogram.layout.v1 import token_pb2
from services.common.errors import InvalidRequest
from services.layout import blake2
from services.layout.columns import Array

T = TypeVar("T", bound=Message)

SIGNATURE_BYTES = 16
MAX_TOKEN_BYTES = 8_192
MAX_CURSOR_BYTES = 24_576
"""64 modules of 64 bytes and 24 items each: (64 x (66 + 24 x 8) + 100) x 4 / 3 is 22,149."""
DIGEST_BYTES = 8
"""Among 2,000 candidates and as many shown, two digests agree once in 10^12 pages."""

MAX_KEPT_ITEM_COUNT = 65_536
"""Items of which what depends on them alone is kept."""


@lru_cache(MAX_KEPT_ITEM_COUNT)
def item_digest(item_id: str) -> bytes:
    """What stands for an item in a cursor: DIGEST_BYTES bytes."""
    return hashlib.blake2b(item_id.encode(), digest_size=DIGEST_BYTES).digest()


def shown_digests(cursor: token_pb2.PageCursor) -> frozenset[bytes]:
    """Digests of the items that the pages before a cursor showed."""
    return digests_of(cursor.item_digests) | frozenset(map(item_digest, cursor.item_ids))


def joined(digests: Collection[bytes]) -> bytes:
    """Digests one after the other, in an order that depends on nothing else."""
    return b"".join(sorted(digests))


def digests_of(content: bytes) -> frozenset[bytes]:
    """The digests that were joined."""
    starts = range(0, len(content), DIGEST_BYTES)
    return frozenset(content[start : start + DIGEST_BYTES] for start in starts)


class Signer:
    """Signs messages and derives numbers with one secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret).digest()

    def sign(self, purpose: str, content: bytes) -> str:
        """Signature and content as URL-safe text."""
        signature = _mac(self._key, purpose, content).digest()
        return base64.urlsafe_b64encode(signature + content).decode().rstrip("=")

    @cached_property
    def tracking(self) -> Array:
        """The state in which signatures of tracking tokens begin, which are written many at once."""
        return blake2.begun(self._key, b"track", SIGNATURE_BYTES)

    def open(
        self,
        purpose: str,
        text: str,
        kind: type[T],
        field: str,
        now_s: float,
        ttl_s: float,
        limit_bytes: int = MAX_TOKEN_BYTES,
    ) -> T:
        """The message that `sign` put into the text.

        Raises:
            InvalidRequest: where the text is not ours, was changed, or is older than ttl_s.
        """
        if len(text) > limit_bytes:
            raise InvalidRequest(field, f"{len(text)} bytes", f"at most {limit_bytes} bytes")
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            data = b""
        if base64.urlsafe_b64encode(data).rstrip(b"=") != text.encode():  # bytes have one spelling
            raise InvalidRequest(field, text, "a token as it was handed out")
        signature, content = data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, _mac(self._key, purpose, content).digest()):
            raise InvalidRequest(field, text, "a token as it was handed out; its signature is wrong")
        message: Any = kind()
        try:
            message.ParseFromString(content)
        except DecodeError:
            raise InvalidRequest(field, text, "a token as it was handed out") from None
        age_s = now_s - message.issued_unix_s
        if age_s > ttl_s:
            raise InvalidRequest(field, f"a token {age_s:.0f} s old", f"at most {ttl_s:.0f} s")
        return message  # type: ignore[no-any-return]

    def derive(self, purpose: str, *parts: bytes) -> bytes:
        """32 bytes that nobody without the secret can guess."""
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return _mac(self._key, purpose, message, 32).digest()


def _mac(key: bytes, purpose: str, content: bytes = b"", size: int = SIGNATURE_BYTES) -> hashlib.blake2b:
    # Keyed BLAKE2b is a MAC by itself (RFC 7693), at a fifth of what HMAC costs: a page has 130 tokens.
    return hashlib.blake2b(content, digest_size=size, key=key, person=purpose.encode())
