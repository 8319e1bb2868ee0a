"""What does a backend import to show pages? `LayoutClient`, `AsyncLayoutClient` and `default_page`.

from planogram.client import LayoutClient, home

with LayoutClient("127.0.0.1:7070") as layout:
    page = layout.compose(home(user_id="ada", session_id="visit-1"))
    for slot in page.slots:
        print(slot.title, [item.item_id for item in slot.items])
    layout.click(page.slots[0].items[0])
"""

from planogram.client.client import (
    AsyncLayoutClient,
    LayoutClient,
    LayoutError,
    default_page,
    impression,
    item_event,
    person,
    slot_event,
)
from planogram.client.requests import article, cart, category, checkout, help_page, home, product, search

__all__ = [
    "AsyncLayoutClient",
    "LayoutClient",
    "LayoutError",
    "article",
    "cart",
    "category",
    "checkout",
    "default_page",
    "help_page",
    "home",
    "impression",
    "item_event",
    "person",
    "product",
    "search",
    "slot_event",
]
