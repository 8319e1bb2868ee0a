"""A small shop with a log, its features built once, and servers over copies of them."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest

from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2_grpc
from planogram.files import catalogue, log
from services.common import pseudonyms
from services.common.testing import serve
from services.feature.__main__ import SERVICE
from services.feature.pipeline.run import Report, run
from services.feature.settings import FeatureSettings
from services.feature.storage.journal import Journal
from services.feature.storage.store import Store

CATEGORIES = ("garden", "kitchen", "living")
NOUNS = {
    "garden": ("spade", "hose", "planter", "trowel"),
    "kitchen": ("kettle", "skillet", "teapot", "grater"),
    "living": ("lamp", "sofa", "cushion", "bookcase"),
}


@dataclass(frozen=True)
class Shop:
    """Files of a shop and the state that the pipeline made of them."""

    folder: Path
    catalogue_path: Path
    log_path: Path
    state_path: Path
    key_path: Path
    pseudonyms: pseudonyms.Pseudonyms
    now: datetime
    items: pa.Table
    report: Report


@dataclass(frozen=True)
class Running:
    """A service that is open, and a stub that calls it over a socket."""

    settings: FeatureSettings
    servicer: Any
    stub: Any
    pseudonyms: pseudonyms.Pseudonyms

    def shopper_key(self, user_id: str) -> str:
        return self.pseudonyms.of("shopper", user_id)

    def session_key(self, session_id: str) -> str:
        return self.pseudonyms.of("session", session_id)


@pytest.fixture(scope="session")
def make_event() -> Callable[..., events_pb2.Event]:
    """Makes events with distinct ids; `time` is a datetime."""
    count = 0

    def make(kind: str, time: datetime, **fields: Any) -> events_pb2.Event:
        nonlocal count
        count += 1
        fields.setdefault("event_id", f"event-{count}")
        fields.setdefault("sequence", count)
        event = events_pb2.Event(type=events_pb2.EventType.Value(f"EVENT_TYPE_{kind}"), **fields)
        event.time.FromDatetime(time)
        return event

    return make


@pytest.fixture(scope="session")
def open_store() -> Iterator[Callable[..., Store]]:
    """Opens stores and lets go of their locks at the end."""
    stores = []

    def open_(state_path: Path, redis_url: str = "", profile_ttl: timedelta = timedelta(days=400)) -> Store:
        stores.append(Store(state_path, redis_url, profile_ttl))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, make_event: Callable[..., events_pb2.Event]) -> Shop:
    """300 items in three categories, 40 shoppers who each like one, 3 sessions a shopper."""
    folder = tmp_path_factory.mktemp("shop")
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    items = _items(now)
    catalogue_path = catalogue.write(folder / "items.parquet", items)
    names = pseudonyms.load(folder / "shopper.key")
    _write_log(folder / "log", items, names, now, make_event)
    state_path = folder / "state"
    store = Store(state_path, "", timedelta(days=400))
    journal = Journal(state_path)
    report = run(
        store=store,
        journal=journal,
        catalogue_path=catalogue_path,
        log_path=folder / "log",
        snapshots_path=state_path / "snapshots",
        kept_count=1024,
    )
    journal.close()
    store.close()
    return Shop(
        folder,
        catalogue_path,
        folder / "log",
        state_path,
        folder / "shopper.key",
        names,
        now,
        catalogue.read(catalogue_path),
        report,
    )


@pytest.fixture
def settings(shop: Shop, tmp_path: Path) -> FeatureSettings:
    """Settings over a copy of the shop's state, which the test may change."""
    shutil.copytree(shop.state_path, tmp_path / "state")
    return FeatureSettings(
        listen="127.0.0.1:0",
        state_path=tmp_path / "state",
        catalogue_path=shop.catalogue_path,
        log_path=shop.log_path,
        shopper_key_path=shop.key_path,
        profile_read_timeout_ms=2_000,
        refresh_interval_s=0.05,
    )


@pytest.fixture
def running(shop: Shop) -> Callable[[FeatureSettings], AbstractAsyncContextManager[Running]]:
    """Opens a service over settings and serves it."""

    @contextlib.asynccontextmanager
    async def open_(settings: FeatureSettings) -> AsyncIterator[Running]:
        async with (
            SERVICE.open(settings) as servicer,
            serve(servicer, SERVICE.add_to_server, SERVICE.full_name, SERVICE.roles) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            yield Running(settings, servicer, feature_pb2_grpc.FeatureServiceStub(channel), shop.pseudonyms)

    return open_


@pytest.fixture
async def service(
    settings: FeatureSettings, running: Callable[[FeatureSettings], AbstractAsyncContextManager[Running]]
) -> AsyncIterator[Running]:
    """The service over a copy of the shop's state."""
    async with running(settings) as opened:
        yield opened


def _items(now: datetime) -> pa.Table:
    generator = random.Random(7)
    rows = []
    for place in range(300):
        category = CATEGORIES[place % 3]
        is_article = place % 20 == 19
        noun = NOUNS[category][place // 3 % 4]
        price = 5_000_000 + 1_000_000 * generator.randrange(100)
        rows.append(
            {
                "item_id": f"item-{place:03d}",
                "title": f"How to choose a {noun}" if is_article else f"{_colour(place)} {noun}",
                "category": category,
                "kind": "article" if is_article else "product",
                "description": "",
                "brand": f"brand-{place % 7}",
                "seller": f"seller-{place % 4}",
                "price_micros": 0 if is_article else price,
                "list_price_micros": 0 if is_article else price * (2 if place % 5 == 0 else 1),
                "margin_micros": 0 if is_article else price // 4,
                "stock": 0 if place % 30 == 11 else 50,
                "age_rating": 18 if place == 40 else 0,
                "bid_micros": 100_000 + place if place % 25 == 1 else 0,
                "quality": generator.random(),
                "first_seen": now - timedelta(days=1 + place / 2),
                "is_active": place % 30 != 12,
                "image_svg": "",
                "image_url": "",
            }
        )
    return pa.Table.from_pylist(rows, schema=catalogue.COLUMNS)


def _colour(place: int) -> str:
    return ("Red", "Blue", "Green", "Oak", "Brass")[place % 5]


def _write_log(
    folder: Path,
    items: pa.Table,
    names: pseudonyms.Pseudonyms,
    now: datetime,
    make_event: Callable[..., events_pb2.Event],
) -> None:
    generator = random.Random(11)
    rows = items.to_pylist()
    by_category = {
        category: [row for row in rows if row["category"] == category and row["kind"] == "product"]
        for category in CATEGORIES
    }
    events: list[events_pb2.Event] = []
    exposures: list[events_pb2.Exposure] = []
    for number in range(40):
        key, liked = names.of("shopper", f"user-{number}"), CATEGORIES[number % 3]
        for visit in range(3):
            session = names.of("session", f"user-{number}-{visit}")
            time = now - timedelta(days=12 - 4 * visit, minutes=generator.randrange(600))
            for page in range(4):
                page_id = f"page-{number}-{visit}-{page}"
                time += timedelta(minutes=1)
                shown = generator.sample(by_category[liked][:24], 6)
                exposure = events_pb2.Exposure(page_id=page_id, shopper_key=key, session_key=session)
                exposure.time.FromDatetime(time)
                for place in range(2):
                    slot = exposure.slots.add(slot_id=f"slot-{place}", module_id=f"module-{place}")
                    for item in shown[3 * place : 3 * place + 3]:
                        slot.items.add(item_id=item["item_id"])
                exposures.append(exposure)
                common = {"shopper_key": key, "session_key": session, "page_id": page_id}
                for place in range(2):
                    fields = {"slot_id": f"slot-{place}", "module_id": f"module-{place}", "family": "deep"}
                    events.append(make_event("IMPRESSION", time, **common, **fields))
                if page % 2:
                    item_id = shown[0]["item_id"]
                    where = {"slot_id": "slot-0", "module_id": "module-0", "family": "deep"}
                    for kind, seconds in (("CLICK", 5), ("DWELL", 30)):
                        moment = time + timedelta(seconds=seconds)
                        events.append(make_event(kind, moment, item_id=item_id, **common, **where))
                if page == 3:
                    bought = generator.sample(by_category[liked][:4], 2)
                    for place, item in enumerate(bought):
                        moment = time + timedelta(seconds=40 + 5 * place)
                        events.append(
                            make_event(
                                "PURCHASE",
                                moment,
                                item_id=item["item_id"],
                                quantity=1,
                                price_micros=item["price_micros"],
                                **common,
                            )
                        )
    log.write(folder, "events", [log.event_row(event) for event in events], "one")
    log.write(folder, "exposures", [log.exposure_row(exposure) for exposure in exposures], "one")
