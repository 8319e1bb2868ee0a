"""Do bad reviews that a shop records bury the item on its pages, whatever dies, until somebody has looked?"""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest

from planogram.client import AsyncLayoutClient, home, person
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from planogram.layout.v1 import layout_pb2
from planogram.policy.v1 import policy_pb2
from services.layout import event_log, replay
from tests.e2e.conftest import ROLES, RunningShop, free_ports, run

pytestmark = pytest.mark.slow

RULE = "bad-reviews"
WITHIN_S = 5.0


@pytest.fixture
def shop(tmp_path):
    """Four processes over a small shop on its first day."""
    run(tmp_path, "make-catalogue", "--items", "300")
    run(tmp_path, "build-features")
    running = RunningShop(tmp_path, dict(zip(ROLES, free_ports(4), strict=True)))
    try:
        for role in ROLES:
            running.start(role)
        yield running
    finally:
        running.stop()


def review(number):
    return layout_pb2.ShopperEvent(
        event_id=f"review-{number}",
        type=events_pb2.EVENT_TYPE_REVIEW,
        shopper=person(f"shopper-{number}", "visit"),
        text="It broke after a week. Terrible.",
        language="en",
    )


async def popular(shop, layout):
    """Item ids of the shelf "popular" as a page ranks it, the rules that changed the page, and its id."""
    end_s = time.monotonic() + 30
    while (page := await layout.compose(home("ada", "visit"), deadline_s=3)).degraded:
        assert time.monotonic() < end_s, page.degraded
        await asyncio.sleep(0.2)
    while (exposure := event_log.find_exposure(shop.state / "var/log/segments", page.page_id)) is None:
        assert time.monotonic() < end_s, "the page was never logged"
        await asyncio.sleep(0.05)
    item_ids = replay.inflate(exposure.ranking_inputs).item_ids
    plan = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
    (shelf,) = [module for module in plan.modules if module.module_id == "popular"]
    return [item_ids[row] for row in shelf.rows], {effect.rule for effect in page.rule_effects}, page.page_id


async def until_buried(shop, layout, item_id, is_buried):
    """Waits until pages rank the item last, or not so any more; the id of such a page."""
    end_s = time.monotonic() + WITHIN_S
    while True:
        ranked, rules, page_id = await popular(shop, layout)
        if (RULE in rules) is is_buried and (ranked[-1] == item_id) is is_buried:
            return page_id
        assert time.monotonic() < end_s, (ranked, rules)
        await asyncio.sleep(0.1)


async def test_reviews_bury_an_item_until_somebody_has_looked(shop):
    async with (
        AsyncLayoutClient(shop.target) as layout,
        grpc.aio.insecure_channel(f"127.0.0.1:{shop.ports['feature']}") as channel,
    ):
        feature = feature_pb2_grpc.FeatureServiceStub(channel)
        ranked, rules, _ = await popular(shop, layout)
        item_id = ranked[0]
        assert RULE not in rules and ranked[-1] != item_id
        reviews = [review(number) for number in range(15)]
        for event in reviews:
            event.item_id = item_id
        await layout.record(reviews[:1])
        await asyncio.sleep(1.5)  # beyond what feature needs to hear of it
        ranked, rules, _ = await popular(shop, layout)
        assert RULE not in rules and ranked[-1] != item_id, "one angry review raises nothing"
        await layout.record(reviews)
        page_id = await until_buried(shop, layout, item_id, True)
        assert (await layout.explain(page_id)).is_replay_exact
        (alarm,) = (await feature.ListReviewAlarms(feature_pb2.ListReviewAlarmsRequest())).alarms
        assert (alarm.item_id, alarm.bad_count, alarm.review_count) == (item_id, 15, 15)
        assert shop.log("feature").count("review_alarm_raised") == 1
        shop.kill("feature")
        shop.start("feature")
        await until_buried(shop, layout, item_id, True)
        looked = feature_pb2.ItemUpdate(item_id=item_id, is_under_review=False)
        request = feature_pb2.UpdateItemsRequest(items=[looked])
        await feature.UpdateItems(request, wait_for_ready=True, timeout=10)
        await until_buried(shop, layout, item_id, False)
        assert (await layout.explain(page_id)).is_replay_exact, "the page of before as well"
