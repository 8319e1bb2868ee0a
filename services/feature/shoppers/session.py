"""What is remembered of a shopper's session, and how does an event change it?"""

from __future__ import annotations

from dataclasses import dataclass, field

from planogram.common.v1 import context_pb2
from services.feature.shoppers.acts import (
    CART_ADD,
    CLICK,
    DWELL,
    HELPFUL,
    IMPRESSION,
    PURCHASE,
    ItemBrief,
    ShopperEvent,
    digest_of,
)

PAGE_DECAY = 0.75
"""What is left of recent interests, stops and passes with each page that begins."""
_PAGE_COUNT = 256
_LOOK_INTEREST = 2.0
"""What a long look adds to the interest of its click, which is 1."""
_LEAST_RECENT = 0.01
"""Below it nothing is kept: one act is forgotten 17 pages later."""


@dataclass(slots=True)
class Session:
    """The latest session; a page stays open until an event of the next page settles it."""

    key: str = ""
    last_us: int = 0
    pages: list[int] = field(default_factory=list)
    """Digests of the latest distinct page ids."""
    page_count: int = 0
    click_count: int = 0
    dwell_count: int = 0
    cart_count: int = 0
    purchase_count: int = 0
    pages_without_click: int = 0
    last_outcome: int = 0
    category_click_counts: dict[str, int] = field(default_factory=dict)
    category_dwell_counts: dict[str, int] = field(default_factory=dict)
    family_click_counts: dict[str, int] = field(default_factory=dict)
    family_stop_counts: dict[str, int] = field(default_factory=dict)
    module_unclicked_counts: dict[str, int] = field(default_factory=dict)
    # With decay from page to page; an act of an earlier page that comes late weighs what is left of it.
    category_recent_interests: dict[str, float] = field(default_factory=dict)
    family_recent_stops: dict[str, float] = field(default_factory=dict)
    category_passes: dict[str, float] = field(default_factory=dict)
    family_passes: dict[str, float] = field(default_factory=dict)
    last_click_item: str = ""
    last_click_category: str = ""
    is_last_click_dwelled: bool = False
    open_page: int = 0
    """Digest of the page whose end is not known yet; 0 for none."""
    open_family: str = ""
    """Family of its lowest slot in view."""
    open_outcome: int = 0
    settled_page: int = 0
    settled_family: str = ""
    """Family that the settled page counted as a stop; empty for none."""


def apply(session: Session, event: ShopperEvent, brief: ItemBrief | None) -> Session:
    """The session after an event of it, changed in place, or the new one that an event begins."""
    if event.session_key != session.key:
        if event.time_us < session.last_us:
            return session  # a late event of an earlier session moves the long-term part only
        session = Session(key=event.session_key)
    session.last_us = max(session.last_us, event.time_us)
    page = _turn_to_page(session, event.page_id)
    category = brief.category if brief else ""
    weight = _weight_of_page(session, page)
    if event.type == IMPRESSION:
        if page == session.open_page and event.family:
            session.open_family = event.family
        if event.module_id:
            _count(session.module_unclicked_counts, event.module_id)
        # Passed unless a click follows, which takes it back.
        _weigh(session.category_passes, event.category, weight)
        _weigh(session.family_passes, event.family, weight)
    elif event.type == CLICK:
        session.click_count += 1
        _count(session.category_click_counts, category)
        _count(session.family_click_counts, event.family)
        session.module_unclicked_counts.clear()
        session.pages_without_click = 0
        _weigh(session.category_recent_interests, category, weight)
        session.category_passes.pop(category, None)
        session.family_passes.pop(event.family, None)
        session.last_click_item, session.last_click_category = event.item_id, category
        session.is_last_click_dwelled = False
        _end_page(session, page, int(context_pb2.OUTCOME_CLICK))
    elif event.type == HELPFUL:
        # Found without a click on an item: what tells of items stays as it is.
        _count(session.family_click_counts, event.family)
        session.module_unclicked_counts.clear()
        session.pages_without_click = 0
        session.family_passes.pop(event.family, None)
        _end_page(session, page, int(context_pb2.OUTCOME_CLICK))
    elif event.type == DWELL:
        session.dwell_count += 1
        _count(session.category_dwell_counts, category)
        _weigh(session.category_recent_interests, category, _LOOK_INTEREST * weight)
        session.is_last_click_dwelled |= event.item_id == session.last_click_item
    elif event.type == CART_ADD:
        session.cart_count += 1
    elif event.type == PURCHASE:
        session.purchase_count += 1
        _end_page(session, page, int(context_pb2.OUTCOME_PURCHASE))
    return session


def _turn_to_page(session: Session, page_id: str) -> int:
    """The digest of an event's page, which is opened where it is new to the session."""
    if not page_id:
        return session.open_page
    page = digest_of(page_id)
    if page not in session.pages:
        _settle(session)
        session.pages.append(page)
        del session.pages[:-_PAGE_COUNT]
        session.page_count += 1
        session.open_page, session.open_family, session.open_outcome = page, "", 0
        for recent in (
            session.category_recent_interests,
            session.family_recent_stops,
            session.category_passes,
            session.family_passes,
        ):
            _decay(recent)
    return page


def _weight_of_page(session: Session, page: int) -> float:
    """What an act on a page weighs now: less by one decay for each page that began since."""
    if not page or page == session.open_page:
        return 1.0
    age: int = len(session.pages) - 1 - session.pages.index(page)
    weight: float = PAGE_DECAY**age
    return weight


def _settle(session: Session) -> None:
    """Counts how the open page ended: without a click it stopped on its lowest slot in view."""
    if not session.open_page:
        return
    session.last_outcome = session.open_outcome or int(context_pb2.OUTCOME_STOP)
    session.settled_page, session.settled_family = session.open_page, ""
    if session.last_outcome == context_pb2.OUTCOME_STOP:
        session.pages_without_click += 1
        session.settled_family = session.open_family
        _count(session.family_stop_counts, session.open_family)
        _weigh(session.family_recent_stops, session.open_family, 1.0)


def _end_page(session: Session, page: int, outcome: int) -> None:
    """Records the outcome of a page, be it still open or the one before, whose event came late."""
    if page and page == session.open_page:
        session.open_outcome = max(session.open_outcome, outcome)
    elif page and page == session.settled_page:
        if session.last_outcome == context_pb2.OUTCOME_STOP:
            session.last_outcome = outcome
            _uncount(session.family_stop_counts, session.settled_family)
            _weigh(session.family_recent_stops, session.settled_family, -PAGE_DECAY)
            session.settled_family = ""
        session.last_outcome = max(session.last_outcome, outcome)


def _count(counts: dict[str, int], name: str) -> None:
    if name:
        counts[name] = counts.get(name, 0) + 1


def _uncount(counts: dict[str, int], name: str) -> None:
    if name in counts:
        counts[name] -= 1
        if not counts[name]:
            del counts[name]


def _weigh(weights: dict[str, float], name: str, weight: float) -> None:
    """Adds to the weight of a name; nothing is kept of what comes near 0."""
    if name:
        weights[name] = weights.get(name, 0.0) + weight
        if weights[name] < _LEAST_RECENT:
            del weights[name]


def _decay(weights: dict[str, float]) -> None:
    for name in list(weights):
        weights[name] *= PAGE_DECAY
        if weights[name] < _LEAST_RECENT:
            del weights[name]
