"""Which reviews were counted, what is usual, and which items are under review?

A small SQLite file that all workers share, whatever the online store. It holds counts, times and digests of
event ids: no text, and nothing of whoever wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import msgspec

from services.feature.reviews.surge import DAY_US, Pulse, Surge, Usual
from services.feature.shoppers.acts import digest_of
from services.feature.storage import durable

T = TypeVar("T")

_KEPT_US = 60 * DAY_US
"""How long a counted review is known again: twice the age at which events are still accepted."""

_TABLES = """
CREATE TABLE IF NOT EXISTS counted (event_digest INTEGER PRIMARY KEY, received_us INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS counted_by_time ON counted (received_us);
CREATE TABLE IF NOT EXISTS pulses (
    item_id TEXT PRIMARY KEY,
    state BLOB NOT NULL,
    is_under_review INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS alarms ON pulses (item_id) WHERE is_under_review;
CREATE TABLE IF NOT EXISTS usual (category TEXT PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS changes (place INTEGER PRIMARY KEY CHECK (place = 0), sequence INTEGER NOT NULL);
INSERT OR IGNORE INTO changes VALUES (0, 0);
"""


class Judged(NamedTuple):
    """A review of which it is known whether it is bad."""

    event_id: str
    item_id: str
    time_us: int
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """An item whose reviews somebody should look at."""

    item_id: str
    surge: Surge


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of reviews."""

    fresh_count: int
    raised: Sequence[Alarm]


class ReviewLedger:
    """The durable state of the review pulse; one connection, one thread at a time."""

    def __init__(self, state_path: Path) -> None:
        # A review counts as delivered once this has answered.
        self._connection = durable.connect(state_path / "reviews.db", _TABLES)

    def close(self) -> None:
        self._connection.close()

    def known(self, event_ids: Sequence[str]) -> set[str]:
        """Those of the events that were counted before."""
        digests = {_signed(event_id): event_id for event_id in event_ids}
        query = "SELECT event_digest FROM counted WHERE event_digest IN (SELECT value FROM json_each(?))"
        rows = self._connection.execute(query, (json.dumps(list(digests)),))
        return {digests[digest] for (digest,) in rows}

    def count(
        self, reviews: Sequence[Judged], category_of: Callable[[str], str], run_length: float, now_us: int
    ) -> Counted:
        """Counts reviews in order of time, each at most once, in one commit.

        Args:
            run_length: reviews of an item per false alarm, at least, on average.

        Raises:
            NotReady: where other workers hold the file for seconds; nothing was counted.
        """
        with durable.transaction(self._connection):
            known = self.known([review.event_id for review in reviews])
            pulses, usual, raised = _Cache(self._pulse), _Cache(self._usual), []
            fresh: dict[str, Judged] = {}
            for review in sorted(reviews, key=lambda one: one.time_us):
                if review.event_id in known or review.event_id in fresh:
                    continue
                fresh[review.event_id] = review
                category = usual[category_of(review.item_id)]
                if pulses[review.item_id].step(review.is_bad, review.time_us, category, run_length):
                    raised.append(review.item_id)
            digests = [(_signed(event_id), now_us) for event_id in fresh]
            self._connection.executemany("INSERT INTO counted VALUES (?, ?)", digests)
            self._connection.execute("DELETE FROM counted WHERE received_us < ?", (now_us - _KEPT_US,))
            self._write_pulses(pulses)
            rows = [(name, msgspec.json.encode(one)) for name, one in usual.items()]
            self._connection.executemany("INSERT OR REPLACE INTO usual VALUES (?, ?)", rows)
            if raised:
                self._changed()
        alarms = [Alarm(item_id, surge) for item_id in raised if (surge := pulses[item_id].surge)]
        return Counted(len(fresh), alarms)

    def mark(
        self, is_under_review: Mapping[str, bool], category_of: Callable[[str], str], now_us: int
    ) -> int:
        """Ends or raises alarms by hand; returns how many items that changed."""
        with durable.transaction(self._connection):
            pulses = _Cache(self._pulse)
            for item_id, is_wanted in is_under_review.items():
                pulse = pulses[item_id]
                if is_wanted == (pulse.surge is not None):
                    del pulses[item_id]
                elif is_wanted:
                    usual = pulse.usual.share(self._usual(category_of(item_id)).share())
                    pulse.surge = Surge(now_us, now_us, 0, 0, usual)
                else:
                    pulse.look()
            self._write_pulses(pulses)
            if pulses:
                self._changed()
        return len(pulses)

    def alarms(self) -> list[Alarm]:
        """All items that are under review, by item id."""
        query = "SELECT item_id, state FROM pulses WHERE is_under_review ORDER BY item_id"
        found = [(item_id, _PULSE.decode(state)) for item_id, state in self._connection.execute(query)]
        return [Alarm(item_id, pulse.surge) for item_id, pulse in found if pulse.surge is not None]

    def sequence(self) -> int:
        """How often the list of items under review has changed."""
        return int(self._connection.execute("SELECT sequence FROM changes").fetchone()[0])

    def _changed(self) -> None:
        self._connection.execute("UPDATE changes SET sequence = sequence + 1")

    def _pulse(self, item_id: str) -> Pulse:
        query = "SELECT state FROM pulses WHERE item_id = ?"
        found = self._connection.execute(query, (item_id,)).fetchone()
        return _PULSE.decode(found[0]) if found else Pulse()

    def _usual(self, category: str) -> Usual:
        query = "SELECT state FROM usual WHERE category = ?"
        found = self._connection.execute(query, (category,)).fetchone()
        return _USUAL.decode(found[0]) if found else Usual()

    def _write_pulses(self, pulses: Mapping[str, Pulse]) -> None:
        rows = [(item_id, msgspec.json.encode(one), one.surge is not None) for item_id, one in pulses.items()]
        self._connection.executemany("INSERT OR REPLACE INTO pulses VALUES (?, ?, ?)", rows)


class _Cache(dict[str, T], Generic[T]):
    """What was read once in a transaction, by name."""

    def __init__(self, read: Callable[[str], T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, name: str) -> T:
        self[name] = self._read(name)
        return self[name]


_PULSE = msgspec.json.Decoder(Pulse)
_USUAL = msgspec.json.Decoder(Usual)


def _signed(event_id: str) -> int:
    """The digest of an event id as SQLite holds it: 64 bits with a sign."""
    digest = digest_of(event_id)
    return digest - (1 << 64) if digest >= 1 << 63 else digest
