"""What does an event change in a profile?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planogram.common.v1 import context_pb2
from services.feature import profile as profiles
from services.feature.portrait import portrait
from services.feature.profile import (
    CART_ADD,
    CLICK,
    DISMISSAL,
    DWELL,
    IMPRESSION,
    PURCHASE,
    RATING,
    RETURN,
    ItemBrief,
    Profile,
    ShopperEvent,
    apply_events,
    view,
)

BRIEFS = {
    "kettle": ItemBrief("kitchen", "acme", 0.2, 0.75),
    "teapot": ItemBrief("kitchen", "bolt", -0.4, 0.25),
    "spade": ItemBrief("garden", "acme", 0.0, 0.5),
}
SECOND = 1_000_000
DAY = 86_400 * SECOND
_numbers = itertools.count()


def event(kind: int, second: float, **fields: Any) -> ShopperEvent:
    values = {
        "event_id": f"id-{next(_numbers)}",
        "time_us": int(1_700_000_000 * SECOND + second * SECOND),
        "type": kind,
        "session_key": "s1",
        "page_id": "",
        "module_id": "",
        "family": "",
        "item_id": "",
        "rating": 0.0,
        "sequence": next(_numbers),
    }
    return ShopperEvent(**(values | fields))


def after(events: Iterable[ShopperEvent], profile: Profile | None = None) -> Profile:
    profile = profile or Profile()
    apply_events(profile, b"", events, BRIEFS.get, 1_000)
    return profile


def page(number: int, second: float, *families: str, click: str = "") -> list[ShopperEvent]:
    page_id = f"p{number}"
    events = [
        event(IMPRESSION, second, page_id=page_id, family=family, module_id=f"{family}-module")
        for family in families
    ]
    if click:
        events.append(event(CLICK, second + 1, page_id=page_id, family=families[-1], item_id=click))
    return events


def test_an_event_counts_once_however_often_it_comes() -> None:
    events = [event(CLICK, 0, item_id="kettle"), event(PURCHASE, 5, item_id="kettle")]
    profile = Profile()
    digests, applied, repeated = apply_events(profile, b"", [*events, events[0]], BRIEFS.get, 10)
    assert (applied, repeated) == (2, 1)
    stored = profiles.dumps(profile)
    digests, applied, repeated = apply_events(profile, digests, events, BRIEFS.get, 10)
    assert (applied, repeated, profiles.dumps(profile)) == (0, 2, stored)


def test_as_many_event_ids_are_kept_as_asked() -> None:
    profile = Profile()
    events = [event(IMPRESSION, number) for number in range(7)]
    digests, _, _ = apply_events(profile, b"", events, BRIEFS.get, 5)
    assert len(digests) == 5 * 8
    _, applied, repeated = apply_events(profile, digests, events, BRIEFS.get, 5)
    assert (applied, repeated) == (2, 5), "the two oldest were forgotten"


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_order_within_a_call_does_not_matter(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from([IMPRESSION, CLICK, DWELL, PURCHASE, RETURN]), max_size=30))
    events = [
        event(kind, number, item_id=data.draw(st.sampled_from(sorted(BRIEFS))), page_id=f"p{number // 4}")
        for number, kind in enumerate(kinds)
    ]
    shuffled = data.draw(st.permutations(events))
    assert profiles.dumps(after(events)) == profiles.dumps(after(shuffled))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_one_call_equals_many(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from([IMPRESSION, CLICK, CART_ADD, PURCHASE]), max_size=20))
    events = [event(kind, n, item_id="kettle", page_id=f"p{n // 3}") for n, kind in enumerate(kinds)]
    profile, digests = Profile(), b""
    for one in events:
        digests, _, _ = apply_events(profile, digests, [one], BRIEFS.get, 100)
    assert profiles.dumps(profile) == profiles.dumps(after(events))


def test_stored_form_keeps_everything() -> None:
    profile = after([*page(1, 0, "deep", click="kettle"), event(PURCHASE, 9, item_id="teapot", page_id="p1")])
    again = profiles.loads(profiles.dumps(profile))
    assert again == profile
    with pytest.raises(ValueError, match="format 7"):
        profiles.loads(b'{"format":7}')


def test_recent_items_are_the_newest_fifty_newest_first() -> None:
    profile = after(event(CLICK, number, item_id=f"item-{number}") for number in range(60))
    assert profile.recent.item_ids == [f"item-{number}" for number in range(59, 9, -1)]
    after([event(CLICK, 30.5, item_id="late")], profile)
    assert profile.recent.item_ids[29] == "late" and len(profile.recent.item_ids) == 50
    after([event(CLICK, 1, item_id="too-late")], profile)
    assert "too-late" not in profile.recent.item_ids
    assert {len(getattr(profile.recent, name)) for name in profile.recent.__slots__} == {50}


def test_recently_viewed_are_distinct_and_looked_at() -> None:
    events = [
        event(CLICK, 1, item_id="kettle"),
        event(DISMISSAL, 2, item_id="spade"),
        event(CLICK, 3, item_id="teapot"),
        event(DWELL, 4, item_id="kettle"),
    ]
    assert profiles.recently_viewed(after(events)) == ["kettle", "teapot"]


def test_returned_items_are_not_bought() -> None:
    events = [event(PURCHASE, number, item_id=item) for number, item in enumerate(("kettle", "spade"))]
    assert profiles.bought_before(after(events)) == ["spade", "kettle"]
    assert profiles.bought_before(after([*events, event(RETURN, 9, item_id="spade")])) == ["kettle"]


def test_affinity_halves_in_fourteen_days() -> None:
    late = 14 * 86_400
    profile = after([event(CLICK, 0, item_id="kettle"), event(CLICK, late, item_id="spade")])
    assert profiles.shares(profile.categories) == pytest.approx({"garden": 2 / 3, "kitchen": 1 / 3})
    assert profile.categories["kitchen"][1] == 1
    # In whichever order the events arrive.
    other = after([event(CLICK, 0, item_id="kettle")], after([event(CLICK, late, item_id="spade")]))
    assert profiles.shares(other.categories) == pytest.approx({"garden": 2 / 3, "kitchen": 1 / 3})


def test_bad_news_lowers_affinity_but_never_below_nothing() -> None:
    profile = after([event(CLICK, 0, item_id="kettle"), event(RATING, 1, item_id="kettle", rating=1)])
    assert profiles.shares(profile.categories) == {}
    profile = after([event(RATING, 2, item_id="kettle", rating=5)], profile)
    assert profiles.shares(profile.categories) == {"kitchen": 1.0}


def test_price_level_is_the_mean_percentile_of_what_was_looked_at() -> None:
    assert profiles.price_level(Profile()) == 0.5
    profile = after([event(CLICK, 0, item_id="kettle"), event(CLICK, 0, item_id="teapot")])
    assert profiles.price_level(profile) == pytest.approx(0.5)
    profile = after([event(DWELL, 0, item_id="kettle")], profile)
    assert profiles.price_level(profile) == pytest.approx((3 * 0.75 + 0.25) / 4)


def test_an_unknown_item_counts_without_a_category() -> None:
    profile = after([event(CLICK, 0, item_id="mystery", page_id="p")])
    assert profile.click_count == 1 and profile.recent.item_ids == ["mystery"]
    assert not profile.categories and view(profile, "s1").category_click_counts == {}


def test_page_without_a_click_is_a_stop_on_its_lowest_slot() -> None:
    profile = after(page(1, 0, "promotion", "discovery"))
    for seen in (view(profile, "s1"), view(after(page(2, 60, "deep"), profile), "s1")):
        assert seen.family_stop_counts["discovery"] == 1
        assert seen.last_outcome == context_pb2.OUTCOME_STOP
    assert dict(view(profile, "s1").family_stop_counts) == {"discovery": 1, "deep": 1}
    assert view(profile, "s1").pages_without_click == 2
    assert profile.session.family_stop_counts == {"discovery": 1}, "the second page may still be clicked"


def test_page_with_a_click_is_no_stop() -> None:
    profile = after([*page(1, 0, "promotion"), *page(2, 60, "promotion", "deep", click="spade")])
    seen = view(profile, "s1")
    assert dict(seen.family_stop_counts) == {"promotion": 1}
    assert dict(seen.family_click_counts) == {"deep": 1}
    assert (seen.page_index, seen.click_count, seen.pages_without_click) == (2, 1, 0)
    assert seen.last_outcome == context_pb2.OUTCOME_CLICK


def test_late_click_undoes_the_stop_of_the_page_before() -> None:
    profile = after([*page(1, 0, "promotion"), *page(2, 60, "deep")])
    after([event(CLICK, 1, page_id="p1", family="promotion", item_id="spade")], profile)
    assert profile.session.family_stop_counts == {}
    assert profile.session.last_outcome == context_pb2.OUTCOME_CLICK
    assert dict(view(profile, "s1").family_stop_counts) == {"deep": 1}
    assert view(profile, "s1").pages_without_click == 1


def test_purchase_outranks_the_click_that_led_to_it() -> None:
    profile = after([*page(1, 0, "deep", click="spade"), event(PURCHASE, 9, item_id="spade", page_id="p1")])
    assert view(profile, "s1").last_outcome == context_pb2.OUTCOME_PURCHASE
    assert view(profile, "s1").purchase_count == 1


def test_events_of_an_earlier_page_do_not_turn_back_to_it() -> None:
    events = [*page(1, 0, "deep", click="spade"), *page(2, 60, "promotion")]
    profile = after([*events, event(DWELL, 70, page_id="p1", item_id="spade")])
    seen = view(profile, "s1")
    assert (seen.page_index, seen.dwell_count) == (2, 1)
    assert dict(seen.category_dwell_counts) == {"garden": 1}
    assert dict(seen.family_stop_counts) == {"promotion": 1}


def test_module_impressions_count_since_the_last_click() -> None:
    profile = after([*page(1, 0, "deep", "promotion"), *page(2, 60, "deep")])
    assert dict(view(profile, "s1").module_unclicked_counts) == {"deep-module": 2, "promotion-module": 1}
    after([event(CLICK, 70, page_id="p2", module_id="deep-module", item_id="spade")], profile)
    assert not view(profile, "s1").module_unclicked_counts


def test_a_new_session_starts_from_nothing_but_the_long_term() -> None:
    profile = after(page(1, 0, "deep", click="spade"))
    unseen = view(profile, "s2")
    assert (unseen.page_index, unseen.click_count, unseen.last_outcome) == (0, 0, 0)
    assert unseen.is_known and dict(unseen.category_affinities) == {"garden": 1.0}
    after([event(CLICK, 500, item_id="kettle", session_key="s2", page_id="q")], profile)
    assert view(profile, "s2").click_count == 1 and view(profile, "s1").click_count == 0


def test_late_event_of_an_earlier_session_leaves_the_session_alone() -> None:
    profile = after([event(CLICK, 500, item_id="kettle", session_key="s2", page_id="q")])
    after([event(PURCHASE, 100, item_id="spade", session_key="s1", page_id="p")], profile)
    assert profile.purchase_count == 1
    assert view(profile, "s2").purchase_count == 0 and view(profile, "s2").click_count == 1


def test_nobody_is_unknown() -> None:
    assert view(None, "s1") == profiles.SessionView()


def test_portrait_states_what_the_events_show() -> None:
    events = [event(CLICK, n, item_id=item) for n, item in enumerate(["kettle", "kettle", "teapot", "spade"])]
    lines = {(line.subject, line.evidence_count): line for line in portrait(after(events))}
    assert lines["category", 3].text == "Likes kitchen: 75% of the interest by category, from 3 events."
    assert lines["category", 3].value == pytest.approx(0.75, abs=1e-4)
    assert lines["price", 4].text.startswith("Looks at middle-priced items")
    silent = portrait(after([event(IMPRESSION, 0)]))
    assert [line.subject for line in silent] == ["activity"]
