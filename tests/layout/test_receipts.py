"""Can a page be made again from its log, and does its receipt say what each rule did and cost?"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from planogram.client import cart, category, home, product, search
from planogram.policy.v1 import policy_pb2
from services.common.server import serving
from services.common.tensors import from_tensor
from services.layout import configuration
from services.policy.__main__ import SERVICE as POLICY
from services.policy.settings import PolicySettings
from tests.layout.conftest import gathered, planned

CONFIG = Path(configuration.__file__).parent / "config"
RULES = [
    {"name": "recall", "hide": {"items": ["i8", "i9"]}},
    {"name": "own-brand", "boost": {"brands": ["b0"], "factor": 3}},
    {"name": "campaign", "pin": {"slot": "second", "module": "new-in"}},
    {"name": "mixed", "diversify": {"method": "mmr", "strength": 0.4}},
    {"name": "brands", "cap": {"of": "brand", "most": 2}},
    {"name": "brands-on-page", "cap": {"of": "brand", "most": 8, "within": "page"}},
    {"name": "promotions", "kinds": {"families": ["promotion"], "most": 2, "least_gap": 1}},
]
PAGE_COUNT = 1_000


def write_rules(folder, rules):
    (folder / "rules.yaml").write_text(
        yaml.safe_dump({"value": {"click": 1.0, "purchase": 0.1}, "rules": rules})
    )


@contextlib.asynccontextmanager
async def planned_shop(open_shop, tmp_path, rules, values=None):
    """A shop whose pages a real policy service lays out."""
    folder = tmp_path / "config"
    if not folder.exists():
        shutil.copytree(CONFIG, folder)
    write_rules(folder, rules)
    settings = PolicySettings(listen="127.0.0.1:0", models_path=tmp_path / "policies")
    async with (
        serving(POLICY, settings) as port,
        open_shop(config_path=folder, policy_target=f"127.0.0.1:{port}") as shop,
    ):
        yield shop


def shuffled(generator):
    """Candidates that differ from page to page."""

    def answer(request):
        response = gathered(request)
        for module in response.modules:
            rows = generator.choice(len(response.item_ids), len(module.rows), replace=False)
            module.rows[:] = rows.tolist()
        return response

    return answer


def page_views(count):
    kinds = (
        lambda name: home(name, "visit"),
        lambda name: category(name, "visit", "kitchen"),
        lambda name: product(name, "visit", "i3", "kitchen"),
        lambda name: search(name, "visit", "red pan"),
        lambda name: cart(name, "visit", ["i4", "i5"]),
    )
    for index in range(count):
        yield kinds[index % len(kinds)](f"shopper-{index}")


async def test_a_thousand_pages_are_made_again_bit_for_bit_after_the_rules_changed(open_shop, tmp_path):
    async with planned_shop(open_shop, tmp_path, RULES) as shop:
        shop.gather.default = shuffled(np.random.default_rng(0))
        pages = [await shop.layout.compose(view, deadline_s=5) for view in page_views(PAGE_COUNT)]
    assert not any(page.degraded for page in pages)
    # Days later: other rules are in force, and another process serves.
    async with planned_shop(open_shop, tmp_path, RULES[:1]) as shop:
        for page in pages:
            receipt = await shop.layout.explain(page.page_id)
            assert receipt.is_replay_exact, receipt.replay
            assert receipt.versions.blueprint == page.versions.blueprint
            assert {rule.rule for rule in receipt.rules} == {each.rule for each in page.rule_effects}


async def test_a_receipt_prices_each_rule_and_names_what_it_displaced(open_shop, tmp_path):
    async with planned_shop(open_shop, tmp_path, RULES) as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=5)
        await asyncio.sleep(0.2)  # exposures are on disk some milliseconds after their page
        receipt = await shop.layout.explain(page.page_id, has_shadow_prices=True)
    prices = {rule.rule: rule.shadow_price for rule in receipt.rules}
    assert set(prices) >= {"recall", "own-brand", "campaign"}
    assert all(rule.HasField("shadow_price") for rule in receipt.rules)
    assert all(abs(price) < 1e-9 for price in prices.values())  # uniform-0 values nothing
    displaced = [item.displaced for slot in receipt.slots for item in slot.items]
    assert any(displaced)
    shown = [item.item_id for slot in page.slots for item in slot.items]
    assert {"i8", "i9"}.isdisjoint(shown)
    assert all(
        item.displaced != item.item_id for slot in receipt.slots for item in slot.items if item.displaced
    )


async def test_a_shadow_price_is_the_difference_of_two_plans(open_shop, tmp_path):
    """With a policy that counts the clicks of what it shows, a rule costs the clicks that it hides."""

    def clicks(request):
        chances = from_tensor(request.items.click_probability, "click")
        total = sum(chances[list(module.rows)].sum() for module in request.modules)
        answer = policy_pb2.PlanPageResponse(policy_version="counting")
        answer.CopyFrom(planned(request))
        answer.slots[0].q_value = total
        return answer

    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    write_rules(folder, [{"name": "recall", "hide": {"items": ["i8"]}}])
    async with open_shop(config_path=folder) as shop:
        shop.plan.default = clicks
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=5)
        await asyncio.sleep(0.2)  # exposures are on disk some milliseconds after their page
        receipt = await shop.layout.explain(page.page_id, has_shadow_prices=True)
    (rule,) = receipt.rules
    holding = sum(8 in [(place * 7 + step) % 120 for step in range(16)] for place in range(25))
    chance = np.linspace(0.1, 0.5, 120, dtype=np.float32)[8]
    assert rule.shadow_price == pytest.approx(holding * chance, rel=0.3)
    assert rule.shadow_price > 0


async def test_a_receipt_says_what_is_no_longer_there(open_shop, tmp_path):
    async with planned_shop(open_shop, tmp_path, RULES) as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=5)
        archive = shop.settings.configuration_archive
    shutil.rmtree(archive)
    async with planned_shop(open_shop, tmp_path, RULES[:2]) as shop:
        receipt = await shop.layout.explain(page.page_id)
    assert not receipt.is_replay_exact
    assert "was not kept; only the plan was replayed" in receipt.replay
    assert len(receipt.slots) == len(page.slots)
