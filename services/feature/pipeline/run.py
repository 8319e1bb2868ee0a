"""How do a catalogue and a log become what the service reads: Feast's sources, online rows and a snapshot?"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from planogram.events.v1 import events_pb2
from planogram.files import catalogue as catalogue_files
from planogram.files import log as log_files
from services.common.errors import ConfigurationError
from services.feature.indexes.wording import PLAIN, Wording
from services.feature.items.building import build
from services.feature.pipeline.briefs import item_briefs
from services.feature.pipeline.clean import Cleaned, clean, log_end, write_set_aside
from services.feature.pipeline.companions import Companions, companions
from services.feature.pipeline.statistics import NO_TOUCHES, Statistics, Touches, item_statistics
from services.feature.pipeline.vectors import co_click_counts, item_vectors
from services.feature.shoppers.acts import ShopperEvent
from services.feature.shoppers.profile import Profile, apply_events
from services.feature.shoppers.serialization import loads
from services.feature.shoppers.updating import profile_row
from services.feature.storage.forgetting import forget_meanwhile, rejected_path
from services.feature.storage.journal import Journal, Offer
from services.feature.storage.store import OFFER, PROFILE, Row, Store

Progress = Callable[[str], None]

_BASKET = ("CART_ADD", "PURCHASE")
_CHUNK = 500
_EXPOSURE_BATCH = 512


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did."""

    item_count: int
    event_count: int
    rejected: Mapping[str, int]
    rejected_path: Path | None
    profile_count: int
    materialized_profile_count: int
    has_writer_place: bool
    snapshot_version: str


@dataclass(frozen=True, slots=True)
class _Log:
    """A cleaned log and the rows of the catalogue that it touches."""

    cleaned: Cleaned
    impressions: Touches
    clicks: Touches
    purchases: Touches
    clicked_sessions: Sequence[Sequence[int]]
    baskets: Sequence[Sequence[int]]


def run(
    *,
    store: Store,
    journal: Journal,
    catalogue_path: Path,
    log_path: Path,
    snapshots_path: Path,
    kept_count: int,
    wording: Wording = PLAIN,
    progress: Progress = lambda _: None,
) -> Report:
    """Runs the whole pipeline: clean, aggregate, write offline, apply, materialize, snapshot.

    "Now" is the end of the log; without a log, the clock.

    Raises:
        ConfigurationError: where there is no catalogue, or it cannot be read.
    """
    progress("reading the catalogue")
    items = _catalogue(catalogue_path)
    end = log_end(log_path)
    now = end or datetime.now(UTC)
    ids = items.column("item_id").to_pylist()
    place = {item_id: row for row, item_id in enumerate(ids)}
    found = None
    tombstones = journal.tombstones()
    if end is not None:
        progress("cleaning the log")
        try:
            found = _read_log(log_path, place, tombstones, now)
            write_set_aside(log_path, found.cleaned)
        except (log_files.LogFileError, OSError) as error:
            raise ConfigurationError(f"LOG_PATH: {error}") from None
    progress("placing items by their words and clicks")
    vectors = _vectors(items, found)
    progress("counting what items did")
    statistics = _statistics(items, found, now)
    pairs = companions(found.baskets if found else (), len(ids))
    progress("writing Feast's sources")
    offered = datetime.fromtimestamp(catalogue_path.stat().st_mtime, UTC)
    _write_items(store, items, statistics, vectors, pairs, now, offered)
    profiles = _replay(found, items, kept_count) if found else []
    _write_profiles(store, profiles)
    store.apply()
    progress("materializing items")
    for view_name in ("item_attributes", "item_statistics", "item_companions"):
        store.materialize(view_name, store.pull_latest(view_name, now))
    _materialize_offers(store, journal, now)
    progress("materializing profiles")
    has_place = store.hold_writer_place()
    materialized = _materialize_profiles(store, now) if has_place else 0
    rejected_path = _write_rejected(store, found.cleaned) if found else None
    forget_meanwhile(store, journal, [row.key for row in profiles], tombstones, is_online=has_place)
    progress("building the snapshot")
    version = build(store, journal, snapshots_path, datetime.now(UTC), wording)
    return Report(
        item_count=len(ids),
        event_count=found.cleaned.events.num_rows if found else 0,
        rejected=found.cleaned.counts if found else {},
        rejected_path=rejected_path,
        profile_count=len(profiles),
        materialized_profile_count=materialized,
        has_writer_place=has_place,
        snapshot_version=version,
    )


def _catalogue(path: Path) -> pa.Table:
    if not path.is_file():
        raise ConfigurationError(f"CATALOGUE_PATH: no such file: {path}")
    try:
        return catalogue_files.read(path)
    except catalogue_files.CatalogueError as error:
        raise ConfigurationError(str(error)) from None


def _read_log(folder: Path, place: Mapping[str, int], forgotten: Mapping[str, int], now: datetime) -> _Log:
    cleaned = clean(folder, frozenset(place), forgotten, now)
    events = cleaned.events
    sessions: dict[str, list[int]] = defaultdict(list)
    baskets: dict[str, list[int]] = defaultdict(list)
    for session, item, kind in zip(
        *(events.column(name).to_pylist() for name in ("session_key", "item_id", "type")), strict=True
    ):
        if session and item:
            if kind == "CLICK":
                sessions[session].append(place[item])
            elif kind in _BASKET:
                baskets[session].append(place[item])
    return _Log(
        cleaned=cleaned,
        impressions=_impressions(folder, events, place),
        clicks=_touches(events, "CLICK", place),
        purchases=_touches(events, "PURCHASE", place),
        clicked_sessions=list(sessions.values()),
        baskets=list(baskets.values()),
    )


def _touches(events: pa.Table, kind: str, place: Mapping[str, int]) -> Touches:
    part = events.filter(pc.equal(events.column("type"), kind))
    rows = [place[item_id] for item_id in part.column("item_id").to_pylist()]
    return Touches(np.array(rows, np.int64), part.column("time").cast(pa.int64()).to_numpy())


def _impressions(folder: Path, events: pa.Table, place: Mapping[str, int]) -> Touches:
    """Items that stood in slots which were in view: the event names the slot, the exposure its items."""
    seen = events.filter(pc.equal(events.column("type"), "IMPRESSION"))
    slots: dict[str, set[str]] = defaultdict(set)
    for page, slot in zip(
        seen.column("page_id").to_pylist(), seen.column("slot_id").to_pylist(), strict=True
    ):
        slots[page].add(slot)
    rows: list[int] = []
    times: list[int] = []
    for page, time_us, payload in _exposures(folder):
        # Each page once, though its exposure may stand in the log twice.
        in_view = slots.pop(page, None)
        if in_view is None:
            continue
        for slot in events_pb2.Exposure.FromString(payload).slots:
            if slot.slot_id in in_view:
                shown = [place[item.item_id] for item in slot.items if item.item_id in place]
                rows += shown
                times += [time_us] * len(shown)
    return Touches(np.array(rows, np.int64), np.array(times, np.int64))


def _exposures(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    """Page id, time and payload of each exposure, a batch at a time: payloads are most of a log."""
    names = ["page_id", "time", "payload"]
    for path in sorted(folder.glob("exposures-*.parquet")):
        try:
            for batch in pq.ParquetFile(path).iter_batches(_EXPOSURE_BATCH, columns=names):
                pages, times, payloads = (batch.column(name) for name in names)
                yield from zip(
                    pages.to_pylist(), times.cast(pa.int64()).to_pylist(), payloads.to_pylist(), strict=True
                )
        except (OSError, KeyError, pa.ArrowInvalid) as error:
            raise log_files.LogFileError(f"{path}: {error}") from None


def _vectors(items: pa.Table, found: _Log | None) -> NDArray[np.float32]:
    texts = {name: items.column(name).to_pylist() for name in ("title", "category", "brand", "description")}
    return item_vectors(texts, co_click_counts(found.clicked_sessions) if found else {})


def _statistics(items: pa.Table, found: _Log | None, now: datetime) -> Statistics:
    quality = items.column("quality").to_numpy()
    now_us = round(now.timestamp() * 1e6)
    if found is None:
        return item_statistics(quality, NO_TOUCHES, NO_TOUCHES, NO_TOUCHES, now_us)
    return item_statistics(quality, found.impressions, found.clicks, found.purchases, now_us)


def _write_items(
    store: Store,
    items: pa.Table,
    statistics: Statistics,
    vectors: NDArray[np.float32],
    pairs: Companions,
    now: datetime,
    offered: datetime,
) -> None:
    ids = items.column("item_id")
    price = items.column("price_micros")
    attributes = {
        "item_id": ids,
        **{name: items.column(name) for name in ("title", "kind", "category", "brand", "seller", "quality")},
        "list_price_micros": pc.max_element_wise(items.column("list_price_micros"), price),
        # What a sale costs the shop stays when its price changes, and so does not its margin.
        "cost_micros": pc.subtract(price, items.column("margin_micros")),
        "age_rating": items.column("age_rating").cast(pa.int64()),
        "bid_micros": items.column("bid_micros"),
        "first_seen_unix_s": pc.divide(items.column("first_seen").cast(pa.int64()), 1_000_000),
    }
    store.write_offline("item_attributes", pa.table(attributes), now)
    offer = {
        "item_id": ids,
        "price_micros": price,
        "stock": items.column("stock").cast(pa.int64()),
        "is_active": items.column("is_active"),
        "changed_us": pa.array([round(offered.timestamp() * 1e6)] * items.num_rows, pa.int64()),
    }
    store.write_offline(OFFER, pa.table(offer), offered)
    columns = {field.name: pa.array(getattr(statistics, field.name)) for field in fields(Statistics)}
    flat = pa.array(vectors.reshape(-1))
    offsets = pa.array(np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1])
    vector = pa.ListArray.from_arrays(offsets, flat)
    store.write_offline("item_statistics", pa.table({"item_id": ids, **columns, "vector": vector}), now)
    names = ids.to_pylist()
    table = pa.table(
        {
            "item_id": ids,
            "companions": pa.array(
                [[names[row] for row in rows] for rows in pairs.rows], pa.list_(pa.string())
            ),
            "lifts": pa.array(pairs.lifts, pa.list_(pa.float32())),
        }
    )
    store.write_offline("item_companions", table, now)


def _replay(found: _Log, items: pa.Table, kept_count: int) -> list[Row]:
    """Profiles as the live path would have made them: the same function over the whole log."""
    briefs = item_briefs(items)
    rows = []
    for key, events in _by_shopper(found.cleaned.events):
        profile = Profile()
        digests, _, _ = apply_events(profile, b"", events, briefs.get, kept_count)
        rows.append(profile_row(key, profile, digests))
    return rows


def _by_shopper(events: pa.Table) -> Iterator[tuple[str, list[ShopperEvent]]]:
    columns = {
        name: pc.fill_null(events.column(name), "").to_pylist()
        for name in (
            *("event_id", "shopper_key", "session_key", "page_id"),
            *("module_id", "family", "category", "item_id"),
        )
    }
    times = events.column("time").cast(pa.int64()).to_pylist()
    types = [events_pb2.EventType.Value(f"EVENT_TYPE_{name}") for name in events.column("type").to_pylist()]
    ratings = pc.fill_null(events.column("rating"), 0).to_pylist()
    sequences = pc.fill_null(events.column("sequence"), 0).to_pylist()
    by_shopper: dict[str, list[ShopperEvent]] = defaultdict(list)
    for row, key in enumerate(columns["shopper_key"]):
        if key:
            by_shopper[key].append(
                ShopperEvent(
                    columns["event_id"][row],
                    times[row],
                    types[row],
                    columns["session_key"][row],
                    columns["page_id"][row],
                    columns["module_id"][row],
                    columns["family"][row],
                    columns["category"][row],
                    columns["item_id"][row],
                    ratings[row],
                    sequences[row],
                )
            )
    yield from sorted(by_shopper.items())


def _write_profiles(store: Store, rows: Sequence[Row]) -> None:
    schema = store.arrow_schema(PROFILE)
    table = pa.table(
        {
            "shopper_key": [row.key for row in rows],
            "state": [row.values["state"] for row in rows],
            "applied_event_ids": [row.values["applied_event_ids"] for row in rows],
            "event_timestamp": [row.time for row in rows],
        },
        schema=schema,
    )
    store.write_offline(PROFILE, table)


def _materialize_offers(store: Store, journal: Journal, now: datetime) -> None:
    """Writes the catalogue's offers, except where a later push stands; SQLite would overwrite it."""
    table = store.pull_latest(OFFER, now)
    pushed = {offer.item_id: offer.changed_us for offer in journal.offers()}
    is_newer = [
        changed_us > pushed.get(item_id, -1)
        for item_id, changed_us in zip(
            table.column("item_id").to_pylist(), table.column("changed_us").to_pylist(), strict=True
        )
    ]
    store.materialize(OFFER, table.filter(pa.array(is_newer, pa.bool_())))
    # Again what was pushed: a running service's latest pushes may have been overwritten just now, and all
    # of them are missing where the online store is new.
    offered = dict(
        zip(table.column("item_id").to_pylist(), table.column("changed_us").to_pylist(), strict=True)
    )
    later = [offer for offer in journal.offers() if offer.changed_us > offered.get(offer.item_id, 2**63)]
    if later:
        store.write(OFFER, [_offer_row(offer) for offer in later])


def _offer_row(offer: Offer) -> Row:
    values = {name: getattr(offer, name) for name in ("price_micros", "stock", "is_active", "changed_us")}
    return Row(offer.item_id, datetime.fromtimestamp(offer.changed_us / 1e6, UTC), values)


def _materialize_profiles(store: Store, now: datetime) -> int:
    """Writes replayed profiles where the online one is missing or older; returns their number."""
    table = store.pull_latest(PROFILE, now)
    keys, states = table.column("shopper_key").to_pylist(), table.column("state").to_pylist()
    count = 0
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        online = store.read(PROFILE, part, as_writer=True)
        is_newer = [
            found is None or loads(state).written_us > loads(found.values["state"]).written_us
            for found, state in zip(online, states[start : start + _CHUNK], strict=True)
        ]
        count += store.materialize(PROFILE, table.slice(start, _CHUNK).filter(pa.array(is_newer, pa.bool_())))
    return count


def _write_rejected(store: Store, cleaned: Cleaned) -> Path:
    path = rejected_path(store)
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    # The forgotten are counted, and named nowhere.
    known = cleaned.rejected.filter(pc.not_equal(cleaned.rejected.column("reason"), "forgotten_shopper"))
    pq.write_table(known, staging, compression="zstd")
    return staging.replace(path)
