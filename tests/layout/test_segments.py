"""Does a damaged segment of the event log keep anybody from the others, and is its file named?"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time

import grpc
import pytest

from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from services.common.boundary import CODES, Boundary
from services.common.client import InProcessUpstream
from services.common.errors import ConfigurationError, NotReady, Overloaded
from services.common.testing import Script, ScriptedServicer
from services.layout import event_log, forgetting, segments
from services.layout.event_log import EventLog
from services.layout.export import export
from services.layout.relay import Relay

CLICK = events_pb2.EVENT_TYPE_CLICK
PAGE_BYTES = 4096


def cut(path):
    path.write_bytes(path.read_bytes()[: 2 * PAGE_BYTES + 7])


def overwrite(path):
    """Leaves the first pages, which name tables and counters, and nothing of the rows."""
    content = path.read_bytes()
    with sqlite3.connect(path) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
    start = (root - 1) * PAGE_BYTES
    path.write_bytes(content[:start] + PAGE_BYTES * b"\xff" + content[start + PAGE_BYTES :])


DAMAGE = {
    "cut": cut,
    "overwritten": overwrite,
    "junk": lambda path: path.write_bytes(b"junk" * 5_000),
    "never begun": lambda path: path.write_bytes(b""),
}


def event(name):
    return events_pb2.Event(event_id=name, type=CLICK, shopper_key="a" * 32, time={"seconds": 1_800_000_000})


@pytest.fixture
async def folder(tmp_path):
    """Three segments: one of a living process, and two that owe an event each; the first of them is damaged."""
    logs = [EventLog(tmp_path / "log", 10) for _ in range(3)]
    for place, log in enumerate(logs):
        log.offer(events_pb2.Exposure(page_id=f"p{place}", shopper_key="a" * 32))
        await log.append([event(f"e{place}")])
    for log in logs:
        log.close()
    return tmp_path / "log"


@pytest.fixture(params=DAMAGE)
async def damaged(folder, request):
    path = folder / "segment-001.sqlite"
    DAMAGE[request.param](path)
    segments._passed_over.clear()
    return path


async def test_the_other_segments_are_delivered_and_read(folder, damaged, capsys):
    own = EventLog(folder, 10)
    update = Script(feature_pb2.UpdateProfilesResponse())
    feature = InProcessUpstream("feature", ScriptedServicer(UpdateProfiles=update), Boundary("feature"))
    relay = Relay(own, feature, adopt_every_s=0.05)
    end_s = time.monotonic() + 10
    while len(update.requests) < 2 and time.monotonic() < end_s:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    await relay.close()
    own.close()
    delivered = {one.event_id for request in update.requests for one in request.events}
    assert {"e0", "e2"} <= delivered and len(update.requests) <= 3
    assert event_log.find_exposure(folder, "p2").page_id == "p2"
    assert event_log.find_exposure(folder, "p9") is None
    assert {"p0", "p2"} <= {page.page_id for page, _ in event_log.exposures_after(folder, {}, 10)}
    said = capsys.readouterr()
    assert (said.out + said.err).count("segment_unreadable") == 1
    assert str(damaged) in said.out + said.err


@pytest.mark.parametrize("damaged", ["cut", "overwritten", "junk"], indirect=True)
async def test_what_needs_every_segment_names_the_one_that_cannot_be_read(folder, damaged, tmp_path):
    with pytest.raises(NotReady, match=str(damaged)):
        forgetting.forget(folder, {"a" * 32: 1})
    with pytest.raises(NotReady, match=str(damaged)):
        export(folder, tmp_path / "export")


@pytest.mark.parametrize("kind", ["cut", "junk"])
def test_a_start_on_a_damaged_segment_names_it(tmp_path, kind):
    EventLog(tmp_path, 10).close()
    DAMAGE[kind](tmp_path / "segment-000.sqlite")
    with pytest.raises(ConfigurationError, match=r"segment-000\.sqlite.*move it away"):
        EventLog(tmp_path, 10)
    (tmp_path / "segment-000.sqlite").rename(tmp_path / "damaged")
    EventLog(tmp_path, 10).close()


def test_the_number_that_is_mapped_has_its_place_on_the_disk(tmp_path):
    """A hole in a file takes its place when it is written; on a full disk, the process ends by SIGBUS."""
    (tmp_path / "written").write_bytes(bytes(32))
    for name, content in (("new", b""), ("short", b"abc"), ("long", b"x" * 40)):
        path = tmp_path / name
        if content:
            path.write_bytes(content)
        numbers = segments.Numbers(path, 0)
        assert path.stat().st_blocks == (tmp_path / "written").stat().st_blocks
        numbers.last = 7
        numbers.close()
        again = segments.Numbers(path, 0)
        assert again.last == 7 and not again.is_damaged and path.stat().st_size == 32
        again.close()


SEQUENCE_DAMAGE = {
    "huge": lambda kept: (2**62 + 5).to_bytes(8, "little"),
    "negative": lambda kept: (-5).to_bytes(8, "little", signed=True),
    "cut": lambda kept: kept[:3],
    "cut late": lambda kept: kept[:9],
    "long": lambda kept: kept + kept,
    "text": lambda kept: b"segment-000.sequence: 5, or so..",
    "huge twice": lambda kept: 2 * (2**62).to_bytes(8, "little"),
    "each bit": lambda kept: bytes(255 - byte for byte in kept)[::-1],
}


@pytest.mark.parametrize("kind", SEQUENCE_DAMAGE)
async def test_a_damaged_number_is_taken_from_the_segment(tmp_path, kind, capsys):
    log = EventLog(tmp_path, 10)
    for place in range(5):
        log.offer(events_pb2.Exposure(page_id=f"p{place}"))
    await log.append([event("e0")])
    log.close()
    path = tmp_path / "segment-000.sequence"
    path.write_bytes(SEQUENCE_DAMAGE[kind](path.read_bytes()))
    capsys.readouterr()
    again = EventLog(tmp_path, 10)
    said = capsys.readouterr()
    assert "sequence_damaged" in said.out + said.err and str(path) in said.out + said.err
    assert (await again.append([event("e1")])).last_sequence == 7
    again.close()
    assert event_log.lost_count(tmp_path) == 0
    EventLog(tmp_path, 10).close()
    said = capsys.readouterr()
    assert "sequence_damaged" not in said.out + said.err  # it was mended


def test_a_number_that_was_cut_short_leaves_the_one_before_it(tmp_path):
    """A process that is killed as it writes has given the number to nobody."""
    path = tmp_path / "segment-000.sequence"
    numbers = segments.Numbers(path, 0)
    before = path.read_bytes()
    for number in range(1, 300):
        numbers.last = number
        kept = path.read_bytes()
        for size in range(1, 16):
            place = 16 * (number % 2)
            torn = kept[: place + size] + before[place + size : place + 16] + kept[place + 16 :]
            (tmp_path / "torn").write_bytes(torn)
            found = segments.Numbers(tmp_path / "torn", 0)
            assert found.last in (number - 1, number) and not found.is_damaged
            found.close()
        before = kept
    numbers.close()


@pytest.mark.parametrize("kept", [0, 7, 10**6])
def test_a_number_of_an_earlier_release_is_gone_on_from(tmp_path, kept):
    path = tmp_path / "segment-000.sequence"
    path.write_bytes(kept.to_bytes(8, "little"))
    log = EventLog(tmp_path, 10)
    assert log.next_sequence() == kept + 1
    log.close()


async def test_events_wait_for_a_slow_disk_up_to_a_limit_whoever_gave_up(tmp_path, monkeypatch):
    monkeypatch.setattr(event_log, "MAX_WAITING_EVENTS", 5)
    log, free = EventLog(tmp_path, 10), threading.Event()
    slow = asyncio.ensure_future(log._submit(lambda db: free.wait(10)))
    await asyncio.sleep(0.1)
    for place in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(log.append([event(f"late{place}")]), 0.01)
    with pytest.raises(Overloaded, match="5 events wait for the disk already") as refused:
        await log.append([event("refused")])
    assert CODES[type(refused.value)] is grpc.StatusCode.RESOURCE_EXHAUSTED
    free.set()
    await slow
    await log.mark_delivered(0)  # behind all that waited
    assert (await log.append([event("late0"), event("in time")])).stored_count == 1
    log.close()
    assert event_log.lost_count(tmp_path) == 0
