"""How do reviews become an alarm that every worker knows of?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from planogram.events.v1 import events_pb2
from services.common import log
from services.common.executor import BoundedExecutor
from services.feature import metrics
from services.feature.reviews.ledger import Alarm, Counted, Judged, ReviewLedger
from services.feature.reviews.sentiment import Review, is_bad
from services.feature.reviews.surge import Surge
from services.feature.shoppers.acts import Briefs, category_by
from services.feature.storage.journal import Journal

ALARM_RAISED = "review_alarm_raised"

_CHUNK_COUNT = 16
"""Reviews that are read and committed together, so that a caller who gave up gets further the next time."""

Event = events_pb2.Event


@dataclass(frozen=True, slots=True)
class Taken:
    """How many reviews were counted, how many had been before, and how many say nothing that can be used."""

    counted: int = 0
    duplicate: int = 0
    ignored: int = 0


class ReviewPulse:
    """Reads reviews and raises alarms; what it keeps is in the ledger."""

    def __init__(
        self,
        ledger: ReviewLedger,
        journal: Journal,
        briefs: Briefs,
        refresh: Callable[[], None],
        writer: BoundedExecutor,
        readers: BoundedExecutor,
        run_length: float,
    ) -> None:
        """
        Args:
            briefs: what is known of an item, called on the writer's thread.
            refresh: lets the items that serve follow new alarms, called there as well.
            writer: the one thread that writes, and that the ledger and the journal are used on.
            readers: where texts are read, which takes milliseconds each.
            run_length: reviews of an item per false alarm, at least, on average.
        """
        self._ledger = ledger
        self._journal = journal
        self._briefs = briefs
        self._refresh = refresh
        self._writer = writer
        self._readers = readers
        self._run_length = run_length

    async def take(self, events: Sequence[Event]) -> Taken:
        """Counts reviews, each at most once; returns when they are committed.

        Raises:
            Overloaded: where too much waits.
        """
        counted = duplicate = ignored = 0
        ordered = sorted(events, key=lambda event: event.time.ToMicroseconds())
        for start in range(0, len(ordered), _CHUNK_COUNT):
            chunk = ordered[start : start + _CHUNK_COUNT]
            wanted, repeated = await self._writer.submit(self._wanted, chunk)
            judged = await self._readers.submit(_judged, wanted)
            done = await self._writer.submit(self._count, judged)
            counted += done.fresh_count
            duplicate += repeated + len(judged) - done.fresh_count
            ignored += len(chunk) - repeated - len(judged)
        return Taken(counted, duplicate, ignored)

    async def alarms(self) -> list[Alarm]:
        """All items that are under review."""
        return await self._writer.submit(self._ledger.alarms)

    def _wanted(self, events: Sequence[Event]) -> tuple[list[Event], int]:
        """Events to read, and how many were counted before."""
        known = self._ledger.known([event.event_id for event in events])
        until_us = self._journal.forgotten([event.shopper_key for event in events if event.shopper_key])
        wanted = [
            event
            for event in events
            if event.event_id not in known
            and event.time.ToMicroseconds() > until_us.get(event.shopper_key, -1)
            and self._briefs(event.item_id) is not None
        ]
        return wanted, sum(event.event_id in known for event in events)

    def _count(self, judged: Sequence[Judged]) -> Counted:
        if not judged:
            return Counted(0, ())
        now_us = time.time_ns() // 1_000
        category_of = partial(category_by, self._briefs)
        counted = self._ledger.count(judged, category_of, self._run_length, now_us)
        # Here and not where the answer is awaited: a caller that goes away takes no alarm with it.
        for one in judged:
            metrics.REVIEWS.labels("bad" if one.is_bad else "good").inc()
        for alarm in counted.raised:
            _tell(alarm)
        if counted.raised:
            self._refresh()
        return counted


def in_words(surge: Surge) -> str:
    """What raised an alarm, as a sentence."""
    if not surge.review_count:
        return "Put under review by hand."
    since = datetime.fromtimestamp(surge.since_us / 1e6, UTC)
    return (
        f"{surge.bad_count} of {surge.review_count} reviews since {since:%Y-%m-%d %H:%M} UTC are bad; "
        f"{surge.usual_share:.0%} are usual."
    )


def _judged(events: Sequence[Event]) -> list[Judged]:
    found = []
    for event in events:
        verdict = is_bad(Review(event.rating, event.text, event.language))
        if verdict is not None:
            found.append(Judged(event.event_id, event.item_id, event.time.ToMicroseconds(), verdict))
    return found


def _tell(alarm: Alarm) -> None:
    surge = alarm.surge
    metrics.ALARMS_RAISED.inc()
    log.logger("feature").warning(
        ALARM_RAISED,
        item_id=alarm.item_id,
        bad_count=surge.bad_count,
        review_count=surge.review_count,
        usual_share=round(surge.usual_share, 3),
        since=datetime.fromtimestamp(surge.since_us / 1e6, UTC).isoformat(timespec="seconds"),
    )
