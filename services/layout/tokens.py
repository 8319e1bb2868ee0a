"""How does layout recognise what it handed out: tracking tokens and cursors, and derive seeds?"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from services.common.errors import InvalidRequest

T = TypeVar("T", bound=Message)

_SIGNATURE_BYTES = 16
_MAX_TOKEN_BYTES = 8_192


class Signer:
    """Signs messages and derives numbers with one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, purpose: str, content: bytes) -> str:
        """Content and signature as URL-safe text."""
        return base64.urlsafe_b64encode(self._mac(purpose, content) + content).rstrip(b"=").decode()

    def open(self, purpose: str, text: str, kind: type[T], field: str, now_s: float, ttl_s: float) -> T:
        """The message that `sign` put into the text.

        Raises:
            InvalidRequest: where the text is not ours, was changed, or is older than ttl_s.
        """
        if len(text) > _MAX_TOKEN_BYTES:
            raise InvalidRequest(field, f"{len(text)} bytes", f"at most {_MAX_TOKEN_BYTES} bytes")
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise InvalidRequest(field, text, "a token as it was handed out") from None
        signature, content = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._mac(purpose, content)):
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
        return self._digest(purpose, message)

    def _mac(self, purpose: str, content: bytes) -> bytes:
        return self._digest(purpose, content)[:_SIGNATURE_BYTES]

    def _digest(self, purpose: str, content: bytes) -> bytes:
        return hmac.digest(self._secret, purpose.encode() + b"\0" + content, hashlib.sha256)
