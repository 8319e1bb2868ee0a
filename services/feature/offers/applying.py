"""How does a price list reach a running feature service?"""

from __future__ import annotations

from collections.abc import Sequence

from planogram.feature.v1 import feature_pb2
from services.common.client import Upstream
from services.feature.offers.price_list import Row

_ITEMS_A_CALL = 1_000
_TIMEOUT_S = 30.0


async def apply(upstream: Upstream, rows: Sequence[Row]) -> list[str]:
    """Sends all prices of a list; returns ids of items that the service does not know.

    A second call with the same list changes nothing more, so one that failed may be sent again.

    Raises:
        UpstreamError: where a call fails; the prices of earlier calls are applied.
    """
    unknown: list[str] = []
    for first in range(0, len(rows), _ITEMS_A_CALL):
        request = feature_pb2.UpdateItemsRequest(
            items=[
                feature_pb2.ItemUpdate(item_id=row.item_id, price_micros=row.price_micros)
                for row in rows[first : first + _ITEMS_A_CALL]
            ]
        )
        answer = await upstream.call("UpdateItems", request, _TIMEOUT_S, wait_for_ready=True)
        unknown += answer.unknown_item_ids
    return unknown
