"""Is a service that fails left alone for a while, and does a page do less where pages are late?"""

from __future__ import annotations

import asyncio

import grpc
import pytest

from planogram.client import home
from services.common.client import UpstreamError
from services.common.errors import NotReady
from services.layout import breaker, quality
from services.layout.breaker import Breaker, NotAsked
from services.layout.deadline import Deadline
from services.layout.quality import Quality

GONE = NotReady("gone")


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def call(watched, code=None, timeout_s=1.0):
    """One call that ends so; True where it was made."""
    try:
        with watched.watched(timeout_s):
            if code is not None:
                raise UpstreamError("policy", code, "")
    except NotAsked:
        return False
    except UpstreamError:
        pass
    return True


def opened(clock):
    it = Breaker("policy", clock)
    for _ in range(breaker.FAILURES_IN_A_ROW):
        assert call(it, grpc.StatusCode.UNAVAILABLE)
    assert it.is_open
    return it


def test_failures_in_a_row_open_it_and_one_good_call_closes_it():
    clock = Clock()
    it = opened(clock)
    assert not call(it)
    clock.now_s = breaker.FIRST_PAUSE_S
    assert call(it)
    assert not it.is_open
    assert call(it)


def test_a_service_that_flaps_opens_it_too():
    it = Breaker("policy", Clock())
    for _ in range(breaker.FAILURES_IN_WINDOW):
        call(it)
        call(it, grpc.StatusCode.INTERNAL)
    assert it.is_open


def test_the_pause_doubles_while_trials_fail():
    clock = Clock()
    it = opened(clock)
    pause_s = breaker.FIRST_PAUSE_S
    for _ in range(6):
        clock.now_s += pause_s - 0.01
        assert not call(it)
        clock.now_s += 0.01
        assert call(it, grpc.StatusCode.UNAVAILABLE)
        pause_s = min(2 * pause_s, breaker.LONGEST_PAUSE_S)
    assert pause_s == breaker.LONGEST_PAUSE_S


def test_one_trial_at_a_time():
    clock = Clock()
    it = opened(clock)
    clock.now_s = breaker.FIRST_PAUSE_S
    with it.watched(1.0):
        assert not call(it)


@pytest.mark.parametrize(
    ("code", "timeout_s"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 1.0),
        (grpc.StatusCode.FAILED_PRECONDITION, 1.0),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 0.008),
    ],
)
def test_what_says_nothing_of_the_service_does_not_count(code, timeout_s):
    it = Breaker("policy", Clock())
    for _ in range(50):
        assert call(it, code, timeout_s)
    assert not it.is_open


@pytest.mark.parametrize("name", ["gather", "score", "plan"])
async def test_a_page_does_not_wait_for_a_service_that_failed_of_late(open_shop, name):
    upstream = {"gather": "feature", "score": "scoring", "plan": "policy"}[name]
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        script = getattr(shop, name)
        good, script.default = script.default, GONE
        for _ in range(breaker.FAILURES_IN_A_ROW):
            page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
            assert {entry.upstream: entry.reason for entry in page.degraded}[upstream] == "unavailable"
        asked = len(script.requests)
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        reasons = {entry.upstream: entry.reason for entry in page.degraded}
        assert reasons[upstream] == "not asked: it failed of late"
        assert len(script.requests) == asked
        assert page.slots
        script.default = good
        for _ in range(100):
            page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
            if not page.degraded:
                break
            await asyncio.sleep(0.05)
    assert not page.degraded


def page_of(total_s, share):
    """A page that has used this share of its deadline."""
    ended = Deadline.after(total_s)
    return Deadline(ended.begun_s - share * total_s, total_s, ended.calls_end_s, False)


def test_late_pages_lower_the_quality_and_early_ones_raise_it():
    it = Quality()
    for _ in range(50):
        it.note(page_of(0.2, 0.9), is_cut_short=False)
    assert it.factor == quality.LOWEST
    assert it.is_hurried
    assert it.candidate_count(48, least=12) == 12
    assert it.candidate_count(16, least=12) == 12
    assert it.candidate_count(8, least=12) == 8
    for _ in range(50):
        it.note(page_of(0.2, 0.1), is_cut_short=False)
    assert it.factor == 1.0
    assert it.candidate_count(48, least=12) == 48


def test_a_deadline_that_is_short_by_itself_lowers_nothing():
    it = Quality()
    for _ in range(50):
        it.note(page_of(0.025, 2.0), is_cut_short=True)
    assert it.factor == 1.0


async def test_a_slow_service_makes_pages_ask_for_less_until_it_is_fast_again(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        full = sum(module.limit for module in shop.gather.requests[-1].modules)
        shop.plan.queued.extend([5.0] * 4)
        for _ in range(4):
            await shop.layout.compose(home("ada", "visit"), deadline_s=0.2)
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        asked = sum(module.limit for module in shop.gather.requests[-1].modules)
        assert asked < full
        assert page.quality == pytest.approx(quality.FALL**4, rel=1e-5)
        for _ in range(60):
            page = await shop.layout.compose(home("ada", "visit"), deadline_s=5)
        assert page.quality == 1.0
