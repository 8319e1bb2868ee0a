"""Are reviews stored, passed on and forgotten, and do rules act on the alarms that they raise?"""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from planogram.client import LayoutError, home, item_event, person
from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.files import log as log_file
from planogram.layout.v1 import layout_pb2
from services.common import log
from services.layout import event_log, export
from tests.layout.conftest import ITEM_COUNT, gathered
from tests.layout.test_forgetting import forget
from tests.layout.test_receipts import planned_shop
from tests.layout.test_rules import compose, effects, rows_of, ruled

__all__ = ["ruled"]  # a fixture

REVIEW = events_pb2.EVENT_TYPE_REVIEW
TEXT = "Mrs Featherstonehaugh of number nine:\nit broke."
STRANGER = context_pb2.Shopper(user_id="ada", session_id="v", consent=context_pb2.CONSENT_REFUSED)


def review(event_id="r", shopper=None, **fields):
    given = {"item_id": "i1", "rating": 1.0, "text": TEXT, "language": "en", **fields}
    return layout_pb2.ShopperEvent(
        event_id=event_id, type=REVIEW, shopper=shopper or person("ada", "v"), **given
    )


async def test_a_review_is_stored_and_passed_on_with_its_text(open_shop):
    async with open_shop(profile_wait_ms=2_000) as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        item = page.slots[0].items[0]
        by_token = item_event(item, REVIEW, text=TEXT, language="en")
        answer = await shop.layout.record([review(), by_token])
        assert answer.stored_count == 2
        first, second = event_log.read_events(shop.settings.log_path)
        delivered = [event.text for request in shop.update.requests for event in request.events]
    assert (first.item_id, first.rating, first.text, first.language) == ("i1", 1.0, TEXT, "en")
    assert (second.item_id, second.rating, second.text) == (item.item_id, 0.0, TEXT)
    assert first.shopper_key and delivered == [TEXT, TEXT]


async def test_without_consent_the_stars_count_and_the_text_is_dropped(open_shop):
    async with open_shop(profile_wait_ms=2_000) as shop:
        await shop.layout.record([review(shopper=STRANGER)])
        (stored,) = event_log.read_events(shop.settings.log_path)
        end_s = time.monotonic() + 5
        while not shop.update.requests and time.monotonic() < end_s:
            await asyncio.sleep(0.02)
        delivered = [event for request in shop.update.requests for event in request.events]
    assert (stored.shopper_key, stored.text, stored.language, stored.rating) == ("", "", "", 1.0)
    assert [event.rating for event in delivered] == [1.0]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rating": 0.0, "text": ""}, "events[0]: got"),
        ({"rating": 6.0}, "events[0].rating"),
        ({"rating": float("nan")}, "events[0].rating"),
        ({"text": "Featherstonehaugh" * 200}, "events[0].text"),
        ({"language": ""}, "events[0].language"),
        ({"language": "x" * 36}, "events[0].language"),
        ({"item_id": ""}, "events[0].item_id"),
    ],
)
async def test_a_bad_review_is_refused_by_name_and_what_it_says_is_not_told(open_shop, capsys, fields, named):
    log.configure("info", "json")
    async with open_shop() as shop:
        with pytest.raises(LayoutError) as caught:
            await shop.layout.record([review(**fields)])
        assert list(event_log.read_events(shop.settings.log_path)) == []
    assert caught.value.details.startswith(named)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert any(line.get("code") == "INVALID_ARGUMENT" for line in lines)
    assert "Featherstonehaugh" not in f"{caught.value.details} {lines}"


async def test_a_forgotten_shoppers_reviews_are_gone_to_the_last_byte(open_shop):
    def holding(shop):
        files = [path for path in shop.settings.log_path.parent.rglob("*") if path.is_file()]
        return [path.name for path in files if b"Featherstonehaugh" in path.read_bytes()]

    async with open_shop(profile_wait_ms=2_000) as shop:
        await shop.layout.record([review("r1"), review("r2"), review("r3", person("bo", "v"), text="Fine.")])
        assert holding(shop)
        await forget(shop, "ada")
        assert holding(shop) == []
        assert [event.text for event in event_log.read_events(shop.settings.log_path)] == ["Fine."]
    assert holding(shop) == []


async def test_reviews_are_not_exported(open_shop, tmp_path):
    async with open_shop() as shop:
        click = layout_pb2.ShopperEvent(
            event_id="c", type=events_pb2.EVENT_TYPE_CLICK, item_id="i1", shopper=person("ada", "v")
        )
        await shop.layout.record([review(), click])
        export.export(shop.settings.log_path, tmp_path / "export")
    assert log_file.read_events(tmp_path / "export").column("type").to_pylist() == ["CLICK"]


def flagged(*rows):
    def change(response):
        response.item_facts.is_under_review.extend(row in rows for row in range(ITEM_COUNT))

    return change


async def test_items_under_review_are_buried_excluded_or_hidden(ruled):
    doubtful = (3, 40)
    rules = (
        {"name": "last", "bury": {"what": "under_review"}},
        {"name": "nowhere-new", "exclude": {"what": "under_review", "in_modules": ["new-in"]}},
        {
            "name": "not-for-you",
            "hide": {"what": "under_review", "brands": ["b3"], "in_modules": ["for-you"]},
        },
    )
    async with ruled(*rules, change=flagged(*doubtful)) as shop:
        page = await compose(shop)
    rows = rows_of(shop)
    both = [found for found in rows.values() if set(found) & set(doubtful)]
    assert both and set(effects(page)) >= {"last"}
    assert effects(page)["last"] == ("bury", 2)
    weighed = [
        name for name, found in rows.items() if set(found) & set(doubtful) and name != "recently-viewed"
    ]
    for name in weighed:
        found = rows[name]
        last = found[-len(set(found) & set(doubtful)) :]
        assert set(last) <= set(doubtful), name
    assert not set(rows["new-in"]) & set(doubtful)
    assert 3 not in rows["for-you"]


async def test_an_earlier_feature_service_has_nothing_under_review(ruled):
    async with ruled({"name": "last", "bury": {"what": "under_review"}}) as shop:
        page = await compose(shop)
    assert not page.degraded and effects(page) == {}


async def test_a_page_with_alarms_is_made_again_and_so_is_one_of_before_there_were_any(open_shop, tmp_path):
    rules = [{"name": "last", "bury": {"what": "under_review"}}]
    async with planned_shop(open_shop, tmp_path, rules) as shop:
        before = await shop.layout.compose(home("ada", "visit"), deadline_s=5)

        def answer(request):
            response = gathered(request)
            flagged(*range(0, ITEM_COUNT, 3))(response)
            return response

        shop.gather.default = answer
        during = await shop.layout.compose(home("ada", "visit"), deadline_s=5)
        end_s = time.monotonic() + 5
        while (
            time.monotonic() < end_s
            and event_log.find_exposure(shop.settings.log_path, during.page_id) is None
        ):
            await asyncio.sleep(0.05)
    async with planned_shop(open_shop, tmp_path, []) as shop:  # the rule is gone since
        receipts = [await shop.layout.explain(page.page_id) for page in (before, during)]
    assert [receipt.is_replay_exact for receipt in receipts] == [True, True]
    assert [[rule.rule for rule in receipt.rules] for receipt in receipts] == [[], ["last"]]
