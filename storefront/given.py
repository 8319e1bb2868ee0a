"""What of that which browsers send can be passed on to layout?"""

from __future__ import annotations

import json
import re

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_QUERY_CHARACTERS = 80
MAX_QUERY_BYTES = 256
MAX_USER_ID_BYTES = 128
MAX_TOKEN_BYTES = 8_192
MAX_REVIEW_CHARACTERS = 500

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def tidy(query: str) -> str:
    """A query with even white space and without control characters, at most 80 characters and 256 bytes."""
    plain = " ".join(_CONTROL.sub(" ", query).split())
    return _cut(plain[:MAX_QUERY_CHARACTERS], MAX_QUERY_BYTES).strip()


def user_id(text: str) -> str:
    """An id of a shopper, without control characters, at most 128 bytes."""
    return _cut(_CONTROL.sub("", text), MAX_USER_ID_BYTES)


def review(text: str) -> str:
    """The words of a review, at most 500 characters."""
    return _cut(text.strip()[:MAX_REVIEW_CHARACTERS], 4 * MAX_REVIEW_CHARACTERS)


def token(text: str) -> str:
    """A tracking token; empty where the text can be none."""
    return text if text.isascii() and len(text) <= MAX_TOKEN_BYTES else ""


async def form_of(request: Request) -> FormData:
    """The form that a browser sends.

    Raises:
        HTTPException: 400 for a form that cannot be read, 413 for one that is too large.
    """
    try:
        return await request.form()
    except (UnicodeError, LookupError) as error:
        raise HTTPException(400, f"the form cannot be read: {error}") from None


async def tokens_of(request: Request, limit: int) -> list[str]:
    """The first tokens of `{"tokens": [...]}`.

    Raises:
        HTTPException: 400 for anything else, 413 for what is too large.
    """
    try:
        given = json.loads(await request.body())["tokens"]
    except (ValueError, KeyError, TypeError, RecursionError):
        given = None
    if not isinstance(given, list) or not all(isinstance(one, str) and one == token(one) for one in given):
        raise HTTPException(400, 'want {"tokens": [...]}')
    return [one for one in given if one][:limit]  # shelves that nobody composed have none


def _cut(text: str, most_bytes: int) -> str:
    """A text that UTF-8 can hold, in so many bytes."""
    return text.encode(errors="ignore")[:most_bytes].decode(errors="ignore")
