"""Which items are under review, as the feature service tells it, and who says that somebody has looked?"""

from __future__ import annotations

import grpc

from planogram.feature.v1 import feature_pb2, feature_pb2_grpc

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
