"""Which requests are refused, and for which field, value and limit?"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from services.common.errors import InvalidRequest
from services.feature.pages.candidates import ModuleQuery

MAX_ID_BYTES = 128
MAX_MODULE_ID_BYTES = 64
MAX_QUERY_BYTES = 256
MAX_TEXT_BYTES = 2_000
MAX_LANGUAGE_BYTES = 35
MAX_MODULES = 64
MAX_LIMIT = 200
DEFAULT_LIMIT = 24
MAX_EVENTS = MAX_ITEMS = MAX_IDS = 1_000
OLDEST = timedelta(days=30)
AHEAD = timedelta(minutes=1)
_REMEMBERED_BYTES, _REMEMBERED_PAGE_BYTES = 512, 4096
"""Of a module, and of all that a page asks for: those with long lists return rarely."""

_EVENT_TYPES = frozenset(events_pb2.EventType.values()) - {0}
_PAGE_TYPES = frozenset(context_pb2.PageType.values()) - {0}
_SOURCES = frozenset(feature_pb2.CandidateSource.values()) - {0}
_KEY = re.compile(r"[0-9a-f]{32}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CHANGES = ("price_micros", "stock", "is_active", "is_under_review")
_WITH_ITEM = frozenset(
    (
        events_pb2.EVENT_TYPE_CLICK,
        events_pb2.EVENT_TYPE_CART_ADD,
        events_pb2.EVENT_TYPE_PURCHASE,
        events_pb2.EVENT_TYPE_RETURN,
        events_pb2.EVENT_TYPE_RATING,
        events_pb2.EVENT_TYPE_REVIEW,
    )
)


def check_page(request: feature_pb2.GatherPageRequest) -> tuple[ModuleQuery, ...]:
    """Refuses a GatherPage request that breaks the contract; returns its modules."""
    if not request.HasField("shopper"):
        raise InvalidRequest("shopper", "absent", "a shopper")
    if not request.HasField("context"):
        raise InvalidRequest("context", "absent", "a page context")
    _text("shopper.user_id", request.shopper.user_id, 0, MAX_ID_BYTES)
    _text("shopper.session_id", request.shopper.session_id, 1, MAX_ID_BYTES)
    _check_context(request.context)
    # Most pages ask for what others asked for: that is looked through once.
    modules = tuple(map(feature_pb2.ModuleRequest.SerializeToString, request.modules))
    wanted = _wanted if sum(map(len, modules)) <= _REMEMBERED_PAGE_BYTES else _wanted.__wrapped__
    return wanted(modules, tuple(request.schema_fingerprints))


def page_time(context: context_pb2.PageContext) -> datetime:
    """The time of a page view; the server's clock where the caller gives none."""
    if not context.HasField("time"):
        return datetime.now(UTC)
    second = datetime.fromtimestamp(context.time.seconds, UTC)
    return second.replace(microsecond=context.time.nanos // 1_000)


def check_events(events: Sequence[events_pb2.Event]) -> None:
    """Refuses events that break the contract; the first bad one is named."""
    _size("events", events, 1, MAX_EVENTS)
    latest_s = (datetime.now(UTC) + AHEAD).timestamp()
    for place, event in enumerate(events):
        where = f"events[{place}]"
        _text(f"{where}.event_id", event.event_id, 1, MAX_ID_BYTES)
        if event.type not in _EVENT_TYPES:
            raise InvalidRequest(f"{where}.type", event.type, "an EventType other than 0")
        if not event.HasField("time") or event.time.seconds <= 0:
            raise InvalidRequest(f"{where}.time", event.time.seconds, "a time after 1970")
        if event.time.seconds > latest_s:
            raise InvalidRequest(
                f"{where}.time", event.time.seconds, "at most 60 s ahead of the server's clock"
            )
        _nanos(f"{where}.time", event.time.nanos)
        for name in ("shopper_key", "session_key"):
            key = getattr(event, name)
            if key and not _KEY.fullmatch(key):
                raise InvalidRequest(f"{where}.{name}", key, "32 hex digits or nothing")
        for name in ("page_id", "slot_id", "module_id", "family", "category", "item_id"):
            _text(f"{where}.{name}", getattr(event, name), 0, MAX_ID_BYTES)
        if event.type in _WITH_ITEM and not event.item_id:
            raise InvalidRequest(f"{where}.item_id", "", "an item for this type of event")
        if event.type == events_pb2.EVENT_TYPE_RATING and not 1 <= event.rating <= 5:
            raise InvalidRequest(f"{where}.rating", _number(event.rating), "1 to 5")
        if event.type == events_pb2.EVENT_TYPE_REVIEW:
            _check_review(where, event)
        for name in ("dwell_ms", "quantity"):
            if getattr(event, name) < 0:
                raise InvalidRequest(f"{where}.{name}", getattr(event, name), "0 or more")


def check_items(items: Sequence[feature_pb2.ItemUpdate]) -> None:
    """Refuses item changes that break the contract; the first bad one is named."""
    _size("items", items, 1, MAX_ITEMS)
    seen: set[str] = set()
    for place, item in enumerate(items):
        where = f"items[{place}]"
        _text(f"{where}.item_id", item.item_id, 1, MAX_ID_BYTES)
        if item.item_id in seen:
            raise InvalidRequest(f"{where}.item_id", item.item_id, "an id used once")
        seen.add(item.item_id)
        if item.HasField("price_micros") and item.price_micros <= 0:
            raise InvalidRequest(f"{where}.price_micros", item.price_micros, "above 0")
        if item.HasField("stock") and item.stock < 0:
            raise InvalidRequest(f"{where}.stock", item.stock, "0 or more")
        if not any(item.HasField(name) for name in _CHANGES):
            raise InvalidRequest(where, item.item_id, f"something to change: {', '.join(_CHANGES)}")


def check_features(request: feature_pb2.GetFeaturesRequest, known: Sequence[str]) -> None:
    """Refuses a GetFeatures request that breaks the contract or names an unknown feature."""
    _size("ids", request.ids, 1, MAX_IDS)
    for place, identifier in enumerate(request.ids):
        _text(f"ids[{place}]", identifier, 1, MAX_ID_BYTES)
    _size("features", request.features, 0, 64)
    for place, name in enumerate(request.features):
        if name not in known:
            raise InvalidRequest(f"features[{place}]", name, f"one of {', '.join(known)}")


def check_user(user_id: str) -> None:
    """Refuses a user id that is empty or too long."""
    _text("user_id", user_id, 1, MAX_ID_BYTES)


def _check_context(context: context_pb2.PageContext) -> None:
    if context.page_type not in _PAGE_TYPES:
        raise InvalidRequest("context.page_type", context.page_type, "a PageType other than 0")
    _text("context.locale", context.locale, 0, 35)
    _text("context.query", context.query, 0, MAX_QUERY_BYTES)
    _text("context.category", context.category, 0, MAX_ID_BYTES)
    _text("context.item_id", context.item_id, 0, MAX_ID_BYTES)
    _size("context.cart_item_ids", context.cart_item_ids, 0, 200)
    for place, item_id in enumerate(context.cart_item_ids):
        _text(f"context.cart_item_ids[{place}]", item_id, 1, MAX_ID_BYTES)
    if context.HasField("time"):
        now_s, seconds = time.time(), context.time.seconds
        if not now_s - OLDEST.total_seconds() <= seconds <= now_s + AHEAD.total_seconds():
            raise InvalidRequest(
                "context.time", seconds, "at most 30 days before and 60 s after the server's clock"
            )
        _nanos("context.time", context.time.nanos)


@lru_cache(maxsize=1024)
def _wanted(modules: Sequence[bytes], fingerprints: Sequence[str]) -> tuple[ModuleQuery, ...]:
    """Modules in wire form, where they and the fingerprints keep the contract."""
    _size("schema_fingerprints", fingerprints, 0, 4)
    for place, fingerprint in enumerate(fingerprints):
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise InvalidRequest(f"schema_fingerprints[{place}]", fingerprint, "64 hex digits")
    _size("modules", modules, 1, MAX_MODULES)
    queries = [
        _module(place, wire) if len(wire) <= _REMEMBERED_BYTES else _module.__wrapped__(place, wire)
        for place, wire in enumerate(modules)
    ]
    if len({query.module_id for query in queries}) < len(queries):
        seen: set[str] = set()
        for place, query in enumerate(queries):
            if query.module_id in seen:
                raise InvalidRequest(f"modules[{place}].module_id", query.module_id, "an id used once")
            seen.add(query.module_id)
    return tuple(queries)


@lru_cache(maxsize=4096)
def _module(place: int, wire: bytes) -> ModuleQuery:
    """A module that keeps the contract; remembered, because most pages ask for the same ones."""
    module, where = feature_pb2.ModuleRequest.FromString(wire), f"modules[{place}]"
    _text(f"{where}.module_id", module.module_id, 1, MAX_MODULE_ID_BYTES)
    if module.source not in _SOURCES:
        raise InvalidRequest(f"{where}.source", module.source, "a CandidateSource other than 0")
    if not 0 <= module.limit <= MAX_LIMIT:
        raise InvalidRequest(f"{where}.limit", module.limit, f"1 to {MAX_LIMIT}, or 0 for {DEFAULT_LIMIT}")
    _text(f"{where}.category", module.category, 0, MAX_ID_BYTES)
    return ModuleQuery(
        module.module_id,
        module.source,
        module.limit or DEFAULT_LIMIT,
        module.category,
        _listed(place, module.item_ids),
    )


def _listed(place: int, item_ids: Sequence[str]) -> tuple[str, ...]:
    where = f"modules[{place}].item_ids"
    _size(where, item_ids, 0, 200)
    for number, item_id in enumerate(item_ids):
        _text(f"{where}[{number}]", item_id, 1, MAX_ID_BYTES)
    return tuple(item_ids)


def _check_review(where: str, event: events_pb2.Event) -> None:
    if event.rating and not 1 <= event.rating <= 5:
        raise InvalidRequest(f"{where}.rating", _number(event.rating), "1 to 5, or 0 for none")
    if len(event.text.encode()) > MAX_TEXT_BYTES:  # what it says stays out of the answer
        raise InvalidRequest(
            f"{where}.text", f"{len(event.text.encode())} bytes", f"at most {MAX_TEXT_BYTES} bytes"
        )
    _text(f"{where}.language", event.language, 0, MAX_LANGUAGE_BYTES)


def _text(field: str, value: str, low: int, high: int) -> None:
    if not low <= len(value) <= high or (len(value) * 4 > high and len(value.encode()) > high):
        raise InvalidRequest(field, value, f"{low} to {high} bytes")
    if value and not value.isprintable() and _CONTROL.search(value):
        raise InvalidRequest(field, value, "text without control characters")


def _nanos(field: str, nanos: int) -> None:
    if not 0 <= nanos < 1_000_000_000:
        raise InvalidRequest(field, nanos, "0 to 999,999,999 nanoseconds")


def _size(field: str, values: Sequence[object], low: int, high: int) -> None:
    if not low <= len(values) <= high:
        raise InvalidRequest(field, f"{len(values)} values", f"{low} to {high} values")


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
