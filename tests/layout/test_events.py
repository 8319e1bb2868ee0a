"""Is every acknowledged event on disk, once, and on its way to the profile?"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import deque

import grpc
import numpy as np
import pyarrow.parquet as pq
import pytest

from planogram.client import LayoutError, home, impression, item_event, person
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from planogram.files import log as log_file
from planogram.layout.v1 import layout_pb2, layout_pb2_grpc
from planogram.policy.v1 import policy_pb2
from services.common.boundary import Boundary
from services.common.client import InProcessUpstream
from services.common.errors import InvalidRequest, NotReady
from services.common.pseudonyms import load
from services.common.testing import Script, ScriptedServicer
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
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
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
    assert exposure.shopper_key == load(shop.settings.shopper_key_path).of("shopper", "ada")
    assert b"ada" not in exposure.SerializeToString()


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


async def test_a_forgotten_shopper_leaves_no_byte_in_the_log(open_shop):
    async with open_shop() as shop:
        kept = await shop.layout.compose(home("bob", "visit-b"), deadline_s=2)
        page = await shop.layout.compose(home("ada", "visit-a"), deadline_s=2)
        await shop.layout.record([impression(page.slots[0])])
        key = load(shop.settings.shopper_key_path).of("shopper", "ada").encode()

        def bytes_of_log():
            return b"".join(
                path.read_bytes() for path in sorted(shop.settings.log_path.glob("segment-*.sqlite*"))
            )

        assert key in bytes_of_log()
        async with grpc.aio.insecure_channel(shop.target) as channel:
            stub = layout_pb2_grpc.LayoutServiceStub(channel)
            answer = await stub.ForgetShopper(layout_pb2.ForgetShopperRequest(user_id="ada"))
            assert answer.deleted_count == 2
            assert key not in bytes_of_log()
            assert kept.page_id.encode() in bytes_of_log()
            assert [request.user_id for request in shop.forget.requests] == ["ada"]
            again = await stub.ForgetShopper(layout_pb2.ForgetShopperRequest(user_id="ada"))
        assert again.deleted_count == 0


async def forget(shop, user):
    async with grpc.aio.insecure_channel(shop.target) as channel:
        request = layout_pb2.ForgetShopperRequest(user_id=user)
        return await layout_pb2_grpc.LayoutServiceStub(channel).ForgetShopper(request)


async def test_an_export_made_before_does_not_hold_a_forgotten_shopper(open_shop):
    async with open_shop() as shop:
        kept = await shop.layout.compose(home("bob", "visit-b"), deadline_s=2)
        page = await shop.layout.compose(home("ada", "visit-a"), deadline_s=2)
        await shop.layout.record([impression(kept.slots[0]), impression(page.slots[0])])
        out = shop.settings.export_folder
        export.export(shop.settings.log_path, out)
        assert log_file.read_events(out).num_rows == 2
        await forget(shop, "ada")
        for _ in ("as it was", "exported again"):
            assert [exposure.page_id for exposure in log_file.read_exposures(out)] == [kept.page_id]
            assert log_file.read_events(out).column("page_id").to_pylist() == [kept.page_id]
            assert len(log_file.read_forgotten(out)) == 1
            export.export(shop.settings.log_path, out)


async def test_the_files_of_an_export_lose_a_forgotten_shopper(open_shop):
    async with open_shop() as shop:
        kept = await shop.layout.compose(home("bob", "visit-b"), deadline_s=2)
        page = await shop.layout.compose(home("ada", "visit-a"), deadline_s=2)
        await shop.layout.record([impression(kept.slots[0]), impression(page.slots[0])])
        out, names = shop.settings.export_folder, load(shop.settings.shopper_key_path)
        export.export(shop.settings.log_path, out)
        sessions = {visit: names.of("session", visit) for visit in ("visit-a", "visit-b")}
        aside = [{"session_key": key, "event_id": "", "reason": "bot_rate"} for key in sessions.values()]
        log_file.write(out, "set-aside", aside, "pipeline")
        await forget(shop, "ada")
        held = {name: pq.read_table(path) for path in out.glob("*.parquet") if (name := path.name)}
    key = names.of("shopper", "ada")
    assert {name for name, table in held.items() if key in str(table.to_pydict())} == set()
    assert held["events-served.00000.parquet"].column("page_id").to_pylist() == [kept.page_id]
    assert held["exposures-served.00000.parquet"].column("page_id").to_pylist() == [kept.page_id]
    assert held["set-aside-pipeline.parquet"].column("session_key").to_pylist() == [sessions["visit-b"]]


async def test_what_comes_late_leaves_no_byte_in_any_segment(tmp_path):
    first, second = EventLog(tmp_path / "log", 10), EventLog(tmp_path / "log", 10)
    key = "a" * 32
    await first.forget([key], 2_000_000)
    for log in (first, second):
        late, later = (
            events_pb2.Event(event_id=f"{log.writer}{n}", shopper_key=key, type=CLICK) for n in "23"
        )
        late.time.FromSeconds(2)
        later.time.FromSeconds(2)
        stored = await log.append([late, later])
        assert (stored.stored_count, stored.duplicate_count) == (0, 0)
        exposure = events_pb2.Exposure(page_id=log.writer, shopper_key=key)
        exposure.time.FromSeconds(1)
        log.offer(exposure)
        log.close()
    assert key.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "log").iterdir())
    assert event_log.lost_count(tmp_path / "log") == 0


async def test_what_comes_after_a_shopper_was_forgotten_counts_again(tmp_path):
    log = EventLog(tmp_path / "log", 10)
    await log.forget(["a" * 32], 2_000_000)
    exposures = [events_pb2.Exposure(page_id=str(second), shopper_key="a" * 32) for second in (1, 2, 3)]
    for second, exposure in enumerate(exposures, 1):
        exposure.time.FromSeconds(second)
        log.offer(exposure)
    log.close()
    export.export(tmp_path / "log", tmp_path / "out")
    assert [exposure.page_id for exposure in log_file.read_exposures(tmp_path / "out")] == ["3"]


async def test_a_shopper_is_forgotten_under_the_keys_of_every_epoch(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        path = shop.settings.shopper_key_path
    path.with_suffix(".earlier").mkdir()
    path.rename(path.with_suffix(".earlier") / "first.key")
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        await asyncio.sleep(0.1)
        epochs = {exposure.key_epoch for exposure in event_log.read_exposures(shop.settings.log_path)}
        answer = await forget(shop, "ada")
        assert list(event_log.read_exposures(shop.settings.log_path)) == []
        assert len(log_file.read_forgotten(shop.settings.export_folder)) == 2
    assert len(epochs) == 2
    assert answer.deleted_count == 2


async def test_a_segment_that_nobody_holds_any_more_is_delivered(tmp_path):
    first, second = EventLog(tmp_path, 10), EventLog(tmp_path, 10)
    owed = [events_pb2.Event(event_id=f"e{place}", type=CLICK, shopper_key="a" * 32) for place in range(3)]
    await second.append(owed)
    update = Script(feature_pb2.UpdateProfilesResponse(), deque([NotReady("starting")]))
    feature = InProcessUpstream("feature", ScriptedServicer(UpdateProfiles=update), Boundary("feature"))
    relay = Relay(first, feature, adopt_every_s=0.05)
    await asyncio.sleep(0.3)
    assert not update.requests, "a living process delivers its own"
    second.close()
    end_s = time.monotonic() + 10
    while len(update.requests) < 2 and time.monotonic() < end_s:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)  # it notes on disk what it delivered
    await relay.close()
    refused, delivered = update.requests
    assert refused == delivered
    assert [event.event_id for event in delivered.events] == ["e0", "e1", "e2"]
    third = EventLog(tmp_path, 10)
    assert third.path == second.path
    assert await third.undelivered(10) == []
    third.close()
    first.close()


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


def test_a_second_process_takes_a_segment_of_its_own(tmp_path):
    first, second = EventLog(tmp_path, 10), EventLog(tmp_path, 10)
    assert first.path != second.path
    first.close()
    third = EventLog(tmp_path, 10)
    assert third.path == first.path
    second.close()
    third.close()


async def test_a_full_queue_drops_exposures_and_says_so(tmp_path):
    log = EventLog(tmp_path, 1)
    answers = [log.offer(events_pb2.Exposure(page_id=str(index))) for index in range(200)]
    log.close()
    assert answers[0]
    assert not all(answers)
    assert len(list(event_log.read_exposures(tmp_path))) == sum(answers)


WRITER = """
    import asyncio, sys
    from pathlib import Path
    from planogram.events.v1 import events_pb2
    from services.layout.event_log import EventLog

    async def main():
        log = EventLog(Path(sys.argv[1]), 1_000)
        number = 0
        while True:
            events = [events_pb2.Event(event_id=f"{number}-{place}", type=2) for place in range(5)]
            log.offer(events_pb2.Exposure(page_id=str(number)))
            await log.append(events)
            print(number, flush=True)
            number += 1

    asyncio.run(main())
"""


@pytest.mark.parametrize("delay_s", [0.3, 0.6])
def test_what_was_acknowledged_survives_kill_9(tmp_path, delay_s):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    first = process.stdout.readline()
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    acknowledged = [int(line) for line in [first, *process.stdout.read().splitlines()]]
    process.wait()
    process.stdout.close()
    assert len(acknowledged) > 5
    stored = {event.event_id for event in event_log.read_events(tmp_path)}
    wanted = {f"{number}-{place}" for number in acknowledged for place in range(5)}
    assert wanted <= stored
    log = EventLog(tmp_path, 10)
    sequences = [event.sequence for event in event_log.read_events(tmp_path)]
    assert len(set(sequences)) == len(sequences)
    assert log.next_sequence() > max(sequences)
    log.close()


DYING_WRITER = """
    import asyncio, os, sys
    from pathlib import Path
    from planogram.events.v1 import events_pb2
    from services.layout.event_log import EventLog

    async def main():
        log = EventLog(Path(sys.argv[1]), 1_000)
        await log.append([events_pb2.Event(event_id="kept", type=2)])
        for number in range(7):
            log.offer(events_pb2.Exposure(page_id=str(number)))
        os._exit(9)

    asyncio.run(main())
"""


def test_numbers_that_a_crash_took_are_counted_and_never_given_again(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(DYING_WRITER), str(tmp_path)]
    assert subprocess.run(command, env=environment, timeout=60).returncode == 9
    kept = len(list(event_log.read_exposures(tmp_path))) + len(list(event_log.read_events(tmp_path)))
    assert 1 <= kept < 8
    log = EventLog(tmp_path, 10)
    assert log.next_sequence() == 9
    assert event_log.lost_count(tmp_path) == 8 - kept
    log.close()


async def test_a_write_that_fails_in_an_unforeseen_way_ends_neither_the_log_nor_the_wait(tmp_path):
    log = EventLog(tmp_path, 10)
    with pytest.raises(NotReady, match="too large"):
        await asyncio.wait_for(log.mark_delivered(2**70), 5)
    stored = await asyncio.wait_for(log.append([events_pb2.Event(event_id="a", type=2)]), 5)
    assert stored.stored_count == 1
    log.close()


def test_an_exposure_that_cannot_be_written_takes_no_other_with_it(tmp_path):
    log = EventLog(tmp_path, 10)
    for number in range(3):
        packed = [b"1", None, b"2"][number]
        assert log.offer(events_pb2.Exposure(page_id=str(number)), lambda packed=packed: packed)
    log.close()
    kept = list(event_log.read_exposures(tmp_path))
    assert [(exposure.page_id, exposure.ranking_inputs) for exposure in kept] == [("0", b"1"), ("2", b"2")]
    assert event_log.lost_count(tmp_path) == 1


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
