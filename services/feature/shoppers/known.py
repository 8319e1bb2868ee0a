"""What does a page need to know of a shopper?

It is worked out when a profile is written, which no page waits for, and not when it is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from planogram.common.v1 import context_pb2
from services.feature.shoppers.profile import LOOKED, Profile, Recent, SessionView, evidence_count, view

HAS_ITEM, HAS_CATEGORY, HAS_BRAND, IS_LOOKED = 1, 2, 4, 8
EVENT = np.dtype(
    [
        *(("time_us", "<i8"), ("item", "<u4"), ("category", "<u4"), ("brand", "<u4")),
        *(("relative_price", "<f4"), ("event", "<u2"), ("flags", "<u2")),
    ],
    align=True,
)
"""A recent event: CRC-32 of item, category and brand; flags say which of them are not empty, and more."""


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """Where a shopper stands in a session as a page begins."""

    message: bytes = b""
    """A SessionState in wire form."""
    page_index: int = 0
    click_count: int = 0
    pages_without_click: int = 0


class Bearings(msgspec.Struct, frozen=True, array_like=True):
    """Where a shopper stands among the items of a snapshot. D width."""

    snapshot_version: str = ""
    """Empty where nobody looked."""
    looked_rows: bytes = b""
    """int32, of items looked at, newest first, -1 where unknown; they may repeat."""
    bought_rows: bytes = b""
    """int32, in the order of `Known.bought`, -1 where unknown; `dismissed_rows` alike."""
    dismissed_rows: bytes = b""
    taste: bytes = b""
    """(D,) float32 of unit length; empty where nothing is known of it."""
    worthy_rows: bytes = b""
    """int32, of the products worth most to the shopper, best first; empty where nobody looked."""


class Known(msgspec.Struct, frozen=True, array_like=True):
    """A shopper, as pages see one. L recent events."""

    is_known: bool = False
    session_key: str = ""
    inside: Standing = Standing()
    """In the session of that key."""
    outside: Standing = Standing()
    """In any other."""
    segment: str = ""
    event_count: int = 0
    click_count: int = 0
    purchase_count: int = 0
    evidence_count: int = 0
    """Events that speak for or against a category."""
    price_level: float = 0.5
    category_affinities: dict[str, float] = {}
    """Strongest first; they sum to 1."""
    recent_item_ids: tuple[str, ...] = ()
    """Newest first; they may repeat."""
    recent_events: bytes = b""
    """(L,) of EVENT."""
    bought: dict[str, int] = {}
    """When an item was bought last, microseconds since 1970; last bought last."""
    dismissed: dict[str, int] = {}
    """When an item was waved away, microseconds since 1970."""
    bearings: Bearings = Bearings()
    """Among the items that served when the profile was written."""

    def standing(self, session_key: str) -> Standing:
        """As a page of a session finds it."""
        return self.inside if session_key and session_key == self.session_key else self.outside

    @property
    def events(self) -> NDArray[np.void]:
        """(L,) of EVENT, newest first."""
        return np.frombuffer(self.recent_events, EVENT)


def known_of(profile: Profile | None) -> Known:
    """What pages need of a profile; None is a shopper without one."""
    if profile is None:
        return STRANGER
    outside, session_key = view(profile, ""), profile.session.key
    return msgspec.structs.replace(
        known_in(session_key, outside, profile),
        inside=_standing(view(profile, session_key)),
        outside=_standing(outside),
        evidence_count=evidence_count(profile),
        bought={item_id: time_us for item_id, (_, time_us) in profile.bought.items()},
        dismissed=profile.dismissed,
    )


def known_in(session_key: str, session: SessionView, profile: Profile | None) -> Known:
    """What models read of a shopper as a page of one session begins: half the work of `known_of`.

    Args:
        session: the session of that key, as `view` tells it of the profile.
    """
    recent = profile.recent if profile else Recent()
    return Known(
        is_known=session.is_known,
        session_key=session_key,
        inside=Standing(b"", session.page_index, session.click_count, session.pages_without_click),
        segment=session.segment,
        event_count=session.lifetime_event_count,
        click_count=profile.click_count if profile else 0,
        purchase_count=profile.purchase_count if profile else 0,
        price_level=session.price_level,
        category_affinities=dict(session.category_affinities),
        recent_item_ids=tuple(recent.item_ids),
        recent_events=_events(recent).tobytes(),
    )


def session_message(session: SessionView) -> context_pb2.SessionState:
    """The wire form of a session."""
    values = zip(_SESSION_FIELDS, _values_of(session), strict=True)
    return context_pb2.SessionState(**{name: value for name, value in values if value})


_SESSION_FIELDS = tuple(one.name for one in context_pb2.SessionState.DESCRIPTOR.fields)
_values_of: attrgetter[Any] = attrgetter(*_SESSION_FIELDS)


def _standing(session: SessionView) -> Standing:
    return Standing(
        session_message(session).SerializeToString(),
        session.page_index,
        session.click_count,
        session.pages_without_click,
    )


def _events(recent: Recent) -> NDArray[np.void]:
    events = np.zeros(len(recent.item_ids), EVENT)
    for flag, name, texts in (
        (HAS_ITEM, "item", recent.item_ids),
        (HAS_CATEGORY, "category", recent.categories),
        (HAS_BRAND, "brand", recent.brands),
    ):
        events[name] = _digests(texts)
        events["flags"] |= np.array([flag if text else 0 for text in texts], np.uint16)
    events["flags"] |= np.array([IS_LOOKED if event in LOOKED else 0 for event in recent.events], np.uint16)
    events["event"] = recent.events
    events["time_us"] = recent.times_us
    events["relative_price"] = recent.relative_prices
    return events


def _digests(texts: Sequence[str]) -> list[int]:
    return [zlib.crc32(text.encode()) for text in texts]


STRANGER = Known(outside=_standing(view(None, "")))
"""Of whom nothing is known."""
