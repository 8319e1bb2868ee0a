"""What is remembered of a shopper, and how does an event change it?

The live path (UpdateProfiles) and the pipeline (replay of the log) apply events with the same function,
so that a profile rebuilt from the log equals the one that events built one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from planogram.common.v1 import context_pb2
from services.feature.shoppers import session as sessions
from services.feature.shoppers.acts import (
    CART_ADD,
    CLICK,
    DISMISSAL,
    DWELL,
    PURCHASE,
    RATING,
    RETURN,
    ItemBrief,
    ShopperEvent,
    digest_of,
)
from services.feature.shoppers.session import Session

RECENT_COUNT = 50
"""Item events that a profile keeps, which is the length of the click model's history."""

POSITIVE_WEIGHTS: Mapping[int, float] = {CLICK: 1.0, DWELL: 2.0, CART_ADD: 3.0, PURCHASE: 5.0, RATING: 1.0}
"""How strongly an event speaks for its item."""

LOOKED = frozenset((CLICK, DWELL, CART_ADD, PURCHASE))
"""Events after which an item counts as looked at."""

_NEGATIVE_WEIGHTS: Mapping[int, float] = {RETURN: -2.0, DISMISSAL: -1.0}
_MIDDLE_RATING = 3.0
_HALF_LIFE_US = 14 * 86_400 * 1e6
_BRAND_COUNT = 64
_BOUGHT_COUNT = 100
_DISMISSED_COUNT = 64


@dataclass(slots=True)
class Recent:
    """Latest item events in columns, newest first."""

    item_ids: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    brands: list[str] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    times_us: list[int] = field(default_factory=list)
    relative_prices: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Profile:
    """All that is kept of one shopper."""

    updated_us: int = 0
    """Time of the latest event."""
    written_us: int = 0
    """Time of the stored row, which increases strictly from write to write."""
    origin_us: int = 0
    """Time of the first event, the landmark of the decayed weights."""
    event_count: int = 0
    click_count: int = 0
    purchase_count: int = 0
    segment: str = ""
    recent: Recent = field(default_factory=Recent)
    categories: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Decayed weight and number of events by category."""
    brands: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Decayed weight and number of events by brand."""
    price_sum: float = 0.0
    price_weight: float = 0.0
    price_count: int = 0
    bought: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Number of purchases and time of the last by item, last bought last."""
    dismissed: dict[str, int] = field(default_factory=dict)
    """Time by item that was waved away and not wanted since, the last one last."""
    session: Session = field(default_factory=Session)


@dataclass(frozen=True, slots=True)
class SessionView:
    """The session as a page that begins now sees it: the page before has ended."""

    segment: str = ""
    is_known: bool = False
    page_index: int = 0
    click_count: int = 0
    dwell_count: int = 0
    cart_count: int = 0
    purchase_count: int = 0
    pages_without_click: int = 0
    last_outcome: int = 0
    category_click_counts: Mapping[str, int] = field(default_factory=dict)
    category_dwell_counts: Mapping[str, int] = field(default_factory=dict)
    family_click_counts: Mapping[str, int] = field(default_factory=dict)
    family_stop_counts: Mapping[str, int] = field(default_factory=dict)
    module_unclicked_counts: Mapping[str, int] = field(default_factory=dict)
    category_recent_interests: Mapping[str, float] = field(default_factory=dict)
    family_recent_stops: Mapping[str, float] = field(default_factory=dict)
    category_passes: Mapping[str, float] = field(default_factory=dict)
    family_passes: Mapping[str, float] = field(default_factory=dict)
    last_click_category: str = ""
    is_last_click_dwelled: bool = False
    category_affinities: Mapping[str, float] = field(default_factory=dict)
    lifetime_event_count: int = 0
    price_level: float = 0.5


def apply_events(
    profile: Profile,
    applied: bytes,
    events: Iterable[ShopperEvent],
    brief_of: Callable[[str], ItemBrief | None],
    kept_count: int,
) -> tuple[bytes, int, int]:
    """Applies events in order of time, each at most once.

    Args:
        applied: digests of the event ids applied before, 8 bytes each, oldest first.
        kept_count: digests to keep.

    Returns:
        The digests to store with the profile, and how many events were applied and repeated.
    """
    known = set(np.frombuffer(applied, "<u8").tolist())
    fresh: list[int] = []
    duplicate_count = 0
    for event in sorted(events, key=_order):
        digest = digest_of(event.event_id)
        if digest in known:
            duplicate_count += 1
            continue
        known.add(digest)
        fresh.append(digest)
        _apply(profile, event, brief_of(event.item_id) if event.item_id else None)
    kept = (applied + np.array(fresh, "<u8").tobytes())[-8 * kept_count :]
    return kept, len(fresh), duplicate_count


def view(profile: Profile | None, session_key: str) -> SessionView:
    """What a page of a session sees of a profile; None is a shopper without one."""
    if profile is None:
        return SessionView()
    session = profile.session
    long_term: dict[str, Any] = {
        "segment": profile.segment,
        "is_known": True,
        "category_affinities": shares(profile.categories),
        "lifetime_event_count": profile.event_count,
        "price_level": price_level(profile),
    }
    if not session_key or session.key != session_key:
        return SessionView(**long_term)
    pages_without_click, last_outcome = session.pages_without_click, session.last_outcome
    stops: Mapping[str, int] = session.family_stop_counts
    recent_stops: Mapping[str, float] = session.family_recent_stops
    if session.open_page:
        last_outcome = session.open_outcome or int(context_pb2.OUTCOME_STOP)
        if last_outcome == context_pb2.OUTCOME_STOP:
            pages_without_click += 1
            if session.open_family:
                stops = {**stops, session.open_family: stops.get(session.open_family, 0) + 1}
                recent_stops = {
                    **recent_stops,
                    session.open_family: recent_stops.get(session.open_family, 0.0) + 1.0,
                }
    return SessionView(
        **long_term,
        page_index=session.page_count,
        click_count=session.click_count,
        dwell_count=session.dwell_count,
        cart_count=session.cart_count,
        purchase_count=session.purchase_count,
        pages_without_click=pages_without_click,
        last_outcome=last_outcome,
        category_click_counts=session.category_click_counts,
        category_dwell_counts=session.category_dwell_counts,
        family_click_counts=session.family_click_counts,
        family_stop_counts=stops,
        module_unclicked_counts=session.module_unclicked_counts,
        category_recent_interests=session.category_recent_interests,
        family_recent_stops=recent_stops,
        category_passes=session.category_passes,
        family_passes=session.family_passes,
        last_click_category=session.last_click_category,
        is_last_click_dwelled=session.is_last_click_dwelled,
    )


def shares(weights: Mapping[str, tuple[float, int]]) -> dict[str, float]:
    """Decayed weights as shares that sum to 1, strongest first; the time of reading cancels out."""
    total = sum(weight for weight, _ in weights.values())
    if total <= 0:
        return {}
    ordered = sorted(weights.items(), key=lambda pair: (-pair[1][0], pair[0]))
    return {name: entry[0] / total for name, entry in ordered if entry[0] > 0}


def evidence_count(profile: Profile) -> int:
    """Number of events that speak for or against a category."""
    return sum(count for _, count in profile.categories.values())


def price_level(profile: Profile) -> float:
    """Decayed mean percentile of the prices looked at; 0.5 where unknown."""
    return profile.price_sum / profile.price_weight if profile.price_weight > 0 else 0.5


def recently_viewed(profile: Profile) -> list[str]:
    """Distinct items looked at, newest first."""
    recent = profile.recent
    looked = (item for item, event in zip(recent.item_ids, recent.events, strict=True) if event in LOOKED)
    return list(dict.fromkeys(looked))


def bought_before(profile: Profile) -> list[str]:
    """Distinct items bought and kept, last bought first."""
    return list(reversed(profile.bought))


def _order(event: ShopperEvent) -> tuple[int, int]:
    return event.time_us, event.sequence


def _apply(profile: Profile, event: ShopperEvent, brief: ItemBrief | None) -> None:
    if profile.event_count == 0:
        profile.origin_us = event.time_us
    profile.event_count += 1
    profile.updated_us = max(profile.updated_us, event.time_us)
    if event.type == CLICK:
        profile.click_count += 1
    elif event.type == PURCHASE:
        profile.purchase_count += 1
    if event.item_id:
        _remember_item(profile, event, brief)
    if event.session_key:
        profile.session = sessions.apply(profile.session, event, brief)


def _remember_item(profile: Profile, event: ShopperEvent, brief: ItemBrief | None) -> None:
    if event.type == PURCHASE:
        bought_count = profile.bought.pop(event.item_id, (0, 0))[0]
        profile.bought[event.item_id] = bought_count + 1, event.time_us
        if len(profile.bought) > _BOUGHT_COUNT:
            del profile.bought[next(iter(profile.bought))]
    elif event.type == RETURN:
        profile.bought.pop(event.item_id, None)
    if event.type == DISMISSAL:
        profile.dismissed.pop(event.item_id, None)
        profile.dismissed[event.item_id] = event.time_us
        if len(profile.dismissed) > _DISMISSED_COUNT:
            del profile.dismissed[next(iter(profile.dismissed))]
    elif event.type in LOOKED:
        profile.dismissed.pop(event.item_id, None)
    _insert_recent(profile.recent, event, brief)
    if brief is None:
        return
    # Forward decay (Cormode et al. 2009): a later event weighs more, so what is stored never needs
    # rescaling. 2**1000 half-lives of two weeks is beyond any clock here.
    growth = 2.0 ** ((event.time_us - profile.origin_us) / _HALF_LIFE_US)
    weight = _weight(event) * growth
    if weight:
        _add(profile.categories, brief.category, weight)
        _add(profile.brands, brief.brand, weight)
        if len(profile.brands) > _BRAND_COUNT:
            del profile.brands[min(profile.brands, key=lambda brand: profile.brands[brand][0])]
    if weight > 0 and brief.price_percentile is not None:
        profile.price_sum += weight * brief.price_percentile
        profile.price_weight += weight
        profile.price_count += 1


def _weight(event: ShopperEvent) -> float:
    if event.type == RATING:
        return event.rating - _MIDDLE_RATING
    return POSITIVE_WEIGHTS.get(event.type) or _NEGATIVE_WEIGHTS.get(event.type, 0.0)


def _add(weights: dict[str, tuple[float, int]], name: str, weight: float) -> None:
    if name:
        old, count = weights.get(name, (0.0, 0))
        weights[name] = max(old + weight, 0.0), count + 1


def _insert_recent(recent: Recent, event: ShopperEvent, brief: ItemBrief | None) -> None:
    place = 0
    while place < len(recent.times_us) and recent.times_us[place] > event.time_us:
        place += 1
    if place >= RECENT_COUNT:
        return
    recent.item_ids.insert(place, event.item_id)
    recent.categories.insert(place, brief.category if brief else "")
    recent.brands.insert(place, brief.brand if brief else "")
    recent.events.insert(place, event.type)
    recent.times_us.insert(place, event.time_us)
    recent.relative_prices.insert(place, round(brief.relative_price, 4) if brief else 0.0)
    if len(recent.item_ids) > RECENT_COUNT:
        for column in fields(Recent):
            getattr(recent, column.name).pop()
