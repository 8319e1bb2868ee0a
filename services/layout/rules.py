"""Which items may a module show, and how many of a kind?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.layout import yaml_file
from services.layout.tokens import item_digest
from services.layout.yaml_file import Document

Ints = np.ndarray[Any, np.dtype[np.int32]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


class Exclude(Document):
    """Items that no module shows."""

    sold_out: bool = True
    in_cart: bool = True
    current_item: bool = True
    min_age_rating: int = Field(18, ge=1, le=99)


class Limits(Document):
    """The most items of one kind; absent is no limit."""

    per_brand_in_module: int | None = Field(None, ge=1, le=100)
    per_brand_on_page: int | None = Field(None, ge=1, le=1_000)


class Value(Document):
    """What a click and a sale are worth."""

    click: float = Field(ge=0, le=1e6)
    purchase: float = Field(ge=0, le=1e6)


class Rules(Document):
    """The content of rules.yaml."""

    exclude: Exclude
    limits: Limits
    value: Value


@dataclass(frozen=True, slots=True)
class Groups:
    """Numbers per item for caps across the page.

    group_id: (N,) int32, -1 for none. limits: most items by group.
    """

    group_id: Ints
    limits: dict[int, int]


def load(folder: Path) -> Rules:
    """Reads rules.yaml."""
    return yaml_file.read(folder / "rules.yaml", Rules)


def allowed_items(
    rules: Rules,
    item_ids: list[str],
    facts: feature_pb2.ItemFacts,
    context: context_pb2.PageContext,
    shown: frozenset[bytes],
) -> Bools:
    """(N,) true where the item may be shown at all.

    Args:
        shown: digests of the items of earlier parts of the same page.
    """
    count = len(item_ids)
    allowed = np.ones(count, bool)
    if rules.exclude.sold_out:
        allowed &= np.fromiter(facts.stock, np.int64, count) > 0
    allowed &= np.fromiter(facts.age_rating, np.int64, count) < rules.exclude.min_age_rating
    banned: set[str] = set()
    if rules.exclude.in_cart:
        banned.update(context.cart_item_ids)
    if rules.exclude.current_item and context.item_id:
        banned.add(context.item_id)
    if banned:
        allowed &= np.fromiter((item_id not in banned for item_id in item_ids), bool, count)
    if shown:
        allowed &= np.fromiter((item_digest(item_id) not in shown for item_id in item_ids), bool, count)
    return allowed


def brand_numbers(facts: feature_pb2.ItemFacts) -> Ints:
    """(N,) a number per brand; -1 where the brand is unknown."""
    numbers: dict[str, int] = {"": -1}
    return np.fromiter(
        (numbers.setdefault(brand, len(numbers) - 1) for brand in facts.brand), np.int32, len(facts.brand)
    )


def page_groups(rules: Rules, brands: Ints) -> Groups | None:
    """The caps across the page; None where there are none to keep."""
    limit = rules.limits.per_brand_on_page
    if limit is None or brands.size == 0:
        return None
    counts = np.bincount(brands[brands >= 0], minlength=1)
    crowded = {int(brand): limit for brand in np.flatnonzero(counts > limit)}
    return Groups(brands, crowded) if crowded else None


def cap_in_module(rules: Rules, rows: Ints, brands: Ints) -> Ints:
    """The rows in order, without those beyond the brand's limit inside one module."""
    limit = rules.limits.per_brand_in_module
    if limit is None or rows.size == 0:
        return rows
    of_rows = brands[rows]
    if np.bincount(of_rows[of_rows >= 0], minlength=1).max() <= limit:
        return rows
    seen: dict[int, int] = {}
    keep = np.empty(rows.size, bool)
    for index, brand in enumerate(of_rows.tolist()):
        seen[brand] = seen.get(brand, 0) + 1
        keep[index] = brand < 0 or seen[brand] <= limit
    return rows[keep]
