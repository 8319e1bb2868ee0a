"""Drills: each service well, slow, wrong, gone or flapping, in every combination of the three.

Whatever they do, a page comes within its deadline, is never empty, shows no item twice, and says what of it is
degraded: all that failed, and nothing that did not.
"""

from __future__ import annotations

import itertools
from collections import Counter

import grpc
import numpy as np
import pytest

from planogram.client import LayoutError, home
from planogram.policy.v1 import policy_pb2
from planogram.scoring.v1 import scoring_pb2
from services.common.errors import Incompatible, NotReady
from services.common.tensors import to_tensor
from services.layout import breaker

DEADLINE_S = 0.15
LATE_SHARE = 0.05
"""Of pages for which a busy machine may be late by itself: the page, or a service that is well."""
PAGES_EACH = 4
STATES = ("well", "slow", "wrong", "gone", "flapping")
SERVICES = ("feature", "scoring", "policy")
COMBINATIONS = list(itertools.product(STATES, repeat=3))
FILLER = "popular"


def wrong_candidates(good):
    """Facts of other length, rows beyond the items, a module too few, and none of the wanted encodings."""

    def facts(request):
        response = good(request)
        response.item_facts.stock.append(1)
        return response

    def rows(request):
        response = good(request)
        response.modules[0].rows.append(len(response.item_ids))
        return response

    def modules(request):
        response = good(request)
        response.modules.pop()
        return response

    return itertools.cycle([facts, rows, modules])


def wrong_scores(_):
    """Not a number, too few, above one, nothing, and no such encoding."""

    def answer(values):
        tensor = to_tensor(np.asarray(values, np.float32))
        return scoring_pb2.ScoreItemsResponse(
            click_probability=tensor, purchase_probability=tensor, model_version="click-1"
        )

    broken = (np.full(120, np.nan), np.zeros(119), np.full(120, 1.5))
    nothing = scoring_pb2.ScoreItemsResponse()
    return itertools.cycle([*map(answer, broken), nothing, Incompatible("fingerprint: got 'x'")])


def wrong_plans(good):
    """A row twice, a probability that is none, a module that was not offered, and no slots."""

    def spoilt(spoil):
        def answer(request):
            response = good(request)
            spoil(response.slots[0])
            return response

        return answer

    return itertools.cycle(
        [
            spoilt(lambda slot: slot.rows.append(slot.rows[0])),
            spoilt(lambda slot: setattr(slot, "propensity", float("nan"))),
            spoilt(lambda slot: setattr(slot, "module_id", "elsewhere")),
            policy_pb2.PlanPageResponse(),
        ]
    )


def drilled(state, good, wrong):
    """What a service in a state answers, call by call."""
    return {
        "well": itertools.repeat(good),
        "slow": itertools.repeat(30.0),
        "wrong": wrong,
        "gone": itertools.repeat(NotReady("gone")),
        "flapping": itertools.cycle([NotReady("gone"), good]),
    }[state]


def failed(states, turn):
    """Services that fail the page of a turn, and those that may not have been asked because of it."""
    fails = {
        name
        for name, state in zip(SERVICES, states, strict=True)
        if state in ("slow", "wrong", "gone") or (state == "flapping" and turn % 2 == 0)
    }
    # Without features nothing can be scored.
    return fails | ({"scoring"} if "feature" in fails else set())


def shows_nothing_twice(page):
    shown = Counter(item.item_id for slot in page.slots if slot.module_id != FILLER for item in slot.items)
    return max(shown.values()) == 1


@pytest.mark.slow
async def test_every_combination_brings_a_page_in_time_that_says_what_is_degraded(open_shop, monkeypatch):
    # What comes back is asked at once: the pause of the breaker is tested with the breaker.
    monkeypatch.setattr(breaker, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(breaker, "LONGEST_PAUSE_S", 0.0)
    late_count = 0
    async with open_shop() as shop:
        scripts = dict(zip(SERVICES, (shop.gather, shop.score, shop.plan), strict=True))
        good = {name: script.default for name, script in scripts.items()}
        wrong = {
            "feature": wrong_candidates(good["feature"]),
            "scoring": wrong_scores(good["scoring"]),
            "policy": wrong_plans(good["policy"]),
        }
        await shop.layout.compose(home("ada", "visit"), deadline_s=5)
        for states in COMBINATIONS:
            turns = {
                name: drilled(state, good[name], wrong[name])
                for name, state in zip(SERVICES, states, strict=True)
            }
            for turn in range(PAGES_EACH):
                # One answer a page: a scripted service that sleeps takes its next answer from the queue.
                for name, script in scripts.items():
                    script.default = next(turns[name])
                try:
                    page = await shop.layout.compose(home("ada", f"visit-{turn}"), deadline_s=DEADLINE_S)
                except LayoutError as error:
                    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED, (states, turn, error)
                    late_count += 1
                    continue
                reasons = {entry.upstream: entry.reason for entry in page.degraded}
                wanted = failed(states, turn)
                assert reasons.keys() >= wanted, (states, turn, reasons)
                more = {name: reason for name, reason in reasons.items() if name not in wanted}
                assert {"deadline exceeded", "not asked: no features"} >= set(more.values()), (states, more)
                late_count += bool(more)
                assert len(page.slots) == 6 and shows_nothing_twice(page), (states, turn)
                assert all(slot.title and slot.tracking_token for slot in page.slots)
                assert all(0 < slot.propensity <= 1 for slot in page.slots), (states, turn)
    assert late_count <= LATE_SHARE * PAGES_EACH * len(COMBINATIONS)


def test_the_drills_are_all_combinations():
    assert len(COMBINATIONS) == 125 and COMBINATIONS[0] == ("well",) * 3
