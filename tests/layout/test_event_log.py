"""Does the log keep what it said it would, through crashes, full queues and failed writes?"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import deque

import pytest

from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from services.common.boundary import Boundary
from services.common.client import InProcessUpstream
from services.common.errors import NotReady
from services.common.testing import Script, ScriptedServicer
from services.layout import event_log
from services.layout.event_log import EventLog
from services.layout.relay import Relay

CLICK = events_pb2.EVENT_TYPE_CLICK


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
