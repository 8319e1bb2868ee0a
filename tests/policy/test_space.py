from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planogram.common.v1 import context_pb2
from planogram.policy.v1 import policy_pb2
from services.common.errors import InvalidRequest
from services.policy import page, space

ENCODING_2 = "1f1630a914cf4b43d1f7ed2df36c21010e84822b358ba9d17ce52f294a2d8597"
"""As it was released."""
BUCKETS = {str(number) for number in range(space.CATEGORY_BUCKET_COUNT)}


@pytest.fixture
def request_(build):
    module, slot = build.module, build.slot
    two = [("grid", 1, 2), ("list", 1, 3)]
    request = build(
        [
            module("deals", [0, 1, 2], two, "promotion", "deals", "kitchen"),
            module("guides", [2, 3], two, "deep", "articles", "garden"),
            module("odd", [4], [("mosaic", 1, 1)], "novel", "psychic", is_filler=True),
        ],
        [slot("top"), slot("middle"), slot("low")],
        click=[0.5, 0.2, 0.1, 0.4, 0.0],
    )
    session = request.session
    session.category_click_counts["kitchen"] = 3
    session.category_dwell_counts["garden"] = 1
    session.category_affinities["kitchen"] = 0.75
    session.family_stop_counts["deep"] = 2
    session.module_unclicked_counts["guides"] = 4
    session.last_outcome = context_pb2.OUTCOME_STOP
    session.page_index = 2
    request.context.page_type = context_pb2.PAGE_TYPE_CATEGORY
    request.context.category = "garden"
    request.context.time.FromJsonString("2026-01-03T06:00:00Z")  # a Saturday
    return request


def encode(request, placed=()):
    facts = page.decode(request)
    encoder, progress = space.PageEncoder(facts), page.Progress(facts)
    for action in placed:
        progress.place(action, progress.rows_of(progress.offer(), action))
    state = dict(zip(space.STATE, encoder.state(progress).tolist(), strict=True))
    everything = np.arange(facts.shape.action_count)
    rows = encoder.actions(progress, progress.offer(), everything).tolist()
    return state, [dict(zip(space.ACTION, row, strict=True)) for row in rows]


def on(features, prefix):
    return {
        name.removeprefix(prefix) for name, value in features.items() if name.startswith(prefix) and value
    }


def test_the_state_states_the_session_and_the_page_view(request_):
    state, _ = encode(request_)
    assert on(state, "page_type_") == {"category"}
    assert on(state, "device_") == {"desktop"}
    assert on(state, "last_outcome_") == {"stop"}
    assert on(state, "segment_") == set()
    assert state["is_weekend"] == 1
    assert state["hour_sin"] == pytest.approx(1) and state["hour_cos"] == pytest.approx(0, abs=1e-6)
    assert state["page_index"] == pytest.approx(np.log(3))
    assert state["deep_stops"] == pytest.approx(np.log(3)) and state["promotion_stops"] == 0
    assert state["top_category_share"] == 0.75 and state["top_affinity"] == 0.75
    assert state["slot_index"] == 0 and state["slots_left"] == pytest.approx(np.log(4))


def test_an_action_is_described_by_what_it_is_and_shows(request_):
    _, actions = encode(request_)
    deals = actions[0]
    assert (on(deals, "family_"), on(deals, "template_"), on(deals, "source_")) == (
        {"promotion"},
        {"grid"},
        {"deals"},
    )
    assert deals["category_clicks"] == pytest.approx(np.log(4))
    assert deals["category_share"] == 0.75 and deals["category_affinity"] == 0.75
    assert deals["is_context_category"] == 0 and actions[2]["is_context_category"] == 1
    assert deals["fill"] == 1 and deals["item_count"] == pytest.approx(np.log(3))
    assert deals["click_max"] == pytest.approx(np.log(0.5 + 1e-3))
    assert deals["click_mean"] == pytest.approx(np.log(0.35 + 1e-3))
    assert deals["click_any"] == pytest.approx(np.log(1 - 0.5 * 0.8 + 1e-3))
    assert deals["margin_sum"] == pytest.approx(np.log1p(5 * 0.07))
    guides = actions[2]
    assert guides["family_stops"] == pytest.approx(np.log(3))
    assert guides["module_unclicked"] == pytest.approx(np.log(5))


def test_what_nobody_knows_is_described_by_its_items_alone(request_):
    _, actions = encode(request_)
    odd = actions[-1]
    assert not on(odd, "family_p") | on(odd, "template_") | on(odd, "source_")
    assert odd["is_filler"] == 1 and odd["has_category"] == 0
    assert odd["click_max"] == pytest.approx(np.log(1e-3))


def test_what_stands_above_changes_state_and_actions(request_):
    request_.modules.add().CopyFrom(request_.modules[0])
    request_.modules[-1].module_id = "more deals"
    state, actions = encode(request_, [0])
    assert on(state, "promotion_ab") == {"ove"} and state["grid_above"] == 1
    assert state["items_above"] == pytest.approx(np.log(3))
    assert state["miss_above"] == pytest.approx(np.log(0.5 * 0.8), rel=1e-5)
    assert state["slot_index"] == pytest.approx(np.log(2))
    # Of more of the same one item is left, and the category and the family stand above.
    more = actions[-2]
    assert more["item_count"] == pytest.approx(np.log(2)) and more["fill"] == 0.5
    assert more["category_above"] == 1 and more["family_above"] == 1
    assert actions[2]["category_above"] == 0 and actions[2]["family_above"] == 0


@settings(max_examples=40, deadline=None)
@given(
    text=st.text(max_size=20),
    count=st.integers(-5, 2**31 - 1),
    number=st.floats(0, 2 * page.MAX_SUM, width=32) | st.floats(width=32),
    enum=st.integers(0, 9),
)
def test_no_fact_makes_a_feature_that_is_no_number(build, text, count, number, enum):
    module, slot = build.module, build.slot
    request = build([module("m", [0], [(text or "t", 0, 1)], text, text, text)], [slot("s")], click=[1.0])
    request.session.segment = text
    request.session.category_click_counts[text] = count
    request.session.click_count = count
    request.session.category_passes[text] = number
    request.session.family_recent_stops["deep"] = number
    request.session.last_outcome = min(enum, 3)
    request.context.page_type = min(enum, 5)
    if count < 0 or not 0 <= number <= page.MAX_SUM:
        fields = "click_count" if count < 0 else "category_passes|family_recent_stops"
        with pytest.raises(InvalidRequest, match=rf"session\.({fields})"):
            encode(request)
        return
    state, actions = encode(request)
    assert np.isfinite(list(state.values())).all() and np.isfinite(list(actions[0].values())).all()


def test_an_unknown_page_type_of_a_newer_caller_is_unspecified(request_):
    """Open enums: a number that this service does not know must not fail the page."""
    request = policy_pb2.PlanPageRequest.FromString(request_.SerializeToString())
    request.context.ClearField("page_type")
    request.MergeFromString(b"\x12\x02\x08\x63")  # context { page_type: 99 }
    state, _ = encode(request)
    assert on(state, "page_type_") == set()


def test_the_order_of_modules_permutes_rows_alone(request_):
    turned = policy_pb2.PlanPageRequest()
    turned.CopyFrom(request_)
    del turned.modules[:]
    turned.modules.extend(reversed(request_.modules))
    straight_state, straight = encode(request_)
    turned_state, other = encode(turned)
    assert straight_state == turned_state
    assert [*other[3:5], *other[1:3], other[0]] == straight


def test_the_fingerprint_names_the_encoding():
    assert len(space.FINGERPRINT) == 64
    assert len(set(space.STATE)) == len(space.STATE) and len(set(space.ACTION)) == len(space.ACTION)


def test_policies_of_the_encoding_before_are_served_on_its_columns():
    assert list(space.SERVED) == [space.FINGERPRINT, ENCODING_2]
    before, now = space.SERVED[ENCODING_2], space.SERVED[space.FINGERPRINT]
    assert (before.state_count, before.action_count) == (60, 74)
    assert (now.state_count, now.action_count) == (len(space.STATE), len(space.ACTION))


def test_answers_say_how_well_they_match_and_pages_of_help_that_they_are(build):
    module, slot = build.module, build.slot
    drawn = [("answer", 0, 1), ("folded", 0, 1)]
    request = build(
        [
            module("answer-refund", [], drawn, "deep", "answers"),
            module("answer-contact", [], drawn, "deep", "answers"),
            module("popular", [0, 1], [("grid", 1, 2)], is_filler=True),
        ],
        [slot("top"), slot("low")],
        click=[0.5, 0.2],
    )
    request.modules[0].relevance, request.modules[1].relevance = 0.75, 0.0
    request.context.page_type = context_pb2.PAGE_TYPE_HELP
    for placed in ([], [4]):
        state, actions = encode(request, placed)
        assert on(state, "page_type_") == {"help"}
        assert [action["relevance"] for action in actions] == [0.75, 0.75, 0, 0, 0]
        assert [action["is_answer"] for action in actions] == [1, 1, 1, 1, 0]
        drawn_as = [on(action, "template_") for action in actions]
        assert drawn_as == [{"answer"}, {"folded"}, {"answer"}, {"folded"}, {"grid"}]


def test_what_was_done_recently_is_told_of_categories_families_and_the_page(request_):
    session = request_.session
    session.category_recent_interests["garden"] = 3.0
    session.category_passes["kitchen"] = 1.75
    session.family_passes["promotion"] = 2.0
    session.family_recent_stops["deep"] = 0.75
    session.last_click_category, session.is_last_click_dwelled = "garden", True
    session.click_count, session.dwell_count = 3, 1
    state, (deals, _, guides, *_, odd) = encode(request_)
    assert guides["category_recent_interest"] == pytest.approx(np.log(4))
    assert deals["category_recent_interest"] == 0 and state["top_recent_interest"] == pytest.approx(np.log(4))
    assert deals["category_passes"] == pytest.approx(np.log(2.75)) and guides["category_passes"] == 0
    assert deals["family_passes"] == pytest.approx(np.log(3)) and guides["family_passes"] == 0
    assert guides["family_recent_stops"] == pytest.approx(np.log(1.75)) and deals["family_recent_stops"] == 0
    assert state["promotion_passes"] == pytest.approx(np.log(3)) and state["deep_recent_stops"] > 0
    assert (guides["is_last_category"], guides["is_last_category_dwelled"]) == (1, 1)
    assert (deals["is_last_category"], deals["is_last_category_dwelled"]) == (0, 0)
    assert state["is_last_click_dwelled"] == 1 and state["glances"] == pytest.approx(np.log(3))
    assert deals["category_glances"] == pytest.approx(np.log(4)), "three clicks on kitchen, no long look"
    assert not on(odd, "category_passes") | on(odd, "is_last") | on(odd, "family_passes")


def test_categories_are_told_apart_before_anything_was_done_with_them(request_):
    request_.ClearField("session")
    _, (deals, _, guides, *_, odd) = encode(request_)
    kitchen, garden = (on(action, "category_") & BUCKETS for action in (deals, guides))
    assert len(kitchen) == len(garden) == 1 and kitchen != garden
    assert not on(odd, "category_") & BUCKETS


def test_the_demo_shops_categories_share_no_bucket():
    path = Path(__file__).parents[2] / "services" / "layout" / "config" / "categories.yaml"
    names = list(yaml.safe_load(path.read_text())["categories"])
    buckets = {space._bucket(name, space.CATEGORY_BUCKET_COUNT) for name in names}
    assert len(buckets) == len(names) == 6
