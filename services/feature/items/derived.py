"""What follows from what is stored of items: price cuts and levels, ranks, popularity, what may be shown?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.feature.indexes.neighbours import Neighbours
from services.feature.items.generation import KINDS, PRODUCT, Columns, Generation, RankedIndex
from services.feature.items.schema import ItemRows

_KIND_NAMES = {code: name for name, code in KINDS.items()}
_POPULARITY_SHARE = 0.1
"""What the most popular item gains on a cosine among what is recommended."""


def discount_of(price_micros: NDArray[np.int64], list_price_micros: NDArray[np.int64]) -> NDArray[np.float32]:
    """The price cut as a share of the list price, 0 to 1."""
    cut = 1 - price_micros / np.maximum(list_price_micros, 1)
    return np.where(list_price_micros > 0, np.clip(cut, 0, 1), 0).astype(np.float32)


def relative_price_of(
    price_micros: NDArray[np.int64], category: NDArray[np.int32], log_median: NDArray[np.float64]
) -> NDArray[np.float32]:
    """log(price / median price of the category); 0 where there is no price."""
    logs = np.log(np.maximum(price_micros, 1)) - log_median[category]
    return np.where(price_micros > 0, logs, 0).astype(np.float32)


def rank_deals(
    kind: NDArray[np.int8], discount: NDArray[np.float32], click_rate: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Rows of products with a price cut, largest first, the more popular first among equals."""
    rows = np.flatnonzero((kind == PRODUCT) & (discount > 0))
    order = np.lexsort((rows, -click_rate[rows], -np.round(discount[rows], 2)))
    return rows[order].astype(np.int32)


def group_by_category(
    rows: NDArray[np.int32], category: NDArray[np.int32], category_count: int
) -> RankedIndex:
    """An index over ranked rows: all of them, then those of each category in the same order."""
    codes = category[rows]
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=category_count)
    offsets = np.concatenate(([0, len(rows)], len(rows) + np.cumsum(sizes)))
    return RankedIndex(offsets.astype(np.int64), np.concatenate((rows, rows[order])).astype(np.int32))


def popularity_of(click_rate: NDArray[np.float32]) -> NDArray[np.float32]:
    """What an item's popularity adds to a cosine among what is recommended."""
    return (_POPULARITY_SHARE * click_rate / max(float(click_rate.max(initial=0)), 1e-9)).astype(np.float32)


def encode_vocabulary(texts: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct texts in order, and each text's place among them."""
    vocabulary = sorted(set(texts))
    place = {text: code for code, text in enumerate(vocabulary)}
    return vocabulary, np.array([place[text] for text in texts], np.int32)


def price_levels(
    price: NDArray[np.int64], kind: NDArray[np.int8], category: NDArray[np.int32], category_count: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Log of the median price by category, and each item's percentile among its category's products."""
    log_median = np.zeros(category_count, np.float64)
    percentile = np.full(len(price), np.nan, np.float32)
    is_priced = (kind == PRODUCT) & (price > 0)
    for code in range(category_count):
        rows = np.flatnonzero(is_priced & (category == code))
        if len(rows):
            ordered = np.sort(price[rows])
            log_median[code] = np.log(np.median(ordered))
            percentile[rows] = np.searchsorted(ordered, price[rows], side="right") / len(rows)
    return log_median, percentile


def shown(columns: Columns, index: Any) -> dict[str, Any]:
    """The fields of a generation that tell what may be shown.

    Args:
        index: of the nearest products; None in a small shop.
    """
    is_shown = columns.is_active & (columns.stock > 0)
    is_product_shown = is_shown & (columns.kind == PRODUCT)
    return {
        "is_shown": is_shown,
        "is_product_shown": is_product_shown,
        "appeal": np.where(is_product_shown, popularity_of(columns.click_rate), -np.inf).astype(np.float32),
        "neighbours": Neighbours(index, is_product_shown) if index else None,
    }


def offer_facts(columns: Columns, discount: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """The facts that a push may change."""
    return {
        "price_micros": columns.price_micros,
        "margin_micros": columns.price_micros - columns.cost_micros,
        "stock": columns.stock,
        "discount": discount,
    }


def item_rows(generation: Generation, rows: NDArray[np.int64]) -> ItemRows:
    """What encodings read of items."""
    columns = generation.columns
    return ItemRows(
        item_ids=[raw.decode() for raw in columns.ids[rows].tolist()],
        categories=generation.categories[columns.category[rows]].tolist(),
        brands=generation.brands[columns.brand[rows]].tolist(),
        kinds=[_KIND_NAMES.get(code, "") for code in columns.kind[rows].tolist()],
        discount=generation.discount[rows],
        **{
            name: getattr(columns, name)[rows]
            for name in (
                *("price_micros", "relative_price", "quality", "impression_count", "click_rate"),
                *("purchase_rate", "trend", "bid_micros"),
            )
        },
    )
