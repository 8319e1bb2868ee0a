"""What does a profile need to know of what a shopper did?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from planogram.events.v1 import events_pb2

IMPRESSION = int(events_pb2.EVENT_TYPE_IMPRESSION)
CLICK = int(events_pb2.EVENT_TYPE_CLICK)
DWELL = int(events_pb2.EVENT_TYPE_DWELL)
SEARCH = int(events_pb2.EVENT_TYPE_SEARCH)
CART_ADD = int(events_pb2.EVENT_TYPE_CART_ADD)
PURCHASE = int(events_pb2.EVENT_TYPE_PURCHASE)
RETURN = int(events_pb2.EVENT_TYPE_RETURN)
RATING = int(events_pb2.EVENT_TYPE_RATING)
DISMISSAL = int(events_pb2.EVENT_TYPE_DISMISSAL)
HELPFUL = int(events_pb2.EVENT_TYPE_HELPFUL)
REVIEW = int(events_pb2.EVENT_TYPE_REVIEW)


class ShopperEvent(NamedTuple):
    """What a profile needs to know of an event."""

    event_id: str
    time_us: int
    type: int
    session_key: str
    page_id: str
    module_id: str
    family: str
    category: str
    """That the module is about."""
    item_id: str
    rating: float
    sequence: int


class ItemBrief(NamedTuple):
    """What a profile needs to know of an item."""

    category: str
    brand: str
    relative_price: float
    price_percentile: float | None
    """Share of the category's products that cost no more; None where there is no price."""


Briefs = Callable[[str], ItemBrief | None]
"""What is known of an item by its id; None of one that is unknown."""


def category_by(briefs: Briefs, item_id: str) -> str:
    """The category of an item; empty where it is unknown."""
    brief = briefs(item_id)
    return brief.category if brief else ""


def digest_of(text: str) -> int:
    """64 bits that stand for an id of any length; never 0."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") or 1
