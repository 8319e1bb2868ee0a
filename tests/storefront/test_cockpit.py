"""Does the cockpit show why a page is as it is, compare pages, and try out files without serving them?"""

from __future__ import annotations

import subprocess

import httpx
import pytest

from planogram.common.v1 import context_pb2
from services.common.errors import NotFound
from storefront.arms import Arm, ArmError

NO_POTS = "  - {name: no-pots, hide: {items: [pot]}}\n"


@pytest.fixture
async def cockpit(storefront):
    async with (
        storefront.router.lifespan_context(storefront),
        httpx.AsyncClient(transport=httpx.ASGITransport(storefront), base_url="http://shop") as client,
    ):
        yield client


def files(services, **changed):
    """The form that a browser sends, with its line ends."""
    texts = {**services.configuration.default.files, **changed}
    return {name: text.replace("\n", "\r\n") for name, text in texts.items()}


def edited(services):
    rules = services.configuration.default.files["rules.yaml"] + NO_POTS
    return files(services, **{"rules.yaml": rules})


async def test_the_inspector_shows_all_that_the_receipt_holds(cockpit, services):
    text = (await cockpit.get("/inspect/p1")).text
    (asked,) = services.explain.requests
    assert (asked.page_id, asked.has_attributions, asked.has_shadow_prices) == ("p1", True, True)
    for said in (
        "Rules and plan, made again, give the same page.",
        "adults-only", "+0.0125", "not known", "No room for both.",
        "hero as banner (shown)", "1.5000", "62.5 %", "deals as grid", "37.5 %", "a trial",
        "the slot does not list it", "Because &lt;of&gt; it.",
        "6.25 %", "1.25 %", "price_rank -0.0125", "A pot &amp; more", "€0.42",
    ):  # fmt: skip
        assert said in text, said


async def test_a_page_that_is_not_in_the_log_says_so(cockpit, services):
    services.explain.default = NotFound("page 'p2' is not in the log")
    assert "is not in the log" in (await cockpit.get("/inspect/p2")).text


async def test_a_page_tells_its_rules_conflicts_quality_and_second_prices(cockpit, services):
    text = (await cockpit.get("/")).text
    assert 'href="/inspect/p1"' in text
    assert "No room for both." in text
    assert "75 % of the candidates" in text
    assert text.count("the second prices") == 1


@pytest.mark.parametrize(
    ("query", "agent", "device", "columns"),
    [
        ("?device=phone", "", context_pb2.DEVICE_PHONE, 2),
        ("?device=tablet", "Mobile", context_pb2.DEVICE_TABLET, 3),
        ("", "Mozilla (iPad; like Mobi)", context_pb2.DEVICE_TABLET, 3),
        ("", "Mozilla (Android) Mobile", context_pb2.DEVICE_PHONE, 2),
        ("?device=fridge", "Mozilla (X11)", context_pb2.DEVICE_DESKTOP, 4),
    ],
)
async def test_layout_hears_of_the_device_and_its_columns_are_drawn(
    cockpit, services, query, agent, device, columns
):
    text = (await cockpit.get(f"/c/kitchen{query}", headers={"user-agent": agent})).text
    assert services.compose.requests[-1].context.device == device
    assert text.count(f"--columns: {columns}") == 6


async def test_a_named_device_stays_from_page_to_page(cockpit, services):
    text = (await cockpit.get("/?device=phone")).text
    assert "/c/kitchen?device=phone" in text
    clicked = await cockpit.get("/go?item=pan&token=t&device=phone")
    await cockpit.get(clicked.headers["location"])
    assert services.compose.requests[-1].context.device == context_pb2.DEVICE_PHONE
    assert "device=" not in (await cockpit.get("/")).text.partition("</header>")[0]


async def test_two_arms_are_previews_of_one_request(cockpit, services):
    text = (await cockpit.get("/compare?at=/c/kitchen&right=policy:uniform-0,greedy")).text
    left, right = sorted(services.compose.requests, key=lambda asked: asked.overrides.policy_version)
    assert left.overrides.is_preview and right.overrides.is_preview
    assert (left.overrides.policy_version, right.overrides.policy_version) == ("", "uniform-0")
    assert right.overrides.is_greedy and not left.overrides.is_greedy
    assert left.context.category == right.context.category == "kitchen"
    assert left.shopper == right.shopper
    assert text.count('class="differs"') == 12  # six shelves on each side, turned round
    assert "data-token" not in text  # nothing is reported from here


async def test_the_same_arms_do_not_differ(cockpit):
    text = (await cockpit.get("/compare")).text
    assert text.count('class="same"') == 12
    assert "differs" not in text


@pytest.mark.parametrize("text", ["policy", "policy:", "colour:red", "greedy:yes"])
async def test_an_arm_that_is_not_understood_is_named(cockpit, services, text):
    with pytest.raises(ArmError, match="is no arm"):
        Arm.parse(text)
    assert "is no arm: want policy:VERSION" in (await cockpit.get("/compare", params={"left": text})).text
    assert not services.compose.requests


@pytest.mark.parametrize("at", ["//elsewhere.example", "/p/nothing", "https://elsewhere.example", "/search"])
async def test_a_page_that_the_shop_has_not_is_not_framed(cockpit, at):
    answer = await cockpit.get("/devices", params={"at": at}, follow_redirects=True)
    assert 'src="/?device=phone"' in answer.text
    assert "elsewhere" not in answer.text


async def test_an_edited_rule_is_previewed_beside_todays_page(cockpit, services):
    assert "sold_out" in (await cockpit.get("/edit")).text
    assert not services.compose.requests  # nothing to compare yet
    text = (await cockpit.post("/edit?at=/", data=edited(services))).text
    today, changed = sorted(services.compose.requests, key=lambda asked: len(asked.overrides.configuration))
    assert not today.overrides.configuration
    assert set(changed.overrides.configuration) == {"rules.yaml"}
    assert changed.overrides.configuration["rules.yaml"].endswith(NO_POTS)
    assert "\r" not in changed.overrides.configuration["rules.yaml"]
    assert "<b>no-pots</b>: hide, 1" in text
    assert "(on this side alone)" in text
    assert "+  - {name: no-pots" in text


async def test_a_mistake_in_a_file_is_shown_with_its_line(cockpit, services):
    text = (await cockpit.post("/edit", data=files(services, **{"rules.yaml": "rules: [sold_outt]"}))).text
    assert "rules.yaml:3: rules.0.exclude.what" in text
    assert "rules: [sold_outt]" in text  # what was typed is still there


async def test_the_diff_applies_to_the_files_in_force(cockpit, services, tmp_path):
    today = dict(services.configuration.default.files)
    answer = await cockpit.post("/edit/diff", data=edited(services))
    assert answer.headers["content-disposition"] == 'attachment; filename="configuration.diff"'
    for name, text in today.items():
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "apply", "-p1", "-"], cwd=tmp_path, input=answer.content, check=True)
    assert (tmp_path / "rules.yaml").read_text() == today["rules.yaml"] + NO_POTS
    assert (tmp_path / "modules.yaml").read_text() == today["modules.yaml"]
    assert (await cockpit.post("/edit/diff", data=files(services))).text == ""


async def test_without_layout_the_cockpit_says_so(cockpit, services):
    services.configuration.default = NotFound("nothing here")
    assert "nothing here" in (await cockpit.get("/edit")).text
    assert (await cockpit.post("/edit/diff", data={})).status_code == 503


async def test_the_portrait_tells_what_a_click_moved(cockpit):
    await cockpit.get("/")
    clicked = await cockpit.get("/go?item=pan&token=t")
    first = (await cockpit.get(clicked.headers["location"])).text
    assert "Likes kitchen: 10 % of it. <small" in first
    assert "Likes kitchen: 10 % of it.</li>" in (await cockpit.get("/")).text  # it stays where it is
