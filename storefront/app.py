"""How does a shop's web server show composed pages and report what shoppers do?

It is a reference backend: every page is one ComposePage call, everything a shopper does is an event with
the token that the page carried. Nothing here decides what is shown.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import grpc
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from planogram import client
from planogram.client import AsyncLayoutClient, LayoutError
from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.layout.v1 import layout_pb2
from storefront import shelf
from storefront.portraits import Persona, Portraits
from storefront.settings import StorefrontSettings
from storefront.shelf import Item
from storefront.visits import Visit, Visits

HERE = Path(__file__).parent
COOKIE = "visit"
DEADLINE_S = 0.6
PERSONAS_TTL_S = 60.0
MAX_IMPRESSIONS = 40
HITS = "results"
"""The module of the shop's blueprints that holds what a search found."""
DEFAULT_ITEM_COUNT = 10

_TYPES = events_pb2.EventType


@dataclass
class Shop:
    """What the routes share."""

    layout: AsyncLayoutClient
    portraits: Portraits
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
        if not self.personas and time.monotonic() - self.personas_read_s > PERSONAS_TTL_S:
            self.personas_read_s = time.monotonic()
            self.personas = await self.portraits.personas()
        return self.personas


def create(settings: StorefrontSettings) -> Starlette:
    """The storefront as an ASGI application.

    Raises:
        CatalogueError: where the catalogue cannot be used.
    """
    items = shelf.read(settings.catalogue_path)
    templates = Jinja2Templates(HERE / "templates")
    templates.env.globals["item_count"] = len(items)
    templates.env.filters["money"] = lambda value: f"{value:,.2f}"

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        token = settings.token.get_secret_value()
        app.state.templates = templates
        app.state.shop = Shop(
            layout=AsyncLayoutClient(settings.layout_target, token),
            portraits=Portraits(settings.feature_target, token),
            items=items,
            categories=sorted({item.category for item in items.values()}),
        )
        try:
            yield
        finally:
            await app.state.shop.layout.close()
            await app.state.shop.portraits.close()

    return Starlette(
        routes=[
            Route("/", home),
            Route("/c/{category}", category),
            Route("/p/{item_id:path}", product),
            Route("/search", search),
            Route("/cart", cart),
            Route("/checkout", checkout),
            Route("/go", go),
            Route("/cart/add", add_to_cart, methods=["POST"]),
            Route("/cart/remove", remove_from_cart, methods=["POST"]),
            Route("/cart/buy", buy, methods=["POST"]),
            Route("/persona", change_persona, methods=["POST"]),
            Route("/seen", seen, methods=["POST"]),
            Route("/picture/{item_id:path}", picture),
            Route("/healthz", lambda request: PlainTextResponse("ok")),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=1_000)],
        lifespan=lifespan,
        exception_handlers={404: _not_found},
    )


async def home(request: Request) -> Response:
    """The front page."""
    visit = _visit(request)
    return await _page(request, visit, client.home(visit.user_id, visit.visit_id, **_options(request, visit)))


async def category(request: Request) -> Response:
    """The page of a category."""
    visit, name = _visit(request), request.path_params["category"]
    if name not in _shop(request).categories:
        return await _not_found(request)
    asked = client.category(visit.user_id, visit.visit_id, name, **_options(request, visit))
    return await _page(request, visit, asked, heading=name.capitalize())


async def product(request: Request) -> Response:
    """The page of an item or an article."""
    visit, shop = _visit(request), _shop(request)
    item = shop.items.get(request.path_params["item_id"])
    if item is None:
        return await _not_found(request)
    page_of = client.article if item.is_article else client.product
    asked = page_of(visit.user_id, visit.visit_id, item.item_id, item.category, **_options(request, visit))
    return await _page(request, visit, asked, item=item, token=request.query_params.get("token", ""))


async def search(request: Request) -> Response:
    """Hits for a query; without one, the front page."""
    visit, query = _visit(request), " ".join(request.query_params.get("q", "").split())[:80].strip()
    if not query:
        return RedirectResponse("/", 303)
    await _record(request, visit, _TYPES.EVENT_TYPE_SEARCH, query=query)
    visit.noticed = f"You searched for “{query}”."
    asked = client.search(visit.user_id, visit.visit_id, query, **_options(request, visit))
    return await _page(request, visit, asked, query=query)


async def cart(request: Request) -> Response:
    """What lies in the cart, and what goes with it."""
    visit, shop = _visit(request), _shop(request)
    inside = [shop.items[item_id] for item_id in visit.cart if item_id in shop.items]
    options = _options(request, visit)
    asked = client.cart(visit.user_id, visit.visit_id, options.pop("cart_item_ids"), **options)
    return await _page(request, visit, asked, heading="Your cart", inside=inside)


async def checkout(request: Request) -> Response:
    """What is about to be bought, and little beside it; without anything in the cart, the cart."""
    visit, shop = _visit(request), _shop(request)
    inside = [shop.items[item_id] for item_id in visit.cart if item_id in shop.items]
    if not inside:
        return RedirectResponse("/cart", 303)
    options = _options(request, visit)
    asked = client.checkout(visit.user_id, visit.visit_id, options.pop("cart_item_ids"), **options)
    return await _page(request, visit, asked, heading="Checkout", inside=inside, is_checkout=True)


async def go(request: Request) -> Response:
    """Records a click, then shows what was clicked."""
    visit, shop = _visit(request), _shop(request)
    item = shop.items.get(request.query_params.get("item", ""))
    if item is None:
        return await _not_found(request)
    token = request.query_params.get("token", "")
    if await _record(request, visit, _TYPES.EVENT_TYPE_CLICK, token, item.item_id):
        visit.noticed = f"You looked at “{item.title}”."
    target = f"/p/{quote(item.item_id)}?{urlencode({'token': token})}"
    return _with_cookie(RedirectResponse(target, 303), visit)


async def add_to_cart(request: Request) -> Response:
    """Puts an item into the cart."""
    visit, shop = _visit(request), _shop(request)
    form = await request.form()
    item, token = shop.items.get(str(form.get("item", ""))), str(form.get("token", ""))
    if item is None:
        return await _not_found(request)
    visit.cart[item.item_id] = token
    await _record(request, visit, _TYPES.EVENT_TYPE_CART_ADD, token, item.item_id)
    visit.noticed = f"“{item.title}” is in your cart."
    return _with_cookie(RedirectResponse("/cart", 303), visit)


async def remove_from_cart(request: Request) -> Response:
    """Takes an item out of the cart."""
    visit, shop = _visit(request), _shop(request)
    item_id = str((await request.form()).get("item", ""))
    if visit.cart.pop(item_id, None) is not None and item_id in shop.items:
        visit.noticed = f"“{shop.items[item_id].title}” is out of your cart."
    return _with_cookie(RedirectResponse("/cart", 303), visit)


async def buy(request: Request) -> Response:
    """Buys what lies in the cart."""
    visit, shop = _visit(request), _shop(request)
    for item_id, token in visit.cart.items():
        item = shop.items[item_id]
        await _record(
            request,
            visit,
            _TYPES.EVENT_TYPE_PURCHASE,
            token,
            item_id,
            price_micros=round(1e6 * item.price),
            margin_micros=round(1e6 * item.margin),
        )
    count = len(visit.cart)
    visit.cart.clear()
    visit.noticed = f"Thank you: you bought {count} item{'' if count == 1 else 's'}."
    return _with_cookie(RedirectResponse("/", 303), visit)


async def change_persona(request: Request) -> Response:
    """Begins a new visit as somebody else."""
    form = await request.form()
    persona = str(form.get("persona", ""))
    visit = _shop(request).visits.begin_again(
        _visit(request), "" if persona == "stranger" else persona[:128], persona != "stranger"
    )
    return _with_cookie(RedirectResponse("/", 303), visit)


async def seen(request: Request) -> Response:
    """Records the slots that came into view; the page's script sends their tokens."""
    try:
        tokens = (await request.json())["tokens"]
        assert isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)
    except (ValueError, KeyError, TypeError, AssertionError):
        return JSONResponse({"error": 'want {"tokens": [...]}'}, 400)
    slots = [layout_pb2.Slot(tracking_token=token) for token in tokens[:MAX_IMPRESSIONS]]
    if slots:
        try:
            await _shop(request).layout.impressions(slots)
        except LayoutError as error:
            return JSONResponse({"error": error.details}, 400)
    return Response(status_code=204)


async def picture(request: Request) -> Response:
    """An item's drawing."""
    item = _shop(request).items.get(request.path_params["item_id"])
    if item is None:
        return PlainTextResponse("no such item", 404)
    headers = {"Cache-Control": "public, max-age=86400", "Content-Security-Policy": "default-src 'none'"}
    return Response(item.picture, media_type="image/svg+xml", headers=headers)


async def _page(
    request: Request, visit: Visit, asked: layout_pb2.ComposePageRequest, **about: Any
) -> Response:
    """Asks for the page and draws it; without the layout service, says so and shows a shelf of its own."""
    shop = _shop(request)
    problem, is_away = "", False
    try:
        page = await shop.layout.compose(asked, deadline_s=DEADLINE_S)
    except LayoutError as error:
        page = layout_pb2.Page()
        if error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            is_away, page = True, client.default_page("Today's price cuts", shop.best_deals)
            page.slots[0].template_id = "wall"
        else:
            problem = error.details
    portrait = await shop.portraits.of(visit.user_id) if visit.has_consent else None
    noticed, visit.noticed = visit.noticed, ""
    context = {
        "page": page,
        "problem": problem,
        "is_away": is_away,
        "items": shop.items,
        "categories": shop.categories,
        "visit": visit,
        "personas": await shop.known_personas(),
        "portrait": portrait,
        "noticed": noticed,
        "Fallback": layout_pb2.Fallback,
        "has_hits": any(slot.module_id == HITS for slot in page.slots),
        **about,
    }
    answer = request.app.state.templates.TemplateResponse(request, "page.html", context)
    return _with_cookie(answer, visit)


async def _record(
    request: Request,
    visit: Visit,
    kind: events_pb2.EventType,
    token: str = "",
    item_id: str = "",
    **fields: Any,
) -> bool:
    """Sends one event; False where it was not taken. A shopper never waits for a log."""
    if token:
        event = client.item_event(layout_pb2.Item(item_id=item_id, tracking_token=token), kind, **fields)
    else:
        event = client.item_event(layout_pb2.Item(), kind, item_id=item_id, **fields)
        consent = context_pb2.CONSENT_GRANTED if visit.has_consent else context_pb2.CONSENT_REFUSED
        event.shopper.CopyFrom(
            context_pb2.Shopper(user_id=visit.user_id, session_id=visit.visit_id, consent=consent)
        )
    try:
        await _shop(request).layout.record([event])
    except LayoutError:
        return False
    return True


def _options(request: Request, visit: Visit) -> dict[str, Any]:
    agent = request.headers.get("user-agent", "")
    device = context_pb2.DEVICE_PHONE if "Mobi" in agent else context_pb2.DEVICE_DESKTOP
    return {"has_consent": visit.has_consent, "device": device, "cart_item_ids": list(visit.cart)}


def _shop(request: Request) -> Shop:
    return request.app.state.shop  # type: ignore[no-any-return]


def _visit(request: Request) -> Visit:
    return _shop(request).visits.of(request.cookies.get(COOKIE))


def _with_cookie(response: Response, visit: Visit) -> Response:
    response.set_cookie(COOKIE, visit.visit_id, httponly=True, samesite="lax")
    return response


async def _not_found(request: Request, error: Exception | None = None) -> Response:
    shop = _shop(request)
    context = {
        "categories": shop.categories,
        "visit": _visit(request),
        "personas": await shop.known_personas(),
        "noticed": "",
    }
    return request.app.state.templates.TemplateResponse(  # type: ignore[no-any-return]
        request, "not_found.html", context, status_code=404
    )
