"""Is a page under edited files what they say, and does nothing that serves or learns hear of it?"""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest

from planogram.client import LayoutError, home
from planogram.layout.v1 import layout_pb2, layout_pb2_grpc
from services.common import callers
from services.common.errors import NotReady
from services.layout import event_log

CHANGE = ("  - {name: ads,", "  - {name: no-kitchen, hide: {categories: [kitchen]}}\n  - {name: ads,")


def asked(files=(), user="ada"):
    request = home(user, "visit")
    request.overrides.configuration.update(files)
    return request


async def edited(shop, name, old, new):
    files = (await shop.layout.configuration()).files
    assert old in files[name]
    return {name: files[name].replace(old, new, 1)}


async def test_the_files_in_force_are_answered_with_the_version_that_pages_name(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(asked(), deadline_s=10)
        answer = await shop.layout.configuration()
    assert answer.version == page.versions.blueprint
    assert sorted(answer.files) == [
        "answers.yaml",
        "blueprints.yaml",
        "categories.yaml",
        "experiments.yaml",
        "modules.yaml",
        "rules.yaml",
    ]
    assert dict(answer.files) == {
        path.name: path.read_text("utf-8") for path in shop.settings.config_path.glob("*.yaml")
    }


async def test_an_edited_rule_changes_the_preview_and_no_other_page(open_shop):
    async with open_shop() as shop:
        before = await shop.layout.compose(asked(), deadline_s=10)
        preview = await shop.layout.compose(asked(await edited(shop, "rules.yaml", *CHANGE)), deadline_s=20)
        after = await shop.layout.compose(asked(), deadline_s=10)
    assert ("no-kitchen", "hide", 120) in [
        (effect.rule, effect.action, effect.count) for effect in preview.rule_effects
    ]
    assert not any(item for slot in preview.slots for item in slot.items)
    assert preview.versions.blueprint not in ("", before.versions.blueprint)
    for page in (before, after):
        assert "no-kitchen" not in [effect.rule for effect in page.rule_effects]
        assert page.versions.blueprint == before.versions.blueprint
        assert page.slots[0].items


async def test_an_edited_blueprint_changes_the_slots(open_shop):
    change = ("      - {id: top}\n      - {id: second}\n", "      - {id: top, pin: for-you}\n")
    async with open_shop() as shop:
        files = await edited(shop, "blueprints.yaml", *change)
        page = await shop.layout.compose(asked(files), deadline_s=20)
    assert len(page.slots) == 5
    assert page.slots[0].module_id == "for-you"


@pytest.mark.parametrize("has_files", [True, False], ids=["edited", "in force"])
async def test_a_preview_is_neither_logged_nor_kept_nor_a_repeat(open_shop, has_files):
    async with open_shop() as shop:
        request = asked(await edited(shop, "rules.yaml", *CHANGE) if has_files else {})
        request.overrides.is_preview = True
        for _ in range(2):
            page = await shop.layout.compose(request, deadline_s=20, request_id="the-same")
            assert page.is_exposure_unlogged
            assert not page.is_repeat
        with pytest.raises(LayoutError) as caught:
            await shop.layout.explain(page.page_id)
        assert caught.value.code is grpc.StatusCode.NOT_FOUND
        served = await shop.layout.compose(asked(), deadline_s=10)
        assert not served.is_exposure_unlogged
        await asyncio.sleep(0.1)
    logged = [exposure.page_id for exposure in event_log.read_exposures(shop.settings.log_path)]
    assert logged == [served.page_id]


async def test_candidates_of_a_preview_are_not_what_pages_retreat_to(open_shop):
    async with open_shop() as shop:
        request = asked()
        request.overrides.is_preview = True
        await shop.layout.compose(request, deadline_s=10)
        shop.gather.default = NotReady("down")
        page = await shop.layout.compose(asked(user="bob"), deadline_s=10)
    assert [entry.fallback for entry in page.degraded if entry.upstream == "feature"] == [4]  # static


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "rules.yaml",
            "rules:\n  - {name: x, exclude: {what: sold_outt}}\n",
            "rules.yaml:2: rules.0.exclude",
        ),
        ("blueprints.yaml", "blueprints: [", "blueprints.yaml:1: "),
        ("rules.yaml", "", "0 bytes"),
        ("rules.yaml", "#" * 65_537, "65537 bytes"),
        ("../rules.yaml", "rules: []", "one of answers.yaml, "),
        (
            "rules.yaml",
            "a: &a [x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 8)}]\n" for name in "bcdefghijk"
            ),
            "stand for more than",
        ),
    ],
    ids=["value", "syntax", "empty", "long", "name", "aliases"],
)
async def test_a_mistake_in_an_edited_file_is_the_callers_and_is_named(open_shop, name, text, said):
    async with open_shop() as shop:
        with pytest.raises(LayoutError) as caught:
            await shop.layout.compose(asked({name: text}), deadline_s=20)
        assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert said in caught.value.details
        assert "/tmp" not in caught.value.details
        assert (await shop.layout.compose(asked(), deadline_s=10)).slots[0].items


async def test_files_and_previews_need_the_admin_role(open_shop, tmp_path):
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(f"- {{name: shop, role: public, sha256: {callers.digest('shop')}}}\n")
    metadata = (("authorization", "Bearer shop"),)
    async with open_shop(tokens_path=tokens) as shop, contextlib.AsyncExitStack() as stack:
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(shop.target))
        stub = layout_pb2_grpc.LayoutServiceStub(channel)
        for call in (
            stub.ComposePage(asked({"rules.yaml": "rules: ["}), metadata=metadata),
            stub.GetConfiguration(layout_pb2.GetConfigurationRequest(), metadata=metadata),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
