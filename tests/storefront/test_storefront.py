"""Does the reference backend draw what layout answers, report what shoppers do, and stay up without it?"""

from __future__ import annotations

import contextlib

import httpx
import pyarrow as pa
import pytest

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from planogram.files import catalogue
from planogram.layout.v1 import layout_pb2, layout_pb2_grpc
from services.common.callers import Role
from services.common.testing import Script, ScriptedServicer, serve
from storefront.app import create
from storefront.settings import StorefrontSettings

ITEMS = ("pan", "pot", "lamp", "chair")


def page(request):
    items = [layout_pb2.Item(item_id=name, tracking_token=f"token-{name}") for name in ITEMS]
    templates = ("banner", "carousel", "grid", "list", "strip", "wall")
    slots = [
        layout_pb2.Slot(
            slot_id=f"slot-{place}",
            module_id=f"module-{place}",
            template_id=template,
            title=f"Shelf {place} <b>",
            items=items[:1] if template == "banner" else items,
            reason="Because <of> it.",
            tracking_token=f"token-slot-{place}",
            propensity=0.25,
            is_ad=template == "grid",
        )
        for place, template in enumerate(templates)
    ]
    slots.append(
        layout_pb2.Slot(slot_id="static", module_id="shop-kitchen", template_id="tile", title="Shop Kitchen")
    )
    return layout_pb2.ComposePageResponse(page=layout_pb2.Page(page_id="p1", slots=slots))


@pytest.fixture
def catalogue_path(tmp_path):
    path = tmp_path / "items.parquet"
    rows = [
        {
            "item_id": name,
            "title": f"A {name} & more",
            "category": "kitchen",
            "price_micros": 10_000_000,
            "list_price_micros": 20_000_000,
        }
        for name in ITEMS
    ]
    rows = [{**row, "kind": "product"} for row in rows]
    rows.append({**rows[0], "item_id": "guide", "title": "A guide", "kind": "article"})
    source = tmp_path / "source.parquet"
    pa.parquet.write_table(pa.Table.from_pylist(rows), source)
    return catalogue.write(path, catalogue.read(source))


@pytest.fixture
async def shop(catalogue_path):
    compose, record = Script(page), Script(layout_pb2.RecordEventsResponse(stored_count=1))
    profile = Script(
        feature_pb2.GetProfileResponse(
            lines=[
                feature_pb2.ProfileLine(
                    subject="category", text="Likes kitchen: 80% of it.", value=0.8, evidence_count=9
                )
            ]
        )
    )
    roles = dict.fromkeys(("ComposePage", "RecordEvents", "GetProfile"), Role.PUBLIC)
    async with contextlib.AsyncExitStack() as stack:
        layout = await stack.enter_async_context(
            serve(
                ScriptedServicer(ComposePage=compose, RecordEvents=record),
                layout_pb2_grpc.add_LayoutServiceServicer_to_server,
                "planogram.layout.v1.LayoutService",
                roles,
            )
        )
        feature = await stack.enter_async_context(
            serve(
                ScriptedServicer(GetProfile=profile),
                feature_pb2_grpc.add_FeatureServiceServicer_to_server,
                "planogram.feature.v1.FeatureService",
                roles,
            )
        )
        client = await stack.enter_async_context(browser(catalogue_path, layout, feature))
        client.compose, client.record = compose, record
        yield client


@contextlib.asynccontextmanager
async def browser(catalogue_path, layout_target, feature_target):
    app = create(
        StorefrontSettings(
            layout_target=layout_target,
            feature_target=feature_target,
            allowed_hosts={"shop"},
            catalogue_path=catalogue_path,
        )
    )
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
    ):
        yield client


def events(shop):
    return [event for request in shop.record.requests for event in request.events]


@pytest.mark.parametrize("path", ["/", "/c/kitchen", "/p/pan", "/search?q=pan", "/cart"])
async def test_every_page_draws_every_template(shop, path):
    answer = await shop.get(path)
    assert answer.status_code == 200
    for place in range(6):
        assert f"Shelf {place} &lt;b&gt;" in answer.text
        assert f'data-token="token-slot-{place}"' in answer.text
    assert "Because &lt;of&gt; it." in answer.text
    assert "A pan &amp; more" in answer.text
    assert "−50 %" in answer.text
    assert "Shop Kitchen →" in answer.text
    assert answer.text.count('class="ad"') == 1


async def test_a_click_is_reported_with_its_token_before_the_item_opens(shop):
    answer = await shop.get("/go", params={"item": "pan", "token": "token-pan"})
    assert answer.status_code == 303
    (event,) = events(shop)
    assert event.type == events_pb2.EVENT_TYPE_CLICK
    assert event.tracking_token == "token-pan"
    opened = await shop.get(answer.headers["location"])
    assert "You looked at “A pan &amp; more”." in opened.text


async def test_cart_and_purchase_are_reported(shop):
    await shop.get("/")
    await shop.post("/cart/add", data={"item": "pot", "token": "token-pot"})
    await shop.get("/cart")
    assert list(shop.compose.requests[-1].context.cart_item_ids) == ["pot"]
    await shop.post("/cart/buy")
    added, bought = events(shop)
    assert added.type == events_pb2.EVENT_TYPE_CART_ADD
    assert bought.type == events_pb2.EVENT_TYPE_PURCHASE
    assert bought.price_micros == 10_000_000
    assert bought.tracking_token == "token-pot"


async def test_the_checkout_shows_the_cart_and_is_no_page_without_one(shop):
    assert (await shop.get("/checkout")).headers["location"] == "/cart"
    await shop.post("/cart/add", data={"item": "pot", "token": "token-pot"})
    assert 'action="/checkout"' in (await shop.get("/cart")).text
    text = (await shop.get("/checkout")).text
    assert 'action="/cart/buy"' in text and "A pot &amp; more" in text
    asked = shop.compose.requests[-1].context
    assert asked.page_type == context_pb2.PAGE_TYPE_CHECKOUT and list(asked.cart_item_ids) == ["pot"]


def answers(request):
    open_answer = layout_pb2.Answer(
        answer_id="refund",
        text="First <b>.\n\nSecond.",
        action_label="Write & ask",
        action_link="mailto:help@shop.example",
        relevance=0.5,
    )
    items = [layout_pb2.Item(item_id="pot", tracking_token="token-pot")]
    slots = [
        layout_pb2.Slot(
            slot_id=f"slot-{place}",
            module_id=f"answer-{place}",
            template_id=template,
            title=f"Question {place}?",
            answer=open_answer,
            items=items if template == "answer" else [],
            tracking_token=f"token-slot-{place}",
        )
        for place, template in enumerate(("answer", "folded"))
    ]
    slots.append(layout_pb2.Slot(slot_id="ask", module_id="contact-us", template_id="tile", title="Ask us"))
    return layout_pb2.ComposePageResponse(page=layout_pb2.Page(page_id="p1", slots=slots))


async def test_the_help_page_shows_answers_and_asks_whether_they_helped(shop):
    shop.compose.default = answers
    text = (await shop.get("/help", params={"q": "  my   refund"})).text
    asked = shop.compose.requests[-1].context
    assert (asked.page_type, asked.query) == (context_pb2.PAGE_TYPE_HELP, "my refund")
    assert 'value="my refund"' in text and "How can we help?" in text
    assert text.count("<p>First &lt;b&gt;.</p><p>Second.</p>") == 2
    assert 'href="mailto:help@shop.example" ping="/help/verdict?token=token-slot-0"' in text
    assert "<summary>Question 1?</summary>" in text
    assert "A pot &amp; more" in text and 'href="/help?q=contact"' in text
    assert text.count("Was this helpful?") == 2 and 'action="/help/verdict?q=my+refund"' in text


async def test_a_verdict_on_an_answer_is_an_event_of_its_slot(shop):
    shop.compose.default = answers
    await shop.get("/help")
    assert shop.compose.requests[-1].context.query == ""
    answer = await shop.post(
        "/help/verdict", params={"q": "refund"}, data={"token": "token-slot-0", "verdict": "yes"}
    )
    assert answer.headers["location"] == "/help?q=refund"
    assert "Good to know." in (await shop.get("/help")).text
    await shop.post("/help/verdict", data={"token": "token-slot-1", "verdict": "no"})
    await shop.post("/help/verdict", params={"token": "token-slot-0"}, content="PING")
    events = [request.events[0] for request in shop.record.requests[-3:]]
    assert [(event.type, event.tracking_token) for event in events] == [
        (events_pb2.EVENT_TYPE_HELPFUL, "token-slot-0"),
        (events_pb2.EVENT_TYPE_DISMISSAL, "token-slot-1"),
        (events_pb2.EVENT_TYPE_HELPFUL, "token-slot-0"),
    ]
    assert not any(event.HasField("shopper") or event.item_id for event in events)


async def test_an_article_asks_for_a_page_of_its_own(shop):
    await shop.get("/p/guide")
    asked = shop.compose.requests[-1].context
    assert (asked.page_type, asked.item_id) == (context_pb2.PAGE_TYPE_ARTICLE, "guide")


async def test_an_item_can_be_taken_out_of_the_cart_again(shop):
    await shop.get("/")
    for item in ("pot", "pan"):
        await shop.post("/cart/add", data={"item": item, "token": f"token-{item}"})
    assert "€20.00" in (await shop.get("/cart")).text
    assert (await shop.post("/cart/remove", data={"item": "pot"})).headers["location"] == "/cart"
    cart = (await shop.get("/cart")).text
    assert "“A pot &amp; more” is out of your cart." in cart
    assert "Total" in cart and "€10.00" in cart
    assert list(shop.compose.requests[-1].context.cart_item_ids) == ["pan"]
    await shop.post("/cart/remove", data={"item": "no such item"})
    assert "€10.00" in (await shop.get("/cart")).text


async def test_the_search_field_tells_how_much_there_is(shop):
    assert "Search 5 things" in (await shop.get("/")).text


async def test_slots_in_view_are_reported_once_for_each_token(shop):
    answer = await shop.post("/seen", json={"tokens": ["a", "b"]})
    assert answer.status_code == 204
    assert [(event.type, event.tracking_token) for event in events(shop)] == [
        (events_pb2.EVENT_TYPE_IMPRESSION, "a"),
        (events_pb2.EVENT_TYPE_IMPRESSION, "b"),
    ]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"tokens": "a"}', '{"tokens": [1]}'])
async def test_a_bad_report_is_refused(shop, body):
    assert (await shop.post("/seen", content=body)).status_code == 400


async def test_another_persona_begins_another_visit(shop):
    await shop.get("/")
    await shop.post("/persona", data={"persona": "shopper-00042"})
    await shop.get("/")
    await shop.post("/persona", data={"persona": "stranger"})
    await shop.get("/")
    first, second, third = [request.shopper for request in shop.compose.requests]
    assert second.user_id == "shopper-00042"
    assert len({first.session_id, second.session_id, third.session_id}) == 3
    assert [shopper.consent for shopper in (first, second, third)] == [1, 1, 2]


@pytest.mark.parametrize("path", ["/c/nowhere", "/p/nothing", "/go?item=nothing&token=x", "/nonsense"])
async def test_what_is_not_there_is_not_found(shop, path):
    answer = await shop.get(path)
    assert answer.status_code == 404
    assert "We do not have that." in answer.text


async def test_without_layout_the_shop_says_so_and_stays_up(catalogue_path):
    async with browser(catalogue_path, "127.0.0.1:1", "127.0.0.1:1") as client:
        answer = await client.get("/p/pan")
        assert answer.status_code == 200
        assert "The shop is being restocked." in answer.text
        assert 'class="problem"' not in answer.text
        assert 'href="/p/pan"' in answer.text  # to look again
        assert "why?" not in answer.text  # nobody decided anything
        assert "A pan &amp; more" in answer.text
        front = (await client.get("/")).text
        assert "price cuts" in front
        assert "A lamp &amp; more" in front
        assert (await client.get("/go", params={"item": "pan", "token": "t"})).status_code == 303


async def test_white_space_in_a_query_is_made_even(shop):
    await shop.get("/search", params={"q": " red\n\t pan "})
    assert shop.compose.requests[-1].context.query == "red pan"


async def test_a_search_without_hits_says_so(shop):
    def found(request):
        answer = page(request)
        answer.page.slots[1].module_id = "results"
        return answer

    assert "Nothing found for “zzz”" in (await shop.get("/search", params={"q": "zzz"})).text
    shop.compose.default = found
    assert "Nothing found" not in (await shop.get("/search", params={"q": "pan"})).text
