"""The feature service: `python -m services.feature`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from planogram.feature.v1 import feature_pb2_grpc
from services.common import pseudonyms
from services.common.callers import Role
from services.common.errors import ConfigurationError, NotReady
from services.common.executor import BoundedExecutor
from services.common.server import Service, main
from services.feature.engines import open_store
from services.feature.items.live import LiveItems, rebuild
from services.feature.pages import gathering
from services.feature.pages.bearings import known_ahead
from services.feature.reviews.ledger import ReviewLedger
from services.feature.reviews.pulse import ReviewPulse
from services.feature.servicer import FeatureServicer
from services.feature.settings import FeatureSettings
from services.feature.shoppers.updating import ProfileUpdater
from services.feature.storage.journal import Journal
from services.feature.storage.store import PROFILE, Store


@contextlib.asynccontextmanager
async def open_service(settings: FeatureSettings) -> AsyncIterator[FeatureServicer]:
    """The servicer with its snapshot mapped and its connections warm."""
    if settings.workers > 1 and not settings.redis_url:
        raise ConfigurationError("WORKERS: SQLite has one writer: set REDIS_URL, or WORKERS=1")
    async with contextlib.AsyncExitStack() as stack:
        store = open_store(settings)
        stack.callback(store.close)
        stack.push_async_callback(store.disconnect)
        if not store.hold_writer_place():
            raise ConfigurationError(
                f"STATE_PATH: another service runs on {settings.state_path}: stop it, or set REDIS_URL"
            )
        journal = Journal(settings.state_path)
        stack.callback(journal.close)
        ledger = ReviewLedger(settings.state_path)
        stack.callback(ledger.close)
        readers = BoundedExecutor("profile-reads", settings.reader_threads, settings.max_waiting_reads)
        stack.callback(readers.close)
        writer = BoundedExecutor("writes", 1, settings.max_waiting_updates)
        stack.callback(writer.close)
        items = LiveItems(settings.snapshots_path, store, journal, ledger, writer)
        updater = ProfileUpdater(
            store,
            journal,
            writer,
            items.brief,
            settings.applied_event_count,
            settings.max_waiting_updates,
            lambda profile: known_ahead(items.current, profile),
        )
        stack.push_async_callback(updater.close)
        texts = BoundedExecutor("review-texts", 1, settings.max_waiting_updates)
        stack.callback(texts.close)
        pulse = ReviewPulse(
            ledger, journal, items.brief, items.refresh, writer, texts, settings.review_run_length
        )
        await asyncio.to_thread(gathering.warm_up, items.current)
        await _warm(store, readers, settings.reader_threads)
        await _keep(stack, items.follow(settings.refresh_interval_s))
        if settings.rebuild_interval_s:
            await _keep(stack, rebuild(settings.rebuild_interval_s))
        yield FeatureServicer(
            store=store,
            items=items,
            updater=updater,
            pulse=pulse,
            readers=readers,
            writer=writer,
            pseudonyms=pseudonyms.load(settings.shopper_key_path),
            read_timeout_s=settings.profile_read_timeout_ms / 1e3,
        )


async def _warm(store: Store, readers: BoundedExecutor, thread_count: int) -> None:
    """Opens a connection in each thread that reads, so that no page waits for one."""
    now = datetime.now(UTC)
    reads = (readers.submit(store.read, PROFILE, ["warm-up"], now) for _ in range(thread_count))
    try:
        store.read(PROFILE, ["warm-up"], now)
        await asyncio.gather(*reads)
        if store.is_redis:
            await store.fetch_value(PROFILE, "warm-up", "state", now)
    except NotReady as error:
        raise ConfigurationError(f"REDIS_URL or STATE_PATH: {error}") from None


async def _keep(stack: contextlib.AsyncExitStack, work: object) -> None:
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]

    async def stop() -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(stop)


SERVICE = Service(
    name="feature",
    full_name="planogram.feature.v1.FeatureService",
    add_to_server=feature_pb2_grpc.add_FeatureServiceServicer_to_server,
    methods=(
        *("GatherPage", "GetFeatures", "GetProfile", "UpdateProfiles", "UpdateItems"),
        *("ListReviewAlarms", "ForgetShopper"),
    ),
    open=open_service,
    roles={"GetProfile": Role.ADMIN},
    settings=FeatureSettings,
)


if __name__ == "__main__":
    main(SERVICE)
