"""How do events change stored profiles, many at a time, each once?

Calls that arrive together are applied together: one read and one commit for all their shoppers, because a
commit costs more than all else. The one writing thread keeps each shopper's events in order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.common.errors import Overloaded
from services.common.executor import BoundedExecutor
from services.feature.shoppers.acts import Briefs, ShopperEvent
from services.feature.shoppers.known import Known, known_of
from services.feature.shoppers.profile import Profile, apply_events
from services.feature.shoppers.serialization import dumps, loads
from services.feature.storage.forgetting import forget
from services.feature.storage.journal import Journal
from services.feature.storage.store import PROFILE, Row, Store

Knowing = Callable[[Profile], Known]
EventsByShopper = Mapping[str, Sequence[ShopperEvent]]

_GROUP_COUNT = 256
"""Calls that share a commit at most, so that none waits for an endless one."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events changed a profile, and how many had done so before."""

    applied: int = 0
    duplicate: int = 0
    ignored: int = 0
    """Events of a shopper who asked to be forgotten after them."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    events: EventsByShopper
    done: asyncio.Future[Counts]


class ProfileUpdater:
    """Applies events to stored profiles, with group commit."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        writer: BoundedExecutor,
        briefs: Briefs,
        kept_count: int,
        max_waiting: int,
        knowing: Knowing,
    ) -> None:
        """
        Args:
            writer: the one thread that writes to the store.
            briefs: what is known of an item, called on that thread.
            kept_count: event ids that a profile remembers.
            max_waiting: calls that wait beyond which new ones are refused.
            knowing: what pages need of a profile, called on the writer's thread as well.
        """
        self._store = store
        self._journal = journal
        self._writer = writer
        self._briefs = briefs
        self._kept_count = kept_count
        self._max_waiting = max_waiting
        self._knowing = knowing
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def update(self, events: EventsByShopper) -> Counts:
        """Applies one call's events; returns when they are committed.

        Raises:
            Overloaded: where too many calls wait.
        """
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded(f"{self._max_waiting} profile updates are waiting; retry later")
        entry = _Waiting(events, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return await entry.done

    async def forget(self, key: str) -> bool:
        """Deletes a shopper's profile and ignores events up to now for good; false where none was stored."""
        return await self._writer.submit(self._forget, key)

    async def close(self) -> None:
        """Waits until what was accepted is committed."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _drain(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:_GROUP_COUNT], self._waiting[_GROUP_COUNT:]
            try:
                counts = await self._writer.submit(self._commit, [entry.events for entry in group])
            except Exception as error:
                for entry in group:
                    if not entry.done.done():
                        entry.done.set_exception(error)
                continue
            for entry, count in zip(group, counts, strict=True):
                if not entry.done.done():  # else the caller went away; its events are applied all the same
                    entry.done.set_result(count)

    def _commit(self, group: Sequence[EventsByShopper]) -> list[Counts]:
        keys = sorted({key for events in group for key in events})
        with self._store.locked(keys):
            stored = self._store.read(PROFILE, keys, as_writer=True)
            profiles = {key: _state_of(row) for key, row in zip(keys, stored, strict=True)}
            forgotten = self._journal.forgotten(keys)
            counts, changed = [], set()
            for events in group:
                applied = duplicate = ignored = 0
                for key, of_shopper in events.items():
                    until_us = forgotten.get(key, -1)
                    wanted = [event for event in of_shopper if event.time_us > until_us]
                    ignored += len(of_shopper) - len(wanted)
                    profile, digests = profiles[key]
                    digests, fresh, repeated = apply_events(
                        profile, digests, wanted, self._briefs, self._kept_count
                    )
                    profiles[key] = profile, digests
                    applied += fresh
                    duplicate += repeated
                    if fresh:
                        changed.add(key)
                counts.append(Counts(applied, duplicate, ignored))
            if changed:
                rows = [profile_row(key, *profiles[key], self._knowing) for key in sorted(changed)]
                self._store.write(PROFILE, rows)
        return counts

    def _forget(self, key: str) -> bool:
        return forget(self._store, self._journal, key, time.time_ns() // 1_000)


def profile_row(key: str, profile: Profile, digests: bytes, knowing: Knowing = known_of) -> Row:
    """The row to store; its time is later than that of the row it replaces, however late the events."""
    profile.written_us = max(profile.updated_us, profile.written_us + 1)
    stamp = datetime.fromtimestamp(profile.written_us / 1e6, UTC)
    return Row(key, stamp, {"state": dumps(profile, knowing(profile)), "applied_event_ids": digests})


def profile_of(row: Row | None) -> Profile | None:
    """The profile that a row holds."""
    return None if row is None else loads(row.values["state"])


def _state_of(row: Row | None) -> tuple[Profile, bytes]:
    if row is None:
        return Profile(), b""
    return loads(row.values["state"]), row.values["applied_event_ids"] or b""
