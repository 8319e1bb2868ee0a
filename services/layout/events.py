"""Which events does layout accept, and what does it store of each?"""

from __future__ import annotations

import math
from collections.abc import Callable

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.layout.v1 import layout_pb2, token_pb2
from services.common.errors import InvalidRequest
from services.common.pseudonyms import Pseudonyms
from services.layout import admission
from services.layout.blueprint import ANSWER
from services.layout.tokens import Signer

MAX_EVENTS = 1_000
MAX_DWELL_MS = 86_400_000
MAX_QUANTITY = 1_000
MAX_TEXT_BYTES = 2_000
MAX_LANGUAGE_BYTES = 35

_Type = events_pb2.EventType
_NEEDS_ITEM = frozenset(
    {
        _Type.EVENT_TYPE_CLICK,
        _Type.EVENT_TYPE_DWELL,
        _Type.EVENT_TYPE_CART_ADD,
        _Type.EVENT_TYPE_PURCHASE,
        _Type.EVENT_TYPE_RETURN,
        _Type.EVENT_TYPE_RATING,
        _Type.EVENT_TYPE_REVIEW,
    }
)
_HAS_QUANTITY = frozenset({_Type.EVENT_TYPE_CART_ADD, _Type.EVENT_TYPE_PURCHASE, _Type.EVENT_TYPE_RETURN})
_NEEDS_TOKEN = frozenset({_Type.EVENT_TYPE_IMPRESSION, _Type.EVENT_TYPE_DISMISSAL, _Type.EVENT_TYPE_HELPFUL})


def accept(
    request: layout_pb2.RecordEventsRequest,
    signer: Signer,
    pseudonyms: Pseudonyms,
    now_s: float,
    ttl_s: float,
) -> list[events_pb2.Event]:
    """The events in the form in which they are logged.

    Raises:
        InvalidRequest: names the event's place, the field, the value and the limit.
    """
    if not 1 <= len(request.events) <= MAX_EVENTS:
        raise InvalidRequest("events", f"{len(request.events)} events", f"1 to {MAX_EVENTS} events")

    def open_token(field: str, text: str) -> token_pb2.TrackingToken:
        return signer.open("track", text, token_pb2.TrackingToken, field, now_s, ttl_s)

    return [
        _accept_one(f"events[{index}]", event, open_token, pseudonyms, now_s)
        for index, event in enumerate(request.events)
    ]


def _accept_one(
    where: str,
    given: layout_pb2.ShopperEvent,
    open_token: Callable[[str, str], token_pb2.TrackingToken],
    pseudonyms: Pseudonyms,
    now_s: float,
) -> events_pb2.Event:
    admission.check_text(f"{where}.event_id", given.event_id, 1, 128)
    if given.type not in _Type.values() or given.type == _Type.EVENT_TYPE_UNSPECIFIED:
        raise InvalidRequest(f"{where}.type", given.type, f"one of {', '.join(_Type.keys()[1:])}")
    event = events_pb2.Event(event_id=given.event_id, type=given.type)
    admission.copy_time(f"{where}.time", given, event, now_s)
    if given.tracking_token:
        _copy_token(open_token(f"{where}.tracking_token", given.tracking_token), event)
    elif given.type in _NEEDS_TOKEN or not given.HasField("shopper"):
        raise InvalidRequest(f"{where}.tracking_token", "", "the token of the slot or item on the page")
    else:
        admission.check_shopper(given.shopper, f"{where}.shopper")
        if given.shopper.consent == context_pb2.CONSENT_GRANTED:
            event.shopper_key = pseudonyms.of("shopper", given.shopper.user_id)
            event.session_key = pseudonyms.of("session", given.shopper.session_id)
            event.key_epoch = pseudonyms.epoch
    if given.item_id:
        admission.check_text(f"{where}.item_id", given.item_id, 1, 128)
        if event.item_id and event.item_id != given.item_id:
            raise InvalidRequest(
                f"{where}.item_id", given.item_id, f"{event.item_id!r} as in the token, or empty"
            )
        event.item_id = given.item_id
    _copy_details(where, given, event)
    return event


def _copy_token(token: token_pb2.TrackingToken, event: events_pb2.Event) -> None:
    for name in (
        "page_id",
        "slot_id",
        "module_id",
        "family",
        "category",
        "item_id",
        "shopper_key",
        "session_key",
        "key_epoch",
        "charge_micros",
    ):
        setattr(event, name, getattr(token, name))


def _copy_details(where: str, given: layout_pb2.ShopperEvent, event: events_pb2.Event) -> None:
    if event.type == _Type.EVENT_TYPE_HELPFUL and not event.module_id.startswith(ANSWER):
        raise InvalidRequest(f"{where}.tracking_token", event.module_id, "the token of a slot with an answer")
    if event.type in _NEEDS_ITEM and not event.item_id:
        raise InvalidRequest(f"{where}.item_id", "", "an item: send the item's token or item_id")
    if event.type != _Type.EVENT_TYPE_CLICK:
        event.charge_micros = 0  # advertisers pay for clicks
    if event.type == _Type.EVENT_TYPE_DWELL:
        _check_range(f"{where}.dwell_ms", given.dwell_ms, 0, MAX_DWELL_MS)
        event.dwell_ms = given.dwell_ms
    if event.type in _HAS_QUANTITY:
        event.quantity = given.quantity or 1
        _check_range(f"{where}.quantity", event.quantity, 1, MAX_QUANTITY)
    if event.type == _Type.EVENT_TYPE_PURCHASE:
        _check_range(f"{where}.price_micros", given.price_micros, 0, 10**15)
        _check_range(f"{where}.margin_micros", given.margin_micros, -(10**15), 10**15)
        event.price_micros, event.margin_micros = given.price_micros, given.margin_micros
    if event.type == _Type.EVENT_TYPE_SEARCH:
        admission.check_text(f"{where}.query", given.query, 1, 256)
        event.query = given.query
    if event.type == _Type.EVENT_TYPE_RATING:
        _copy_rating(where, given, event)
    if event.type == _Type.EVENT_TYPE_REVIEW:
        _copy_review(where, given, event)


def _copy_rating(where: str, given: layout_pb2.ShopperEvent, event: events_pb2.Event) -> None:
    if not math.isfinite(given.rating):
        raise InvalidRequest(f"{where}.rating", given.rating, "1 to 5")
    _check_range(f"{where}.rating", given.rating, 1, 5)
    event.rating = given.rating


def _copy_review(where: str, given: layout_pb2.ShopperEvent, event: events_pb2.Event) -> None:
    """The text goes along only where ForgetShopper can find it again; messages leave out what it says."""
    if not given.text and not given.rating:
        raise InvalidRequest(where, "neither rating nor text", "a rating, a text or both of a review")
    if given.rating:
        _copy_rating(where, given, event)
    if not given.text:
        return
    size = len(given.text.encode())
    if size > MAX_TEXT_BYTES:
        raise InvalidRequest(f"{where}.text", f"{size} bytes", f"at most {MAX_TEXT_BYTES} bytes")
    admission.check_text(f"{where}.language", given.language, 1, MAX_LANGUAGE_BYTES)
    if event.shopper_key:
        event.text, event.language = given.text, given.language


def _check_range(field: str, value: float, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidRequest(field, value, f"{low} to {high}")
