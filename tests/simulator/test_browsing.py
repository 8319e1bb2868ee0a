"""Shoppers browse through the public contract: what they send is what a real client would."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.layout.v1 import layout_pb2, layout_pb2_grpc
from simulator.browsing import browse
from simulator.connection import Connection, status_of
from simulator.shopper import Population
from simulator.traffic import Traffic
from simulator.visit import Eye
from simulator.world import World

_Type = events_pb2.EventType
END_S = 1_780_272_000.0
TRAFFIC = Traffic(page_views=3_000, seed=3, end_unix_s=END_S)


async def run(shop: Any, hidden: World, population: Population, **changes: Any) -> Any:
    return await browse(shop, hidden, population, replace(TRAFFIC, **changes))


async def test_the_same_seed_sends_the_same_events(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    sent = []
    for _ in range(2):
        shop = make_shop()
        await run(shop, hidden, population, page_views=300, concurrency=1)
        sent.append([event.SerializeToString() for event in shop.events])
    assert sent[0] == sent[1]


async def test_every_page_type_is_visited_with_all_that_it_needs(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop = make_shop()
    report = await run(shop, hidden, population)
    assert report.page_count >= 3_000
    assert report.failed_pages == report.failed_records == {}
    types = Counter(request.context.page_type for request in shop.requests)
    assert set(types) == {1, 2, 3, 4, 5}
    for request in shop.requests:
        context = request.context
        assert END_S - 14 * 86_400 <= context.time.seconds <= END_S
        if context.page_type == context_pb2.PAGE_TYPE_CATEGORY:
            assert context.category in hidden.items.categories
        elif context.page_type == context_pb2.PAGE_TYPE_PRODUCT:
            assert context.item_id in hidden.items.index
        elif context.page_type == context_pb2.PAGE_TYPE_SEARCH:
            assert context.query
        elif context.page_type == context_pb2.PAGE_TYPE_CART:
            assert context.cart_item_ids


async def test_one_report_follows_each_page_view(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop = make_shop()
    report = await run(shop, hidden, population)
    # A page of which every impression was lost has nothing to report; late events come on top.
    assert shop.calls["RecordEvents"] == pytest.approx(report.page_count, rel=0.02)
    assert report.event_count == len(shop.events)


async def test_events_make_sense_together(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop = make_shop()
    report = await run(shop, hidden, population)
    counts = Counter({event.event_id: event.type for event in shop.events}.values())
    assert (
        counts[_Type.EVENT_TYPE_IMPRESSION] > counts[_Type.EVENT_TYPE_CLICK] > counts[_Type.EVENT_TYPE_DWELL]
    )
    assert counts[_Type.EVENT_TYPE_CART_ADD] > 0
    assert counts[_Type.EVENT_TYPE_SEARCH] == sum(
        request.context.page_type == context_pb2.PAGE_TYPE_SEARCH for request in shop.requests
    )
    for event in shop.events:
        assert event.time.seconds <= END_S
        if event.type == _Type.EVENT_TYPE_SEARCH:
            assert event.query
            assert event.shopper.session_id
        else:
            assert event.tracking_token
        if event.type == _Type.EVENT_TYPE_PURCHASE:
            item = hidden.items.index[event.tracking_token.rpartition("/")[2]]
            assert event.price_micros == hidden.items.price_micros[item] > 0
            assert 0 < event.margin_micros <= hidden.items.margin_micros[item]
        if event.type == _Type.EVENT_TYPE_DWELL:
            assert event.dwell_ms > 0
    assert report.tally.rows[:, 2].sum() > 0


async def test_two_percent_of_impressions_are_lost_and_some_events_come_twice(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop = make_shop()
    report = await run(shop, hidden, population)
    sent = sum(event.type == _Type.EVENT_TYPE_IMPRESSION for event in shop.events)
    assert report.lost_impression_count / (sent + report.lost_impression_count) == pytest.approx(
        0.02, abs=0.006
    )
    ids = Counter(event.event_id for event in shop.events)
    twice = [event_id for event_id, count in ids.items() if count == 2]
    assert len(twice) == report.repeated_event_count > 0
    assert max(ids.values()) == 2
    contents = defaultdict(set)
    for event in shop.events:
        contents[event.event_id].add(event.SerializeToString())
    assert all(len(forms) == 1 for forms in contents.values())


async def test_cold_shoppers_come_as_somebody_new_each_time(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop = make_shop()
    await run(shop, hidden, population)
    sessions = defaultdict(set)
    for request in shop.requests:
        sessions[request.shopper.user_id].add(request.shopper.session_id)
    guests = [user_id for user_id in sessions if user_id.startswith("guest-")]
    assert all(len(sessions[guest]) == 1 for guest in guests)
    session_count = sum(map(len, sessions.values()))
    assert len(guests) / session_count == pytest.approx(0.35, abs=0.05)
    refused = sum(request.shopper.consent == context_pb2.CONSENT_REFUSED for request in shop.requests)
    assert 0 < refused < 0.1 * len(shop.requests)


async def test_robots_are_fast_and_click_everything(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop = make_shop()
    robots = replace(population.traits, is_bot=np.ones_like(population.traits.is_bot))
    report = await run(shop, hidden, replace(population, traits=robots), page_views=50)
    assert report.bot_page_count == report.page_count
    assert report.tally.session_count == 0
    counts = Counter(event.type for event in shop.events)
    assert counts[_Type.EVENT_TYPE_CLICK] >= 0.95 * counts[_Type.EVENT_TYPE_IMPRESSION]


async def test_sessions_begin_in_order_of_time(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop = make_shop()
    await run(shop, hidden, population, page_views=500, concurrency=1)
    first_page: dict[str, float] = {}
    for request in shop.requests:
        first_page.setdefault(request.shopper.session_id, request.context.time.seconds)
    times = list(first_page.values())
    assert times == sorted(times)
    assert times[-1] - times[0] > 11 * 86_400


async def test_a_count_of_sessions_brings_the_same_ones_whatever_is_shown(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    """Session n is the same shopper at the same time, however many pages the others took."""
    begun, page_counts = [], []
    for seed in (0, 1):
        shop = make_shop(seed=seed)
        report = await run(shop, hidden, population, page_views=0, session_count=150)
        first: dict[str, tuple[str, int]] = {}
        for request in shop.requests:
            shopper = request.shopper
            first.setdefault(shopper.session_id, (shopper.user_id, request.context.time.seconds))
        begun.append(first)
        assert len(first) == 150
        page_counts.append(report.page_count)
    assert begun[0] == begun[1]
    assert page_counts[0] != page_counts[1]


async def test_expected_margin_is_what_families_leave_of_expected_purchases(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    law = replace(hidden.regime, margin_share=np.full(3, 0.25))
    tally = (await run(make_shop(), replace(hidden, regime=law), population)).tally
    assert tally.of("expected_purchases").sum() > 0
    np.testing.assert_allclose(tally.of("expected_margin"), 0.25 * tally.of("expected_purchases"))


async def test_a_live_run_happens_now(
    hidden: World, population: Population, make_shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(np.arange(END_S, END_S + 10_000, 0.5))
    monkeypatch.setattr("simulator.browsing.time.time", lambda: float(next(clock)))
    shop = make_shop()
    await run(shop, hidden, population, page_views=100, days=0)
    now_s = next(clock)
    for message in (*[request.context for request in shop.requests], *shop.events):
        assert END_S - 1 <= message.time.seconds <= now_s + 60


async def test_what_could_not_be_taken_is_sent_again(
    hidden: World, population: Population, make_shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.browsing._RETRY_S", 0.0)
    plain, shaky = make_shop(), make_shop()
    await run(plain, hidden, population, page_views=40, concurrency=1)

    unreliable = shaky.call

    async def call(method: str, request: Any, timeout_s: float) -> Any:
        if method == "RecordEvents" and shaky.calls["RecordEvents"] % 2 == 0:
            shaky.failures.append(grpc.StatusCode.UNAVAILABLE)
        return await unreliable(method, request, timeout_s)

    shaky.call = call
    report = await run(shaky, hidden, population, page_views=40, concurrency=1)
    assert report.failed_records == {}
    assert shaky.events == plain.events


async def test_pages_that_fail_end_the_session_and_are_counted(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop = make_shop(failures=[grpc.StatusCode.RESOURCE_EXHAUSTED] * 5)
    report = await run(shop, hidden, population, page_views=60, concurrency=1)
    assert report.failed_pages == {"RESOURCE_EXHAUSTED": 5}


async def test_a_refused_report_is_not_sent_again(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop = make_shop()
    compose = shop.call

    async def call(method: str, request: Any, timeout_s: float) -> Any:
        if method == "RecordEvents" and not shop.calls["RecordEvents"]:
            shop.failures.append(grpc.StatusCode.INVALID_ARGUMENT)
        return await compose(method, request, timeout_s)

    shop.call = call
    report = await run(shop, hidden, population, page_views=60, concurrency=1)
    assert report.failed_records == {"INVALID_ARGUMENT": 1}


async def test_what_is_no_failed_call_is_raised(hidden: World, population: Population) -> None:
    class Broken:
        async def call(self, method: str, request: Any, timeout_s: float) -> Any:
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        await run(Broken(), hidden, population, page_views=10)


async def test_a_shop_of_unknown_items_and_shelves_is_browsed_without_clicks(
    hidden: World, population: Population
) -> None:
    class Strange:
        async def call(self, method: str, request: Any, timeout_s: float) -> Any:
            if method == "RecordEvents":
                return layout_pb2.RecordEventsResponse()
            slot = layout_pb2.Slot(
                slot_id="a", module_id="unheard-of", items=[layout_pb2.Item(item_id="nobody's")]
            )
            return layout_pb2.ComposePageResponse(page=layout_pb2.Page(page_id="p", slots=[slot]))

    report = await run(Strange(), hidden, population, page_views=100)
    assert report.page_count >= 100
    assert report.tally.click_rate == 0


async def test_a_shop_behind_an_address_is_browsed_alike(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    shop, near = make_shop(), make_shop()

    class Servicer(layout_pb2_grpc.LayoutServiceServicer):
        async def ComposePage(self, request: Any, context: Any) -> Any:
            return await shop.call("ComposePage", request, 1.0)

        async def RecordEvents(self, request: Any, context: Any) -> Any:
            return await shop.call("RecordEvents", request, 1.0)

    server = grpc.aio.server()
    layout_pb2_grpc.add_LayoutServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    connection = Connection(f"127.0.0.1:{port}", "token")
    try:
        await run(connection, hidden, population, page_views=60, concurrency=1)
    finally:
        await connection.close()
        await server.stop(None)
    await run(near, hidden, population, page_views=60, concurrency=1)
    assert shop.events == near.events


async def test_an_address_where_nobody_listens_is_a_failed_page(
    hidden: World, population: Population
) -> None:
    connection = Connection("127.0.0.1:1")
    try:
        report = await run(connection, hidden, population, page_views=3, timeout_s=0.2)
    finally:
        await connection.close()
    assert sum(report.failed_pages.values()) == report.page_count


def test_a_status_is_read_off_any_failed_call() -> None:
    error = Exception()
    assert status_of(error) is None
    error.code = grpc.StatusCode.ABORTED  # type: ignore[attr-defined]
    assert status_of(error) is grpc.StatusCode.ABORTED


def test_wishes_are_popular_products_of_the_category(hidden: World) -> None:
    eye = Eye(hidden)
    wished = [eye.wish(1, 2, draw) for draw in np.random.default_rng(0).random(3_000)]
    assert set(hidden.items.category[wished]) == {2}
    assert not hidden.items.is_article[wished].any()
    top = Counter(wished).most_common(20)
    assert sum(count for _, count in top) > 0.2 * 3_000  # Zipf's law: few items, many wishes
