"""What would the log's pages have held, had items been read in another way?

A log holds items' and shoppers' vectors as they were, so both are made anew: the item's by its codes, which
the log holds, and the shopper's as the feature service makes it, from the items of the history. Some items
are held out of what is learned from, as if they were new on the latest pages.
Symbols: N items of the catalogue, R examined items, P pages, L length of the history, D width.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from services.feature.items import schema
from services.feature.shoppers.profile import POSITIVE_WEIGHTS
from services.scoring.signature import SPECS
from services.scoring.training.data import PER_ROW, Examined

Array = np.ndarray[Any, Any]

NEW_SHARE = 0.2
"""Of items, that are held out."""

_HALF_LIFE_DAYS, _LOG_SCALE = 7.0, 3.0
"""The feature service's: of a shopper's taste, and what log_age_hours is divided by."""
_CODES = next(spec.cardinality for spec in SPECS if spec.name == "item_ids")
_EVENT_COUNT = next(spec.cardinality["event"] for spec in SPECS if spec.name == "history_ids")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """N items.

    Attributes:
        codes: (N,) of item, category and brand as one number, in rising order; rows: (N,) their rows.
    """

    item_ids: Sequence[str]
    codes: Array
    rows: Array

    def place(self, ids: Array) -> Array:
        """(...) rows of items by (..., 3 or more) codes; N for those that are not there.

        Two items of the same three codes are taken for the first.
        """
        wanted = _joined(ids)
        if not self.item_ids:
            return np.zeros(wanted.shape, np.int64)
        place = np.searchsorted(self.codes, wanted).clip(0, len(self.codes) - 1)
        found: Array = np.where(self.codes[place] == wanted, self.rows[place], len(self.item_ids))
        return found


def catalogue(item_ids: Sequence[str], categories: Sequence[str], brands: Sequence[str]) -> Catalogue:
    """The items, found by what a log holds of them."""
    columns = [
        [schema.hashed(text or "", _CODES[name]) for text in texts]
        for name, texts in (("item", item_ids), ("category", categories), ("brand", brands))
    ]
    codes = _joined(np.array(columns, np.int64).T)
    order = np.argsort(codes, kind="stable")
    return Catalogue(item_ids, codes[order], order)


def with_vectors(pages: Examined, items: Catalogue, vectors: Array) -> Examined:
    """The same pages with other vectors.

    Args:
        vectors: (N, D) of the items.
    """
    known = np.vstack([vectors, np.zeros((1, vectors.shape[1]), np.float32)])  # the last is nobody's
    history = pages.shopper["history_ids"]
    weights = np.zeros(_EVENT_COUNT)
    for event, weight in POSITIVE_WEIGHTS.items():
        weights[event] = weight
    age_days = np.expm1(_LOG_SCALE * pages.shopper["history_numbers"][..., 0]).clip(0) / 24
    liked = weights[history[..., 3]] * 0.5 ** (age_days / _HALF_LIFE_DAYS)
    mean = np.einsum("pl,pld->pd", liked, known[items.place(history)])
    lengths = np.linalg.norm(mean, axis=1, keepdims=True)
    taste = np.divide(mean, lengths, out=np.zeros_like(mean), where=lengths > 1e-12).astype(np.float32)
    return replace(
        pages,
        item={**pages.item, "item_vector": known[items.place(pages.item["item_ids"])]},
        shopper={**pages.shopper, "shopper_vector": taste},
    )


def is_new(pages: Examined, items: Catalogue) -> Array:
    """(R,) true for items that are held out: always the same ones of a catalogue."""
    held = [zlib.crc32(f"new {name}".encode()) % 1_000 < 1_000 * NEW_SHARE for name in items.item_ids]
    found: Array = np.array([*held, False])[items.place(pages.item["item_ids"])]
    return found


def rows_of(pages: Examined, is_kept: Array) -> Examined:
    """Some of the examined items, and the pages that still hold any.

    Args:
        is_kept: (R,).
    """
    page = np.repeat(np.arange(pages.page_count), np.diff(pages.offsets))[is_kept]
    lengths = np.bincount(page, minlength=pages.page_count)
    is_left = lengths > 0
    return Examined(
        shopper={name: array[is_left] for name, array in pages.shopper.items()},
        item={name: array[is_kept] for name, array in pages.item.items()},
        offsets=np.concatenate([[0], np.cumsum(lengths[is_left])]),
        **{name: getattr(pages, name)[is_kept] for name in PER_ROW},
        times=pages.times[is_left],
        who=pages.who[is_left],
        skipped=pages.skipped,
    )


def _joined(ids: Array) -> Array:
    item, category, brand = (ids[..., column].astype(np.int64) for column in range(3))
    found: Array = (item * _CODES["category"] + category) * _CODES["brand"] + brand
    return found
