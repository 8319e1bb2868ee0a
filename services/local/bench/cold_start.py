"""What is offered to whom nothing or little is known of, and beside what do items stand that nobody clicked?

A log of the synthetic shop, laid out at random, is split: half of the shoppers, and some items, take no part
in what is built. For each of those shoppers the first 0, 1, 3 and 10 clicks make a profile by the live path's
own functions, and "for you" answers. What it should find are items that the shopper comes for, drawn by the
shop's hidden law: clicks would not do, for shelves show an eighth of the catalogue, bestsellers first. By the
same law a page is worth the margin expected of it, where a carousel of the first candidates is all there is.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from planogram.files import catalogue as catalogue_files
from planogram.files import log as log_files
from planogram.layout.v1 import layout_pb2
from services.feature.items.generation import PRODUCT, Generation
from services.feature.items.snapshot import load
from services.feature.pages.candidates import ModuleQuery
from services.feature.pages.gathering import PageQuery, gather
from services.feature.pipeline.run import run as run_pipeline
from services.feature.shoppers.acts import CLICK, ShopperEvent
from services.feature.shoppers.known import known_of
from services.feature.shoppers.profile import Profile, apply_events
from services.feature.storage.journal import Journal
from services.feature.storage.store import Store
from services.local.bench.harness import Row, report
from simulator import catalogue, logbook, scene, session
from simulator.visit import Eye
from simulator.world import World

EVENT_COUNTS = (0, 1, 3, 10)
FOUND_AMONG = (24, 100)
"""Candidates within which an item counts as found: a page's worth, and what a module may ask for."""
WANTED_COUNT = 20
NEIGHBOUR_COUNT = 10
ALIKE_SHARE = 0.1
"""Products that count as alike: the tenth that types of shoppers like in the most similar way."""
_HELD_SHOPPERS = 1 / 2
_NEW_ITEMS = 0.1
_PAGES_EACH = 60
_REPLICATES = 1_000
_CAROUSEL, _DESKTOP = 12, 0
_VISITS = 64
"""In whose minds, drawn anew, each shopper looks at the page."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class _Shopper:
    """One who was held out: the hidden type, and the first clicks in order of time."""

    kind: int
    clicks: Sequence[ShopperEvent]


@dataclass(frozen=True, slots=True)
class _Shop:
    """What was built without some shoppers and items.

    Attributes:
        hidden: what the shop does not know; its items are in an order of their own.
        new_items: ids whose clicks the log that was learned from does not hold.
    """

    hidden: World
    generation: Generation
    shoppers: Sequence[_Shopper]
    new_items: Sequence[str]
    now: datetime


def run(item_count: int, page_count: int, seed: int, command: str, say: Callable[[str], None]) -> list[Row]:
    """Measures and reports."""
    with tempfile.TemporaryDirectory() as folder:
        shop = _build(Path(folder), item_count, page_count, seed, say)
        say(f"{len(shop.shoppers):,} shoppers who were held out, {len(shop.new_items):,} new items")
        rows = [*_shoppers(shop, seed), *_items(shop, seed)]
    report("cold-start", rows, command)
    return rows


def _build(folder: Path, item_count: int, page_count: int, seed: int, say: Callable[[str], None]) -> _Shop:
    now = datetime.now(UTC)
    items_path = catalogue_files.write(folder / "items.parquet", catalogue.make(seed, now, item_count))
    played = scene.load(items_path, seed, now, page_count // _PAGES_EACH)
    # The pipeline sets robots aside, but not among the shoppers that are held out.
    traits = replace(played.population.traits, is_bot=np.zeros_like(played.population.traits.is_bot))
    population = replace(played.population, traits=traits)
    say(f"{page_count:,} page views of {len(population.kind):,} shoppers")
    logbook.write(folder / "all", played.world, population, page_count, seed, now)
    events = log_files.read_events(folder / "all")
    clicks = events.filter(pc.equal(events.column("type"), "CLICK"))
    random = np.random.default_rng([seed, 0xC0])
    keys = [logbook.key("shopper", user_id) for user_id in traits.user_ids]
    kinds = dict(zip(keys, population.kind.tolist(), strict=True))
    held = _some(set(kinds) & set(clicks.column("shopper_key").to_pylist()), _HELD_SHOPPERS, random)
    new = _some(clicks.column("item_id").to_pylist(), _NEW_ITEMS, random)
    _write_known(folder, events, held, new)
    say("features of what is known")
    generation = _known(folder, items_path)
    found = _clicks_of(clicks, held)
    shoppers = [
        _Shopper(kinds[key], own) for key, own in sorted(found.items()) if len(own) >= max(EVENT_COUNTS)
    ]
    return _Shop(played.world, generation, shoppers, sorted(new), now)


def _some(names: Iterable[str], share: float, random: np.random.Generator) -> set[str]:
    every = sorted(set(names) - {""})
    return set(random.choice(every, max(1, round(len(every) * share)), replace=False).tolist())


def _write_known(folder: Path, events: pa.Table, held: set[str], new: set[str]) -> None:
    """The log without the shoppers and items held out; pages stay whole, so new items were seen there."""
    no_shopper = pa.array(sorted(held), pa.string())
    is_out = pc.or_(
        pc.is_in(events.column("shopper_key"), no_shopper),
        pc.is_in(events.column("item_id"), pa.array(sorted(new), pa.string())),
    )
    log_files.write(folder / "known", "events", events.filter(pc.invert(is_out)), "known")
    exposures = log_files.read_exposure_table(folder / "all")
    is_out = pc.is_in(exposures.column("shopper_key"), no_shopper)
    log_files.write(folder / "known", "exposures", exposures.filter(pc.invert(is_out)), "known")


def _known(folder: Path, items_path: Path) -> Generation:
    """What the feature service serves by the known log."""
    state = folder / "feature"
    store, journal = Store(state, "", timedelta(days=400)), Journal(state)
    try:
        built = run_pipeline(
            store=store,
            journal=journal,
            catalogue_path=items_path,
            log_path=folder / "known",
            snapshots_path=state / "snapshots",
            kept_count=1024,
        )
    finally:
        journal.close()
        store.close()
    return load(state / "snapshots", built.snapshot_version)


def _clicks_of(clicks: pa.Table, held: set[str]) -> Mapping[str, Sequence[ShopperEvent]]:
    """Clicks of each held-out shopper, in order of time."""
    names = (
        "shopper_key",
        "event_id",
        "session_key",
        "page_id",
        "module_id",
        "family",
        "category",
        "item_id",
    )
    columns = (pc.fill_null(clicks.column(name), "").to_pylist() for name in names)
    times = clicks.column("time").cast(pa.int64()).to_pylist()
    found: dict[str, list[ShopperEvent]] = defaultdict(list)
    for time_us, shopper, event_id, *rest in zip(times, *columns, strict=True):
        if shopper in held:
            found[shopper].append(ShopperEvent._make((event_id, time_us, CLICK, *rest, 0.0, 0)))
    return found


def _shoppers(shop: _Shop, seed: int) -> list[Row]:
    eye, random = Eye(shop.hidden), np.random.default_rng([seed, 0x3A])
    wanted = [_wanted(shop, eye, one, random) for one in shop.shoppers]
    rows = []
    for count in EVENT_COUNTS:
        offered = [_for_you(shop, one.clicks[:count]) for one in shop.shoppers]
        rows += _recalls(shop, f"{count} clicks", wanted, offered, seed)
        rows.append(_worth(shop, eye, f"{count} clicks", offered, seed))
    # Nothing is known of these either but on which page they are, and that they come for what it is about.
    preference = shop.hidden.preference
    targets = [int(random.choice(len(preference[one.kind]), p=preference[one.kind])) for one in shop.shoppers]
    pairs = list(zip(shop.shoppers, targets, strict=True))
    wanted = [_wanted(shop, eye, one, random, target) for one, target in pairs]
    offered = [_for_you(shop, (), shop.hidden.items.categories[target]) for target in targets]
    return rows + _recalls(shop, "0 clicks, a category's page", wanted, offered, seed)


def _wanted(
    shop: _Shop, eye: Eye, shopper: _Shopper, random: np.random.Generator, target: int = -1
) -> Sequence[str]:
    """Distinct items that a shopper comes for, within a category if one is given, and has not clicked."""
    share = shop.hidden.preference[shopper.kind]
    found: dict[str, None] = {}
    for _ in range(10 * WANTED_COUNT):
        category = target if target >= 0 else int(random.choice(len(share), p=share))
        found[shop.hidden.items.item_ids[eye.wish(shopper.kind, category, random.random())]] = None
    clicked = {event.item_id for event in shopper.clicks[: max(EVENT_COUNTS)]}
    return [item_id for item_id in found if item_id not in clicked][:WANTED_COUNT]


def _recalls(
    shop: _Shop, name: str, wanted: Sequence[Sequence[str]], offered: Sequence[Array], seed: int
) -> list[Row]:
    """How much of what shoppers come for was among what they were offered, and among the bestsellers."""
    popular = shop.generation.ranked["bestsellers"].of(0)
    sought = [shop.generation.rows_of(items) for items in wanted]
    rows = []
    for among in FOUND_AMONG:
        pairs = list(zip(sought, offered, strict=True))
        ours = np.array([np.isin(items, found[:among]).mean() for items, found in pairs])
        floor = np.array([np.isin(items, popular[:among]).mean() for items in sought])
        rows.append(_row(f"recall at {among}, {name}: for you / bestsellers", ours, floor, seed))
    return rows


def _worth(shop: _Shop, eye: Eye, name: str, offered: Sequence[Array], seed: int) -> Row:
    """Expected margin of a page with a carousel of what shoppers are offered, and with one of bestsellers."""
    popular = shop.generation.ranked["bestsellers"].of(0)
    ours = np.array([_margin(shop, eye, one, found, seed) for one, found in enumerate(offered)])
    floor = np.array([_margin(shop, eye, one, popular, seed) for one in range(len(offered))])
    return _row(f"worth of a page, {name}: for you / bestsellers", ours, floor, seed, unit="margin")


def _margin(shop: _Shop, eye: Eye, place: int, rows: Array, seed: int) -> float:
    """Expected margin of a page for the shopper at a place; the same minds for the same place."""
    ids = shop.generation.columns.ids[rows[:_CAROUSEL]]
    slot = layout_pb2.Slot(
        module_id="for-you",
        template_id="carousel",
        family="discovery",
        items=[layout_pb2.Item(item_id=raw.decode()) for raw in ids],
    )
    draws = np.random.default_rng([seed, place]).random((_VISITS, len(session.Start)))
    minds, *_ = session.begin(shop.hidden, np.full(_VISITS, shop.shoppers[place].kind), draws)
    page, margins = layout_pb2.Page(slots=[slot]), []
    for visit in range(_VISITS):
        state = minds.take(np.array([visit]))
        view = eye.see(page, state, _DESKTOP).view
        margins.append(session.look(shop.hidden, state, view, np.zeros((1, 1, 2))).margin[0])
    return float(np.mean(margins))


def _for_you(shop: _Shop, events: Sequence[ShopperEvent], category: str = "") -> Array:
    """Rows that "for you" answers to somebody who did so much, on a page about a category."""
    generation, profile = shop.generation, Profile()
    apply_events(profile, b"", events, generation.brief, 1024)
    source, limit = feature_pb2.CANDIDATE_SOURCE_FOR_YOU, max(FOUND_AMONG)
    query = PageQuery(
        session_key="a visit of its own",
        page_type=context_pb2.PAGE_TYPE_CATEGORY if category else context_pb2.PAGE_TYPE_HOME,
        device=context_pb2.DEVICE_DESKTOP,
        now=shop.now,
        modules=[ModuleQuery("for-you", source, limit, category)],
        encodings=(),
    )
    gathered = gather(generation, known_of(profile) if events else None, query)
    (found,) = feature_pb2.GatherPageResponse.FromString(gathered.modules[0]).modules
    return np.asarray(gathered.rows[found.rows[:]])


def _items(shop: _Shop, seed: int) -> list[Row]:
    """Neighbours of items that nobody clicked: do types of shoppers like them as they like the item?"""
    generation, items = shop.generation, shop.hidden.items
    columns, rows = generation.columns, generation.rows_of(items.item_ids)
    liking = np.zeros((generation.count, len(shop.hidden.utility)))
    liking[rows] = shop.hidden.utility.T
    products = np.flatnonzero(columns.kind == PRODUCT)
    liking -= liking[products].mean(axis=0)
    liking /= np.maximum(np.linalg.norm(liking, axis=1, keepdims=True), 1e-9)
    ours, anything, category = [], [], []
    for row in generation.rows_of(shop.new_items).tolist():
        near = columns.similar[row]
        near = near[near >= 0][:NEIGHBOUR_COUNT]
        others = products[products != row]
        likeness = liking[others] @ liking[row]
        alike = others[np.argsort(-likeness, kind="stable")[: round(ALIKE_SHARE * len(others))]]
        own = others[columns.category[others] == columns.category[row]]
        if columns.kind[row] == PRODUCT and len(near) and len(own):
            ours.append(np.isin(near, alike).mean())
            anything.append(len(alike) / len(others))
            category.append(np.isin(own, alike).mean())
    name = f"first {NEIGHBOUR_COUNT} neighbours of new items that are liked alike"
    return [
        _row(f"{name} / any products", np.array(ours), np.array(anything), seed),
        _row(f"{name} / products of their category", np.array(ours), np.array(category), seed),
    ]


def _row(name: str, values: Array, floors: Array, seed: int, unit: str = "share") -> Row:
    """Means of both, and 95 % of their ratio by shoppers or items drawn with replacement."""
    random = np.random.default_rng(0)
    drawn = random.integers(len(values), size=(_REPLICATES, len(values)))
    ratios = values[drawn].mean(1) / np.maximum(floors[drawn].mean(1), 1e-9)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return Row(
        name,
        float(values.mean()),
        unit,
        len(values),
        floor=float(floors.mean()),
        seed=seed,
        interval=(float(low), float(high)),
    )
