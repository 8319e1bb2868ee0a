"""Which named features can other consumers read, and what are they of one shopper or item?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.feature.items.generation import PRODUCT, Generation
from services.feature.shoppers.profile import Profile, bought_before, price_level, recently_viewed, shares

Value = str | float | int | list[float] | list[str]

ITEM_FEATURES: Mapping[str, Callable[[Generation, int], Value]] = {
    "title": lambda items, row: items.title(row),
    "kind": lambda items, row: "product" if items.columns.kind[row] == PRODUCT else "article",
    "category": lambda items, row: items.categories[items.columns.category[row]],
    "brand": lambda items, row: items.brands[items.columns.brand[row]],
    "seller": lambda items, row: items.sellers[items.columns.seller[row]],
    "price_micros": lambda items, row: int(items.columns.price_micros[row]),
    "list_price_micros": lambda items, row: int(items.columns.list_price_micros[row]),
    "discount": lambda items, row: float(items.discount[row]),
    "stock": lambda items, row: int(items.columns.stock[row]),
    "is_active": lambda items, row: int(items.columns.is_active[row]),
    "age_rating": lambda items, row: int(items.columns.age_rating[row]),
    "bid_micros": lambda items, row: int(items.columns.bid_micros[row]),
    "quality": lambda items, row: float(items.columns.quality[row]),
    "first_seen_unix_s": lambda items, row: int(items.columns.first_seen_unix_s[row]),
    "impression_count": lambda items, row: float(items.columns.impression_count[row]),
    "click_rate": lambda items, row: float(items.columns.click_rate[row]),
    "purchase_rate": lambda items, row: float(items.columns.purchase_rate[row]),
    "trend": lambda items, row: float(items.columns.trend[row]),
    "is_under_review": lambda items, row: int(items.is_under_review[row]),
    "vector": lambda items, row: items.columns.item_vector[row].tolist(),
}

SHOPPER_FEATURES: Mapping[str, Callable[[Profile], Value]] = {
    "event_count": lambda profile: profile.event_count,
    "click_count": lambda profile: profile.click_count,
    "purchase_count": lambda profile: profile.purchase_count,
    "segment": lambda profile: profile.segment,
    "price_level": price_level,
    "recent_item_ids": recently_viewed,
    "bought_item_ids": bought_before,
    "top_categories": lambda profile: list(shares(profile.categories))[:5],
    "top_category_shares": lambda profile: list(shares(profile.categories).values())[:5],
    "top_brands": lambda profile: list(shares(profile.brands))[:5],
    "top_brand_shares": lambda profile: list(shares(profile.brands).values())[:5],
    "updated_us": lambda profile: profile.updated_us,
}


def default_like(value: Any) -> Value:
    """The value that stands for a missing one of the same type."""
    kind: Callable[[], Value] = type(value)
    return kind()
