"""Does a surge of bad reviews raise an alarm, once, for everybody, until somebody has looked?"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.common import log
from services.feature.reviews.ledger import Judged, ReviewLedger
from services.feature.reviews.sentiment import Review, is_bad, tone
from services.feature.reviews.surge import DAY_US, Pulse, Usual
from services.local.supervisor import clean_environment

BAD = "It broke on day two. Terrible quality, a waste of money."
GOOD = "Works great. I love it, the best kettle I have had."
SETTLED = 10_000.0


def known(share: float) -> Usual:
    """A category whose share of bad reviews is as good as known."""
    return Usual(bad=share * SETTLED, count=SETTLED)


@pytest.mark.parametrize(
    ("review", "wanted"),
    [
        (Review(1, GOOD, "en"), True),
        (Review(5, BAD, "en"), False),
        (Review(3, BAD, "en"), True),
        (Review(3, GOOD, "en-GB"), False),
        (Review(0, BAD, "EN-us"), True),
        (Review(0, GOOD, "en"), False),
        (Review(0, BAD, "de"), None),
        (Review(0, BAD, ""), None),
        (Review(2, "Schrecklich.", "de"), True),
        (Review(3, "Schrecklich.", "de"), False),
        (Review(0, " \n", "en"), None),
        (Review(0, "", "en"), None),
    ],
)
def test_stars_decide_where_they_are_clear_and_english_texts_else(
    review: Review, wanted: bool | None
) -> None:
    assert is_bad(review) is wanted


def test_a_text_is_as_good_as_its_sentences_and_as_long_as_it_is() -> None:
    good, bad = "I love it.", "It is terrible."
    assert tone(f"{good} {bad}") == pytest.approx((tone(good) + tone(bad)) / 2)
    assert tone(f"{good}\n\n{bad}") == tone(f"{good} {bad}")
    assert -1 <= tone("terrible " * 250) < -0.9
    assert tone("...") == tone("") == 0


def test_evidence_is_that_of_the_formula() -> None:
    """Two bad reviews and a good one on the same day, by hand: usual share 0.2, odds x 2, 4, 8."""
    pulse, category = Pulse(), known(0.2)
    share = pulse.highest_usual(category)
    assert share == pytest.approx(0.2 + 0.5 * np.sqrt(0.2 * 0.8 / 21), abs=1e-3)
    for bad in (True, True, False):
        assert not pulse.step(bad, DAY_US, category, 500)
    for evidence, rise in zip(pulse.evidence, (2, 4, 8), strict=True):
        risen = rise * share / (1 - share + rise * share)
        up, down = risen / share, (1 - risen) / (1 - share)
        assert evidence == pytest.approx((1 + (1 + up) * up) * down)


def test_evidence_halves_in_sixty_days_and_late_reviews_fade_nothing() -> None:
    at_once, later, early = Pulse(), Pulse(), Pulse()
    for pulse, second_us in ((at_once, DAY_US), (later, 61 * DAY_US), (early, 0)):
        pulse.step(True, DAY_US, known(0.1), 500)
        pulse.step(True, second_us, known(0.1), 500)
    assert early.evidence == at_once.evidence
    assert all(faded < held for faded, held in zip(later.evidence, at_once.evidence, strict=True))
    first = Pulse()
    first.step(True, DAY_US, known(0.1), 500)
    for faded, held, kept in zip(later.evidence, at_once.evidence, first.evidence, strict=True):
        assert faded / held == pytest.approx((1 + kept / 2) / (1 + kept))


@pytest.mark.parametrize("angry", [1, 2])
def test_one_or_two_angry_reviews_raise_nothing(angry: int) -> None:
    for quiet in (0, 30, 300):
        pulse, category = Pulse(), known(0.02)
        reviews = [False] * quiet + [True] * angry
        assert not any(pulse.step(bad, day * DAY_US, category, 20) for day, bad in enumerate(reviews))


def test_a_surge_is_raised_once_with_its_onset_and_counted_on_until_looked_at() -> None:
    pulse, category = Pulse(), known(0.1)
    days = [pulse.step(False, day * DAY_US, category) for day in range(100)]
    raised = next(day for day in range(100, 140) if pulse.step(True, day * DAY_US, category))
    assert not any(days) and raised < 110
    surge = pulse.surge
    assert surge is not None and surge.since_us == 100 * DAY_US and surge.raised_us == raised * DAY_US
    assert surge.bad_count == surge.review_count == raised - 99
    before = pulse.usual.count
    assert not pulse.step(True, 200 * DAY_US, category) and not pulse.step(False, 201 * DAY_US, category)
    assert (surge.bad_count, surge.review_count) == (raised - 98, raised - 97)
    pulse.look()
    assert pulse.surge is None and pulse.usual.count == before, "what raised an alarm is not usual"
    assert not pulse.step(True, 202 * DAY_US, category), "it begins anew"


def test_the_run_length_is_kept_where_what_is_usual_is_known() -> None:
    """One alarm in 100 reviews at most, on average, at a share that is exactly usual."""
    random, raised, count = np.random.default_rng(3), 0, 20_000
    pulse = Pulse()
    for review in random.random(count) < 0.15:
        pulse.usual = Usual()
        if pulse.step(bool(review), DAY_US, known(0.15), 100):
            raised += 1
            pulse.look()
    assert 0 < raised <= count / 100


def test_an_item_that_was_always_bad_becomes_usual_and_does_not_alarm_for_ever() -> None:
    random, pulse, category = np.random.default_rng(4), Pulse(), known(0.1)
    raised = []
    for day, bad in enumerate(random.random(3_000) < 0.3):
        if pulse.step(bool(bad), day * DAY_US, category):
            raised.append(day)
            pulse.look()
    assert len([day for day in raised if day > 1_000]) <= 8, raised


def reviews(item_id: str, count: int, bad: bool = True, start: int = 0) -> list[Judged]:
    return [
        Judged(f"{item_id}-{place}", item_id, place * DAY_US, bad) for place in range(start, start + count)
    ]


def test_the_ledger_counts_each_review_once_however_it_comes(tmp_path: Path) -> None:
    def category(item_id: str) -> str:
        return "kitchen"

    ledger = ReviewLedger(tmp_path)
    first = ledger.count(reviews("kettle", 2), category, 500, 1)
    again = ledger.count([*reviews("kettle", 2), *reviews("kettle", 1, start=2) * 2], category, 500, 1)
    assert (first.fresh_count, again.fresh_count) == (2, 1)
    assert not again.raised
    other = ReviewLedger(tmp_path)  # of another worker
    assert other.known(["kettle-0", "kettle-9"]) == {"kettle-0"}
    raised = other.count(reviews("kettle", 14, start=3), category, 500, 1).raised
    assert [alarm.item_id for alarm in raised] == ["kettle"] == [one.item_id for one in ledger.alarms()]
    assert ledger.sequence() == 1
    assert ledger.mark({"kettle": False, "pan": False}, category, 2) == 1
    assert not other.alarms() and other.sequence() == 2
    assert other.mark({"pan": True}, category, 7) == 1
    (by_hand,) = ledger.alarms()
    assert (by_hand.item_id, by_hand.surge.since_us, by_hand.surge.review_count) == ("pan", 7, 0)
    old = ReviewLedger(tmp_path / "old")
    old.count(reviews("kettle", 1), category, 500, 0)
    old.count(reviews("pan", 1), category, 500, 61 * DAY_US)
    assert old.known(["kettle-0", "pan-0"]) == {"pan-0"}, "ids are not kept for ever"
    for each in (ledger, other, old):
        each.close()


def test_what_was_counted_survives_kill_9(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from services.feature.reviews.ledger import Judged, ReviewLedger
ledger = ReviewLedger(Path(sys.argv[1]))
for place in range(10_000):
    ledger.count([Judged(f"r{place}", "kettle", place, False)], lambda item_id: "kitchen", 500, 1)
    print(place, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, env=clean_environment()
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(20)]
    process.kill()
    lines += process.stdout.read().splitlines()
    process.stdout.close()
    process.wait()
    last = max(int(line) for line in lines if line.strip())
    ledger = ReviewLedger(tmp_path)
    again = [Judged(f"r{place}", "kettle", place, False) for place in range(last + 1)]
    assert ledger.count(again, lambda item_id: "kitchen", 500, 1).fresh_count == 0
    ledger.close()


def page(item_id: str) -> feature_pb2.GatherPageRequest:
    module = feature_pb2.ModuleRequest(module_id="list", source=13, item_ids=[item_id, "item-006"])
    return feature_pb2.GatherPageRequest(
        shopper=context_pb2.Shopper(user_id="", session_id="visit"),
        context=context_pb2.PageContext(page_type=context_pb2.PAGE_TYPE_HOME),
        modules=[module],
    )


async def under_review(service: Any, item_id: str) -> bool:
    answer = await service.stub.GatherPage(page(item_id))
    facts = dict(zip(answer.item_ids, answer.item_facts.is_under_review, strict=True))
    assert facts["item-006"] is False
    return bool(facts[item_id])


async def until(wanted: Callable[[], Any], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not await wanted():
            await asyncio.sleep(0.02)


async def take(service: Any, events: list[Any]) -> feature_pb2.UpdateProfilesResponse:
    answer: feature_pb2.UpdateProfilesResponse = await service.stub.UpdateProfiles(
        feature_pb2.UpdateProfilesRequest(events=events)
    )
    return answer


async def alarms(service: Any) -> list[feature_pb2.ReviewAlarm]:
    answer = await service.stub.ListReviewAlarms(feature_pb2.ListReviewAlarmsRequest())
    return list(answer.alarms)


async def test_bad_reviews_raise_an_alarm_until_somebody_has_looked(
    service: Any, make_event: Callable[..., Any], capsys: Any
) -> None:
    log.configure("info", "json")
    start = datetime.now(UTC) - timedelta(hours=3)
    events = [
        make_event("REVIEW", start + timedelta(minutes=place), item_id="item-003", text=BAD, language="en")
        for place in range(30)
    ]
    counted_before = REGISTRY.get_sample_value("planogram_feature_reviews_total", {"verdict": "bad"}) or 0
    assert not await under_review(service, "item-003")
    first = await take(service, events)
    assert (first.review_count, first.applied_count, first.ignored_count) == (30, 0, 0)
    assert await under_review(service, "item-003"), "on the very next page of this worker"
    again = await take(service, events)
    assert (again.review_count, again.duplicate_count) == (0, 30)
    (alarm,) = await alarms(service)
    assert (alarm.item_id, alarm.bad_count, alarm.review_count) == ("item-003", 30, 30)
    assert alarm.since.ToMicroseconds() == events[0].time.ToMicroseconds()
    assert 0.1 < alarm.usual_share < 0.2
    assert alarm.text.startswith("30 of 30 reviews since ") and alarm.text.endswith("15% are usual.")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "review_alarm_raised" in line]
    assert '"item_id": "item-003"' in line and "broke" not in line
    assert REGISTRY.get_sample_value("planogram_feature_review_alarms") == 1
    counted = REGISTRY.get_sample_value("planogram_feature_reviews_total", {"verdict": "bad"}) or 0
    assert counted - counted_before == 30
    found = await service.stub.GetFeatures(
        feature_pb2.GetFeaturesRequest(entity=2, ids=["item-003", "item-006"], features=["is_under_review"])
    )
    assert [row.values[0].integer for row in found.rows] == [1, 0]
    looked = feature_pb2.ItemUpdate(item_id="item-003", is_under_review=False)
    answer = await service.stub.UpdateItems(feature_pb2.UpdateItemsRequest(items=[looked]))
    assert answer.applied_count == 1
    assert not await under_review(service, "item-003") and not await alarms(service)
    assert REGISTRY.get_sample_value("planogram_feature_review_alarms") == 0


async def test_alarms_outlive_restarts_snapshots_and_the_changes_of_prices(
    settings: Any,
    running: Callable[[Any], AbstractAsyncContextManager[Any]],
    make_event: Callable[..., Any],
) -> None:
    now = datetime.now(UTC)
    events = [make_event("REVIEW", now, item_id="item-003", rating=1) for _ in range(30)]
    async with running(settings) as service:
        await take(service, events)
        version = (await service.stub.GatherPage(page("item-003"))).snapshot_version
        price = feature_pb2.ItemUpdate(item_id="item-003", price_micros=4_000_000)
        answer = await service.stub.UpdateItems(feature_pb2.UpdateItemsRequest(items=[price]))
        assert answer.snapshot_version != version
        assert await under_review(service, "item-003")
    async with running(settings) as service:
        assert await under_review(service, "item-003")
        assert (await take(service, events)).duplicate_count == 30
        other = ReviewLedger(settings.state_path)  # of another worker
        other.mark({"item-003": False, "item-009": True}, lambda item_id: "", 1)
        other.close()
        await until(lambda: under_review(service, "item-009"))
        assert not await under_review(service, "item-003")
        (alarm,) = await alarms(service)
        assert alarm.text == "Put under review by hand."


async def test_reviews_are_no_part_of_profiles_and_texts_are_kept_nowhere(
    service: Any, make_event: Callable[..., Any]
) -> None:
    key = service.shopper_key("user-5")
    request = feature_pb2.GetProfileRequest(user_id="user-5")
    before = await service.stub.GetProfile(request)
    secret = "Mrs Featherstonehaugh of number nine hates it."
    event = make_event(
        "REVIEW", datetime.now(UTC), item_id="item-003", text=secret, language="en", shopper_key=key
    )
    counts = await take(service, [event])
    assert (counts.review_count, counts.applied_count) == (1, 0)
    assert await service.stub.GetProfile(request) == before
    kept = [path for path in service.settings.state_path.rglob("*") if path.is_file()]
    assert any(path.name == "reviews.db" for path in kept)
    for path in kept:
        content = path.read_bytes()
        assert b"Featherstonehaugh" not in content
        if path.name.startswith("reviews.db"):
            assert key.encode() not in content


async def test_what_says_nothing_is_not_counted(service: Any, make_event: Callable[..., Any]) -> None:
    now = datetime.now(UTC)
    await service.stub.ForgetShopper(feature_pb2.ForgetShopperRequest(user_id="user-5"))
    nothing = [
        make_event("REVIEW", now, item_id="nowhere", rating=1),
        make_event("REVIEW", now, item_id="item-003", text="Schrecklich.", language="de"),
        make_event("REVIEW", now, item_id="item-003", rating=1, shopper_key=service.shopper_key("user-5")),
    ]
    counts = await take(service, [*nothing, make_event("REVIEW", now, item_id="item-003", rating=2)])
    assert (counts.review_count, counts.ignored_count, counts.duplicate_count) == (1, 3, 0)
