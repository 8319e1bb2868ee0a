"""Is what pages need of a profile the same, however the profile was stored, and true to it?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planogram.common.v1 import context_pb2
from services.feature.items import schema
from services.feature.shoppers import serialization
from services.feature.shoppers.acts import (
    CLICK,
    DISMISSAL,
    DWELL,
    IMPRESSION,
    PURCHASE,
    RETURN,
    ItemBrief,
    ShopperEvent,
)
from services.feature.shoppers.known import IS_LOOKED, STRANGER, known_in, known_of, session_message
from services.feature.shoppers.profile import LOOKED, Profile, apply_events, price_level, shares, view

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BRIEFS = {
    "kettle": ItemBrief("kitchen", "Kodra", -0.25, 0.4),
    "Töpfchen": ItemBrief("kitchen", "", 7.5, None),
    "spade": ItemBrief("", "Westwind", 0.1, 0.9),
}
ACTS = st.tuples(
    st.sampled_from([IMPRESSION, CLICK, DWELL, PURCHASE, RETURN, DISMISSAL]),
    st.sampled_from([*BRIEFS, "unknown to the shop"]),
    st.sampled_from(["morning", "evening"]),
)


def profile_after(acts: list[tuple[int, str, str]]) -> Profile:
    profile, begun_us = Profile(), round(NOW.timestamp() * 1e6) - 10**9
    events = [
        ShopperEvent(
            f"e{number}",
            begun_us + number * 1_000_000,
            kind,
            session,
            f"{session}-{number // 5}",
            "shelf",
            "deep",
            "kitchen",
            item_id,
            0.0,
            number,
        )
        for number, (kind, item_id, session) in enumerate(acts)
    ]
    apply_events(profile, b"", events, BRIEFS.get, 1_000)
    return profile


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, max_size=70))
def test_what_pages_need_is_stored_as_the_profile_tells_it(acts: list[tuple[int, str, str]]) -> None:
    profile = profile_after(acts)
    known = serialization.loads_known(serialization.dumps(profile, known_of(profile)))
    assert known == known_of(profile)
    assert known.is_known and known.price_level == price_level(profile)
    assert list(known.category_affinities.items()) == list(shares(profile.categories).items())
    for session_key in ("morning", "evening", ""):
        found = context_pb2.SessionState.FromString(known.standing(session_key).message)
        assert found == session_message(view(profile, session_key))
    assert list(known.bought) == list(profile.bought) and known.dismissed == profile.dismissed


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, max_size=70))
def test_the_history_of_a_model_is_the_profiles(acts: list[tuple[int, str, str]]) -> None:
    profile = profile_after(acts)
    known, recent = known_of(profile), profile.recent
    tensors = schema.encode_shopper(
        known, known.standing(""), np.zeros(16, np.float32), page_type=1, device=1, now=NOW
    )
    names: list[tuple[list[str], int]] = [
        (recent.item_ids, 16_384),
        (recent.categories, 256),
        (recent.brands, 1_024),
    ]
    ids = np.zeros((50, 4), np.int64)
    for column, (texts, cardinality) in enumerate(names):
        ids[: len(texts), column] = [schema.hashed(text, cardinality) for text in texts]
    ids[: len(recent.events), 3] = recent.events
    assert tensors["history_ids"].tolist() == ids.tolist()
    prices = np.clip(np.array(recent.relative_prices, np.float32), -3, 3)
    assert tensors["history_numbers"][: len(prices), 1].tolist() == prices.tolist()
    looked = [event in LOOKED for event in recent.events]
    assert (known.events["flags"] & IS_LOOKED > 0).tolist() == looked


@pytest.mark.parametrize("is_older", [True, False])
def test_what_another_release_stored_serves_as_well(is_older: bool) -> None:
    profile = profile_after([(CLICK, "kettle", "morning"), (PURCHASE, "spade", "morning")])
    document: dict[str, Any] = json.loads(serialization.dumps(profile, known_of(profile)))
    assert list(document)[:3] == ["format", "page-1-length", "page-1"]
    del document["page-1-length"], document["page-1"]
    if not is_older:  # then it has a form of its own
        document = {"format": 2, "page-2-length": 3, "page-2": "?", **document}
    stored = json.dumps(document).encode()
    assert serialization.loads_known(stored) == known_of(profile)
    assert serialization.loads(stored) == profile
    with pytest.raises(ValueError, match="format 7"):
        serialization.loads_known(b'{"format":7}')


def test_of_a_stranger_nothing_is_known() -> None:
    assert known_of(None) is STRANGER and not STRANGER.is_known
    state = context_pb2.SessionState.FromString(STRANGER.standing("any").message)
    assert state == session_message(view(None, "any"))
    assert not len(STRANGER.events)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, max_size=70) | st.none())
def test_models_read_the_same_of_one_session_as_of_all_that_is_known(
    acts: list[tuple[int, str, str]] | None,
) -> None:
    profile = None if acts is None else profile_after(acts)
    known, taste = known_of(profile), np.zeros(16, np.float32)
    for session_key in ("morning", "evening", ""):
        alone = known_in(session_key, view(profile, session_key), profile)
        found, wanted = (
            schema.encode_shopper(one, one.standing(session_key), taste, page_type=1, device=1, now=NOW)
            for one in (alone, known)
        )
        assert {name: array.tolist() for name, array in found.items()} == {
            name: array.tolist() for name, array in wanted.items()
        }
        assert alone.recent_item_ids == known.recent_item_ids
