"""Which generation of items serves now, and how does it follow new snapshots and pushed changes?"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from services.common import artifacts, log
from services.common.errors import ConfigurationError, Incompatible, NotFound
from services.common.executor import BoundedExecutor
from services.feature import metrics
from services.feature.items.generation import Generation
from services.feature.items.overlay import overlay, under_review
from services.feature.items.snapshot import load
from services.feature.reviews.ledger import ReviewLedger
from services.feature.shoppers.acts import ItemBrief, category_by
from services.feature.storage.journal import Journal, Offer
from services.feature.storage.store import OFFER, Store

SNAPSHOT_LOADED = "snapshot_loaded"
SNAPSHOT_REFUSED = "snapshot_refused"
REFRESH_FAILED = "refresh_failed"
REBUILD_FAILED = "rebuild_failed"
REVIEWS_LOOKED_AT = "reviews_looked_at"


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What a push changes of one item; None stays as it is."""

    item_id: str
    price_micros: int | None
    stock: int | None
    is_active: bool | None
    is_under_review: bool | None = None
    """False where somebody has looked at its reviews."""

    @property
    def is_offer(self) -> bool:
        """Whether it changes anything else."""
        return any(each is not None for each in (self.price_micros, self.stock, self.is_active))


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a push."""

    count: int
    unknown_ids: Sequence[str]
    version: str


class LiveItems:
    """The generation that serves; all changes to it run on the writer's thread, one after another."""

    def __init__(
        self, root: Path, store: Store, journal: Journal, reviews: ReviewLedger, writer: BoundedExecutor
    ) -> None:
        self._root = root
        self._store = store
        self._journal = journal
        self._reviews = reviews
        self._writer = writer
        self._log = log.logger("feature")
        self._refused: str | None = None
        self.current = self._open()
        _tell_of(self.current)

    def brief(self, item_id: str) -> ItemBrief | None:
        """What a profile needs to know of an item now."""
        return self.current.brief(item_id)

    def update(self, changes: Sequence[ItemChange], now_us: int) -> Applied:
        """Applies changes: to what is kept first, then to what serves. On the writer's thread."""
        self.refresh()  # what a change leaves as it is must be what other workers pushed last
        generation = self.current
        rows = generation.rows_of([change.item_id for change in changes]).tolist()
        known = [(change, row) for change, row in zip(changes, rows, strict=True) if row >= 0]
        unknown = [change.item_id for change, row in zip(changes, rows, strict=True) if row < 0]
        if not known:
            return Applied(0, unknown, generation.version)
        offers = [_offer(generation, change, row, now_us) for change, row in known if change.is_offer]
        if offers:
            self._store.push_offers(_table(self._store, offers))
            self._lay_over(offers, self._journal.push(offers))
        marks = {one.item_id: one.is_under_review for one, _ in known if one.is_under_review is not None}
        if marks and self._reviews.mark(marks, partial(category_by, self.brief), now_us):
            self._log.info(
                REVIEWS_LOOKED_AT, item_ids=[one for one, is_wanted in marks.items() if not is_wanted]
            )
            self.refresh()
        return Applied(len(known), unknown, self.current.version)

    def refresh(self) -> None:
        """Takes over a new snapshot, and what other workers pushed. On the writer's thread."""
        version = None
        try:
            version = artifacts.current_version(self._root)
            if version not in (None, self.current.snapshot_version, self._refused):
                self.current = self._load(str(version))
                _tell_of(self.current)
                metrics.SWAPS.inc()
                self._log.info(SNAPSHOT_LOADED, version=version, item_count=self.current.count)
        except (Incompatible, NotFound) as error:
            # The old one stays; this is said once, not every second.
            refused = version or str(error)
            if refused != self._refused:
                self._refused = refused
                self._log.error(SNAPSHOT_REFUSED, version=version, problem=str(error))
        if self._journal.sequence() > self.current.sequence:
            self._lay_over(self._journal.offers(after=self.current.sequence), self._journal.sequence())
        if self._reviews.sequence() > self.current.alarm_sequence:
            self.current = self._with_alarms(self.current)

    async def follow(self, interval_s: float) -> None:
        """Refreshes until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self._writer.submit(self.refresh)
            except Exception:
                self._log.exception(REFRESH_FAILED)

    def _open(self) -> Generation:
        try:
            version = artifacts.current_version(self._root)
            if version is None:
                raise ConfigurationError(f"no snapshot in {self._root}: run `planogram build-features` first")
            return self._load(version)
        except (Incompatible, NotFound) as error:
            raise ConfigurationError(f"{error}: run `planogram build-features` again") from None

    def _load(self, version: str) -> Generation:
        # The snapshot holds what was pushed before it was built; the newer of both wins item by item.
        sequence = self._journal.sequence()
        return self._with_alarms(overlay(load(self._root, version), self._journal.offers(), sequence))

    def _with_alarms(self, generation: Generation) -> Generation:
        sequence = self._reviews.sequence()  # first: a change in between is then seen again
        item_ids = [alarm.item_id for alarm in self._reviews.alarms()]
        metrics.ALARMS.set(len(item_ids))
        return under_review(generation, item_ids, sequence)

    def _lay_over(self, offers: Sequence[Offer], sequence: int) -> None:
        self.current = overlay(self.current, offers, sequence)


async def rebuild(interval_s: float) -> None:
    """Runs the snapshot builder as a child process at intervals, until cancelled."""
    while True:
        await asyncio.sleep(interval_s)
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.feature.build")
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            await child.wait()
            raise
        if code:
            log.logger("feature").error(REBUILD_FAILED, exit_code=code)


def _tell_of(generation: Generation) -> None:
    metrics.serving(generation.built_s, generation.build_s, generation.count)


def _offer(generation: Generation, change: ItemChange, row: int, now_us: int) -> Offer:
    columns = generation.columns
    return Offer(
        item_id=change.item_id,
        price_micros=int(columns.price_micros[row]) if change.price_micros is None else change.price_micros,
        stock=int(columns.stock[row]) if change.stock is None else change.stock,
        is_active=bool(columns.is_active[row]) if change.is_active is None else change.is_active,
        changed_us=max(now_us, int(columns.changed_us[row]) + 1),
    )


def _table(store: Store, offers: Sequence[Offer]) -> pa.Table:
    schema = store.arrow_schema(OFFER)
    columns = {name: [getattr(offer, name) for offer in offers] for name in schema.names[:-1]}
    columns[schema.names[-1]] = [offer.changed_us for offer in offers]
    return pa.table(columns, schema=schema)
