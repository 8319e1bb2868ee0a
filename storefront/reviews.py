"""Which items are under review, and how does somebody say that they have looked?

The list is the feature service's; without it there is none, and pages go on.
"""

from __future__ import annotations

import grpc
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from storefront.given import form_of
from storefront.shop import link, shop_of, visit_of, with_cookie


async def alarms(request: Request) -> Response:
    """The items under review, each with a button for who has looked."""
    visit, found, problem = visit_of(request), [], ""
    try:
        found = await shop_of(request).review_alarms.listed()
    except grpc.aio.AioRpcError as error:
        problem = error.details() or "the feature service does not answer"
    noticed, visit.noticed = visit.noticed, ""
    context = {
        **await shop_of(request).surroundings(visit),
        "is_cockpit": True,
        "alarms": found,
        "problem": problem,
        "noticed": noticed,
    }
    answer = request.app.state.templates.TemplateResponse(request, "reviews.html", context)
    return with_cookie(answer, visit)


async def looked(request: Request) -> Response:
    """Ends the alarm that the form names."""
    shop, visit = shop_of(request), visit_of(request)
    item_id = str((await form_of(request)).get("item", ""))
    try:
        await shop.review_alarms.looked_at(item_id)
        title = shop.items[item_id].title if item_id in shop.items else item_id
        visit.noticed = f"“{title}” stands again where it stood."
    except grpc.aio.AioRpcError as error:
        visit.noticed = f"That did not work: {error.details()}"
    return with_cookie(RedirectResponse(link(request, "/reviews"), 303), visit)


ROUTES = [Route("/reviews", alarms), Route("/reviews/looked", looked, methods=["POST"])]
