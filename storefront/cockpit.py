"""How does a product team look into pages, compare them, and try out what is not served yet?

Nothing here changes what serves: both sides of a comparison are previews, and an edited file leaves the
cockpit as a diff.
"""

from __future__ import annotations

import asyncio
import difflib
import itertools
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from planogram.client import LayoutError
from planogram.layout.v1 import layout_pb2
from storefront.arms import Arm, ArmError, Side
from storefront.given import form_of
from storefront.shop import DEVICES, device_of, link, shop_of, visit_of, with_cookie

PREVIEW_DEADLINE_S = 5.0
WIDTHS = {"phone": (390, 780), "tablet": (820, 1100), "desktop": (1280, 1000)}
"""Width and height of the frame of each device, in CSS pixels."""
FIRST_FILES = ("rules.yaml", "blueprints.yaml")


async def inspect(request: Request) -> Response:
    """The receipt of a page: what decided each slot and item, and what each rule did and cost."""
    page_id, problem = request.path_params["page_id"], ""
    receipt = layout_pb2.ExplainPageResponse()
    try:
        receipt = await shop_of(request).layout.explain(
            page_id, has_attributions=True, has_shadow_prices=True
        )
    except LayoutError as error:
        problem = error.details
    return await _draw(request, "inspect.html", receipt=receipt, problem=problem, page_id=page_id)


async def devices(request: Request) -> Response:
    """One page of the shop at the widths of a phone, a tablet and a desktop, side by side."""
    at = _at(request)
    return await _draw(request, "devices.html", at=at, widths=WIDTHS)


async def compare(request: Request) -> Response:
    """One page under two arms, beside each other."""
    at, names = _at(request), [request.query_params.get(side, "") for side in ("left", "right")]
    try:
        arms = [Arm.parse(name) for name in names]
    except ArmError as error:
        return await _draw(request, "compare.html", at=at, names=names, sides=(), problem=str(error))
    labels = [name or "today" for name in names]
    sides = await _sides(request, at, dict(enumerate(zip(labels, arms, strict=True))))
    return await _draw(request, "compare.html", at=at, names=names, sides=sides, problem="")


async def edit(request: Request) -> Response:
    """The files in force, to edit a copy: its page beside today's, and its diff."""
    at = _at(request)
    try:
        serving = await shop_of(request).layout.configuration()
    except LayoutError as error:
        return await _draw(request, "edit.html", at=at, files={}, sides=(), diff="", problem=error.details)
    today, files = dict(serving.files), dict(serving.files)
    if request.method == "POST":
        files.update(await _posted(request, today))
    changed = {name: text for name, text in files.items() if text != today[name]}
    arms = {0: ("today", Arm()), 1: ("edited", Arm(files=changed))}
    sides = await _sides(request, at, arms) if changed else ()
    order = sorted(files, key=lambda name: (name not in FIRST_FILES, name != FIRST_FILES[0], name))
    return await _draw(
        request,
        "edit.html",
        at=at,
        files={name: files[name] for name in order},
        changed=changed,
        version=serving.version,
        sides=sides,
        diff=unified(today, files),
        problem="",
    )


async def export(request: Request) -> Response:
    """The edited files as a unified diff to download."""
    try:
        today = dict((await shop_of(request).layout.configuration()).files)
    except LayoutError as error:
        return PlainTextResponse(error.details, 503)
    text = unified(today, {**today, **await _posted(request, today)})
    headers = {"Content-Disposition": 'attachment; filename="configuration.diff"'}
    return Response(text, media_type="text/x-diff; charset=utf-8", headers=headers)


ROUTES = [
    Route("/inspect/{page_id}", inspect),
    Route("/devices", devices),
    Route("/compare", compare),
    Route("/edit", edit, methods=["GET", "POST"]),
    Route("/edit/diff", export, methods=["POST"]),
]


def unified(today: Mapping[str, str], edited: Mapping[str, str]) -> str:
    """What turns today's files into the edited ones, as `patch -p1` and `git apply` read it."""
    lines = itertools.chain.from_iterable(
        difflib.unified_diff(
            today[name].splitlines(keepends=True),
            edited[name].splitlines(keepends=True),
            f"a/{name}",
            f"b/{name}",
        )
        for name in sorted(today)
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


async def _posted(request: Request, today: Mapping[str, str]) -> dict[str, str]:
    """The files that a form brings. Browsers send line ends as CR LF, and may drop the first empty line."""
    form = await form_of(request)
    return {name: str(form[name]).replace("\r\n", "\n") for name in today if name in form}


async def _sides(request: Request, at: str, arms: Mapping[int, tuple[str, Arm]]) -> tuple[Side, ...]:
    """Both sides of a comparison, made at the same time for the same shopper with the same luck."""
    shop, visit = shop_of(request), visit_of(request)
    asked = shop.question(at, visit, device_of(request))
    if asked is None:
        return ()
    request_id = uuid.uuid4().hex  # the seed depends on it

    async def compose(label: str, arm: Arm) -> Side:
        try:
            return Side(label, await shop.layout.compose(arm.of(asked), PREVIEW_DEADLINE_S, request_id))
        except LayoutError as error:
            return Side(label, layout_pb2.Page(), error.details)

    return tuple(await asyncio.gather(*(compose(*arm) for arm in arms.values())))


def _at(request: Request) -> str:
    """The page of the shop that the address names: a path below its root."""
    at = request.query_params.get("at", "/")
    # Browsers drop tabs and line ends, and so may see two strokes and another host behind them.
    return at if at.startswith("/") and not at.startswith("//") and at.isprintable() else "/"


async def _draw(request: Request, template: str, **about: Any) -> Response:
    visit = visit_of(request)
    at = about.get("at")
    if at is not None and shop_of(request).question(at, visit, DEVICES["desktop"]) is None:
        return with_cookie(RedirectResponse(link(request, request.url.path), 303), visit)
    context = {**await shop_of(request).surroundings(visit), "is_cockpit": True, **about}
    answer = request.app.state.templates.TemplateResponse(request, template, context)
    return with_cookie(answer, visit)
