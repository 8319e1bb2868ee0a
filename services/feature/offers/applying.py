"""How does a price list reach a running feature service, and the catalogue that a shop reads?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from planogram.feature.v1 import feature_pb2
from planogram.files import catalogue
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


def write_catalogue(path: Path, rows: Sequence[Row]) -> None:
    """Writes a list's prices into a catalogue file; costs stay, so margins change by as much as prices.

    Raises:
        CatalogueError: where the file cannot be used.
    """
    items = catalogue.read(path)
    was, item_ids = items.column("price_micros"), items.column("item_id").to_pylist()
    prices = {row.item_id: row.price_micros for row in rows}
    now = pa.array(
        [prices.get(item_id, old) for item_id, old in zip(item_ids, was.to_pylist(), strict=True)], pa.int64()
    )
    margin = pc.add(items.column("margin_micros"), pc.subtract(now, was))
    for name, column in (("price_micros", now), ("margin_micros", margin)):
        items = items.set_column(items.schema.get_field_index(name), name, column)
    catalogue.write(path.with_suffix(".parquet"), items)
