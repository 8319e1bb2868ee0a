"""What does an event change in a profile?"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planogram.common.v1 import context_pb2
from services.feature.shoppers import profile as profiles
from services.feature.shoppers import serialization
from services.feature.shoppers.acts import (
    CART_ADD,
    CLICK,
    DISMISSAL,
    DWELL,
    HELPFUL,
    IMPRESSION,
    PURCHASE,
    RATING,
    RETURN,
    ItemBrief,
    ShopperEvent,
)
from services.feature.shoppers.known import known_of
from services.feature.shoppers.portrait import portrait
from services.feature.shoppers.profile import Profile, apply_events, view

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
        "category": "",
        "item_id": "",
        "rating": 0.0,
        "sequence": next(_numbers),
    }
    return ShopperEvent(**(values | fields))


def stored(profile: Profile) -> bytes:
    return serialization.dumps(profile, known_of(profile))


def after(events: Iterable[ShopperEvent], profile: Profile | None = None) -> Profile:
    profile = profile or Profile()
    apply_events(profile, b"", events, BRIEFS.get, 1_000)
    return profile


def page(
    number: int, second: float, *families: str, click: str = "", categories: Sequence[str] = ()
) -> list[ShopperEvent]:
    """A page of modules of some families, each about a category or none; a click is on the lowest."""
    page_id = f"p{number}"
    events = [
        event(
            IMPRESSION,
            second,
            page_id=page_id,
            family=family,
            category=category,
            module_id=f"{family}-module",
        )
        for family, category in itertools.zip_longest(families, categories, fillvalue="")
    ]
    if click:
        events.append(event(CLICK, second + 1, page_id=page_id, family=families[-1], item_id=click))
    return events


def test_an_event_counts_once_however_often_it_comes() -> None:
    events = [event(CLICK, 0, item_id="kettle"), event(PURCHASE, 5, item_id="kettle")]
    profile = Profile()
    digests, applied, repeated = apply_events(profile, b"", [*events, events[0]], BRIEFS.get, 10)
    assert (applied, repeated) == (2, 1)
    before = stored(profile)
    digests, applied, repeated = apply_events(profile, digests, events, BRIEFS.get, 10)
    assert (applied, repeated, stored(profile)) == (0, 2, before)


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
    assert stored(after(events)) == stored(after(shuffled))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_one_call_equals_many(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from([IMPRESSION, CLICK, CART_ADD, PURCHASE]), max_size=20))
    events = [event(kind, n, item_id="kettle", page_id=f"p{n // 3}") for n, kind in enumerate(kinds)]
    profile, digests = Profile(), b""
    for one in events:
        digests, _, _ = apply_events(profile, digests, [one], BRIEFS.get, 100)
    assert stored(profile) == stored(after(events))


def test_stored_form_keeps_everything() -> None:
    profile = after([*page(1, 0, "deep", click="kettle"), event(PURCHASE, 9, item_id="teapot", page_id="p1")])
    again = serialization.loads(stored(profile))
    assert again == profile
    with pytest.raises(ValueError, match="format 7"):
        serialization.loads(b'{"format":7}')


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


def test_what_was_waved_away_is_forgotten_once_it_is_looked_at() -> None:
    events = [event(DISMISSAL, second, item_id=item) for second, item in ((1, "spade"), (2, "kettle"))]
    assert list(after(events).dismissed) == ["spade", "kettle"]
    assert list(after([*events, event(CLICK, 3, item_id="spade")]).dismissed) == ["kettle"]


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


def test_a_page_whose_answer_helped_is_no_stop_and_no_click_on_an_item() -> None:
    helped = [
        event(IMPRESSION, 0, page_id="p1", family="deep", module_id="answer-refund"),
        event(HELPFUL, 1, page_id="p1", family="deep", module_id="answer-refund"),
    ]
    seen = view(after(helped), "s1")
    assert seen.last_outcome == context_pb2.OUTCOME_CLICK
    assert seen.family_click_counts == {"deep": 1} and not seen.family_stop_counts
    assert not seen.module_unclicked_counts and not seen.family_passes
    assert seen.click_count == 0 and not seen.last_click_category


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


def test_interest_fades_from_page_to_page_and_a_long_look_counts_twice_more() -> None:
    profile = after(page(1, 0, "deep", click="spade"))
    assert dict(view(profile, "s1").category_recent_interests) == {"garden": 1.0}
    after([event(DWELL, 5, page_id="p1", item_id="spade")], profile)
    assert dict(view(profile, "s1").category_recent_interests) == {"garden": 3.0}
    after([*page(2, 60, "promotion"), *page(3, 90, "deep", click="kettle")], profile)
    found = view(profile, "s1").category_recent_interests
    assert found == pytest.approx({"garden": 3 * 0.75**2, "kitchen": 1.0})
    after([event(DWELL, 95, page_id="p1", item_id="spade")], profile)
    late = view(profile, "s1").category_recent_interests
    assert late["garden"] == pytest.approx(5 * 0.75**2), "a late event weighs what its page does now"


def test_what_is_seen_and_not_clicked_is_passed_by_category_and_family() -> None:
    seen = page(1, 0, "promotion", "deep", "promotion", categories=["garden", "garden", "kitchen"])
    profile = after(seen)
    assert dict(view(profile, "s1").category_passes) == {"garden": 2.0, "kitchen": 1.0}
    assert dict(view(profile, "s1").family_passes) == {"promotion": 2.0, "deep": 1.0}
    after(page(2, 60, "discovery", "deep", categories=["", "kitchen"]), profile)
    found = view(profile, "s1")
    assert found.category_passes == pytest.approx({"garden": 1.5, "kitchen": 1.75})
    assert found.family_passes == pytest.approx({"promotion": 1.5, "deep": 1.75, "discovery": 1.0})


def test_a_click_ends_the_passes_of_its_items_category_and_its_modules_family() -> None:
    profile = after(page(1, 0, "promotion", "deep", categories=["kitchen", "garden"]))
    after(page(2, 60, "promotion", click="spade", categories=[""]), profile)
    found = view(profile, "s1")
    assert found.category_passes == pytest.approx({"kitchen": 0.75})
    assert found.family_passes == pytest.approx({"deep": 0.75})


def test_passes_are_forgotten_when_next_to_nothing_is_left_of_them() -> None:
    profile = after([*page(1, 0, "deep", categories=["garden"]), *page(2, 60, "promotion")])
    assert "garden" in view(profile, "s1").category_passes
    for number in range(3, 20):
        after(page(number, 60 * number, "promotion"), profile)
    found = view(profile, "s1")
    assert not found.category_passes and set(found.family_passes) == {"promotion"}
    assert found.family_passes["promotion"] < 4.0


def test_recent_stops_fade_and_a_late_click_undoes_what_is_left_of_one() -> None:
    profile = after([*page(1, 0, "deep"), *page(2, 60, "promotion")])
    assert dict(view(profile, "s1").family_recent_stops) == {"deep": 0.75, "promotion": 1.0}
    assert profile.session.family_recent_stops == {"deep": 0.75}, "the second page may still be clicked"
    after([event(CLICK, 1, page_id="p1", family="deep", item_id="spade")], profile)
    assert dict(view(profile, "s1").family_recent_stops) == {"promotion": 1.0}


def test_the_last_click_is_known_by_category_and_by_whether_it_was_a_long_look() -> None:
    profile = after(page(1, 0, "deep", click="spade"))
    assert (view(profile, "s1").last_click_category, view(profile, "s1").is_last_click_dwelled) == (
        "garden",
        False,
    )
    after([event(DWELL, 5, page_id="p1", item_id="spade")], profile)
    assert view(profile, "s1").is_last_click_dwelled
    after([*page(2, 60, "deep", click="kettle"), event(DWELL, 70, page_id="p1", item_id="spade")], profile)
    found = view(profile, "s1")
    assert (found.last_click_category, found.is_last_click_dwelled) == ("kitchen", False)


def test_a_profile_of_the_first_format_goes_on_without_what_it_did_not_know() -> None:
    document = json.loads(stored(after(page(1, 0, "deep", click="spade"))))
    document["format"] = 1
    for name in (
        *("category_recent_interests", "family_recent_stops", "category_passes", "family_passes"),
        *("last_click_item", "last_click_category", "is_last_click_dwelled"),
    ):
        del document["session"][name]
    old = serialization.loads(json.dumps(document).encode())
    assert dict(view(old, "s1").family_click_counts) == {"deep": 1}
    assert not view(old, "s1").category_recent_interests
    after(page(2, 60, "deep", click="kettle"), old)
    assert dict(view(old, "s1").category_recent_interests) == {"kitchen": 1.0}


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
