"""How do pushed changes and review alarms make a new generation of the one that serves?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.feature.items import schema
from services.feature.items.derived import (
    discount_of,
    group_by_category,
    item_rows,
    offer_facts,
    rank_deals,
    relative_price_of,
    shown,
)
from services.feature.items.generation import PRODUCT, Columns, Generation
from services.feature.storage.journal import Offer

_PUSHED = (
    *("price_micros", "stock", "is_active", "changed_us"),
    *("relative_price", "price_percentile"),
)


def overlay(generation: Generation, offers: Sequence[Offer], sequence: int) -> Generation:
    """The generation after pushes; offers that are older than what an item shows already are skipped."""
    old = generation.columns
    rows = generation.rows_of([offer.item_id for offer in offers])
    newer = [
        (row, offer)
        for row, offer in zip(rows.tolist(), offers, strict=True)
        if row >= 0 and offer.changed_us > old.changed_us[row]
    ]
    if not newer:
        return replace(generation, sequence=sequence)
    columns = replace(
        old,
        **{name: np.array(getattr(old, name)) for name in _PUSHED},
    )
    for row, offer in newer:
        columns.price_micros[row] = offer.price_micros
        columns.stock[row] = offer.stock
        columns.is_active[row] = offer.is_active
        columns.changed_us[row] = offer.changed_us
    discount = discount_of(columns.price_micros, columns.list_price_micros)
    changed = np.array([row for row, _ in newer if columns.price_micros[row] != old.price_micros[row]], int)
    ranked = generation.ranked
    if len(changed):
        _reprice(columns, changed, generation.category_log_median)
        deals = rank_deals(columns.kind, discount, columns.click_rate)
        ranked = {
            **ranked,
            "deals": group_by_category(deals, columns.category, len(generation.categories)),
        }
    result = replace(
        generation,
        sequence=sequence,
        columns=columns,
        discount=discount,
        facts=generation.facts.changed(offer_facts(columns, discount)),
        ranked=ranked,
        **shown(columns, generation.neighbours and generation.neighbours.index),
    )
    return replace(result, encoded=_encoded_again(result, changed)) if len(changed) else result


def under_review(generation: Generation, item_ids: Sequence[str], sequence: int) -> Generation:
    """The generation in which these items, and no others, are under review."""
    rows = generation.rows_of(item_ids)
    is_meant = np.zeros(generation.count, bool)
    is_meant[rows[rows >= 0]] = True
    facts = generation.facts.changed({"is_under_review": is_meant})
    return replace(generation, is_under_review=is_meant, facts=facts, alarm_sequence=sequence)


def _encoded_again(generation: Generation, rows: NDArray[np.int64]) -> dict[str, dict[str, NDArray[Any]]]:
    """All encodings, after some rows changed; tensors that did not change are those of before."""
    items, result = item_rows(generation, rows), {}
    for one in schema.SERVED:
        tensors = dict(generation.encoded[one.fingerprint])
        for name, values in one.items(items).items():
            if not np.array_equal(values, tensors[name][rows]):
                tensors[name] = np.array(tensors[name])
                tensors[name][rows] = values
        result[one.fingerprint] = tensors
    return result


def _reprice(
    columns: Columns,
    rows: NDArray[np.int64],
    log_median: NDArray[np.float64],
) -> None:
    price = columns.price_micros[rows]
    columns.relative_price[rows] = relative_price_of(price, columns.category[rows], log_median)
    for row in rows.tolist():
        peers = (columns.category == columns.category[row]) & (columns.kind == PRODUCT)
        prices = columns.price_micros[peers]
        prices = prices[prices > 0]
        if len(prices):
            columns.price_percentile[row] = np.mean(prices <= columns.price_micros[row])
