"""Is there a valid page within the deadline, whatever the other services do?"""

from __future__ import annotations

import asyncio
import os
import time

import grpc
import numpy as np
import pytest

from planogram.client import LayoutError, cart, category, default_page, home, product, search
from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2
from planogram.policy.v1 import policy_pb2
from planogram.scoring.v1 import scoring_pb2
from services.common.errors import Incompatible, NotReady
from services.common.tensors import to_tensor

GONE = NotReady("gone")
SLOW = 30.0


def broken_scores(values):
    return scoring_pb2.ScoreItemsResponse(
        click_probability=to_tensor(values), purchase_probability=to_tensor(values), model_version="bad"
    )


def fallbacks(page):
    return {
        entry.upstream: layout_pb2.Fallback.Name(entry.fallback).removeprefix("FALLBACK_")
        for entry in page.degraded
    }


def items(page):
    return [item.item_id for slot in page.slots for item in slot.items]


@pytest.mark.parametrize("failure", [GONE, SLOW], ids=["gone", "slow"])
async def test_without_feature_the_candidates_of_an_earlier_page_serve(open_shop, failure):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        shop.gather.default = failure
        begun = time.monotonic()
        page = await shop.layout.compose(home("bob", "visit"), deadline_s=0.5)
        assert time.monotonic() - begun < 0.5
        kept_for_ada = [
            slot for slot in page.slots if slot.module_id in ("for-you", "recently-viewed", "buy-again")
        ]
    assert fallbacks(page)["feature"] == "CACHED_CANDIDATES"
    assert items(page)
    assert not kept_for_ada


async def test_cached_candidates_survive_a_restart(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=20)
        assert not page.degraded
    async with open_shop() as shop:
        shop.gather.default = GONE
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
    assert items(page)


def without_facts(response):
    return feature_pb2.GatherPageResponse(item_ids=response.item_ids[:1]).SerializeToString()


def with_a_row_beyond(response):
    response.modules[0].rows.append(10_000)
    return response.SerializeToString()


@pytest.mark.parametrize(
    "damage", [without_facts, with_a_row_beyond, lambda response: b"", lambda response: b"\xff"]
)
async def test_damaged_candidates_of_an_earlier_process_are_passed_over(open_shop, damage):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=20)
    (path,) = shop.settings.last_good_path.glob("*.binpb")
    path.write_bytes(damage(feature_pb2.GatherPageResponse.FromString(path.read_bytes())))
    async with open_shop() as shop:
        shop.gather.default = GONE
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
    assert page.slots and fallbacks(page) == {"feature": "STATIC_PAGE"}


async def test_without_any_earlier_page_a_static_page_serves(open_shop):
    async with open_shop() as shop:
        shop.gather.default = GONE
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
    assert fallbacks(page) == {"feature": "STATIC_PAGE"}
    assert [slot.title for slot in page.slots][:2] == ["Shop Kitchen", "Shop Garden"]


@pytest.mark.parametrize(
    "failure",
    [
        GONE,
        SLOW,
        broken_scores(np.full(120, np.nan, np.float32)),
        broken_scores(np.full(120, 1.5, np.float32)),
        broken_scores(np.zeros(119, np.float32)),
        broken_scores(np.zeros(120, np.int64)),
        scoring_pb2.ScoreItemsResponse(),
    ],
    ids=["gone", "slow", "nan", "above-one", "wrong-length", "wrong-dtype", "empty"],
)
async def test_without_usable_scores_items_stand_by_popularity(open_shop, failure):
    async with open_shop() as shop:
        shop.score.default = failure
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=1.5)
        (plan,) = shop.plan.requests
    assert fallbacks(page) == {"scoring": "POPULAR_ORDER"}
    assert page.versions.scoring == ""
    assert len(page.slots) == 6
    popular = next(module for module in plan.modules if module.module_id == "popular")
    assert list(popular.rows) == sorted(popular.rows, reverse=True)


@pytest.mark.parametrize(
    "failure",
    [GONE, SLOW, policy_pb2.PlanPageResponse()],
    ids=["gone", "slow", "empty"],
)
async def test_without_a_plan_modules_stand_in_the_shops_order(open_shop, failure):
    async with open_shop() as shop:
        shop.plan.default = failure
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=0.5)
    assert fallbacks(page) == {"policy": "EDITORIAL_ORDER"}
    assert [slot.module_id for slot in page.slots][:2] == ["hero", "for-you"]
    assert all(slot.propensity == 1 for slot in page.slots)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda slot: slot.rows.append(slot.rows[0]),
        lambda slot: slot.rows.append(119_000),
        lambda slot: setattr(slot, "propensity", 0.0),
        lambda slot: setattr(slot, "propensity", float("nan")),
        lambda slot: setattr(slot, "module_id", "no-such-module"),
        lambda slot: setattr(slot, "template_id", "no-such-template"),
        lambda slot: setattr(slot, "slot_id", "elsewhere"),
    ],
    ids=["row-twice", "row-unknown", "p-zero", "p-nan", "module", "template", "slot"],
)
async def test_a_plan_that_cannot_be_is_not_shown(open_shop, spoil):
    async with open_shop() as shop:
        good = shop.plan.default

        def spoilt(request):
            response = good(request)
            spoil(response.slots[1])
            return response

        shop.plan.default = spoilt
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
    assert fallbacks(page) == {"policy": "EDITORIAL_ORDER"}
    assert len(page.slots) == 6


@pytest.mark.parametrize(
    "spoil",
    [
        lambda response: response.item_facts.stock.append(1),
        lambda response: response.modules[0].rows.append(120),
        lambda response: response.modules[0].rows.append(-1),
        lambda response: response.item_ids.__setitem__(0, response.item_ids[1]),
        lambda response: response.modules.pop(),
    ],
    ids=["facts-length", "row-beyond", "row-negative", "item-twice", "module-missing"],
)
async def test_candidates_that_cannot_be_are_not_used(open_shop, spoil):
    async with open_shop() as shop:
        good = shop.gather.default

        def spoilt(request):
            response = good(request)
            spoil(response)
            return response

        shop.gather.default = spoilt
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
    assert fallbacks(page)["feature"] == "STATIC_PAGE"


async def test_with_everything_gone_there_is_still_a_page(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        shop.gather.default = shop.score.default = shop.plan.default = GONE
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
    assert fallbacks(page) == {
        "feature": "CACHED_CANDIDATES",
        "scoring": "POPULAR_ORDER",
        "policy": "EDITORIAL_ORDER",
    }
    assert items(page)


@pytest.mark.parametrize("deadline_s", [0.025, 0.03, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("failure", [GONE, SLOW], ids=["gone", "slow"])
@pytest.mark.parametrize("has_earlier_page", [True, False], ids=["kept", "nothing-kept"])
async def test_whatever_fails_the_page_comes_within_its_deadline(
    open_shop, deadline_s, failure, has_earlier_page
):
    async with open_shop() as shop:
        if has_earlier_page:
            await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        else:
            await shop.layout.record([event_of_nobody()])  # connected, and nothing to fall back on
        shop.gather.default = shop.score.default = shop.plan.default = failure
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=deadline_s)
    if has_earlier_page:
        assert set(fallbacks(page)) == {"feature", "scoring", "policy"}
        assert items(page)
    else:
        assert fallbacks(page) == {"feature": "STATIC_PAGE"}
    assert page.slots
    assert all(slot.title and slot.tracking_token and slot.propensity == 1 for slot in page.slots)


def event_of_nobody():
    shopper = context_pb2.Shopper(session_id="visit")
    return layout_pb2.ShopperEvent(
        event_id="e", type=events_pb2.EVENT_TYPE_SEARCH, query="lamp", shopper=shopper
    )


async def test_a_deadline_that_no_page_can_keep_is_an_error_that_says_so(open_shop):
    async with open_shop() as shop:
        with pytest.raises(LayoutError) as caught:
            await shop.layout.compose(home("ada", "visit"), deadline_s=0.003)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_default_page_stands_in_at_the_client(open_shop):
    mine = default_page("Ours", ["i1"])
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=0.001, default=mine)
        assert page == mine
        with pytest.raises(LayoutError):
            await shop.layout.compose(home("ada", ""), deadline_s=1, default=mine)


async def test_an_encoding_that_feature_does_not_serve_costs_the_scores_alone(open_shop):
    async with open_shop() as shop:
        good = shop.gather.default

        def picky(request):
            if request.schema_fingerprints:
                raise Incompatible("fingerprint is not served")
            return good(request)

        shop.gather.default = picky
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
    assert fallbacks(page) == {"scoring": "POPULAR_ORDER"}
    assert page.degraded[0].reason == "failed precondition"
    assert page.versions.policy == "policy-1"


async def test_scoring_that_was_not_asked_is_not_blamed(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        asked = len(shop.score.requests)
        shop.gather.default = GONE
        gone = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        short = await shop.layout.compose(home("ada", "visit"), deadline_s=0.019)
        assert len(shop.score.requests) == asked
    for page, why in ((gone, "unavailable"), (short, "deadline exceeded")):
        reasons = {entry.upstream: entry.reason for entry in page.degraded}
        assert reasons["feature"] == why
        assert reasons["scoring"] == "not asked: no features"
        assert fallbacks(page)["scoring"] == "POPULAR_ORDER"


async def test_cached_candidates_carry_nothing_of_the_shopper(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        folder = shop.settings.last_good_path
    kept = feature_pb2.GatherPageResponse.FromString((folder / "home.binpb").read_bytes())
    assert not kept.HasField("session")
    assert not kept.feature_sets
    rows = {module.module_id: len(module.rows) for module in kept.modules}
    assert rows["for-you"] == rows["recently-viewed"] == rows["buy-again"] == 0
    assert rows["popular"] > 0


SUBJECTS = [
    pytest.param(
        product("ada", "visit", "i3", "kitchen"),
        product("ada", "visit", "i4", "garden"),
        {"similar", "bought-together", "category-deals", "category-guides"},
        id="product",
    ),
    pytest.param(
        category("ada", "visit", "kitchen"),
        category("ada", "visit", "garden"),
        {"category-results", "category-deals", "category-new", "category-guides"},
        id="category",
    ),
    pytest.param(
        search("ada", "visit", "lamp"), search("ada", "visit", "red shoes"), {"results"}, id="search"
    ),
    pytest.param(cart("ada", "visit", ["i8"]), cart("ada", "visit", ["i9"]), {"complements"}, id="cart"),
]


@pytest.mark.parametrize(("request_", "other", "about_subject"), SUBJECTS)
async def test_what_was_found_for_one_subject_never_stands_under_anothers_title(
    open_shop, request_, other, about_subject
):
    async with open_shop() as shop:
        await shop.layout.compose(request_, deadline_s=2)
        shop.gather.default = GONE
        await shop.layout.compose(request_, deadline_s=2)
        page = await shop.layout.compose(other, deadline_s=2)
        rows = [
            {module.module_id: list(module.rows) for module in plan.modules} for plan in shop.plan.requests
        ]
    assert all(rows[1][module_id] for module_id in about_subject), "the same subject has its own again"
    assert not any(rows[2][module_id] for module_id in about_subject)
    assert not about_subject & {slot.module_id for slot in page.slots}
    assert rows[2]["popular"]
    assert items(page)


async def test_a_slow_disk_holds_up_no_page(open_shop, tmp_path):
    folder = tmp_path / "last-good"
    folder.mkdir()
    pipe = folder / f".home.{os.getpid()}"
    os.mkfifo(pipe)  # what is saved goes here first, and nobody reads it yet
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        again = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        saved = await asyncio.to_thread(pipe.read_bytes)
    assert not page.degraded and not again.degraded
    assert feature_pb2.GatherPageResponse.FromString(saved).item_ids


async def test_after_a_restart_no_subject_is_taken_for_another(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(search("ada", "visit", "lamp"), deadline_s=2)
    async with open_shop() as shop:
        shop.gather.default = GONE
        page = await shop.layout.compose(search("ada", "visit", "red shoes"), deadline_s=2)
    assert items(page)
    assert "results" not in {slot.module_id for slot in page.slots}


async def test_a_query_within_a_category_is_a_subject_of_its_own(open_shop):
    lamp, shoes = search("ada", "visit", "lamp"), search("ada", "visit", "red shoes")
    lamp.context.category = shoes.context.category = "kitchen"
    async with open_shop() as shop:
        await shop.layout.compose(lamp, deadline_s=2)
        shop.gather.default = GONE
        page = await shop.layout.compose(shoes, deadline_s=2)
    assert "results" not in {slot.module_id for slot in page.slots}


async def test_a_callers_list_is_the_requests_own_while_feature_is_gone(open_shop):
    def with_list(*item_ids):
        return home(
            "ada",
            "visit",
            modules=[layout_pb2.CallerModule(module_id="mine", title="Mine", item_ids=item_ids)],
        )

    async with open_shop() as shop:
        await shop.layout.compose(with_list("i1", "i2", "i3", "i4"), deadline_s=2)
        shop.gather.default = GONE
        await shop.layout.compose(with_list("i9", "i7", "elsewhere", "i6", "i5"), deadline_s=2)
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        plans = shop.plan.requests
    (mine,) = [module for module in plans[1].modules if module.module_id == "mine"]
    assert list(mine.rows) == [9, 7, 6, 5]
    assert "mine" not in {module.module_id for module in plans[2].modules}
