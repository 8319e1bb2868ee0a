"""How does a backend ask for a page of each type?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from planogram.common.v1 import context_pb2
from planogram.layout.v1 import layout_pb2


def home(user_id: str, session_id: str, **options: Any) -> layout_pb2.ComposePageRequest:
    """The shop's front page. `options` are those of `_request`."""
    return _request(context_pb2.PAGE_TYPE_HOME, user_id, session_id, **options)


def category(user_id: str, session_id: str, category: str, **options: Any) -> layout_pb2.ComposePageRequest:
    """The page of one category."""
    return _request(context_pb2.PAGE_TYPE_CATEGORY, user_id, session_id, category=category, **options)


def product(
    user_id: str, session_id: str, item_id: str, category: str = "", **options: Any
) -> layout_pb2.ComposePageRequest:
    """The page of one item; modules about its category need the category's id."""
    return _request(
        context_pb2.PAGE_TYPE_PRODUCT, user_id, session_id, item_id=item_id, category=category, **options
    )


def search(user_id: str, session_id: str, query: str, **options: Any) -> layout_pb2.ComposePageRequest:
    """The answer to a query."""
    return _request(context_pb2.PAGE_TYPE_SEARCH, user_id, session_id, query=query, **options)


def cart(
    user_id: str, session_id: str, item_ids: Iterable[str], **options: Any
) -> layout_pb2.ComposePageRequest:
    """The page of a cart that holds the items."""
    return _request(context_pb2.PAGE_TYPE_CART, user_id, session_id, cart_item_ids=item_ids, **options)


def checkout(
    user_id: str, session_id: str, item_ids: Iterable[str], **options: Any
) -> layout_pb2.ComposePageRequest:
    """The page where a cart that holds the items, one at least, is paid for."""
    return _request(context_pb2.PAGE_TYPE_CHECKOUT, user_id, session_id, cart_item_ids=item_ids, **options)


def article(
    user_id: str, session_id: str, item_id: str, category: str = "", **options: Any
) -> layout_pb2.ComposePageRequest:
    """The page of one article; modules about its category need the category's id."""
    return _request(
        context_pb2.PAGE_TYPE_ARTICLE, user_id, session_id, item_id=item_id, category=category, **options
    )


def help_page(
    user_id: str, session_id: str, question: str = "", **options: Any
) -> layout_pb2.ComposePageRequest:
    """The answers to a question; without one, to those asked most."""
    return _request(context_pb2.PAGE_TYPE_HELP, user_id, session_id, query=question, **options)


def _request(
    page_type: context_pb2.PageType,
    user_id: str,
    session_id: str,
    *,
    has_consent: bool = True,
    device: context_pb2.Device = context_pb2.DEVICE_DESKTOP,
    locale: str = "en",
    category: str = "",
    item_id: str = "",
    query: str = "",
    cart_item_ids: Iterable[str] = (),
    blueprint: str = "",
    slot_count: int | None = None,
    cursor: str = "",
    modules: Iterable[layout_pb2.CallerModule] = (),
) -> layout_pb2.ComposePageRequest:
    """
    Args:
        has_consent: False serves a page that knows nothing of the shopper.
        cart_item_ids: what lies in the cart; not recommended again.
        slot_count: 1 to 40; None leaves it to the blueprint.
        cursor: continues the page that handed it out.
        modules: shelves of your own.
    """
    consent = context_pb2.CONSENT_GRANTED if has_consent else context_pb2.CONSENT_REFUSED
    return layout_pb2.ComposePageRequest(
        shopper=context_pb2.Shopper(user_id=user_id, session_id=session_id, consent=consent),
        context=context_pb2.PageContext(
            page_type=page_type,
            device=device,
            locale=locale,
            query=query,
            category=category,
            item_id=item_id,
            cart_item_ids=cart_item_ids,
        ),
        blueprint=blueprint,
        slot_count=slot_count,
        cursor=cursor,
        modules=modules,
    )
