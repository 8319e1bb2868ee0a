"""What is known of all items at one moment, as a page sees it?

A generation is a snapshot with the pushed items laid over it. It never changes: an update makes a new one,
and a page uses one throughout.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.feature.indexes.neighbours import Neighbours
from services.feature.indexes.search import SearchIndex
from services.feature.items.facts import Facts
from services.feature.items.memo import Memo
from services.feature.items.schema import Encoding
from services.feature.shoppers.acts import ItemBrief
from services.feature.shoppers.taste import Demand

PRODUCT, ARTICLE = 1, 2
KINDS = {"product": PRODUCT, "article": ARTICLE}
SUBSTITUTE_COSINE = 0.5
"""Items of one kind are nearer than this; things that go with each other lie below it."""
RANKED = ("bestsellers", "trending", "new_arrivals", "deals", "sponsored", "articles")
"""Names of the indexes that rank items, in all and by category."""

_SEEN_COUNT = 100_000


@dataclass(frozen=True, slots=True)
class Columns:
    """What is stored per item, in order of item id. N items, K neighbours, D width."""

    ids: NDArray[np.bytes_]
    """(N,) UTF-8, ascending, so that a search finds a row and no process holds a table of its own."""
    item_vector: NDArray[np.float32]
    """(N, D) unit length or zeros."""
    category: NDArray[np.int32]
    """(N,) places in the vocabulary of categories; so brand and seller."""
    brand: NDArray[np.int32]
    seller: NDArray[np.int32]
    kind: NDArray[np.int8]
    price_micros: NDArray[np.int64]
    list_price_micros: NDArray[np.int64]
    cost_micros: NDArray[np.int64]
    stock: NDArray[np.int32]
    is_active: NDArray[np.bool_]
    changed_us: NDArray[np.int64]
    age_rating: NDArray[np.int32]
    bid_micros: NDArray[np.int64]
    quality: NDArray[np.float32]
    first_seen_unix_s: NDArray[np.int64]
    impression_count: NDArray[np.float32]
    click_rate: NDArray[np.float32]
    purchase_rate: NDArray[np.float32]
    trend: NDArray[np.float32]
    relative_price: NDArray[np.float32]
    price_percentile: NDArray[np.float32]
    """(N,) share of the category's products that cost no more; NaN without a price."""
    similar: NDArray[np.int32]
    """(N, K) rows of the nearest products, nearest first; -1 fills up."""
    companions: NDArray[np.int32]
    """(N, K) rows of what goes with the item, best first; substitutes only if bought with it; -1 fills up."""
    title_offsets: NDArray[np.int64]
    title_bytes: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class RankedIndex:
    """Rows ranked in all (place 0) and in category c (place c + 1)."""

    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]

    def of(self, place: int) -> NDArray[np.int32]:
        return self.rows[self.offsets[place] : self.offsets[place + 1]]


@dataclass(frozen=True, slots=True)
class Generation:
    """One immutable state of all items, as one page sees it."""

    snapshot_version: str
    sequence: int
    """Number of the last push that is laid over the snapshot."""
    built_s: float
    build_s: float
    """How long the build took; 0 where the snapshot does not say."""
    columns: Columns
    categories: NDArray[np.object_]
    """Names by their codes, as are brands and sellers: an array hands out a page's names at once."""
    brands: NDArray[np.object_]
    sellers: NDArray[np.object_]
    category_place: Mapping[str, int]
    category_log_median: NDArray[np.float64]
    ranked: Mapping[str, RankedIndex]
    search: SearchIndex
    discount: NDArray[np.float32]
    is_shown: NDArray[np.bool_]
    """(N,) active and in stock."""
    is_product_shown: NDArray[np.bool_]
    """(N,) that, and a product."""
    is_under_review: NDArray[np.bool_]
    """(N,) somebody should look at its reviews."""
    alarm_sequence: int
    """How often the list of these had changed."""
    newest_s: float
    """When the last item entered the catalogue, seconds since 1970."""
    facts: Facts
    """The same columns, as pages are told of them."""
    encoded: Mapping[str, Mapping[str, NDArray[Any]]]
    """Item tensors (N, ...) by name, by fingerprint of each encoding that is served, item_vector left out."""
    demand: Demand
    appeal: NDArray[np.float32]
    """(N,) what popularity adds to the cosine of products that are shown; minus infinity of all else."""
    vectors_by_width: NDArray[np.float32]
    """(D, N) item_vector with its axes changed, which multiplies several times as fast."""
    neighbours: Neighbours | None
    """Of products that are shown; None in a shop so small that all are compared."""
    seen: dict[str, int] = field(default_factory=dict)
    """Rows of ids that were asked for lately: a search among all ids costs far more."""
    candidates: Memo = field(init=False, default_factory=lambda: Memo(10_000))
    """Of modules whose candidates depend on no shopper."""
    commons: Memo = field(init=False, default_factory=lambda: Memo(256))
    """What pages have in common, by their modules."""

    @property
    def version(self) -> str:
        if self.alarm_sequence:
            return f"{self.snapshot_version}+{self.sequence}.{self.alarm_sequence}"
        return f"{self.snapshot_version}+{self.sequence}" if self.sequence else self.snapshot_version

    @property
    def count(self) -> int:
        return len(self.columns.ids)

    def rows_of(self, item_ids: Sequence[str]) -> NDArray[np.int32]:
        """Rows of item ids, -1 where unknown."""
        seen = self.seen
        rows = list(map(seen.get, item_ids))
        if None in rows:
            if len(seen) > _SEEN_COUNT:
                seen.clear()
            for place, item_id in enumerate(item_ids):
                if rows[place] is None:
                    rows[place] = seen[item_id] = self._searched(item_id.encode())
        return np.array(rows, np.int32)

    def _searched(self, item_id: bytes) -> int:
        ids = self.columns.ids
        place = bisect_left(ids, item_id)
        return place if place < len(ids) and ids[place] == item_id else -1

    def row_of(self, item_id: str) -> int:
        return int(self.rows_of((item_id,))[0]) if item_id else -1

    def brief(self, item_id: str) -> ItemBrief | None:
        """What a profile needs to know of an item; None where it is unknown."""
        row = self.row_of(item_id)
        if row < 0:
            return None
        columns = self.columns
        percentile = float(columns.price_percentile[row])
        return ItemBrief(
            self.categories[columns.category[row]],
            self.brands[columns.brand[row]],
            float(columns.relative_price[row]),
            None if np.isnan(percentile) else percentile,
        )

    def title(self, row: int) -> str:
        start, end = self.columns.title_offsets[row], self.columns.title_offsets[row + 1]
        return self.columns.title_bytes[start:end].tobytes().decode()

    def vectors(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """(len(rows), D) vectors, zeros for row -1."""
        found = self.columns.item_vector.take(rows, axis=0, mode="wrap")
        found[rows < 0] = 0
        return found

    def item_tensors(
        self, encoding: Encoding, rows: NDArray[np.int64], now: datetime
    ) -> dict[str, NDArray[Any]]:
        """The item tensors of rows at a time."""
        # The rows exist, so that "clip" changes none; it only spares numpy a copy for the case of an error.
        tensors = {
            name: array.take(rows, axis=0, mode="clip")
            for name, array in self.encoded[encoding.fingerprint].items()
        }
        encoding.at(tensors, self.columns.first_seen_unix_s[rows], now.timestamp())
        return tensors | {"item_vector": self.columns.item_vector.take(rows, axis=0, mode="clip")}
