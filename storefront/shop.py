"""What do all routes share: the shop's state, who is asking, and on which device?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from planogram import client
from planogram.client import AsyncLayoutClient
from planogram.common.v1 import context_pb2
from planogram.layout.v1 import layout_pb2
from storefront.alarms import ReviewAlarms
from storefront.given import tidy
from storefront.portraits import Persona, Portraits
from storefront.shelf import Item
from storefront.visits import Visit, Visits

COOKIE = "visit"
PERSONAS_TTL_S = 60.0
DEFAULT_ITEM_COUNT = 10
DEVICES = {
    "phone": context_pb2.DEVICE_PHONE,
    "tablet": context_pb2.DEVICE_TABLET,
    "desktop": context_pb2.DEVICE_DESKTOP,
}


@dataclass
class Shop:
    """What lives as long as the process."""

    layout: AsyncLayoutClient
    portraits: Portraits
    review_alarms: ReviewAlarms
    items: Mapping[str, Item]
    categories: list[str]
    visits: Visits = field(default_factory=Visits)
    personas: list[Persona] = field(default_factory=list)
    personas_read_s: float = -PERSONAS_TTL_S

    @cached_property
    def best_deals(self) -> list[str]:
        """Ids of what is reduced most, for pages that nobody composed."""
        stocked = [item for item in self.items.values() if item.stock and not item.is_article]
        stocked.sort(key=lambda item: -item.discount_percent)
        return [item.item_id for item in stocked[:DEFAULT_ITEM_COUNT]]

    async def known_personas(self) -> list[Persona]:
        """The shoppers worth playing; asked for again only where none were found a minute ago."""
        if not self.personas and time.monotonic() - self.personas_read_s > PERSONAS_TTL_S:
            self.personas_read_s = time.monotonic()
            self.personas = await self.portraits.personas()
        return self.personas

    def question(
        self, at: str, visit: Visit, device: context_pb2.Device
    ) -> layout_pb2.ComposePageRequest | None:
        """What layout is asked for a path such as "/c/kitchen"; None where the shop has no such page."""
        options: dict[str, Any] = {"has_consent": visit.has_consent, "device": device}
        who, parts = (visit.user_id, visit.visit_id), urlsplit(at)
        kind, _, name = unquote(parts.path).strip("/").partition("/")
        if kind == "cart" and not name:
            return client.cart(*who, list(visit.cart), **options)
        if kind == "checkout" and not name and visit.cart:
            return client.checkout(*who, list(visit.cart), **options)
        options["cart_item_ids"] = list(visit.cart)
        if not kind:
            return client.home(*who, **options)
        if kind == "c" and name in self.categories:
            return client.category(*who, name, **options)
        if kind == "p" and name in self.items:
            item = self.items[name]
            page_of = client.article if item.is_article else client.product
            return page_of(*who, name, item.category, **options)
        query = tidy(parse_qs(parts.query).get("q", [""])[0])
        if kind == "search" and not name and query:
            return client.search(*who, query, **options)
        if kind == "help" and not name:
            return client.help_page(*who, query, **options)
        return None

    async def surroundings(self, visit: Visit) -> dict[str, Any]:
        """What every page shows around its content."""
        return {
            "categories": self.categories,
            "items": self.items,
            "visit": visit,
            "personas": await self.known_personas(),
            "noticed": "",
        }


def shop_of(request: Request) -> Shop:
    """The shop behind a request."""
    return request.app.state.shop  # type: ignore[no-any-return]


def visit_of(request: Request) -> Visit:
    """Who is asking."""
    return shop_of(request).visits.of(request.cookies.get(COOKIE))


def with_cookie(response: Response, visit: Visit) -> Response:
    """The response, which lets the browser come back as the same visit."""
    response.set_cookie(COOKIE, visit.visit_id, httponly=True, samesite="lax")
    return response


def device_of(request: Request) -> context_pb2.Device:
    """The device that the address names, or else the browser's own."""
    named = DEVICES.get(request.query_params.get("device", ""))
    if named is not None:
        return named
    agent = request.headers.get("user-agent", "")
    if "iPad" in agent or ("Android" in agent and "Mobi" not in agent):
        return context_pb2.DEVICE_TABLET
    return context_pb2.DEVICE_PHONE if "Mobi" in agent else context_pb2.DEVICE_DESKTOP


def link(request: Request, path: str, **query: str) -> str:
    """An address within the shop, which keeps the device that this request's address names."""
    if request.query_params.get("device") in DEVICES:
        query["device"] = request.query_params["device"]
    return quote(path) + (f"?{urlencode(query)}" if query else "")


def links(request: Request) -> dict[str, Any]:
    """What every template knows: `to` is `link` for its request, `device` what the address names."""
    device = request.query_params.get("device", "")
    return {
        "to": lambda path, **query: link(request, path, **query),
        "device": device if device in DEVICES else "",
    }
