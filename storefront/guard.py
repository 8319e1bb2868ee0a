"""Which requests does no page of the shop send, and what may its pages load?

The storefront has no login: whoever reaches it acts with its token. So what changes anything is taken from
its own pages alone, not from those of another site that the same browser shows; and nothing is answered under
a name that is not the shop's, which another site may have pointed at it (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 2 << 20
"""Six files of 64 KiB, as a form writes them."""
MAX_TOLD_CHARACTERS = 100

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+?)\.?)(?::[0-9]{1,5})?")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src * data:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Guard:
    """Refuses foreign and huge requests, and tells browsers what pages may load.

    Args:
        names: under which the shop answers, in small letters.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_own_host(host, self._names):
            misdirected = PlainTextResponse(
                f"Host: got {host[:MAX_TOLD_CHARACTERS]!r}, want an IP address or one of "
                f"{', '.join(sorted(self._names))}; PLANOGRAM_STOREFRONT_ALLOWED_HOSTS adds names",
                421,
                {"X-Content-Type-Options": "nosniff"},
            )
            await misdirected(scope, receive, send)
            return
        if scope["method"] not in _SAFE_METHODS and is_foreign(headers):
            refusal = PlainTextResponse("this is taken from the shop's own pages alone", 403)
            await refusal(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answered.setdefault(name, value)
            await send(message)

        await self._app(scope, _limited(receive), answer)


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Whether a `Host` header names the shop.

    Addresses in digits are: only names lead a browser from another site to here.
    """
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return False
    name = found["address"] or found["name"]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


def is_followed(request: Request) -> bool:
    """Whether a shopper followed a link of the shop, or typed an address of it.

    What another site makes a browser ask for, or a browser asks for ahead of time, is no act of a shopper.
    """
    headers = request.headers
    is_ahead = "prefetch" in headers.get("sec-purpose", headers.get("purpose", ""))
    return request.method == "GET" and not is_ahead and not is_foreign(headers)


def is_foreign(headers: Headers) -> bool:
    """Whether a browser says that a page of another origin sent the request.

    What says nothing is no browser, or one from before 2020 that sends a form of its own page.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != headers.get("host")
    except ValueError:
        return True


def _limited(receive: Receive) -> Receive:
    size = 0

    async def read() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
        return message

    return read
