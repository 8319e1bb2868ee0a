"""How are shoppers and items encoded as tensors for the click model?

The scoring service declares the same specs; the fingerprint of both travels with every tensor, so a
change on one side alone is refused and never scored. Several encodings may be served side by side: what is
here is the one that models are trained for today.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.compiled import compiled
from services.common.tensors import N, TensorSpec, fingerprint
from services.feature.shoppers.known import HAS_BRAND, HAS_CATEGORY, HAS_ITEM, Known, Standing
from services.feature.shoppers.profile import POSITIVE_WEIGHTS, RECENT_COUNT

VECTOR_WIDTH = 16

SPECS = (
    TensorSpec(
        "item_ids",
        "int64",
        (N, 4),
        ("item", "category", "brand", "kind"),
        {"item": 16384, "category": 256, "brand": 1024, "kind": 4},
    ),
    TensorSpec(
        "item_numbers",
        "float32",
        (N, 10),
        (
            "log_price",
            "relative_price",
            "discount",
            "quality",
            "age_log_days",
            "log_impressions",
            "click_rate",
            "purchase_rate",
            "trend",
            "is_sponsored",
        ),
    ),
    TensorSpec("item_vector", "float32", (N, 16)),
    TensorSpec(
        "history_ids",
        "int64",
        (50, 4),
        ("item", "category", "brand", "event"),
        {"item": 16384, "category": 256, "brand": 1024, "event": 16},
    ),
    TensorSpec("history_numbers", "float32", (50, 2), ("log_age_hours", "relative_price")),
    TensorSpec(
        "shopper_numbers",
        "float32",
        (8,),
        (
            "log_events",
            "log_clicks",
            "log_purchases",
            "price_level",
            "session_pages",
            "session_clicks",
            "pages_without_click",
            "is_known",
        ),
    ),
    TensorSpec("shopper_vector", "float32", (16,)),
    TensorSpec("category_affinity", "float32", (256,)),
    TensorSpec(
        "context_ids",
        "int64",
        (5,),
        ("page_type", "device", "hour", "weekday", "segment"),
        {"page_type": 8, "device": 4, "hour": 25, "weekday": 8, "segment": 64},
    ),
)
REVISION = "1"

_AGE_COLUMN = 4
_ITEM, _CATEGORY, _BRAND, _SEGMENT = 16384, 256, 1024, 64
_KINDS = {"product": 1, "article": 2}
_DESKTOP = 1
_S_PER_DAY = 86_400.0
_US_PER_HOUR = 3.6e9
_TASTE_HALF_LIFE_DAYS = 7.0
_HAS = (HAS_ITEM, HAS_CATEGORY, HAS_BRAND)
_POSITIVE_WEIGHTS = np.array(
    [POSITIVE_WEIGHTS.get(event, 0.0) for event in range(1 + max(POSITIVE_WEIGHTS))], np.float64
)


@dataclass(frozen=True, slots=True)
class ItemRows:
    """What encodings read of N items; a missing number is NaN."""

    item_ids: Sequence[str]
    categories: Sequence[str]
    brands: Sequence[str]
    kinds: Sequence[str]
    """Each "product" or "article"."""
    price_micros: NDArray[np.int64]
    relative_price: NDArray[np.float32]
    discount: NDArray[np.float32]
    quality: NDArray[np.float32]
    impression_count: NDArray[np.float32]
    click_rate: NDArray[np.float32]
    purchase_rate: NDArray[np.float32]
    trend: NDArray[np.float32]
    bid_micros: NDArray[np.int64]


def encode_items(items: ItemRows) -> dict[str, NDArray[Any]]:
    """item_ids (N, 4) and item_numbers (N, 10); age_log_days is left at 0.

    Missing numbers (NaN) become the value of an average item.
    """
    ids = np.empty((len(items.item_ids), 4), np.int64)
    ids[:, 0] = [hashed(text, _ITEM) for text in items.item_ids]
    ids[:, 1] = [hashed(text, _CATEGORY) for text in items.categories]
    ids[:, 2] = [hashed(text, _BRAND) for text in items.brands]
    ids[:, 3] = [_KINDS.get(kind, 0) for kind in items.kinds]
    numbers = np.zeros((len(items.item_ids), 10), np.float32)
    numbers[:, 0] = log_price(items.price_micros)
    numbers[:, 1] = np.clip(items.relative_price, -3, 3)
    numbers[:, 2] = items.discount
    numbers[:, 3] = 2 * np.nan_to_num(items.quality, nan=0.5) - 1
    numbers[:, 5] = np.log1p(items.impression_count) / 4
    numbers[:, 6] = items.click_rate
    numbers[:, 7] = items.purchase_rate
    numbers[:, 8] = np.clip(items.trend, -3, 3)
    numbers[:, 9] = items.bid_micros > 0
    return {"item_ids": ids, "item_numbers": np.nan_to_num(numbers)}


def add_age(tensors: Mapping[str, NDArray[Any]], first_seen_s: NDArray[np.int64], now_s: float) -> None:
    """Writes age_log_days, which depends on when the page is asked for, into item_numbers."""
    _write_age(tensors["item_numbers"], first_seen_s, now_s)


def log_price(price_micros: Any) -> Any:
    """log_price of item_numbers, 0 near the price of 19 and where there is none."""
    price = np.asarray(price_micros, np.float64) / 1e6
    return np.where(price > 0, np.clip(np.log1p(price) - 3, -3, 3), 0.0)


def encode_shopper(
    known: Known,
    standing: Standing,
    shopper_vector: NDArray[np.float32],
    *,
    page_type: int,
    device: int,
    now: datetime,
) -> Mapping[str, NDArray[Any]]:
    """The shopper tensors by name.

    Args:
        standing: in the session of the page.
        shopper_vector: (D,) as `taste` makes it.
        now: time of the page, aware.
    """
    ids = np.zeros((RECENT_COUNT, 4), np.int64)
    numbers = np.zeros((RECENT_COUNT, 2), np.float32)
    _write_history(known.events, now.timestamp() * 1e6, _HAS, ids, numbers)
    return {
        "history_ids": ids,
        "history_numbers": numbers,
        "shopper_numbers": _shopper_numbers(known, standing),
        "shopper_vector": shopper_vector,
        "category_affinity": _category_affinity(known.category_affinities),
        "context_ids": np.array(
            [
                page_type if 0 < page_type < 8 else 0,
                device if 0 < device < 4 else _DESKTOP,
                now.hour + 1,
                now.isoweekday(),
                hashed(known.segment, _SEGMENT),
            ],
            np.int64,
        ),
    }


NO_TASTE: NDArray[np.float32] = np.zeros(VECTOR_WIDTH, np.float32)
"""The shopper vector of somebody of whom nothing is known."""


def taste(
    events: NDArray[np.void], vectors: NDArray[np.float32], rows: NDArray[np.int32]
) -> tuple[NDArray[np.float32], bool]:
    """Decayed mean of the vectors of recent positive events: (D,), unit length or zeros; whether it is one.

    Time alone does not turn it: all events grow older alike, so that each counts by how much older it is
    than the newest.

    Args:
        events: (L,) as of `Known`. vectors: (N, D) of all items. rows: (L,) of the events' items, -1 where
            unknown.
    """
    result = np.zeros(VECTOR_WIDTH, np.float32)
    has_taste: bool = _write_taste(events, vectors, rows, _POSITIVE_WEIGHTS, result)
    return result, has_taste


@compiled
def _write_age(numbers: NDArray[np.float32], first_seen_s: NDArray[np.int64], now_s: float) -> None:
    for row in range(len(numbers)):
        days = max(now_s - first_seen_s[row], 0.0) / _S_PER_DAY
        numbers[row, _AGE_COLUMN] = min(np.log1p(days) / 2, 3.0)


@compiled
def _write_history(
    events: NDArray[np.void],
    now_us: float,
    has: tuple[int, int, int],
    ids: NDArray[np.int64],
    numbers: NDArray[np.float32],
) -> None:
    """Writes history_ids and history_numbers, of events as of `Known`.

    Args:
        has: flags of an item, of a category and of a brand that are known.
    """
    has_item, has_category, has_brand = has
    for place in range(min(len(events), len(ids))):
        event = events[place]
        ids[place, 0] = _reduced(event.item, event.flags & has_item, _ITEM)
        ids[place, 1] = _reduced(event.category, event.flags & has_category, _CATEGORY)
        ids[place, 2] = _reduced(event.brand, event.flags & has_brand, _BRAND)
        ids[place, 3] = event.event
        hours = max(now_us - event.time_us, 0.0) / _US_PER_HOUR
        numbers[place, 0] = min(np.log1p(hours) / 3, 3.0)
        numbers[place, 1] = min(max(event.relative_price, np.float32(-3.0)), np.float32(3.0))


@compiled
def _reduced(digest: int, is_there: int, cardinality: int) -> int:
    """What `hashed` gives, of a text's CRC-32."""
    return int(1 + digest % (cardinality - 1)) if is_there else 0


@compiled
def _write_taste(
    events: NDArray[np.void],
    vectors: NDArray[np.float32],
    rows: NDArray[np.int32],
    weights: NDArray[np.float64],
    result: NDArray[np.float32],
) -> bool:
    """Writes the decayed mean, as `taste` says.

    Args:
        weights: by event.
    """
    mean, newest_us = np.zeros(len(result)), 0
    for place in range(len(events)):
        newest_us = max(newest_us, events[place].time_us)
    for place in range(len(events)):
        event = events[place]
        if rows[place] >= 0 and event.event < len(weights):
            age_days = (newest_us - event.time_us) / (24 * _US_PER_HOUR)
            weight = weights[event.event] * 0.5 ** (age_days / _TASTE_HALF_LIFE_DAYS)
            for axis in range(len(mean)):
                mean[axis] += weight * vectors[rows[place], axis]
    length = 0.0
    for number in mean:
        length += number * number
    length = math.sqrt(length)
    if length <= 1e-12:  # so near to nothing that the direction is a rounding error
        return False
    for axis in range(len(mean)):
        result[axis] = mean[axis] / length
    return True


def hashed(text: str, cardinality: int) -> int:
    """The id of a text: 0 for none, else 1 to cardinality - 1."""
    return 1 + zlib.crc32(text.encode()) % (cardinality - 1) if text else 0


@lru_cache(maxsize=4096)
def hashed_category(text: str) -> int:
    """The category id of a text; kept, because few categories return often."""
    return hashed(text, _CATEGORY)


def _shopper_numbers(known: Known, standing: Standing) -> NDArray[np.float32]:
    def log(count: int) -> float:
        return min(math.log1p(count), 9.0)

    return np.array(
        [
            log(known.event_count) / 3,
            log(known.click_count) / 2,
            log(known.purchase_count),
            2 * known.price_level - 1,
            log(standing.page_index),
            log(standing.click_count),
            log(standing.pages_without_click),
            known.is_known,
        ],
        np.float32,
    )


def _category_affinity(affinities: Mapping[str, float]) -> NDArray[np.float32]:
    result = np.zeros(_CATEGORY, np.float32)
    for category, share in affinities.items():
        result[hashed_category(category)] += share
    return result


@dataclass(frozen=True, slots=True)
class Encoding:
    """One way to turn shoppers and items into tensors.

    Attributes:
        items: the item tensors of N items that change with the catalogue alone, by name, (N, ...) each.
        at: writes into them what depends on the moment: (tensors, (N,) first seen, now; seconds since 1970).
        shopper: the shopper tensors by name, as `encode_shopper` makes them.
    """

    specs: tuple[TensorSpec, ...]
    revision: str
    items: Callable[[ItemRows], dict[str, NDArray[Any]]]
    at: Callable[[Mapping[str, NDArray[Any]], NDArray[np.int64], float], None]
    shopper: Callable[..., Mapping[str, NDArray[Any]]]
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", fingerprint(self.specs, self.revision))


CURRENT = Encoding(SPECS, REVISION, encode_items, add_age, encode_shopper)
FINGERPRINT = CURRENT.fingerprint
SERVED = (CURRENT,)
"""Encodings that are answered, by fingerprint. A new one is added here before any model wants it, and an old
one taken out when none does."""
