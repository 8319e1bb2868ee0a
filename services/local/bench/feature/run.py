"""What does gathering a page cost: beside reading one shopper, beside stock Feast, beside an echo?

Each figure and its floor run by turns in one run, on one shop: on SQLite first, then on Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from rich.console import Console

from planogram.feature.v1 import feature_pb2_grpc
from services.common import memory, probe
from services.common.errors import ConfigurationError
from services.feature.storage.store import ITEM_VIEWS, PROFILE, Store
from services.local.bench import harness
from services.local.bench.feature import shop as shops
from services.local.bench.feature.shop import Shop
from services.local.bench.harness import Row
from services.local.bench.null import Recording
from services.local.bench.ports import free_port
from services.local.supervisor import clean_environment

ITEMS_OF_A_PAGE = 200
_SHOPPER_COUNT = 500
_QUIET_COUNT = 3_000
"""Calls after each swap, which give the tail without one."""
_START_S = 90.0
_PAUSE_S = 0.002
"""Between calls while snapshots are swapped: a caller that waits for nothing would be the load itself."""


def run(
    item_count: int, swap_count: int, page_count: int, has_redis: bool, seed: int, command: str
) -> list[Row]:
    """Measures and reports.

    Args:
        swap_count: snapshots that are built and taken over; 0 for none.
        page_count: calls behind each figure; stock Feast is asked a tenth as often.
    """
    progress = _teller()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        root = Path(scratch)
        empty = shops.build(root / "shop", item_count, seed, progress)
        stores = {"SQLite": shops.copy(empty, root / "SQLite", "")}
        if has_redis:
            url = stack.enter_context(shops.redis_server(root / "redis"))
            stores["Redis"] = shops.copy(empty, root / "Redis", url)
        rows: list[Row] = []
        for name, unvisited in stores.items():
            progress(f"{name}: shoppers do things")
            shop = asyncio.run(shops.visited(unvisited, _SHOPPER_COUNT, seed))
            progress(f"{name}: pages in process, by turns with Feast")
            rows += _in_process(name, shop, page_count, seed)
            progress(f"{name}: pages by RPC, by turns with an echo")
            rows += _over_a_socket(name, shop, root / f"{name}-recording", page_count, seed)
            if name == "SQLite" and swap_count:
                rows.append(_while_swapped(shop, swap_count, seed, progress))
    harness.report("feature", rows, command)
    return rows


def _teller() -> Callable[[str], None]:
    """Prints what is done now, and how long after the start."""
    begun, console = time.monotonic(), Console()
    return lambda text: console.print(f"{time.monotonic() - begun:6.0f} s  {text}", style="dim")


def _in_process(name: str, shop: Shop, page_count: int, seed: int) -> list[Row]:
    """GatherPage without a socket against Feast's own read of the shopper, and against stock Feast."""
    gathered: list[float] = []
    read: list[float] = []
    stock: list[float] = []
    counts: list[int] = []
    first: list[float] = []

    async def measure() -> None:
        async with shops.opened(shop) as servicer:
            store = servicer._store
            shops.put_items_online(servicer._store, 10 * ITEMS_OF_A_PAGE)
            read_one = _reader(store)
            ask_feast = _stock(store, shop.item_ids)
            keys = servicer._pseudonyms
            memory.settle()  # as the server does
            for number in range(page_count):
                page = shop.pages[number % len(shop.pages)]
                key = keys.of("shopper", page.shopper.user_id)
                read.append(_timed(read_one, key))
                begun = time.perf_counter()
                answer = await servicer.GatherPage(page, _Patient())
                gathered.append(time.perf_counter() - begun)
                counts.append(len(answer.message().item_ids))
                if number % 10 == 0:
                    stock.append(_timed(ask_feast, key))
            items = servicer._items
            items.current = replace(items.current, snapshot_version="one that no profile knows")
            for timed in ([], first):  # what pages have in common is worked out the first time
                for page in shop.pages[: page_count // 2]:
                    read_one(keys.of("shopper", page.shopper.user_id))
                    begun = time.perf_counter()
                    await servicer.GatherPage(page, _Patient())
                    timed.append(time.perf_counter() - begun)

    asyncio.run(measure())
    gc.unfreeze()
    own, floor, whole = (1e3 * float(np.median(times)) for times in (gathered, read, stock))
    what = f"GatherPage in process, {np.mean(counts):.0f} candidates, {name}, p50"
    times_faster = {"SQLite": 80.0, "Redis": 40.0}[name]
    return [
        Row(
            f"{what}, over Feast's online_read of the shopper",
            own,
            "ms",
            len(gathered),
            floor=floor,
            reach=5.0,
            is_more_better=False,
            seed=seed,
        ),
        Row(
            f"the same, {name}, of a shopper who did nothing since another snapshot serves",
            1e3 * float(np.median(first)),
            "ms",
            len(first),
            floor=floor,
            is_more_better=False,
            seed=seed,
        ),
        Row(
            f"stock get_online_features of the shopper and {ITEMS_OF_A_PAGE} items, {name}, p50, over ours",
            whole,
            "ms",
            len(stock),
            floor=own,
            reach=times_faster,
            seed=seed,
        ),
    ]


def _over_a_socket(name: str, shop: Shop, folder: Path, page_count: int, seed: int) -> list[Row]:
    """GatherPage by RPC, one call at a time, against a server that answers a recorded page."""
    echo_port = free_port()
    with _process(["services.feature"], shop.variables, shop.settings.listen, folder / "feature.log"):
        with grpc.insecure_channel(shop.settings.listen) as channel:
            call = feature_pb2_grpc.FeatureServiceStub(channel).GatherPage
            Recording(folder).save("feature-response", call(shop.pages[0], timeout=10))
        ports = [str(echo_port), *(str(free_port()) for _ in range(3))]
        echo = ["services.local.bench.null", "feature", str(folder), *ports]
        with _process(echo, {}, f"127.0.0.1:{echo_port}", folder / "echo.log"):
            own, floor = asyncio.run(_by_turns(shop, f"127.0.0.1:{echo_port}", page_count))
    return [
        Row(
            f"GatherPage by RPC, 1 in flight, {name}, p50, over an echo of the same sizes",
            1e3 * float(np.median(own)),
            "ms",
            len(own),
            floor=1e3 * float(np.median(floor)),
            reach={"SQLite": 3.0, "Redis": 4.0}[name],
            is_more_better=False,
            seed=seed,
        )
    ]


async def _by_turns(shop: Shop, echo: str, page_count: int) -> tuple[list[float], list[float]]:
    own: list[float] = []
    floor: list[float] = []
    async with (
        grpc.aio.insecure_channel(shop.settings.listen) as real,
        grpc.aio.insecure_channel(echo) as null,
    ):
        stubs = [feature_pb2_grpc.FeatureServiceStub(channel) for channel in (real, null)]
        for number in range(-50, page_count):
            page = shop.pages[number % len(shop.pages)]
            turns = list(zip(stubs, (own, floor), strict=True))
            for stub, into in turns if number % 2 else reversed(turns):
                begun = time.perf_counter()
                await stub.GatherPage(page, timeout=10)
                if number >= 0:
                    into.append(time.perf_counter() - begun)
    return own, floor


def _while_swapped(shop: Shop, swap_count: int, seed: int, progress: Callable[[str], None]) -> Row:
    """The tail of GatherPage while snapshots are built and taken over, against the tail before and after."""
    log = shop.settings.state_path.parent / "feature.log"
    with (
        _process(["services.feature"], shop.variables, shop.settings.listen, log),
        grpc.insecure_channel(shop.settings.listen) as channel,
    ):
        call = feature_pb2_grpc.FeatureServiceStub(channel).GatherPage
        _calls_until(call, shop, lambda: False, 200)
        quiet: list[float] = []
        busy: list[float] = []
        versions = set()
        for number in range(swap_count):
            progress(f"pages by RPC while snapshot {number + 1} of {swap_count} is built and taken over")
            builder = subprocess.Popen(
                [sys.executable, "-m", "services.feature.build"],
                env=clean_environment() | shop.variables,
                stdout=subprocess.DEVNULL,
            )
            busy += _calls_until(call, shop, _is_running(builder))
            if builder.wait() != 0:
                raise ConfigurationError(f"the snapshot builder failed with {builder.returncode}")
            # The swap itself comes within a refresh.
            busy += _calls_until(call, shop, lambda: False, 800)
            versions.add(call(shop.pages[0], timeout=10).snapshot_version)
            quiet += _calls_until(call, shop, lambda: False, _QUIET_COUNT)
    if len(versions) != swap_count:
        raise ConfigurationError(f"{swap_count} snapshots were built, and {len(versions)} served")
    return Row(
        f"GatherPage by RPC, p99 while {len(shop.item_ids):,} items are rebuilt and swapped "
        f"{swap_count} times, over p99 without",
        1e3 * float(np.quantile(busy, 0.99)),
        "ms",
        len(busy),
        floor=1e3 * float(np.quantile(quiet, 0.99)),
        reach=2.0,
        is_more_better=False,
        seed=seed,
    )


def _calls_until(call: Any, shop: Shop, goes_on: Callable[[], bool], least: int = 0) -> list[float]:
    times: list[float] = []
    while len(times) < least or goes_on():
        begun = time.perf_counter()
        call(shop.pages[len(times) % len(shop.pages)], timeout=10)
        times.append(time.perf_counter() - begun)
        time.sleep(_PAUSE_S)
    return times


def _is_running(process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    return lambda: process.poll() is None


class _Patient:
    """What a servicer sees of a caller with time."""

    def time_remaining(self) -> None:
        return None


def _reader(store: Store) -> Callable[[str], object]:
    """Feast's own read of one shopper, nothing of ours around it."""
    from services.feature.storage.repo.values import (
        entity_key_of,  # brings feast, which the store brings with less
    )

    view = store._views[PROFILE]
    names = [feature.name for feature in view.features]
    provider = store._provider()
    return lambda key: provider.online_read(store._config, view, [entity_key_of(view, key)], list(names))


def _stock(store: Store, item_ids: tuple[str, ...]) -> Callable[[str], object]:
    """One shopper and a page of items by `get_online_features`, all features of both."""
    feast = store._feature_store()
    views = (*ITEM_VIEWS, PROFILE)
    features = [f"{name}:{field.name}" for name in views for field in store._views[name].features]
    table = store.pull_latest(ITEM_VIEWS[0], datetime.now(UTC))
    ids = table["item_id"].to_pylist()[:ITEMS_OF_A_PAGE]
    return lambda key: feast.get_online_features(
        features, [{"shopper_key": key, "item_id": item_id} for item_id in ids]
    )


def _timed(read: Callable[[str], object], key: str) -> float:
    begun = time.perf_counter()
    read(key)
    return time.perf_counter() - begun


@contextlib.contextmanager
def _process(
    arguments: list[str], variables: dict[str, str], address: str, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-m", *arguments],
            env=clean_environment() | variables,
            stdout=output,
            stderr=output,
        )
    try:
        end_s = time.monotonic() + _START_S
        while probe.status(address, 1.0) != "SERVING":
            if process.poll() is not None or time.monotonic() > end_s:
                raise ConfigurationError(f"{arguments[0]} did not start:\n{log.read_text()[-2_000:]}")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(30)
