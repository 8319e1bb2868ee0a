"""How does a shop's web server show composed pages and report what shoppers do?

It is a reference backend: every page is one ComposePage call, everything a shopper does is an event with
the token that the page carried. Nothing here decides what is shown.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
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
from storefront import cockpit, given, reviews, shelf
from storefront.alarms import ReviewAlarms
from storefront.given import form_of, tidy
from storefront.guard import Guard, is_followed
from storefront.portraits import Portraits
from storefront.settings import StorefrontSettings
from storefront.shop import Shop, device_of, link, links, shop_of, visit_of, with_cookie
from storefront.visits import Visit

HERE = Path(__file__).parent
DEADLINE_S = 0.6
MAX_IMPRESSIONS = 40
MAX_CART_ITEMS = 200
"""Layout composes no page for more."""
_MISTAKES = (
    *(grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND),
    *(grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED),
)
"""What is worth no second look: the page says what layout said."""
HITS = "results"
"""The module of the shop's blueprints that holds what a search found."""

_TYPES = events_pb2.EventType


def create(settings: StorefrontSettings) -> Starlette:
    """The storefront as an ASGI application.

    Raises:
        CatalogueError: where the catalogue cannot be used.
    """
    items = shelf.read(settings.catalogue_path)
    templates = Jinja2Templates(HERE / "templates", context_processors=[links])
    templates.env.globals["item_count"] = len(items)
    templates.env.filters["money"] = lambda value: f"{value:,.2f}"

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        token = settings.token.get_secret_value()
        app.state.templates = templates
        app.state.shop = Shop(
            layout=AsyncLayoutClient(settings.layout_target, token),
            portraits=Portraits(settings.feature_target, token),
            review_alarms=ReviewAlarms(settings.feature_target, token),
            items=items,
            categories=sorted({item.category for item in items.values()}),
        )
        try:
            yield
        finally:
            await app.state.shop.layout.close()
            await app.state.shop.portraits.close()
            await app.state.shop.review_alarms.close()

    return Starlette(
        routes=[
            Route("/", home),
            Route("/c/{category}", category),
            Route("/p/{item_id:path}", product),
            Route("/search", search),
            Route("/cart", cart),
            Route("/checkout", checkout),
            Route("/help", ask),
            Route("/help/verdict", judge, methods=["POST"]),
            Route("/go", go),
            Route("/cart/add", add_to_cart, methods=["POST"]),
            Route("/cart/remove", remove_from_cart, methods=["POST"]),
            Route("/cart/buy", buy, methods=["POST"]),
            Route("/persona", change_persona, methods=["POST"]),
            Route("/seen", seen, methods=["POST"]),
            Route("/picture/{item_id:path}", picture),
            Route("/review", review, methods=["POST"]),
            *cockpit.ROUTES,
            *reviews.ROUTES,
            Route("/healthz", lambda request: PlainTextResponse("ok")),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard, names=settings.names), Middleware(GZipMiddleware, minimum_size=1_000)],
        lifespan=lifespan,
        exception_handlers={404: _not_found},
    )


async def home(request: Request) -> Response:
    """The front page."""
    return await _page(request, visit_of(request), "/")


async def category(request: Request) -> Response:
    """The page of a category."""
    name = request.path_params["category"]
    if name not in shop_of(request).categories:
        return await _not_found(request)
    return await _page(request, visit_of(request), f"/c/{quote(name)}", heading=name.capitalize())


async def product(request: Request) -> Response:
    """The page of an item or an article."""
    item = shop_of(request).items.get(request.path_params["item_id"])
    if item is None:
        return await _not_found(request)
    token = given.token(request.query_params.get("token", ""))
    return await _page(request, visit_of(request), f"/p/{quote(item.item_id)}", item=item, token=token)


async def search(request: Request) -> Response:
    """Hits for a query; without one, the front page."""
    visit, query = visit_of(request), tidy(request.query_params.get("q", ""))
    if not query:
        return RedirectResponse(link(request, "/"), 303)
    if is_followed(request):
        await _record(request, visit, _TYPES.EVENT_TYPE_SEARCH, query=query)
    visit.noticed = f"You searched for “{query}”."
    return await _page(request, visit, f"/search?{urlencode({'q': query})}", query=query)


async def cart(request: Request) -> Response:
    """What lies in the cart, and what goes with it."""
    visit, shop = visit_of(request), shop_of(request)
    inside = [shop.items[item_id] for item_id in visit.cart if item_id in shop.items]
    return await _page(request, visit, "/cart", heading="Your cart", inside=inside)


async def checkout(request: Request) -> Response:
    """What is about to be bought, and little beside it; without anything in the cart, the cart."""
    visit, shop = visit_of(request), shop_of(request)
    inside = [shop.items[item_id] for item_id in visit.cart if item_id in shop.items]
    if not inside:
        return RedirectResponse(link(request, "/cart"), 303)
    return await _page(request, visit, "/checkout", heading="Checkout", inside=inside, is_checkout=True)


async def ask(request: Request) -> Response:
    """The answers to a question; without one, to those asked most."""
    question = tidy(request.query_params.get("q", ""))
    at = f"/help?{urlencode({'q': question})}" if question else "/help"
    return await _page(request, visit_of(request), at, heading="How can we help?", question=question)


async def judge(request: Request) -> Response:
    """Records whether an answer helped: as said in the form, or by the browser where its link is followed."""
    visit = visit_of(request)
    followed = given.token(request.query_params.get("token", ""))
    if followed:
        await _record(request, visit, _TYPES.EVENT_TYPE_HELPFUL, followed)
        return Response(status_code=204)
    form = await form_of(request)
    token, has_helped = given.token(str(form.get("token", ""))), form.get("verdict") == "yes"
    kind = _TYPES.EVENT_TYPE_HELPFUL if has_helped else _TYPES.EVENT_TYPE_DISMISSAL
    if token and await _record(request, visit, kind, token):
        visit.noticed = "Good to know." if has_helped else "Sorry. Write to us, and we will look into it."
    question = tidy(request.query_params.get("q", ""))
    target = link(request, "/help", **({"q": question} if question else {}))
    return with_cookie(RedirectResponse(target, 303), visit)


async def go(request: Request) -> Response:
    """Records a click, then shows what was clicked.

    It takes a token, which layout holds against its signature and the item: an address alone, which any page
    can name, is no click.
    """
    visit, shop = visit_of(request), shop_of(request)
    item = shop.items.get(request.query_params.get("item", ""))
    if item is None:
        return await _not_found(request)
    token = given.token(request.query_params.get("token", ""))
    is_click = bool(token) and is_followed(request)
    if is_click and await _record(request, visit, _TYPES.EVENT_TYPE_CLICK, token, item.item_id):
        visit.noticed = f"You looked at “{item.title}”."
    target = link(request, f"/p/{item.item_id}", token=token)
    return with_cookie(RedirectResponse(target, 303), visit)


async def add_to_cart(request: Request) -> Response:
    """Puts an item into the cart."""
    visit, shop = visit_of(request), shop_of(request)
    form = await form_of(request)
    item, token = shop.items.get(str(form.get("item", ""))), given.token(str(form.get("token", "")))
    if item is None:
        return await _not_found(request)
    if len(visit.cart) >= MAX_CART_ITEMS and item.item_id not in visit.cart:
        visit.noticed = f"Your cart is full: it holds {MAX_CART_ITEMS} things."
        return with_cookie(RedirectResponse(link(request, "/cart"), 303), visit)
    visit.cart[item.item_id] = token
    await _record(request, visit, _TYPES.EVENT_TYPE_CART_ADD, token, item.item_id)
    visit.noticed = f"“{item.title}” is in your cart."
    return with_cookie(RedirectResponse(link(request, "/cart"), 303), visit)


async def remove_from_cart(request: Request) -> Response:
    """Takes an item out of the cart."""
    visit, shop = visit_of(request), shop_of(request)
    item_id = str((await form_of(request)).get("item", ""))
    if visit.cart.pop(item_id, None) is not None and item_id in shop.items:
        visit.noticed = f"“{shop.items[item_id].title}” is out of your cart."
    return with_cookie(RedirectResponse(link(request, "/cart"), 303), visit)


async def buy(request: Request) -> Response:
    """Buys what lies in the cart."""
    visit, shop = visit_of(request), shop_of(request)
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
    return with_cookie(RedirectResponse(link(request, "/"), 303), visit)


async def review(request: Request) -> Response:
    """Reviews an item in stars, in words or both."""
    visit, shop = visit_of(request), shop_of(request)
    form = await form_of(request)
    item, text = shop.items.get(str(form.get("item", ""))), given.review(str(form.get("text", "")))
    if item is None:
        return await _not_found(request)
    stars, token = str(form.get("stars", "")), given.token(str(form.get("token", "")))
    fields: dict[str, Any] = {"text": text, "language": "en"} if text else {}
    if stars in ("1", "2", "3", "4", "5"):
        fields["rating"] = float(stars)
    if not fields:
        visit.noticed = "A review needs stars or a text."
    elif await _record(request, visit, _TYPES.EVENT_TYPE_REVIEW, token, item.item_id, **fields):
        visit.noticed = f"Thank you for your review of “{item.title}”."
    else:
        visit.noticed = "Your review could not be sent. Please try again in a minute."
    return with_cookie(RedirectResponse(link(request, f"/p/{item.item_id}"), 303), visit)


async def change_persona(request: Request) -> Response:
    """Begins a new visit as somebody else."""
    form = await form_of(request)
    persona = given.user_id(str(form.get("persona", "")))
    visit = shop_of(request).visits.begin_again(
        visit_of(request), "" if persona == "stranger" else persona, persona != "stranger"
    )
    return with_cookie(RedirectResponse(link(request, "/"), 303), visit)


async def seen(request: Request) -> Response:
    """Records the slots that came into view; the page's script sends their tokens."""
    tokens = await given.tokens_of(request, MAX_IMPRESSIONS)
    slots = [layout_pb2.Slot(tracking_token=token) for token in tokens]
    if slots:
        try:
            await shop_of(request).layout.impressions(slots)
        except LayoutError as error:
            return JSONResponse({"error": error.details}, 400 if error.code in _MISTAKES else 503)
    return Response(status_code=204)


async def picture(request: Request) -> Response:
    """An item's drawing."""
    item = shop_of(request).items.get(request.path_params["item_id"])
    if item is None:
        return PlainTextResponse("no such item", 404)
    headers = {"Cache-Control": "public, max-age=86400", "Content-Security-Policy": "default-src 'none'"}
    return Response(item.picture, media_type="image/svg+xml", headers=headers)


async def _page(request: Request, visit: Visit, at: str, **about: Any) -> Response:
    """Asks for the page and draws it; without the layout service, says so and shows a shelf of its own."""
    shop = shop_of(request)
    problem, is_away = "", False
    asked = shop.question(at, visit, device_of(request))
    if asked is None:
        return await _not_found(request)
    try:
        page = await shop.layout.compose(asked, deadline_s=DEADLINE_S)
    except LayoutError as error:
        page = client.default_page("Today's price cuts", shop.best_deals)
        page.slots[0].template_id = "wall"
        is_away = error.code not in _MISTAKES
        problem = "" if is_away else error.details
    portrait = await shop.portraits.of(visit.user_id) if visit.has_consent else None
    lines = {line.text: line.value for line in portrait.lines} if portrait is not None else {}
    before, visit.portrait = visit.portrait, lines
    moved = {text for text, value in lines.items() if before is not None and before.get(text) != value}
    noticed, visit.noticed = visit.noticed, ""
    context = {
        **await shop.surroundings(visit),
        "page": page,
        "at": at,
        "problem": problem,
        "is_away": is_away,
        "portrait": portrait,
        "moved": moved,
        "noticed": noticed,
        "Fallback": layout_pb2.Fallback,
        "has_hits": any(slot.module_id == HITS for slot in page.slots),
        **about,
    }
    answer = request.app.state.templates.TemplateResponse(request, "page.html", context)
    return with_cookie(answer, visit)


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
        await shop_of(request).layout.record([event])
    except LayoutError:
        return False
    return True


async def _not_found(request: Request, error: Exception | None = None) -> Response:
    context = await shop_of(request).surroundings(visit_of(request))
    return request.app.state.templates.TemplateResponse(  # type: ignore[no-any-return]
        request, "not_found.html", context, status_code=404
    )
