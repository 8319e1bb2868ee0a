"""Does the storefront stand what browsers, people and other sites may send it?"""

from __future__ import annotations

import contextlib

import httpx
import pyarrow as pa
import pytest

from planogram.files import catalogue
from planogram.layout.v1 import layout_pb2
from services.common.errors import InvalidRequest, NotReady, Overloaded
from storefront import guard
from storefront.__main__ import main
from storefront.app import MAX_CART_ITEMS, create
from storefront.settings import StorefrontSettings

IMAGE = "<img src=x onerror=alert(1)>"
QUOTED = '"><script>alert(1)</script>'


@pytest.fixture
async def shop(storefront):
    async with opened(storefront) as client:
        yield client


@contextlib.asynccontextmanager
async def opened(app):
    """A client of a storefront that runs."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        yield client


def settings_of(services, path):
    return StorefrontSettings(
        layout_target=services.layout_target,
        feature_target=services.feature_target,
        allowed_hosts={"shop"},
        catalogue_path=path,
    )


def multipart(value, charset):
    body = b'--b\r\nContent-Disposition: form-data; name="persona"\r\n\r\n' + value + b"\r\n--b--\r\n"
    return {
        "content": body,
        "headers": {"content-type": f"multipart/form-data; boundary=b; charset={charset}"},
    }


@pytest.mark.parametrize("path", ["/search", "/help"])
@pytest.mark.parametrize("query", ["\U0001f600" * 80, "pan\0", "\x1b[31mpan", "pan\x7f\n", "a" * 10_000])
async def test_every_query_is_one_that_layout_takes(shop, services, path, query):
    assert (await shop.get(path, params={"q": query})).status_code == 200
    asked = services.compose.requests[-1].context.query
    assert 1 <= len(asked.encode()) <= 256 and len(asked) <= 80 and asked.isprintable()


@pytest.mark.parametrize("persona", ["é" * 128, "zoe\0", "\x1bzoe", IMAGE])
async def test_every_persona_is_one_that_layout_takes(shop, services, persona):
    await shop.post("/persona", data={"persona": persona})
    assert (await shop.get("/")).status_code == 200
    user_id = services.compose.requests[-1].shopper.user_id
    assert 1 <= len(user_id.encode()) <= 128 and user_id.isprintable()


async def test_half_a_letter_is_left_out(shop, services):
    assert (await shop.post("/persona", **multipart(b"zoe+2AA-", "utf-7"))).status_code == 303
    assert (await shop.get("/")).status_code == 200
    assert services.compose.requests[-1].shopper.user_id == "zoe"


async def test_a_form_that_cannot_be_read_is_refused(shop):
    assert (await shop.post("/persona", **multipart(b"zoe", "undefined"))).status_code == 400


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"tokens": ["\\ud800"]}', b'{"tokens": ["\xc3\xa9"]}', b"\xff"]
)
async def test_a_report_that_holds_no_tokens_is_refused(shop, services, body):
    assert (await shop.post("/seen", content=body)).status_code == 400
    assert not services.record.requests


@pytest.mark.parametrize("token", ["é", "x" * 8_193])
async def test_what_is_no_token_is_not_kept(shop, services, token):
    await shop.post("/cart/add", data={"item": "pan", "token": token})
    (request,) = services.record.requests
    assert request.events[0].tracking_token == "" and request.events[0].item_id == "pan"


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize(("path", "kind"), [("/seen", "json"), ("/review", "x-www-form-urlencoded")])
async def test_a_body_beyond_the_limit_is_refused(shop, services, path, kind, is_told):
    async def pieces():
        yield b"text=a&"
        for _ in range(guard.MAX_BODY_BYTES // 65_536):
            yield b"a=" + b"x" * 65_533 + b"&"

    content = b"".join([piece async for piece in pieces()]) if is_told else pieces()
    answer = await shop.post(path, content=content, headers={"content-type": f"application/{kind}"})
    assert answer.status_code == 413
    assert not services.record.requests


FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://shop"},
    {"origin": "https://elsewhere"},
    {"origin": "null"},
    {"origin": "http://["},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    "path", ["/reviews/looked", "/cart/add", "/cart/buy", "/persona", "/review", "/seen"]
)
async def test_another_site_changes_nothing(shop, services, path, headers):
    form = {"item": "pan", "persona": "zoe", "text": "bad", "stars": "1"}
    assert (await shop.post(path, data=form, headers=headers)).status_code == 403
    assert not services.items.requests and not services.record.requests
    assert "visit" not in shop.cookies


@pytest.mark.parametrize("headers", [{}, {"origin": "http://shop"}, {"sec-fetch-site": "same-origin"}])
async def test_its_own_pages_do(shop, services, headers):
    assert (await shop.post("/reviews/looked", data={"item": "pan"}, headers=headers)).status_code == 303
    assert services.items.requests[0].items[0].item_id == "pan"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-origin", "sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
    ],
)
async def test_what_no_shopper_followed_is_shown_and_not_recorded(shop, services, headers):
    clicked = await shop.get("/go", params={"item": "pan", "token": "t"}, headers=headers)
    assert (clicked.status_code, clicked.headers["location"]) == (303, "/p/pan?token=t")
    assert (await shop.get("/search", params={"q": "pan"}, headers=headers)).status_code == 200
    assert not services.record.requests


async def test_a_click_takes_a_token_and_a_link_works_without(shop, services):
    for token in ("", "é"):
        answer = await shop.get("/go", params={"item": "pan", "token": token})
        assert (answer.status_code, answer.headers["location"]) == (303, "/p/pan?token=")
    assert (await shop.head("/go", params={"item": "pan", "token": "t"})).status_code == 303
    assert not services.record.requests
    services.record.default = InvalidRequest("events[0].tracking_token", "t", "a token as it was handed out")
    assert (await shop.get("/go", params={"item": "pan", "token": "t"})).status_code == 303
    assert "You looked at" not in (await shop.get("/p/pan")).text


@pytest.mark.parametrize(
    "host",
    [
        *("elsewhere.example", "elsewhere.example:7080", "shop.elsewhere", "localhost.elsewhere"),
        *(
            "",
            "shop@elsewhere",
            "elsewhere/shop",
            "elsewhere#shop",
            "[shop]",
            "127.0.0.1.elsewhere",
            "shop:x",
        ),
    ],
)
async def test_no_name_of_another_site_reads_or_drives_the_shop(shop, services, host):
    for method, path in (("GET", "/"), ("GET", "/edit"), ("POST", "/cart/add"), ("GET", "/static/seen.js")):
        headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
        answer = await shop.request(method, path, headers=headers)
        assert answer.status_code == 421 and "PLANOGRAM_STOREFRONT_ALLOWED_HOSTS" in answer.text
    assert not services.compose.requests and not services.record.requests


@pytest.mark.parametrize(
    "host",
    [
        *("shop", "SHOP:7080", "shop.", "localhost:7080", "127.0.0.1", "127.0.0.1:7080"),
        *("[::1]:7080", "10.0.0.7:80"),
    ],
)
async def test_the_shop_answers_to_its_own_names_and_to_addresses(shop, host):
    assert (await shop.get("/cart", headers={"host": host})).status_code == 200


def test_names_are_given_with_commas_between_and_nothing_else_is_taken_for_one(monkeypatch, capsys):
    monkeypatch.setenv("PLANOGRAM_STOREFRONT_ALLOWED_HOSTS", "Shop.Example, shop")
    assert StorefrontSettings(host="0.0.0.0").names == {"shop.example", "shop", "localhost", "0.0.0.0"}
    monkeypatch.setenv("PLANOGRAM_STOREFRONT_ALLOWED_HOSTS", "http://shop.example")
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2 and len(said.splitlines()) == 1
    assert "PLANOGRAM_STOREFRONT_ALLOWED_HOSTS" in said and "'http://shop.example'" in said


@pytest.mark.parametrize("at", ["/\t/elsewhere", "/\n/elsewhere", "/\t/[", "//elsewhere", "/\\elsewhere"])
@pytest.mark.parametrize("path", ["/devices", "/compare", "/edit"])
async def test_no_address_leads_the_cockpit_to_another_site(shop, path, at):
    answer = await shop.get(path, params={"at": at})
    assert answer.status_code in (200, 303)
    assert "elsewhere" not in answer.text and "elsewhere" not in answer.headers.get("location", "")


async def test_what_shoppers_write_is_text_wherever_it_is_shown(shop, services):
    for given in (IMAGE, QUOTED):
        await shop.post("/persona", data={"persona": given})
        pages = [await shop.get(path, params={"q": given, "at": given, "left": given}) for path in
                 ("/", "/search", "/help", "/cart", "/devices", "/compare", "/edit", "/reviews")]  # fmt: skip
        for page in pages:
            assert page.status_code in (200, 303) and given not in page.text, page.url
    posted = await shop.post("/edit", data={"rules.yaml": f"rules: [] # {IMAGE}"})
    assert posted.status_code == 200 and IMAGE not in posted.text


async def test_what_the_catalogue_and_layout_say_is_text(services, tmp_path):
    row = {"item_id": QUOTED, "title": IMAGE, "description": QUOTED, "category": "pans", "brand": IMAGE}
    source = tmp_path / "items.parquet"
    pa.parquet.write_table(pa.Table.from_pylist([row]), source)
    path = catalogue.write(tmp_path / "read.parquet", catalogue.read(source))
    shown = layout_pb2.Item(item_id=QUOTED, tracking_token="t")
    services.compose.default = layout_pb2.ComposePageResponse(
        page=layout_pb2.Page(
            page_id=QUOTED,
            slots=[
                layout_pb2.Slot(
                    slot_id=f"s{place}",
                    module_id=IMAGE,
                    template_id=template,
                    title=QUOTED,
                    reason=IMAGE,
                    items=[shown],
                    tracking_token=QUOTED,
                )
                for place, template in enumerate(("banner", "list", "grid", QUOTED))
            ],
            rule_conflicts=[layout_pb2.RuleConflict(rules=[IMAGE], problem=QUOTED)],
        )
    )
    async with opened(create(settings_of(services, path))) as shop:
        for at in ("/", f"/p/{QUOTED}", "/compare"):
            text = (await shop.get(at)).text
            assert "&lt;" in text and IMAGE not in text and QUOTED not in text, at


async def test_a_full_cart_takes_nothing_more_and_pages_go_on(services, tmp_path):
    rows = [
        {"item_id": f"i{place}", "title": "A thing", "category": "c"} for place in range(MAX_CART_ITEMS + 1)
    ]
    source = tmp_path / "items.parquet"
    pa.parquet.write_table(pa.Table.from_pylist(rows), source)
    path = catalogue.write(tmp_path / "read.parquet", catalogue.read(source))
    async with opened(create(settings_of(services, path))) as shop:
        for row in rows:
            await shop.post("/cart/add", data={"item": row["item_id"]})
        assert "Your cart is full" in (await shop.get("/cart")).text
        assert len(services.compose.requests[-1].context.cart_item_ids) == MAX_CART_ITEMS


@pytest.mark.parametrize(
    ("error", "is_told"),
    [(Overloaded("too many"), False), (NotReady("loading"), False), (InvalidRequest("x", "y", "z"), True)],
)
async def test_a_page_that_layout_does_not_make_has_a_shelf_all_the_same(shop, services, error, is_told):
    services.compose.default = error
    text = (await shop.get("/")).text
    assert text.count('<section class="slot') == 1 and text.count('class="card"') == 10
    assert ('class="problem"' in text) == is_told and ("look again" in text) == (not is_told)


async def test_pages_tell_browsers_what_they_may_load(shop):
    for path in ("/", "/cart", "/static/seen.js", "/nowhere"):
        headers = (await shop.get(path)).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    picture = await shop.get("/picture/pan")
    assert picture.headers["content-security-policy"] == "default-src 'none'"
