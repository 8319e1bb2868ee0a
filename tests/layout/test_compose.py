"""Is a page what the blueprint, the rules and the services say, and is bad input refused by name?"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from planogram.client import LayoutError, article, cart, category, checkout, home, product, search
from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2, layout_pb2_grpc, token_pb2
from planogram.policy.v1 import policy_pb2
from services.common import callers
from services.common.errors import NotReady
from services.layout import tokens

ROOT = Path(__file__).parents[2]

PAGES = (
    home("ada", "visit"),
    category("ada", "visit", "kitchen"),
    product("ada", "visit", "i3", "kitchen"),
    search("ada", "visit", "red pan"),
    cart("ada", "visit", ["i4", "i5"]),
    article("ada", "visit", "i6", "kitchen"),
)


def shown(page):
    return [item.item_id for slot in page.slots for item in slot.items]


def without_tokens(page):
    """Takes off what holds the second of issue."""
    page.cursor = ""
    for slot in page.slots:
        slot.tracking_token = ""
        for item in slot.items:
            item.tracking_token = ""


@pytest.mark.parametrize("request_", PAGES, ids=lambda r: context_pb2.PageType.Name(r.context.page_type))
async def test_every_page_type_brings_a_full_page_from_its_blueprint(open_shop, request_):
    async with open_shop() as shop:
        page = await shop.layout.compose(request_, deadline_s=2)
    assert len(page.slots) >= 3
    assert not page.degraded
    assert page.versions.scoring == "click-1"
    assert page.versions.policy == "policy-1"
    assert page.versions.snapshot == "snap-1"
    assert all(slot.title and "{" not in slot.title for slot in page.slots)
    assert all(slot.reason and slot.tracking_token for slot in page.slots)
    assert all(item.tracking_token for slot in page.slots for item in slot.items)


async def test_a_checkout_has_few_slots_and_nothing_that_leads_away(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(checkout("ada", "visit", ["i4", "i5"]), deadline_s=2)
        (asked,) = shop.gather.requests
    assert [slot.module_id for slot in page.slots] == ["complements", "buy-again"]
    assert not page.degraded and not {"i4", "i5"} & set(shown(page))
    assert {module.source for module in asked.modules} == {
        feature_pb2.CANDIDATE_SOURCE_BOUGHT_TOGETHER,
        feature_pb2.CANDIDATE_SOURCE_BUY_AGAIN,
        feature_pb2.CANDIDATE_SOURCE_LIST,
    }


async def test_a_checkout_that_nothing_goes_with_leads_back_to_the_cart(open_shop):
    async with open_shop() as shop:
        shop.gather.default = feature_pb2.GatherPageResponse(snapshot_version="snap-1")
        page = await shop.layout.compose(checkout("ada", "visit", ["i4"]), deadline_s=2)
    assert [(slot.module_id, slot.template_id) for slot in page.slots] == [("to-cart", "tile")]
    assert page.slots[0].title == "Change something in your cart"


async def test_no_item_stands_in_two_slots_except_in_the_filler(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
    items = [item.item_id for slot in page.slots if slot.module_id != "popular" for item in slot.items]
    assert len(items) == len(set(items))


async def test_items_are_ranked_by_what_they_are_worth_before_the_plan(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        (plan,) = shop.plan.requests
    modules = {module.module_id: list(module.rows) for module in plan.modules}
    assert modules["popular"] == sorted(modules["popular"], reverse=True)
    assert modules["recently-viewed"] != sorted(modules["recently-viewed"], reverse=True)


async def test_what_lies_in_the_cart_and_what_the_page_shows_is_not_recommended(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(cart("ada", "visit", ["i8", "i9"]), deadline_s=2)
        assert not {"i8", "i9"} & set(shown(page))
        page = await shop.layout.compose(product("ada", "visit", "i3", "kitchen"), deadline_s=2)
        assert "i3" not in shown(page)


async def test_one_brand_never_fills_a_module(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        (plan,) = shop.plan.requests
    for module in plan.modules:
        if module.source not in ("recently_viewed", "buy_again"):
            brands = [row % 10 for row in module.rows]
            assert max(map(brands.count, brands)) <= 4


async def test_titles_are_in_the_language_of_the_locale(open_shop):
    async with open_shop() as shop:
        english = await shop.layout.compose(category("ada", "v", "garden", locale="fr-FR"), deadline_s=2)
        german = await shop.layout.compose(category("ada", "v", "garden", locale="de-AT"), deadline_s=2)
    assert "All in Garden" in [slot.title for slot in english.slots]
    assert "Alles in Garten" in [slot.title for slot in german.slots]


async def test_the_same_request_id_brings_the_same_page(open_shop):
    request = home("ada", "visit")
    request.context.time.GetCurrentTime()
    pages, seeds = [], []
    for name in ("r1", "r1", "r2"):
        async with open_shop() as shop:  # each time another process, which remembers nothing
            pages.append(await shop.layout.compose(request, deadline_s=2, request_id=name))
            seeds += [plan.seed for plan in shop.plan.requests]
    first, again, other = pages
    assert first.page_id == again.page_id != other.page_id
    for page in (first, again):
        without_tokens(page)
    assert first == again
    assert seeds[0] == seeds[1] != seeds[2]


async def test_a_request_that_is_sent_again_gets_the_page_that_it_got_marked_as_a_repeat(open_shop):
    async with open_shop() as shop:
        request = home("ada", "visit")
        shop.gather.queued.append(0.2)
        first, at_once = await asyncio.gather(
            *(shop.layout.compose(request, deadline_s=2, request_id="r1") for _ in range(2))
        )
        later = await shop.layout.compose(request, deadline_s=2, request_id="r1")
        other = await shop.layout.compose(home("bob", "visit"), deadline_s=2, request_id="r1")
        assert len(shop.gather.requests) == 2
    assert sorted([first.is_repeat, at_once.is_repeat]) == [False, True]
    assert later.is_repeat
    for page in (first, at_once, later):
        page.is_repeat = False
    assert first == at_once == later
    assert not other.is_repeat
    assert other.page_id != first.page_id


async def test_a_page_that_failed_is_made_anew(open_shop):
    async with open_shop() as shop:
        shop.gather.queued.append(30.0)
        with pytest.raises(LayoutError):
            await shop.layout.compose(home("ada", "visit"), deadline_s=0.001, request_id="r1")
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2, request_id="r1")
    assert not page.is_repeat
    assert page.slots


async def test_a_page_in_parts_is_the_same_page_with_its_first_screen_ahead(open_shop):
    async with open_shop() as shop:
        request = home("ada", "visit")
        parts = [part async for part in shop.layout.compose_in_parts(request, 3, 2, "r1")]
        whole = await shop.layout.compose(request, deadline_s=2, request_id="r2")
        repeat = [part async for part in shop.layout.compose_in_parts(request, 3, 2, "r1")]
        with pytest.raises(LayoutError, match="first_slot_count: got 41, want 1 to 40"):
            _ = [part async for part in shop.layout.compose_in_parts(request, 41, 2)]
        with pytest.raises(LayoutError, match="shopper: got 'absent'"):
            _ = [part async for part in shop.layout.compose_in_parts(layout_pb2.ComposePageRequest())]
    first, rest = parts
    assert len(first.slots) == 3
    assert not first.cursor
    assert rest.cursor
    assert first.page_id == rest.page_id
    assert [s.slot_id for s in (*first.slots, *rest.slots)] == [s.slot_id for s in whole.slots]
    assert [(s.module_id, len(s.items)) for s in (*first.slots, *rest.slots)] == [
        (s.module_id, len(s.items)) for s in whole.slots
    ]
    (again,) = repeat
    assert again.is_repeat
    assert len(again.slots) == len(whole.slots)


async def test_without_consent_pages_are_greedy_and_know_nothing_of_the_shopper(open_shop):
    async with open_shop() as shop:
        pages = [
            await shop.layout.compose(home(user, user, has_consent=False), deadline_s=2)
            for user in ("ada", "bob")
        ]
        asked, planned = shop.gather.requests, shop.plan.requests
    for request in asked:
        assert request.shopper.user_id == ""
        assert request.shopper.session_id == "-"
    assert {plan.exploration.mode for plan in planned} == {policy_pb2.EXPLORATION_MODE_GREEDY}
    for page in pages:
        without_tokens(page)
        page.page_id = ""
    assert pages[0] == pages[1]


async def test_a_callers_own_module_is_offered(open_shop):
    own = layout_pb2.CallerModule(module_id="mine", title="Mine", item_ids=["i1", "i2", "i3", "i4"])
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit", modules=[own]), deadline_s=2)
        (plan,) = shop.plan.requests
    (mine,) = [module for module in plan.modules if module.module_id == "mine"]
    assert list(mine.rows) == [1, 2, 3, 4]


async def test_a_cursor_continues_below_without_what_was_shown(open_shop):
    async with open_shop() as shop:
        first = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        second = await shop.layout.compose(home("ada", "visit", cursor=first.cursor), deadline_s=2)
    modules = {slot.module_id for slot in first.slots} - {"popular"}
    assert second.slots
    assert not modules & {slot.module_id for slot in second.slots}
    assert not set(shown(first)) & set(shown(second))


async def test_a_cursor_leads_to_the_end_however_long_ids_are(open_shop):
    async with open_shop() as shop:
        good = shop.gather.default

        def with_long_ids(request):
            response = good(request)
            for row, item_id in enumerate(response.item_ids):
                response.item_ids[row] = item_id.ljust(128, "x")
            return response

        shop.gather.default = with_long_ids
        pages = [await shop.layout.compose(home("ada", "visit"), deadline_s=2)]
        while pages[-1].cursor:
            assert len(pages) < 20
            request = home("ada", "visit", cursor=pages[-1].cursor)
            pages.append(await shop.layout.compose(request, deadline_s=2))
    slots = [slot for page in pages for slot in page.slots if slot.module_id != "popular"]
    items = [item.item_id for slot in slots for item in slot.items]
    assert len(items) > 64, "as ids, they would be more than a token may hold"
    assert len(items) == len(set(items))
    assert len({slot.module_id for slot in slots}) == len(slots)


def steady(gather):
    """Makes a module's candidates the same on every part of a page, whatever else is asked for."""

    def answer(request):
        response = gather(request)
        for module in response.modules:
            begin = sum(module.module_id.encode()) % 60
            module.rows[:] = [begin + step for step in range(len(module.rows))]
        return response

    return answer


@pytest.mark.parametrize("first", PAGES, ids=lambda r: context_pb2.PageType.Name(r.context.page_type))
@pytest.mark.parametrize("has_policy", [True, False], ids=["planned", "editorial"])
@pytest.mark.parametrize("slot_count", [0, 1, 2])
async def test_cursors_end_and_no_part_below_the_first_is_static(open_shop, first, has_policy, slot_count):
    request = layout_pb2.ComposePageRequest.FromString(first.SerializeToString())
    own = [f"i{number}" for number in range(100, 120)]
    request.modules.add(module_id="mine", title="Mine", item_ids=own)
    if slot_count:
        request.slot_count = slot_count
    async with open_shop() as shop:
        shop.gather.default = steady(shop.gather.default)
        if not has_policy:
            shop.plan.default = NotReady("gone")
        pages = [await shop.layout.compose(request, deadline_s=2)]
        while pages[-1].cursor:
            assert len(pages) < 60
            request.cursor = pages[-1].cursor
            pages.append(await shop.layout.compose(request, deadline_s=2))
    seen = set()
    for page in pages:
        assert page.slots
        assert set(shown(page)) - seen
        assert not any(slot.module_id.startswith("shop-") for slot in page.slots)
        seen.update(shown(page))
    modules = [slot.module_id for page in pages for slot in page.slots if slot.module_id != "popular"]
    assert len(set(modules)) == len(modules)


async def test_a_part_for_which_nothing_is_left_is_empty_and_the_last(open_shop):
    def sold_out(request):
        response = good(request)
        response.item_facts.stock[:] = [0] * len(response.item_ids)
        return response

    async with open_shop() as shop:
        good = shop.gather.default
        first = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        shop.gather.default = sold_out
        second = await shop.layout.compose(home("ada", "visit", cursor=first.cursor), deadline_s=2)
        begun = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
    assert first.cursor
    assert (list(second.slots), second.cursor, list(second.degraded)) == ([], "", [])
    assert [slot.module_id for slot in begun.slots][:2] == ["shop-kitchen", "shop-garden"]
    assert begun.cursor == ""


async def test_cursors_end_while_feature_is_gone(open_shop):
    async with open_shop() as shop:
        first = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        shop.gather.default = feature_pb2.GatherPageResponse()  # without the modules that were asked for
        request = home("ada", "visit", cursor=first.cursor)
        pages = [await shop.layout.compose(request, deadline_s=2)]
        while pages[-1].cursor:
            assert len(pages) < 20
            request.cursor = pages[-1].cursor
            pages.append(await shop.layout.compose(request, deadline_s=2))
    assert all(page.degraded for page in pages)


def test_the_longest_cursor_is_accepted_and_states_its_limit():
    signer = tokens.Signer(b"a secret of enough bytes")
    digests = [
        tokens.item_digest(f"{slot}-{place}".ljust(128, "x")) for slot in range(64) for place in range(24)
    ]
    cursor = token_pb2.PageCursor(
        issued_unix_s=2**33,
        blueprint="b" * 64,
        module_ids=[f"{number}".ljust(64, "m") for number in range(64)],
        item_digests=b"".join(digests),
    )
    text = signer.sign("cursor", cursor.SerializeToString())
    limit = tokens.MAX_CURSOR_BYTES
    assert len(digests) >= 40 * 24
    opened = signer.open("cursor", text, token_pb2.PageCursor, "cursor", 0, 1, limit)
    assert tokens.shown_digests(opened) == frozenset(digests)
    contract = (ROOT / "protos/planogram/layout/v1/layout.proto").read_text()
    assert f"// cursor continues a page, as it was handed out. 0 to {limit:,} bytes" in contract
    assert f"// cursor continues the page. 0 to {limit:,} bytes" in contract


def test_a_cursor_of_an_earlier_version_is_read():
    cursor = token_pb2.PageCursor(item_ids=["i1"])
    assert tokens.shown_digests(cursor) == {tokens.item_digest("i1")}


async def test_more_slots_than_modules_bring_what_there_is(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit", slot_count=40), deadline_s=2)
        one = await shop.layout.compose(home("ada", "visit", slot_count=1), deadline_s=2)
    assert 6 < len(page.slots) <= 40
    assert len({slot.module_id for slot in page.slots}) == len(page.slots)
    assert len(one.slots) == 1


def with_version(name):
    request = home("ada", "visit")
    request.overrides.policy_version = name
    return request


def too_old():
    request = home("ada", "visit")
    request.context.time.CopyFrom(Timestamp(seconds=1))
    return request


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (layout_pb2.ComposePageRequest(), "shopper"),
        (layout_pb2.ComposePageRequest(shopper=context_pb2.Shopper(session_id="s")), "context"),
        (home("x" * 129, "visit"), "shopper.user_id"),
        (home("ada", ""), "shopper.session_id"),
        (home("a\x00da", "visit"), "shopper.user_id"),
        (home("ada", "visit", slot_count=0), "slot_count"),
        (home("ada", "visit", slot_count=10_000), "slot_count"),
        (home("ada", "visit", slot_count=-1), "slot_count"),
        (category("ada", "visit", ""), "context.category"),
        (product("ada", "visit", ""), "context.item_id"),
        (article("ada", "visit", ""), "context.item_id"),
        (checkout("ada", "visit", []), "context.cart_item_ids"),
        (search("ada", "visit", ""), "context.query"),
        (search("ada", "visit", "x" * 257), "context.query"),
        (cart("ada", "visit", ["i"] * 201), "context.cart_item_ids"),
        (cart("ada", "visit", [""]), "context.cart_item_ids[0]"),
        (home("ada", "visit", locale="not a locale"), "context.locale"),
        (home("ada", "visit", cursor="abc"), "cursor"),
        (home("ada", "visit", cursor="x" * 24_577), "cursor"),
        (home("ada", "visit", blueprint="cart"), "blueprint"),
        (too_old(), "context.time"),
        (with_version("v" * 65), "overrides.policy_version"),
        (home("ada", "visit", modules=[layout_pb2.CallerModule(module_id="A B")]), "modules[0].module_id"),
        (home("ada", "visit", modules=[layout_pb2.CallerModule(module_id="hero")]), "modules[0].module_id"),
        (home("ada", "visit", modules=[layout_pb2.CallerModule(module_id="a")]), "modules[0].item_ids"),
        (home("ada", "visit", modules=[layout_pb2.CallerModule(module_id="a")] * 9), "modules"),
    ],
)
async def test_bad_input_is_refused_by_name(open_shop, request_, named):
    async with open_shop() as shop:
        with pytest.raises(LayoutError) as caught:
            await shop.layout.compose(request_, deadline_s=2)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details.startswith(f"{named}: got ")


@pytest.mark.parametrize("page_type", [0, 99])
async def test_an_unknown_page_type_is_refused_with_the_known_ones(open_shop, page_type):
    request = home("ada", "visit")
    request.context.page_type = page_type
    async with open_shop() as shop:
        with pytest.raises(LayoutError, match=r"context\.page_type.*PAGE_TYPE_HOME"):
            await shop.layout.compose(request, deadline_s=2)


async def test_an_unknown_blueprint_is_not_found_and_the_known_ones_are_named(open_shop):
    async with open_shop() as shop:
        with pytest.raises(LayoutError, match="home") as caught:
            await shop.layout.compose(home("ada", "visit", blueprint="christmas"), deadline_s=2)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


async def test_overrides_need_the_admin_role(open_shop, tmp_path):
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(
        f"- {{name: shop, role: public, sha256: {callers.digest('shop')}}}\n"
        f"- {{name: root, role: admin, sha256: {callers.digest('root')}}}\n"
    )
    request = home("ada", "visit")
    request.overrides.policy_version = "dqn-9"
    async with open_shop(tokens_path=tokens) as shop, contextlib.AsyncExitStack() as stack:
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(shop.target))
        stub = layout_pb2_grpc.LayoutServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ComposePage(request, metadata=(("authorization", "Bearer shop"),))
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        answer = await stub.ComposePage(request, metadata=(("authorization", "Bearer root"),))
    assert answer.page.versions.policy == "dqn-9"
