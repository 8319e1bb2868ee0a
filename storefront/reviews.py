"""Which items are under review, and how does somebody say that they have looked?

The list is the feature service's; without it there is none, and pages go on.
"""

from __future__ import annotations

import grpc
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from storefront.given import form_of
from storefront.shop import link, shop_of, visit_of, with_cookie

_TIMEOUT_S = 1.0


class ReviewAlarms:
    """Reads and ends alarms at the feature service."""

    def __init__(self, target: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(target)
        self._stub = feature_pb2_grpc.FeatureServiceStub(self._channel)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def listed(self) -> list[feature_pb2.ReviewAlarm]:
        """Items whose bad reviews surged, by item id.

        Raises:
            grpc.aio.AioRpcError: where feature does not answer.
        """
        request = feature_pb2.ListReviewAlarmsRequest()
        answer = await self._stub.ListReviewAlarms(request, timeout=_TIMEOUT_S, metadata=self._metadata)
        return list(answer.alarms)

    async def looked_at(self, item_id: str) -> None:
        """Ends the alarm of an item; raises as `listed`."""
        change = feature_pb2.ItemUpdate(item_id=item_id, is_under_review=False)
        request = feature_pb2.UpdateItemsRequest(items=[change])
        await self._stub.UpdateItems(request, timeout=_TIMEOUT_S, metadata=self._metadata)

    async def close(self) -> None:
        await self._channel.close()


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
