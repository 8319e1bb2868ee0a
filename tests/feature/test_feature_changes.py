"""Do events, pushes and wishes to be forgotten change what FeatureService answers, and last?"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.common import tensors
from tests.feature.test_feature_service import items_of, page, problem_of


async def test_a_click_changes_the_next_page(service: Any, make_event: Callable[..., Any]) -> None:
    common = {
        "shopper_key": service.shopper_key("newcomer"),
        "session_key": service.session_key("visit"),
        "page_id": "page-1",
    }
    where = {"slot_id": "s0", "module_id": "hero", "family": "promotion"}
    now = datetime.now(UTC)
    events = [
        make_event("IMPRESSION", now, **common, **where),
        make_event("CLICK", now, item_id="item-003", **common, **where),
    ]
    counts = await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=events))
    assert (counts.applied_count, counts.duplicate_count, counts.ignored_count) == (2, 0, 0)
    response = await service.stub.GatherPage(
        page("newcomer", {"RECENTLY_VIEWED": {}, "FOR_YOU": {}}, session_id="visit")
    )
    assert items_of(response)["RECENTLY_VIEWED"] == ["item-003"]
    session = response.session
    assert session.is_known and session.page_index == 1 and session.click_count == 1
    assert session.last_outcome == context_pb2.OUTCOME_CLICK
    assert dict(session.category_click_counts) == {"garden": 1}
    assert dict(session.family_click_counts) == {"promotion": 1}


async def test_a_page_is_told_what_was_done_and_passed_over_lately(
    service: Any, make_event: Callable[..., Any]
) -> None:
    common = {"shopper_key": service.shopper_key("newcomer"), "session_key": service.session_key("visit")}
    kitchen = {"slot_id": "s0", "module_id": "deals-kitchen", "family": "promotion", "category": "kitchen"}
    garden = {"slot_id": "s1", "module_id": "guides-garden", "family": "deep", "category": "garden"}
    then = datetime.now(UTC) - timedelta(minutes=5)
    events = [
        make_event("IMPRESSION", then, page_id="page-1", **common, **kitchen),
        make_event("IMPRESSION", then, page_id="page-2", **common, **kitchen),
        make_event("IMPRESSION", then, page_id="page-2", **common, **garden),
        make_event("CLICK", then, page_id="page-2", item_id="item-003", **common, **garden),
        make_event("DWELL", then, page_id="page-2", item_id="item-003", **common, **garden),
    ]
    await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=events))
    session = (await service.stub.GatherPage(page("newcomer", session_id="visit"))).session
    assert dict(session.category_recent_interests) == {"garden": 3.0}
    assert dict(session.category_passes) == {"kitchen": 1.75}
    assert dict(session.family_passes) == {"promotion": 1.75}
    assert dict(session.family_recent_stops) == {"promotion": 0.75}
    assert session.last_click_category == "garden" and session.is_last_click_dwelled
    unknown = page("newcomer", session_id="visit")
    unknown.shopper.consent = context_pb2.CONSENT_REFUSED
    session = (await service.stub.GatherPage(unknown)).session
    assert not session.category_passes and not session.last_click_category


async def test_events_without_a_shopper_are_ignored(service: Any, make_event: Callable[..., Any]) -> None:
    event = make_event("SEARCH", datetime.now(UTC), query="lamp")
    counts = await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[event]))
    assert (counts.applied_count, counts.ignored_count) == (0, 1)


async def test_pushed_items_show_at_once_and_after_a_restart(
    settings: Any, running: Callable[[Any], AbstractAsyncContextManager[Any]]
) -> None:
    sold_out, cheaper, gone = "item-003", "item-006", "item-009"
    wanted: dict[str, Any] = {"LIST": {"item_ids": [sold_out, cheaper, gone]}, "DEALS": {"limit": 200}}
    async with running(settings) as service:
        before = await service.stub.GatherPage(page(modules=wanted))
        assert items_of(before)["LIST"] == [sold_out, cheaper, gone]
        answer = await service.stub.UpdateItems(
            feature_pb2.UpdateItemsRequest(
                items=[
                    feature_pb2.ItemUpdate(item_id=sold_out, stock=0),
                    feature_pb2.ItemUpdate(item_id=cheaper, price_micros=1_000_000),
                    feature_pb2.ItemUpdate(item_id=gone, is_active=False),
                    feature_pb2.ItemUpdate(item_id="nowhere", stock=1),
                ]
            )
        )
        assert answer.applied_count == 3 and list(answer.unknown_item_ids) == ["nowhere"]
        after = await service.stub.GatherPage(page(modules=wanted))
        assert after.snapshot_version == answer.snapshot_version != before.snapshot_version
    async with running(settings) as service:
        restarted = await service.stub.GatherPage(page(modules=wanted))
    for response in (after, restarted):
        found = items_of(response)
        assert found["LIST"] == [cheaper]
        assert found["DEALS"][0] == cheaper, "a push may make the best deal"
        place = list(response.item_ids).index(cheaper)
        assert response.item_facts.price_micros[place] == 1_000_000
        assert response.item_facts.discount[place] > 0.5
        numbers = tensors.from_tensor(response.feature_sets[0].item_tensors["item_numbers"])
        assert numbers[place, 1] < -1, "the relative price follows"
        assert numbers[place, 2] == pytest.approx(response.item_facts.discount[place])


async def test_restart_keeps_profiles(
    settings: Any,
    running: Callable[[Any], AbstractAsyncContextManager[Any]],
    make_event: Callable[..., Any],
) -> None:
    async with running(settings) as service:
        event = make_event(
            "CLICK", datetime.now(UTC), item_id="item-001", shopper_key=service.shopper_key("returning")
        )
        await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[event]))
    async with running(settings) as service:
        again = await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[event]))
        assert (again.applied_count, again.duplicate_count) == (0, 1)
        response = await service.stub.GatherPage(page("returning", {"RECENTLY_VIEWED": {}}))
        assert items_of(response)["RECENTLY_VIEWED"] == ["item-001"]


async def test_a_shopper_is_forgotten_under_the_keys_of_every_epoch(
    settings: Any, running: Any, shop: Any, tmp_path: Any
) -> None:
    (tmp_path / "shopper.earlier").mkdir()
    shutil.copy(shop.key_path, tmp_path / "shopper.earlier" / "first.key")
    settings = settings.model_copy(update={"shopper_key_path": tmp_path / "shopper.key"})
    async with running(settings) as service:
        forget = feature_pb2.ForgetShopperRequest(user_id="user-5")
        assert (await service.stub.ForgetShopper(forget)).was_present, "the profile is under the earlier key"
        assert not (await service.stub.ForgetShopper(forget)).was_present


async def test_forgotten_shopper_is_gone_and_stays_gone(
    service: Any, shop: Any, make_event: Callable[..., Any]
) -> None:
    forget = feature_pb2.ForgetShopperRequest(user_id="user-5")
    assert (await service.stub.ForgetShopper(forget)).was_present
    assert not (await service.stub.ForgetShopper(forget)).was_present
    late = make_event("CLICK", shop.now, item_id="item-001", shopper_key=service.shopper_key("user-5"))
    counts = await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[late]))
    assert (counts.applied_count, counts.ignored_count) == (0, 1)
    assert (
        await problem_of(service.stub.GetProfile(feature_pb2.GetProfileRequest(user_id="user-5")))
    ).startswith("NOT_FOUND")
    other = await service.stub.GetProfile(feature_pb2.GetProfileRequest(user_id="user-6"))
    assert other.lines
    later = make_event(
        "CLICK",
        datetime.now(UTC) + timedelta(seconds=1),
        item_id="item-001",
        shopper_key=service.shopper_key("user-5"),
    )
    counts = await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[later]))
    assert counts.applied_count == 1, "who comes back is a new shopper"
