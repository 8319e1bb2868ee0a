"""How does a snapshot come out of Feast and the items pushed since?"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.common import artifacts
from services.feature.indexes import neighbours, search
from services.feature.indexes.wording import PLAIN, Wording
from services.feature.items import schema
from services.feature.items.derived import (
    discount_of,
    encode_vocabulary,
    group_by_category,
    popularity_of,
    price_levels,
    rank_deals,
    relative_price_of,
)
from services.feature.items.generation import ARTICLE, KINDS, PRODUCT, SUBSTITUTE_COSINE, Columns, RankedIndex
from services.feature.items.snapshot import INDEX_FILE, KEPT_COUNT, LAYOUT, encoded_name
from services.feature.storage.journal import Journal
from services.feature.storage.store import ITEM_VIEWS, OFFER, Store, require_items

NEIGHBOUR_COUNT = 64
COMPANION_COUNT = 32

_BLOCK = 1_024
_LOWEST = np.finfo(np.float32).min
_EXHAUSTIVE_COUNT = 30_000
_CLICK_WORTH = 0.05
_FRESH_HALF_LIFE_DAYS = 30.0


def build(store: Store, journal: Journal, root: Path, now: datetime, wording: Wording = PLAIN) -> str:
    """Builds a snapshot from Feast's offline sources and pushed items, and makes it current.

    Args:
        wording: the shop's synonyms and language, which the snapshot keeps.

    Returns:
        The version.

    Raises:
        NotFound: where the pipeline has not run yet.
    """
    require_items(store)
    begun = time.monotonic()
    # First the number, then the values: what is pushed in between is laid over the snapshot again.
    sequence = journal.sequence()
    tables = {name: store.pull_latest(name, now) for name in ITEM_VIEWS}
    values = _align(tables)
    _merge_pushed(values, store, [offer.item_id for offer in journal.offers()])
    arrays, vocabularies = _arrays(values, now)
    version = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    manifest = {
        "layout": LAYOUT,
        "encodings": {
            one.fingerprint: [name for name in arrays if name.startswith(encoded_name(one.fingerprint, ""))]
            for one in schema.SERVED
        },
        "built_s": time.time(),
        "build_s": time.monotonic() - begun,
        "sequence": sequence,
        "item_count": len(arrays["ids"]),
    }
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".building-") as folder:
        for name, array in arrays.items():
            np.save(Path(folder, f"{name}.npy"), array, allow_pickle=False)
        _write_neighbours(Path(folder, INDEX_FILE), arrays)
        words = {**vocabularies, "language": wording.language.value, "synonyms": wording.synonyms}
        Path(folder, "vocabularies.json").write_text(json.dumps(words, ensure_ascii=False))
        titles, *rest = ([one or "" for one in values[name]] for name in ("title", "category", "brand"))
        search.write(
            Path(folder), titles, [" ".join(pair) for pair in zip(*rest, strict=True)], wording.language
        )
        artifacts.publish(root, version, Path(folder), manifest, is_current=False)
    artifacts.point(root, version)
    artifacts.prune(root, KEPT_COUNT)
    return version


def _write_neighbours(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """The index behind "for you", in a shop that is large enough for it."""
    products = np.flatnonzero(arrays["kind"] == PRODUCT)
    if len(products) > neighbours.EXACT_COUNT:
        neighbours.write(path, arrays["item_vector"], popularity_of(arrays["click_rate"]), products)


def _align(tables: dict[str, pa.Table]) -> dict[str, NDArray[Any] | list[Any]]:
    """Every feature of every view by item of the attributes view; None or NaN where a view has no row."""
    attributes = tables[ITEM_VIEWS[0]]
    ids = attributes.column("item_id").to_pylist()
    values: dict[str, NDArray[Any] | list[Any]] = {"item_id": ids}
    for table in tables.values():
        key = table.column("item_id").to_pylist()
        place = {item_id: row for row, item_id in enumerate(key)}
        rows = pa.array([place.get(item_id) for item_id in ids], pa.int64())
        for column in table.column_names:
            if column not in ("item_id", "event_timestamp"):
                values[column] = table.column(column).combine_chunks().take(rows).to_pylist()
    return values


def _merge_pushed(values: dict[str, Any], store: Store, pushed_ids: Sequence[str]) -> None:
    """Replaces offers by those that were pushed into Feast since, item by item, the later one wins."""
    place = {item_id: row for row, item_id in enumerate(values["item_id"])}
    known = [item_id for item_id in pushed_ids if item_id in place]
    if not known:
        return
    for found in store.read(OFFER, known, as_writer=True):
        if found is None:
            continue
        row = place[found.key]
        if found.values["changed_us"] > (values["changed_us"][row] or 0):
            for name in ("price_micros", "stock", "is_active", "changed_us"):
                values[name][row] = found.values[name]


def _arrays(values: dict[str, Any], now: datetime) -> tuple[dict[str, NDArray[Any]], dict[str, list[str]]]:
    ids: list[str] = values["item_id"]
    count = len(ids)
    numbers: dict[str, NDArray[Any]] = {
        name: np.array([default if one is None else one for one in values[name]], dtype)
        for name, dtype, default in (
            ("price_micros", np.int64, 0),
            ("list_price_micros", np.int64, 0),
            ("cost_micros", np.int64, 0),
            ("stock", np.int32, 0),
            ("is_active", np.bool_, False),
            ("changed_us", np.int64, 0),
            ("age_rating", np.int32, 0),
            ("bid_micros", np.int64, 0),
            ("quality", np.float32, 0.5),
            ("first_seen_unix_s", np.int64, 0),
            ("impression_count", np.float32, 0),
            ("click_rate", np.float32, 0),
            ("purchase_rate", np.float32, 0),
            ("recent_clicks", np.float32, 0),
            ("recent_purchases", np.float32, 0),
            ("trend", np.float32, 0),
        )
    }
    texts = {
        name: [one or "" for one in values[name]] for name in ("title", "kind", "category", "brand", "seller")
    }
    codes, vocabularies = {}, {}
    for name, plural in (("category", "categories"), ("brand", "brands"), ("seller", "sellers")):
        vocabularies[plural], codes[name] = encode_vocabulary(texts[name])
    kind = np.array([KINDS.get(text, 0) for text in texts["kind"]], np.int8)
    vectors = np.zeros((count, schema.VECTOR_WIDTH), np.float32)
    for row, vector in enumerate(values["vector"]):
        if vector is not None:
            vectors[row] = vector
    category_count = len(vocabularies["categories"])
    log_median, percentile = price_levels(numbers["price_micros"], kind, codes["category"], category_count)
    relative = relative_price_of(numbers["price_micros"], codes["category"], log_median)
    discount = discount_of(numbers["price_micros"], numbers["list_price_micros"])
    items = schema.ItemRows(
        item_ids=ids,
        categories=texts["category"],
        brands=texts["brand"],
        kinds=texts["kind"],
        relative_price=relative,
        discount=discount,
        **{
            name: numbers[name]
            for name in (
                *("price_micros", "quality", "impression_count", "click_rate"),
                *("purchase_rate", "trend", "bid_micros"),
            )
        },
    )
    titles = [text.encode() for text in texts["title"]]
    columns = {
        **numbers,
        **codes,
        "ids": np.array([item_id.encode() for item_id in ids], np.bytes_),
        "item_vector": vectors,
        "kind": kind,
        "relative_price": relative,
        "price_percentile": percentile,
        "similar": _neighbours(vectors, kind, codes["category"]),
        "companions": _companions(values, vectors, kind, codes["category"]),
        "title_offsets": np.concatenate(([0], np.cumsum([len(title) for title in titles], dtype=np.int64))),
        "title_bytes": np.frombuffer(b"".join(titles), np.uint8),
    }
    arrays = {field.name: columns[field.name] for field in fields(Columns)}
    for encoding in schema.SERVED:
        for name, array in encoding.items(items).items():
            arrays[encoded_name(encoding.fingerprint, name)] = array
    for name, index in _ranked(numbers, kind, discount, codes["category"], category_count, now).items():
        arrays[f"{name}_offsets"], arrays[f"{name}_rows"] = index.offsets, index.rows
    arrays["category_log_median"] = log_median
    return arrays, vocabularies


def _ranked(
    numbers: dict[str, NDArray[Any]],
    kind: NDArray[np.int8],
    discount: NDArray[np.float32],
    category: NDArray[np.int32],
    category_count: int,
    now: datetime,
) -> dict[str, RankedIndex]:
    clicks, purchases, rate = (
        numbers["recent_clicks"],
        numbers["recent_purchases"],
        numbers["click_rate"],
    )
    age_days = np.maximum(now.timestamp() - numbers["first_seen_unix_s"], 0) / 86_400
    # Where nothing sold yet, the click rate expected of an item's quality decides.
    sales = purchases + _CLICK_WORTH * clicks + 1e-3 * rate
    rise = numbers["trend"] + 0.5 * rate / max(float(rate.mean()), 1e-9) * 0.5 ** (
        age_days / _FRESH_HALF_LIFE_DAYS
    )
    is_product = kind == PRODUCT
    scored = {
        "bestsellers": (is_product, sales),
        "trending": (is_product, rise),
        "new_arrivals": (is_product, numbers["first_seen_unix_s"]),
        "sponsored": (is_product & (numbers["bid_micros"] > 0), numbers["bid_micros"] * rate),
        "articles": (kind == ARTICLE, rate),
    }
    result = {}
    for name, (is_in, score) in scored.items():
        rows = np.flatnonzero(is_in)
        order = np.lexsort((rows, -score[rows].astype(np.float64)))
        result[name] = group_by_category(rows[order].astype(np.int32), category, category_count)
    deals = rank_deals(kind, discount, rate)
    result["deals"] = group_by_category(deals, category, category_count)
    return result


def _neighbours(
    vectors: NDArray[np.float32], kind: NDArray[np.int8], category: NDArray[np.int32]
) -> NDArray[np.int32]:
    """(N, K) nearest products by cosine, exact; within the category where all pairs would be too many."""
    result = np.full((len(vectors), NEIGHBOUR_COUNT), -1, np.int32)
    products = np.flatnonzero((kind == PRODUCT) & (np.abs(vectors).sum(axis=1) > 0))
    if len(vectors) <= _EXHAUSTIVE_COUNT:
        _fill_nearest(result, vectors, np.arange(len(vectors)), products)
    else:
        for code in np.unique(category):
            _fill_nearest(
                result, vectors, np.flatnonzero(category == code), products[category[products] == code]
            )
    return result


def _fill_nearest(
    result: NDArray[np.int32],
    vectors: NDArray[np.float32],
    rows: NDArray[np.int64],
    candidates: NDArray[np.int64],
    below: float = np.inf,
) -> None:
    """Writes the nearest candidates of each row into result[row], best first, never the row itself.

    Args:
        candidates: ascending.
        below: those at this cosine or above are passed over.
    """
    width = min(result.shape[1], len(candidates))
    if not width:
        return
    targets = np.ascontiguousarray(vectors[candidates].T)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        scores = vectors[block] @ targets
        if below < np.inf:
            scores[scores >= below] = -np.inf
        itself = np.searchsorted(candidates, block).clip(max=len(candidates) - 1)
        is_candidate = np.flatnonzero(candidates[itself] == block)
        scores[is_candidate, itself[is_candidate]] = -np.inf
        # Ties with the last one come along; the lower row goes first, so that a build can be repeated.
        last = np.partition(scores, -width, axis=1)[:, -width]
        among = np.flatnonzero(scores >= np.maximum(last, _LOWEST)[:, None])
        at, found = np.divmod(among, len(candidates))
        order = np.lexsort((candidates[found], -scores[at, found], at))
        at, found = at[order], found[order]
        rank = np.arange(len(at)) - np.searchsorted(at, at)
        is_kept = rank < width
        result[block[at[is_kept]], rank[is_kept]] = candidates[found[is_kept]]


def _companions(
    values: dict[str, Any],
    vectors: NDArray[np.float32],
    kind: NDArray[np.int8],
    category: NDArray[np.int32],
) -> NDArray[np.int32]:
    """(N, K) what is bought together, then what goes with it by content; -1 fills up.

    By content an item goes with what is nearest in its category without being a substitute for it.
    """
    count = len(vectors)
    result = np.full((count, COMPANION_COUNT), -1, np.int32)
    place = {item_id: row for row, item_id in enumerate(values["item_id"])}
    products = np.flatnonzero((kind == PRODUCT) & (np.abs(vectors).sum(axis=1) > 0))
    complements = np.full_like(result, -1)
    for code in np.unique(category):
        _fill_nearest(
            complements,
            vectors,
            np.flatnonzero(category == code),
            products[category[products] == code],
            below=SUBSTITUTE_COSINE,
        )
    for row, bought in enumerate(values["companions"]):
        rows = [place[item_id] for item_id in bought or () if item_id in place]
        rows += complements[row].tolist()
        ordered = list(dict.fromkeys(other for other in rows if other >= 0 and other != row))
        result[row, : min(len(ordered), COMPANION_COUNT)] = ordered[:COMPANION_COUNT]
    return result
