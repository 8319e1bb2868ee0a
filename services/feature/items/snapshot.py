"""Which items are there, and what is known of each, at one moment?

A snapshot is a folder of arrays that every worker maps; a generation is a snapshot with the pushed items
laid over it. Neither ever changes: an update makes a new generation, and a page uses one throughout.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common import artifacts
from services.common.errors import Incompatible
from services.feature.indexes import neighbours
from services.feature.indexes.neighbours import Neighbours
from services.feature.indexes.search import SearchIndex
from services.feature.indexes.wording import Language, Wording
from services.feature.items import schema
from services.feature.items.facts import Facts
from services.feature.items.memo import Memo
from services.feature.items.schema import Encoding, ItemRows
from services.feature.shoppers.acts import ItemBrief
from services.feature.shoppers.taste import Demand
from services.feature.storage.journal import Offer

KEPT_COUNT = 2
"""Snapshots that stay on disk: the one that serves and the one before."""

PRODUCT, ARTICLE = 1, 2
KINDS = {"product": PRODUCT, "article": ARTICLE}
SUBSTITUTE_COSINE = 0.5
"""Items of one kind are nearer than this; things that go with each other lie below it."""
_KIND_NAMES = {code: name for name, code in KINDS.items()}
LAYOUT = 3
"""Version of the folder's layout; a server refuses any other."""

_SEEN_COUNT = 100_000
_POPULARITY_SHARE = 0.1
"""What the most popular item gains on a cosine among what is recommended."""

_PUSHED = (
    *("price_micros", "stock", "is_active", "changed_us"),
    *("relative_price", "price_percentile"),
)

INDEX_FILE = "neighbours.faiss"
"""Absent from the snapshot of a small shop."""
RANKED = ("bestsellers", "trending", "new_arrivals", "deals", "sponsored", "articles")
"""Names of the indexes that rank items, in all and by category."""


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


def load(root: Path, version: str) -> Generation:
    """Maps a published snapshot, verified against its manifest.

    Raises:
        NotFound, Incompatible: as artifacts.load does, and for another layout or schema, or files that do not
            belong together.
    """
    artifact = artifacts.load(root, version)
    layout = artifact.manifest.get("layout")
    if layout != LAYOUT:
        raise Incompatible(f"{artifact.path}: layout {layout!r}, want {LAYOUT}")
    try:
        return _mapped(artifact)
    except Exception as error:  # what numpy, tantivy and usearch say of such files shares no base below
        raise Incompatible(f"{artifact.path}: {type(error).__name__}: {error}") from None


def _mapped(artifact: artifacts.Artifact) -> Generation:
    manifest = artifact.manifest

    def array(name: str) -> NDArray[Any]:
        mapped = np.load(artifact.file(f"{name}.npy"), mmap_mode="r", allow_pickle=False)
        # A plain view: every index into numpy's memmap class costs a Python call.
        return np.asarray(mapped)

    columns = Columns(**{each.name: array(each.name) for each in fields(Columns)})
    vocabularies = json.loads(artifact.file("vocabularies.json").read_text())
    wording = Wording(Language(vocabularies["language"]), vocabularies["synonyms"])
    categories, brands, sellers = (
        np.array(vocabularies[name], np.object_) for name in ("categories", "brands", "sellers")
    )
    discount = discount_of(columns.price_micros, columns.list_price_micros)
    ranked = {name: RankedIndex(array(f"{name}_offsets"), array(f"{name}_rows")) for name in RANKED}
    index = neighbours.read(artifact.file(INDEX_FILE)) if INDEX_FILE in manifest["files"] else None
    generation = Generation(
        snapshot_version=artifact.version,
        sequence=0,
        built_s=float(manifest["built_s"]),
        build_s=float(manifest.get("build_s", 0.0)),
        columns=columns,
        categories=categories,
        brands=brands,
        sellers=sellers,
        category_place={name: place for place, name in enumerate(categories.tolist())},
        category_log_median=array("category_log_median"),
        ranked=ranked,
        demand=Demand.of(ranked["bestsellers"].of(0), columns.category, len(categories)),
        search=SearchIndex(artifact.path, wording),
        discount=discount,
        newest_s=float(columns.first_seen_unix_s.max(initial=0)),
        is_under_review=np.zeros(len(columns.ids), bool),
        alarm_sequence=0,
        facts=Facts.of(
            columns.ids,
            ((brands, columns.brand), (sellers, columns.seller), (categories, columns.category)),
            {
                "age_rating": columns.age_rating,
                "bid_micros": columns.bid_micros,
                "first_seen_unix_s": columns.first_seen_unix_s,
                "popularity": columns.click_rate,
                **_offer_facts(columns, discount),
            },
        ),
        encoded={},
        vectors_by_width=columns.item_vector.T if index else np.ascontiguousarray(columns.item_vector.T),
        **_shown(columns, index),
    )
    # A snapshot of another release may lack an encoding: what it says of the items is encoded here then.
    stored: Mapping[str, Sequence[str]] = manifest["encodings"]
    encoded = {
        one.fingerprint: {
            name.removeprefix(encoded_name(one.fingerprint, "")): array(name)
            for name in stored[one.fingerprint]
        }
        if one.fingerprint in stored
        else one.items(_item_rows(generation, np.arange(generation.count)))
        for one in schema.SERVED
    }
    return replace(generation, encoded=encoded)


def encoded_name(fingerprint: str, tensor: str) -> str:
    """The name under which a snapshot keeps a tensor of an encoding."""
    return f"encoded-{fingerprint[:16]}-{tensor}"


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
        facts=generation.facts.changed(_offer_facts(columns, discount)),
        ranked=ranked,
        **_shown(columns, generation.neighbours and generation.neighbours.index),
    )
    return replace(result, encoded=_encoded_again(result, changed)) if len(changed) else result


def under_review(generation: Generation, item_ids: Sequence[str], sequence: int) -> Generation:
    """The generation in which these items, and no others, are under review."""
    rows = generation.rows_of(item_ids)
    is_meant = np.zeros(generation.count, bool)
    is_meant[rows[rows >= 0]] = True
    facts = generation.facts.changed({"is_under_review": is_meant})
    return replace(generation, is_under_review=is_meant, facts=facts, alarm_sequence=sequence)


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


def _shown(columns: Columns, index: Any) -> dict[str, Any]:
    is_shown = columns.is_active & (columns.stock > 0)
    is_product_shown = is_shown & (columns.kind == PRODUCT)
    return {
        "is_shown": is_shown,
        "is_product_shown": is_product_shown,
        "appeal": np.where(is_product_shown, popularity_of(columns.click_rate), -np.inf).astype(np.float32),
        "neighbours": Neighbours(index, is_product_shown) if index else None,
    }


def _offer_facts(columns: Columns, discount: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """The facts that a push may change."""
    return {
        "price_micros": columns.price_micros,
        "margin_micros": columns.price_micros - columns.cost_micros,
        "stock": columns.stock,
        "discount": discount,
    }


def _encoded_again(generation: Generation, rows: NDArray[np.int64]) -> dict[str, dict[str, NDArray[Any]]]:
    """All encodings, after some rows changed; tensors that did not change are those of before."""
    items, result = _item_rows(generation, rows), {}
    for one in schema.SERVED:
        tensors = dict(generation.encoded[one.fingerprint])
        for name, values in one.items(items).items():
            if not np.array_equal(values, tensors[name][rows]):
                tensors[name] = np.array(tensors[name])
                tensors[name][rows] = values
        result[one.fingerprint] = tensors
    return result


def _item_rows(generation: Generation, rows: NDArray[np.int64]) -> ItemRows:
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
