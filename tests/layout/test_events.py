"""Is every acknowledged event on disk, once, and on its way to the profile?"""

from __future__ import annotations

import asyncio
import time

import grpc
import numpy as np
import pytest

from planogram.client import LayoutError, home, impression, item_event, person
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from planogram.files import log as log_file
from planogram.layout.v1 import layout_pb2
from planogram.policy.v1 import policy_pb2
from services.common.boundary import Boundary
from services.common.client import InProcessUpstream
from services.common.errors import InvalidRequest, NotReady
from services.common.pseudonyms import load
from services.common.testing import ScriptedServicer
from services.layout import event_log, export
from services.layout.event_log import EventLog
from services.layout.relay import Relay

CLICK, PURCHASE = events_pb2.EVENT_TYPE_CLICK, events_pb2.EVENT_TYPE_PURCHASE


async def test_an_event_is_stored_with_what_its_token_says(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        slot = next(slot for slot in page.slots if slot.module_id == "deals-kitchen")
        bought = item_event(slot.items[0], PURCHASE, price_micros=5_000_000, margin_micros=1_000_000)
        answer = await shop.layout.record([impression(slot), bought])
        assert (answer.stored_count, answer.duplicate_count) == (2, 0)
        stored = {event.event_id: event for event in event_log.read_events(shop.settings.log_path)}
        keys = load(shop.settings.shopper_key_path)
    event = stored[bought.event_id]
    assert event.page_id == page.page_id
    assert event.slot_id == slot.slot_id
    assert event.module_id == slot.module_id
    assert (event.family, event.category) == (slot.family, "kitchen")
    assert event.item_id == slot.items[0].item_id
    assert event.price_micros == 5_000_000
    assert event.quantity == 1
    assert event.shopper_key == keys.of("shopper", "ada")
    assert event.session_key == keys.of("session", "visit")


async def test_the_same_event_twice_is_stored_once(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        event = impression(page.slots[0])
        await shop.layout.record([event])
        answer = await shop.layout.record([event, impression(page.slots[1])])
        assert (answer.stored_count, answer.duplicate_count) == (1, 1)
        assert len(list(event_log.read_events(shop.settings.log_path))) == 2


async def test_events_reach_the_profile_before_the_answer(open_shop):
    async with open_shop(profile_wait_ms=2_000) as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        event = impression(page.slots[0])
        await shop.layout.record([event])
        delivered = [given.event_id for request in shop.update.requests for given in request.events]
    assert delivered == [event.event_id]


async def test_events_wait_on_disk_while_feature_is_down_and_follow_in_order(open_shop):
    async with open_shop() as shop:
        shop.update.default = NotReady("gone")
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        events = [impression(slot) for slot in page.slots]
        for event in events:
            await shop.layout.record([event])
    async with open_shop() as shop:
        end_s = time.monotonic() + 5
        while not shop.update.requests and time.monotonic() < end_s:
            await asyncio.sleep(0.02)
        delivered = [given.event_id for request in shop.update.requests for given in request.events]
    assert delivered == [event.event_id for event in events]


async def test_an_event_that_feature_refuses_does_not_hold_up_the_others(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        poison, fine = impression(page.slots[0]), impression(page.slots[1])

        def picky(request):
            if any(event.event_id == poison.event_id for event in request.events):
                raise InvalidRequest("events[0]", "poison", "something else")
            return feature_pb2.UpdateProfilesResponse(applied_count=1)

        shop.update.default = picky
        await shop.layout.record([poison, fine])
        end_s = time.monotonic() + 5
        while time.monotonic() < end_s:
            if any([e.event_id for e in r.events] == [fine.event_id] for r in shop.update.requests):
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("the good event was never delivered")


async def test_without_consent_events_carry_no_shopper_and_move_no_profile(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit", has_consent=False), deadline_s=2)
        await shop.layout.record([impression(page.slots[0])])
        await asyncio.sleep(0.1)
        (stored,) = event_log.read_events(shop.settings.log_path)
        assert shop.update.requests == []
    assert (stored.shopper_key, stored.session_key) == ("", "")


def event(**fields):
    return layout_pb2.ShopperEvent(**{"event_id": "e", "type": CLICK, **fields})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([], "events"),
        ([event(event_id="")], "events[0].event_id"),
        ([event(event_id="x" * 129)], "events[0].event_id"),
        ([event(type=0)], "events[0].type"),
        ([event(type=77)], "events[0].type"),
        ([event()], "events[0].tracking_token"),
        ([event(tracking_token="forged")], "events[0].tracking_token"),
        ([event(shopper=person("ada", "v"))], "events[0].item_id"),
        ([event(shopper=person("ada", ""), item_id="i")], "events[0].shopper.session_id"),
        (
            [event(shopper=person("ada", "v"), type=events_pb2.EVENT_TYPE_IMPRESSION)],
            "events[0].tracking_token",
        ),
        (
            [event(shopper=person("ada", "v"), item_id="i", type=events_pb2.EVENT_TYPE_RATING, rating=6)],
            "events[0].rating",
        ),
        (
            [
                event(
                    shopper=person("ada", "v"),
                    item_id="i",
                    type=events_pb2.EVENT_TYPE_RATING,
                    rating=float("nan"),
                )
            ],
            "events[0].rating",
        ),
        (
            [event(shopper=person("ada", "v"), item_id="i", type=PURCHASE, quantity=1_001)],
            "events[0].quantity",
        ),
        (
            [event(shopper=person("ada", "v"), item_id="i", type=PURCHASE, price_micros=-1)],
            "events[0].price_micros",
        ),
        (
            [event(shopper=person("ada", "v"), item_id="i", type=events_pb2.EVENT_TYPE_DWELL, dwell_ms=-5)],
            "events[0].dwell_ms",
        ),
        ([event(shopper=person("ada", "v"), type=events_pb2.EVENT_TYPE_SEARCH)], "events[0].query"),
    ],
)
async def test_a_bad_event_is_refused_by_name_and_nothing_is_stored(open_shop, given, named):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        good = [impression(page.slots[0])] if given else []
        with pytest.raises(LayoutError) as caught:
            await shop.layout.record([*given, *good])
        assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details.startswith(f"{named}: got ")
        assert list(event_log.read_events(shop.settings.log_path)) == []


async def test_a_changed_token_is_refused(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        changed = impression(page.slots[0])
        middle = len(changed.tracking_token) // 2
        letter = "A" if changed.tracking_token[middle] != "A" else "B"
        changed.tracking_token = (
            changed.tracking_token[:middle] + letter + changed.tracking_token[middle + 1 :]
        )
        with pytest.raises(LayoutError, match="signature"):
            await shop.layout.record([changed])


async def test_an_exposure_holds_what_was_shown_and_what_the_models_saw(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("shopper-zoe", "visit"), deadline_s=2)
        (asked,) = shop.plan.requests
    (exposure,) = event_log.read_exposures(shop.settings.log_path)
    assert [slot.module_id for slot in exposure.slots] == [slot.module_id for slot in page.slots]
    assert [[item.item_id for item in slot.items] for slot in exposure.slots] == [
        [item.item_id for item in slot.items] for slot in page.slots
    ]
    assert [slot.propensity for slot in exposure.slots] == [slot.propensity for slot in page.slots]
    assert policy_pb2.PlanPageRequest.FromString(exposure.plan_request) == asked
    for slot in exposure.slots:
        module = asked.modules[slot.module_index]
        assert module.module_id == slot.module_id
        assert module.templates[slot.template_index].template_id == slot.template_id
        for item in slot.items:
            assert item.item_id == f"i{item.plan_row}"
            tensor = exposure.scoring_inputs.item_tensors["numbers"]
            assert np.frombuffer(tensor.data, np.float32)[item.scoring_row] == item.plan_row
    assert exposure.shopper_key == load(shop.settings.shopper_key_path).of("shopper", "shopper-zoe")
    assert b"shopper-zoe" not in exposure.SerializeToString()


async def test_the_export_holds_every_exposure_and_event_once(open_shop, tmp_path):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        await shop.layout.record([impression(slot) for slot in page.slots])
    done = export.export(shop.settings.log_path, tmp_path / "out")
    assert (done.exposure_count, done.event_count, done.lost_count) == (1, 6, 0)
    assert log_file.read_events(tmp_path / "out").num_rows == 6
    (exposure,) = log_file.read_exposures(tmp_path / "out")
    assert exposure.page_id == page.page_id


async def test_an_export_keeps_imports_and_replaces_its_own(open_shop, tmp_path):
    out = tmp_path / "out"
    imported = events_pb2.Event(event_id="imported", type=CLICK)
    imported.time.FromSeconds(1_700_000_000)
    log_file.write(out, "events", [log_file.event_row(imported)], "front-page-000000000")
    seen = events_pb2.Exposure(page_id="imported-page")
    seen.time.FromSeconds(1_700_000_000)
    log_file.write(out, "exposures", [log_file.exposure_row(seen)], "front-page-000000000")
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        await shop.layout.record([impression(page.slots[0])])
    stale = log_file.write(out, "events", [], f"{export.PREFIX}00007")
    for _ in range(2):
        export.export(shop.settings.log_path, out)
        assert log_file.read_events(out).num_rows == 2
        assert {exposure.page_id for exposure in log_file.read_exposures(out)} == {
            "imported-page",
            page.page_id,
        }
    assert not stale.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


async def test_a_receipt_says_what_the_log_holds(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        await asyncio.sleep(0.1)
        receipt = await shop.layout.explain(page.page_id)
        with pytest.raises(LayoutError) as caught:
            await shop.layout.explain("no-such-page")
    assert [slot.module_id for slot in receipt.slots] == [slot.module_id for slot in page.slots]
    assert receipt.is_replay_exact
    assert receipt.versions == page.versions
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


async def test_a_receipt_replays_the_exploration_of_its_page_whatever_the_settings_are_now(open_shop):
    epsilon = 0.1

    async with open_shop() as shop:
        good = shop.plan.default

        def explored(request):
            """A policy whose propensities follow the request's epsilon, or else its setting."""
            response = good(request)
            asked = request.exploration
            response.exploration.mode = policy_pb2.EXPLORATION_MODE_EPSILON_GREEDY
            response.exploration.epsilon = asked.epsilon if asked.HasField("epsilon") else epsilon
            for slot in response.slots:
                slot.propensity = 1 - response.exploration.epsilon / 2
            return response

        shop.plan.default = explored
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        await asyncio.sleep(0.1)
        epsilon = 0.7
        receipt = await shop.layout.explain(page.page_id)
        replayed = shop.plan.requests[-1].exploration
    assert replayed.epsilon == np.float32(0.1)
    assert replayed.mode == policy_pb2.EXPLORATION_MODE_EPSILON_GREEDY
    assert receipt.is_replay_exact


async def test_a_token_ages_by_the_clock_whatever_time_its_page_is_about(open_shop):
    request = home("ada", "visit")
    request.context.time.FromSeconds(int(time.time()) - 29 * 86_400)
    async with open_shop(token_ttl_s=3_600) as shop:
        page = await shop.layout.compose(request, deadline_s=2)
        answer = await shop.layout.record([impression(page.slots[0])])
        request.cursor = page.cursor
        more = await shop.layout.compose(request, deadline_s=2)
    assert answer.stored_count == 1
    assert more.slots


async def test_a_caller_who_goes_away_while_an_event_is_late_breaks_nothing(tmp_path):
    log = EventLog(tmp_path, 10)
    feature = InProcessUpstream("feature", ScriptedServicer(), Boundary("feature"))
    relay = Relay(log, feature)
    waiting = asyncio.create_task(relay.wait_for(10**9, 0.02))
    await asyncio.sleep(0)
    async with relay._progress:  # as the relay itself does while it tells of progress
        await asyncio.sleep(0.05)  # the time is over, and the lock is not there yet
        waiting.cancel()
        await asyncio.sleep(0.01)
        assert not waiting.done(), "it may leave with the lock alone, which is not its own yet"
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with relay._progress:
        pass
    await relay.close()
    log.close()


@pytest.mark.parametrize("turns", range(5))
async def test_a_relay_ends_even_where_news_come_at_that_moment(tmp_path, turns):
    log = EventLog(tmp_path, 10)
    feature = InProcessUpstream("feature", ScriptedServicer(), Boundary("feature"))
    relay = Relay(log, feature)
    await asyncio.sleep(0.05)
    relay.wake()
    for _ in range(turns):
        await asyncio.sleep(0)
    closing = asyncio.create_task(relay.close())
    await asyncio.wait({closing}, timeout=2)
    has_ended = closing.done()
    closing.cancel()
    log.close()
    assert has_ended
