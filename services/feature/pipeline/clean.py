"""Which logged events count, and why do the others not?

What is set aside is written to a file with its reason; nothing is dropped silently. What must not teach
models either is named beside the log, where the trainers read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from planogram.files import log as log_files

REASONS: Mapping[str, str] = {
    "duplicate_id": "an event id that came before",
    "duplicate_click": "the same click, purchase or the like again within a second",
    "impossible_time": "a time before 2000 or after the end of the log",
    "impossible_value": "a dwell, quantity, price or rating out of range",
    "missing_item": "no item where the type of event needs one",
    "unknown_item": "an item that is not in the catalogue",
    "forgotten_shopper": "a shopper who asked to be forgotten",
    "bot_rate": "a session, or a page without one, faster than a person can look",
    "bot_behaviour": "a session that clicks on every page, page after page",
}

_OF_SESSIONS = frozenset({"bot_rate", "bot_behaviour"})
# An event repeated under its id counts once. An item that has left the catalogue was clicked all the same:
# models learn from features as they were, and without the click they would learn that nobody wanted it.
_COUNTED_IN_TRAINING = frozenset({"duplicate_id", "unknown_item"})

_NEED_ITEM = ("CLICK", "CART_ADD", "PURCHASE", "RETURN", "RATING")
_ACTIONS = ("CLICK", "CART_ADD", "PURCHASE", "RETURN", "RATING")
_MAX_DWELL_MS = 24 * 3_600_000
_MAX_QUANTITY = 1_000
_FIRST_US = 946_684_800_000_000  # 2000-01-01
_SAME_US = _SECOND_US = 1_000_000
_CLOCK_SLACK = timedelta(days=1)
"""How far ahead of this machine's clock an event may be."""
_BOT_PAGES_PER_MINUTE = 20
_BOT_ACTIONS_PER_MINUTE = 30
_BOT_CLICKS_PER_SECOND = 3
"""On one page without a session: what else was done in that minute cannot be told."""
_BOT_MIN_PAGES = 8
_BOT_CLICKED_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Events that count, and those set aside with a column `reason`."""

    events: pa.Table
    rejected: pa.Table

    @property
    def counts(self) -> dict[str, int]:
        """Number of events set aside by reason, every reason named."""
        found = self.rejected.column("reason").value_counts().to_pylist()
        by_reason = {entry["values"]: entry["counts"] for entry in found}
        return {reason: by_reason.get(reason, 0) for reason in REASONS}


def clean(folder: Path, item_ids: frozenset[str], forgotten: Mapping[str, int], now: datetime) -> Cleaned:
    """Reads a log's events and sorts out those that do not count.

    Args:
        item_ids: the catalogue's.
        forgotten: time in microseconds up to which a shopper's events do not count, by shopper_digest.
        now: end of the log.
    """
    events = log_files.read_events(folder)
    reasons = np.full(events.num_rows, "", object)
    for reason, is_bad in (
        ("impossible_time", _impossible_time(events, now)),
        ("impossible_value", _impossible_value(events)),
        ("missing_item", _missing_item(events)),
        ("unknown_item", _unknown_item(events, item_ids)),
        ("forgotten_shopper", _forgotten(events, forgotten)),
        ("duplicate_click", _repeated(events)),
    ):
        reasons[is_bad & (reasons == "")] = reason
    for reason, sessions in _bots(events, reasons == "").items():
        is_bot = pc.is_in(events.column("session_key"), pa.array(sorted(sessions), pa.string()))
        reasons[_mask(is_bot) & (reasons == "")] = reason
    hasty = sorted(_hasty_pages(events, reasons == ""))
    is_bot = pc.is_in(events.column("page_id"), pa.array(hasty, pa.string()))
    reasons[_mask(is_bot) & (reasons == "")] = "bot_rate"
    is_good = reasons == ""
    rejected = events.filter(pa.array(~is_good))
    rejected = rejected.append_column("reason", pa.array(reasons[~is_good], pa.string()))
    repeated = _duplicate_ids(folder, events.num_rows)
    repeated = repeated.append_column("reason", pa.array(["duplicate_id"] * repeated.num_rows, pa.string()))
    return Cleaned(
        events.filter(pa.array(is_good)).combine_chunks(),
        pa.concat_tables([rejected, repeated]).combine_chunks(),
    )


def write_set_aside(folder: Path, cleaned: Cleaned) -> Path:
    """Names beside a log what models are not to learn from either: a session as a whole, or one event.

    All that happened without consent has no session: of a robot among it the events are named one by one.
    """
    rows = {
        (session_key, "", reason) if session_key and reason in _OF_SESSIONS else ("", event_id, reason)
        for session_key, event_id, reason in zip(
            *(cleaned.rejected.column(name).to_pylist() for name in ("session_key", "event_id", "reason")),
            strict=True,
        )
        if reason not in _COUNTED_IN_TRAINING
    }
    named = [dict(zip(log_files.SET_ASIDE.names, row, strict=True)) for row in sorted(rows)]
    return log_files.write(folder, "set-aside", named, "pipeline")


def log_end(folder: Path) -> datetime | None:
    """Time of the latest event that a log holds; None where it holds none.

    Events more than a day ahead of the clock do not count: one of them would make all others old.
    """
    latest = datetime.now(UTC) + _CLOCK_SLACK
    paths = sorted(folder.glob("events-*.parquet")) if folder.is_dir() else []
    columns = [pq.read_table(path, columns=["time"]).column("time") for path in paths]
    ends = [
        pc.max(times.filter(pc.less_equal(times, pa.scalar(latest, times.type)))).as_py() for times in columns
    ]
    return max((end for end in ends if end is not None), default=None)


def _mask(values: pa.ChunkedArray | pa.Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return found


def _impossible_time(events: pa.Table, now: datetime) -> NDArray[np.bool_]:
    times = events.column("time").cast(pa.int64()).fill_null(0).to_numpy()
    result: NDArray[np.bool_] = (times < _FIRST_US) | (times > round(now.timestamp() * 1e6))
    return result


def _impossible_value(events: pa.Table) -> NDArray[np.bool_]:
    def outside(name: str, low: float, high: float) -> NDArray[np.bool_]:
        values: NDArray[np.float64] = events.column(name).cast(pa.float64()).fill_null(0).to_numpy()
        return ~((values >= low) & (values <= high))

    is_rating = _mask(pc.equal(events.column("type"), "RATING"))
    return (
        outside("dwell_ms", 0, _MAX_DWELL_MS)
        | outside("quantity", 0, _MAX_QUANTITY)
        | outside("price_micros", 0, 1e15)
        | (is_rating & outside("rating", 1, 5))
    )


def _missing_item(events: pa.Table) -> NDArray[np.bool_]:
    needs = _mask(pc.is_in(events.column("type"), pa.array(_NEED_ITEM)))
    return needs & _mask(pc.equal(pc.fill_null(events.column("item_id"), ""), ""))


def _unknown_item(events: pa.Table, item_ids: frozenset[str]) -> NDArray[np.bool_]:
    ids = pc.fill_null(events.column("item_id"), "")
    known = _mask(pc.is_in(ids, pa.array([*sorted(item_ids), ""], pa.string())))
    return ~known


def _forgotten(events: pa.Table, forgotten: Mapping[str, int]) -> NDArray[np.bool_]:
    result = np.zeros(events.num_rows, bool)
    if not forgotten:
        return result
    times = events.column("time").cast(pa.int64()).fill_null(0).to_numpy()
    for key in events.column("shopper_key").unique().to_pylist():
        until_us = forgotten.get(log_files.shopper_digest(key)) if key else None
        if until_us is not None:
            result |= _mask(pc.equal(events.column("shopper_key"), key)) & (times <= until_us)
    return result


def _repeated(events: pa.Table) -> NDArray[np.bool_]:
    """Actions equal in shopper, session, page, item and type within a second of the one before."""
    result = np.zeros(events.num_rows, bool)
    rows = np.flatnonzero(_mask(pc.is_in(events.column("type"), pa.array(_ACTIONS))))
    part = events.take(pa.array(rows))
    names = ("shopper_key", "session_key", "page_id", "slot_id", "item_id", "type")
    keys = zip(*(part.column(name).to_pylist() for name in names), strict=True)
    last: dict[tuple[str, ...], int] = {}
    for row, key, time_us in zip(rows, keys, part.column("time").cast(pa.int64()).to_pylist(), strict=True):
        if key in last and time_us - last[key] < _SAME_US:
            result[row] = True
        last[key] = time_us
    return result


def _bots(events: pa.Table, is_good: NDArray[np.bool_]) -> dict[str, set[str]]:
    """Session keys by the reason for which they look like a machine's."""
    part = events.filter(pa.array(is_good))
    sessions = part.column("session_key").to_pylist()
    minutes = (part.column("time").cast(pa.int64()).to_numpy() // 60_000_000).tolist()
    types, pages = part.column("type").to_pylist(), part.column("page_id").to_pylist()
    pages_in_minute: dict[tuple[str, int], set[str]] = {}
    actions_in_minute: dict[tuple[str, int], int] = {}
    pages_of: dict[str, set[str]] = {}
    clicked_of: dict[str, set[str]] = {}
    has_looked: set[str] = set()
    for session, minute, kind, page in zip(sessions, minutes, types, pages, strict=True):
        if not session:
            continue
        if page:
            pages_in_minute.setdefault((session, minute), set()).add(page)
            pages_of.setdefault(session, set()).add(page)
        if kind in _ACTIONS:
            actions_in_minute[session, minute] = actions_in_minute.get((session, minute), 0) + 1
        if kind == "CLICK" and page:
            clicked_of.setdefault(session, set()).add(page)
        elif kind in ("DWELL", "CART_ADD", "PURCHASE", "SEARCH"):
            has_looked.add(session)
    fast = {session for (session, _), found in pages_in_minute.items() if len(found) > _BOT_PAGES_PER_MINUTE}
    fast |= {session for (session, _), count in actions_in_minute.items() if count > _BOT_ACTIONS_PER_MINUTE}
    mechanical = {
        session
        for session, found in pages_of.items()
        if len(found) >= _BOT_MIN_PAGES
        and session not in has_looked
        and len(clicked_of.get(session, ())) >= _BOT_CLICKED_SHARE * len(found)
    }
    return {"bot_rate": fast, "bot_behaviour": mechanical - fast}


def _hasty_pages(events: pa.Table, is_good: NDArray[np.bool_]) -> set[str]:
    """Pages without a session on which more was clicked within a second than a person can click."""
    is_click = _mask(pc.equal(events.column("type"), "CLICK"))
    is_nobodys = _mask(pc.equal(pc.fill_null(events.column("session_key"), ""), ""))
    part = events.filter(pa.array(is_good & is_click & is_nobodys))
    times_of: dict[str, list[int]] = {}
    for page, time_us in zip(
        part.column("page_id").to_pylist(), part.column("time").cast(pa.int64()).to_pylist(), strict=True
    ):
        if page:
            times_of.setdefault(page, []).append(time_us)
    return {
        page
        for page, times in times_of.items()
        if any(
            late - early < _SECOND_US
            for early, late in zip(times, times[_BOT_CLICKS_PER_SECOND:], strict=False)
        )
    }


def _duplicate_ids(folder: Path, distinct_count: int) -> pa.Table:
    """Rows whose event id came before, which the reader of logs leaves out."""
    paths = sorted(folder.glob("events-*.parquet"))
    if sum(pq.ParquetFile(path).metadata.num_rows for path in paths) == distinct_count:
        return log_files.EVENTS.empty_table()
    rows = pa.concat_tables(
        pq.read_table(path).select(log_files.EVENTS.names).cast(log_files.EVENTS) for path in paths
    ).sort_by([("time", "ascending"), ("event_id", "ascending")])
    seen: set[str] = set()
    repeated = []
    for event_id in rows.column("event_id").to_pylist():
        repeated.append(event_id in seen)
        seen.add(event_id)
    return rows.filter(pa.array(repeated))
