"""Do four real processes decide pages that notice the shopper, explain themselves, and outlive each other?"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter

import grpc
import numpy as np
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from planogram.client import (
    AsyncLayoutClient,
    LayoutError,
    category,
    home,
    impression,
    item_event,
    product,
    search,
)
from planogram.events.v1 import events_pb2
from planogram.policy.v1 import policy_pb2
from planogram.scoring.v1 import scoring_pb2, scoring_pb2_grpc
from services.common.tensors import from_tensor
from services.layout import event_log, segments

pytestmark = pytest.mark.slow

CLICK = events_pb2.EVENT_TYPE_CLICK


def shown(page):
    return [item.item_id for slot in page.slots for item in slot.items]


async def test_a_page_is_decided_by_four_processes_and_a_click_changes_the_next(shop):
    async with AsyncLayoutClient(shop.target) as layout:
        page = await layout.compose(home("newcomer", "visit"), deadline_s=3)
        assert not page.degraded
        assert page.versions.scoring not in ("", "popularity-0")
        assert page.versions.policy not in ("", "uniform-0")
        assert len(page.slots) == 6
        listing = await layout.compose(category("newcomer", "visit", "audio"), deadline_s=3)
        wall = next(slot for slot in listing.slots if slot.module_id == "category-results")
        clicked = [item.item_id for item in wall.items[:5]]
        await layout.record([impression(wall), *(item_event(item, CLICK) for item in wall.items[:5])])
        after = await layout.compose(home("newcomer", "visit", slot_count=40), deadline_s=3)
        await asyncio.sleep(0.2)
    exposure = event_log.find_exposure(shop.state / "var/log/segments", after.page_id)
    plan = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
    latest = next(module for module in plan.modules if module.module_id == "recently-viewed")
    assert len(latest.rows) == len(clicked)
    # What a higher slot shows already is not shown again, so the five may be spread over the page.
    assert set(clicked) <= set(shown(after))
    reasons = " ".join(slot.reason for slot in after.slots if slot.module_id.endswith("-audio"))
    assert "You looked into audio 5 times in this visit." in reasons


async def test_every_page_type_is_full_and_repeats_nothing(shop):
    requests = {
        "home": home("shopper-00007", "v"),
        "category": category("shopper-00007", "v", "kitchen"),
        "search": search("shopper-00007", "v", "pan"),
    }
    async with AsyncLayoutClient(shop.target) as layout:
        for name, request in requests.items():
            page = await layout.compose(request, deadline_s=3)
            assert not page.degraded, name
            assert len(page.slots) >= 3, name
            items = Counter(
                item.item_id for slot in page.slots if slot.module_id != "popular" for item in slot.items
            )
            assert max(items.values()) == 1, name
            item = page.slots[0].items[0].item_id
        page = await layout.compose(product("shopper-00007", "v", item, "kitchen"), deadline_s=3)
        assert item not in shown(page)


async def test_a_receipt_replays_exactly_and_names_the_features_behind_a_score(shop):
    async with AsyncLayoutClient(shop.target) as layout:
        page = await layout.compose(home("shopper-00007", "v"), deadline_s=3)
        await asyncio.sleep(0.2)
        receipt = await layout.explain(page.page_id, has_attributions=True)
    assert receipt.is_replay_exact
    assert [slot.module_id for slot in receipt.slots] == [slot.module_id for slot in page.slots]
    assert all(slot.reason for slot in receipt.slots)
    assert all(slot.items[0].attributions for slot in receipt.slots)
    assert any(slot.runners_up for slot in receipt.slots)


async def test_logged_inputs_are_what_the_click_model_saw(shop):
    async with AsyncLayoutClient(shop.target) as layout:
        page = await layout.compose(home("shopper-00007", "v"), deadline_s=3)
    await asyncio.sleep(0.2)
    exposure = event_log.find_exposure(shop.state / "var/log/segments", page.page_id)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{shop.ports['scoring']}") as channel:
        answer = await scoring_pb2_grpc.ScoringServiceStub(channel).ScoreItems(
            scoring_pb2.ScoreItemsRequest(
                schema_fingerprint=exposure.scoring_inputs.schema_fingerprint,
                shopper_tensors=exposure.scoring_inputs.shopper_tensors,
                item_tensors=exposure.scoring_inputs.item_tensors,
            )
        )
    again = from_tensor(answer.click_probability)
    items = [item for slot in exposure.slots for item in slot.items]
    assert len(items) > 20
    np.testing.assert_allclose(
        [again[item.scoring_row] for item in items], [item.click_probability for item in items], atol=1e-6
    )


@pytest.mark.parametrize("victim", ["feature", "scoring", "policy"])
async def test_pages_flow_while_a_service_dies_and_comes_back(shop, victim):
    async with AsyncLayoutClient(shop.target) as layout:
        await layout.compose(home("shopper-00007", "v"), deadline_s=3)
        healthy, degraded, failures = 0, Counter(), []
        restarted = asyncio.create_task(asyncio.to_thread(kill_and_restart, shop, victim))
        settled_s = None
        while settled_s is None or time.monotonic() < settled_s:
            try:
                page = await layout.compose(home("shopper-00007", "v"), deadline_s=1)
            except LayoutError as error:
                failures.append(str(error))
            else:
                assert shown(page)
                degraded.update(entry.upstream for entry in page.degraded)
                healthy += not page.degraded
            if restarted.done() and settled_s is None:
                settled_s = time.monotonic() + 2
            await asyncio.sleep(0.02)
        await restarted
        page = await layout.compose(home("shopper-00007", "v"), deadline_s=3)
    assert failures == []
    assert degraded[victim] > 0
    assert healthy > 0
    assert not page.degraded


def kill_and_restart(shop, victim):
    shop.kill(victim)
    time.sleep(0.5)
    shop.start(victim)


@pytest.mark.parametrize("victim", ["feature", "scoring", "policy"])
async def test_pages_flow_while_a_service_stands_still_and_goes_on(shop, victim):
    async with AsyncLayoutClient(shop.target) as layout:
        page = await layout.compose(home("shopper-00007", "v"), deadline_s=3)
        item = next(item for slot in page.slots for item in slot.items)
        degraded, stored_count, end_s = Counter(), 0, time.monotonic() + 10
        shop.processes[victim].send_signal(signal.SIGSTOP)
        try:
            while time.monotonic() < end_s:
                page = await layout.compose(home("shopper-00007", "v"), deadline_s=1)
                assert shown(page)
                degraded.update(entry.upstream for entry in page.degraded)
                stored_count += (await layout.record([item_event(item, CLICK)])).stored_count
                await asyncio.sleep(0.05)
        finally:
            shop.processes[victim].send_signal(signal.SIGCONT)
        assert degraded[victim] > 0
        await until(lambda: is_whole(layout), "pages stay degraded")
        await until(lambda: is_delivered(shop, stored_count), "events never reached the profiles")


async def is_whole(layout):
    return not (await layout.compose(home("shopper-00007", "v"), deadline_s=1)).degraded


async def is_delivered(shop, count):
    """Whether so many events, and all that were stored, reached the profiles."""
    with segments.reading(shop.state / "var/log/segments/segment-000.sqlite") as db:
        found, last = db.execute("SELECT count(*), max(sequence) FROM events").fetchone()
        return found >= count and segments.counter(db, "delivered") >= last


async def until(holds, problem):
    end_s = time.monotonic() + 30
    while not await holds():
        assert time.monotonic() < end_s, problem
        await asyncio.sleep(0.2)


async def test_with_all_three_dead_there_is_a_page_and_events_are_kept(shop):
    async with AsyncLayoutClient(shop.target) as layout:
        page = await layout.compose(home("shopper-00007", "v"), deadline_s=3)
        for victim in ("feature", "scoring", "policy"):
            shop.kill(victim)
        dead = await layout.compose(home("shopper-00007", "v"), deadline_s=0.5)
        answer = await layout.record([impression(page.slots[0])])
    assert {entry.upstream for entry in dead.degraded} == {"feature", "scoring", "policy"}
    assert shown(dead)
    assert answer.stored_count == 1


async def test_acknowledged_events_survive_kill_9_of_layout_and_reach_the_profile(shop):
    async with AsyncLayoutClient(shop.target) as layout:
        listing = await layout.compose(category("survivor", "v", "audio"), deadline_s=3)
        wall = next(slot for slot in listing.slots if slot.module_id == "category-results")
        before = await layout.compose(home("survivor", "v", slot_count=40), deadline_s=3)
        assert not any("You looked into" in slot.reason for slot in before.slots)
        shop.kill("feature")
        await layout.record([item_event(item, CLICK) for item in wall.items[:5]])
        shop.kill("layout")
    shop.start("feature", "layout")
    async with AsyncLayoutClient(shop.target) as layout:
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            page = await layout.compose(home("survivor", "v", slot_count=40), deadline_s=3)
            if any("You looked into audio 5 times" in slot.reason for slot in page.slots):
                break
            await asyncio.sleep(0.2)
        else:
            pytest.fail("the clicks never reached the profile")


async def test_ghz_finds_compose_page_by_reflection(shop):
    async with grpc.aio.insecure_channel(shop.target) as channel:
        reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        symbol = "planogram.layout.v1.LayoutService.ComposePage"
        question = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
        answer = await anext(aiter(reflect(iter([question]))))
    assert answer.HasField("file_descriptor_response")
