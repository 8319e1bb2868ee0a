"""Is a promised share of what is shown kept, by all workers alike, and without more than is needed?"""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from planogram.client import home
from services.layout import configuration, promises
from services.layout.configuration import LiveConfiguration
from services.layout.promises import Controller, Promises
from tests.layout.conftest import gathered

CONFIG = Path(configuration.__file__).parent / "config"
PROMISE = {"name": "small", "promise": {"sellers": ["small"], "share": 0.12}}


@pytest.fixture
def folder(tmp_path):
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    content = {"value": {"click": 1.0, "purchase": 0.0}, "rules": [PROMISE]}
    (folder / "rules.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.mark.parametrize(("slope", "natural"), [(0.4, 0.03), (0.8, 0.05), (1.5, 0.1)])
def test_the_controller_settles_at_the_promise_in_shops_that_answer_weakly_and_strongly(slope, natural):
    """In a shop whose share grows with a power of the factor, and is measured with noise."""
    generator = np.random.default_rng(0)
    controller, shares = Controller(), []
    for _ in range(60):
        share = min(natural * controller.factor**slope, 1.0)
        shares.append(share)
        controller.observe(0.2, generator.binomial(1_000, share) / 1_000)
    assert np.mean(shares[30:]) == pytest.approx(0.2, rel=0.1)
    assert np.std(shares[30:]) < 0.05


def test_a_promise_that_keeps_itself_costs_nothing():
    controller = Controller()
    for _ in range(20):
        controller.observe(0.2, 0.4)
    assert controller.factor == 1.0
    controller.observe(0.2, 0.1)
    assert 1.0 < controller.factor < 3.0


def unlikely(request):
    """A tenth of the items are of the small seller, and have the lowest scores."""
    response = gathered(request)
    del response.item_facts.seller[:]
    response.item_facts.seller.extend(
        "small" if row < 12 else "large" for row in range(len(response.item_ids))
    )
    return response


async def test_a_seller_gets_the_share_that_was_promised(open_shop, folder, monkeypatch):
    monkeypatch.setattr(promises, "PERIOD_S", 0.05)
    generator = np.random.default_rng(0)

    def answer(request):
        response = unlikely(request)
        for module in response.modules:
            module.rows[:] = generator.choice(
                len(response.item_ids), len(module.rows), replace=False
            ).tolist()
        return response

    async with open_shop(config_path=folder) as shop:
        shop.gather.default = answer
        shares = []
        for _ in range(25):
            pages = [await shop.layout.compose(home("ada", "visit"), deadline_s=5) for _ in range(12)]
            rows = [int(item.item_id[1:]) for page in pages for slot in page.slots for item in slot.items]
            shares.append(np.mean([row < 12 for row in rows]))
            await asyncio.sleep(0.3)  # until they are on disk, and were measured
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=5)
    assert shares[0] < 0.08
    assert np.mean(shares[-10:]) == pytest.approx(0.12, rel=0.2)
    assert "small" in {effect.rule for effect in page.rule_effects}


async def test_a_seller_whose_items_come_last_is_seen_as_much_as_it_deserves(open_shop, folder, monkeypatch):
    monkeypatch.setattr(promises, "PERIOD_S", 0.05)
    rule = {"name": "all-sellers", "fair": {"of": "seller", "least": 0.8}}
    content = {"value": {"click": 1.0, "purchase": 0.0}, "rules": [rule]}
    (folder / "rules.yaml").write_text(yaml.safe_dump(content))
    generator = np.random.default_rng(0)

    def answer(request):
        """A quarter of the items, those with the lowest scores, are of the small seller."""
        response = gathered(request)
        count = len(response.item_ids)
        del response.item_facts.seller[:]
        response.item_facts.seller.extend("small" if row < count / 4 else "large" for row in range(count))
        for module in response.modules:
            module.rows[:] = generator.choice(count, 24, replace=False).tolist()
        return response

    click = np.linspace(0.1, 0.5, 120)
    deserved = click[:30].sum() / click.sum()
    async with open_shop(config_path=folder) as shop:
        shop.gather.default = answer
        found = []
        for _ in range(25):
            pages = [await shop.layout.compose(home("ada", "visit"), deadline_s=5) for _ in range(12)]
            seen = np.zeros(2)
            for page in pages:
                for place, slot in enumerate(page.slots):
                    for item in slot.items:
                        seen[int(int(item.item_id[1:]) < 30)] += 1 / np.log2(place + 2)
            found.append(seen[1] / seen.sum() / deserved)
            await asyncio.sleep(0.3)  # until they are on disk, and were measured
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=5)
    assert found[0] < 0.65
    assert np.mean(found[-10:]) == pytest.approx(0.8, rel=0.15)
    assert {effect.rule: effect.action for effect in page.rule_effects} == {"all-sellers": "fair"}


def test_one_worker_measures_and_the_others_follow_its_file(folder, tmp_path):
    live = LiveConfiguration(folder, tmp_path / "archive")
    shared = tmp_path / "promises"
    one = Promises(shared, tmp_path / "segments", live)
    one.update()
    assert one.factors == {}
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        factors = {"small": 1.0, "kept": 0.0, "gone": 2.0, "gone: x": 2.0}
        controllers = {name: {"log_factor": value} for name, value in factors.items()}
        state = {"controllers": controllers, "read": {}}
        (shared / "factors.json").write_text(json.dumps(state))
        one.update()
    assert one.factors == {"small": pytest.approx(np.e)}


def test_a_file_that_cannot_be_read_begins_anew(folder, tmp_path):
    shared = tmp_path / "promises"
    shared.mkdir()
    (shared / "factors.json").write_text("{")
    live = LiveConfiguration(folder, tmp_path / "archive")
    assert Promises(shared, tmp_path / "segments", live).factors == {}
