"""Do logs of another shop become exposures that this system learns from?"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from planogram.files import catalogue, log
from planogram.policy.v1 import policy_pb2
from services.common import pseudonyms
from services.common.cli import application
from services.common.errors import ConfigurationError
from services.common.tensors import from_tensor
from services.feature.importing import impressions, items, shown
from services.feature.importing.mapping import CatalogueMapping, LogMapping, load
from services.feature.importing.support import support, wilson
from services.feature.importing.writing import write_pages
from services.feature.items import schema

NAMES = pseudonyms.Pseudonyms(b"a secret of some length", "epoch")
START = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = ("time", "user", "item", "position", "clicked", "propensity", "page")


def shop(folder: Path, count: int):
    path = folder / "items.csv"
    lines = [f"i{n},Thing {n},{'tea' if n % 2 else 'pots'},{1_000_000 * (n + 1)}" for n in range(count)]
    path.write_text("item_id,title,category,price_micros\n" + "\n".join(lines) + "\n")
    return items.read(path, CatalogueMapping(), "m").items


def logged(folder: Path, lines: list[tuple], columns=COLUMNS, **settings) -> shown.LoggedRows:
    path = folder / "shown.csv"
    path.write_text(",".join(columns) + "\n" + "\n".join(",".join(map(str, line)) for line in lines) + "\n")
    return shown.read(path, LogMapping.model_validate(settings), "m.yaml")


def exposures_of(folder: Path, found: shown.LoggedRows, shop_items):
    write_pages(folder / "log", found.mapping.name, impressions.pages([found], shop_items, NAMES))
    return list(log.read_exposures(folder / "log"))


def random_lines(count: int, item_count: int, seed: int = 0) -> list[tuple]:
    """Uniform choices; one item in five is clicked often."""
    source = random.Random(seed)
    lines = []
    for row in range(count):
        item = source.randrange(item_count)
        is_clicked = source.random() < (0.5 if item % 5 == 0 else 0.1)
        moment = (START + timedelta(minutes=5 * row)).isoformat()
        lines.append((moment, f"u{row % 7}", f"i{item}", 1 + row % 3, int(is_clicked), 1 / item_count, ""))
    return lines


def test_a_row_comes_back_as_exposure_and_events(tmp_path):
    found = logged(tmp_path, random_lines(20, 10), name="mine", policy="uniform")
    exposures = exposures_of(tmp_path, found, shop(tmp_path, 10))
    assert len(exposures) == 20
    events = log.read_events(tmp_path / "log").to_pylist()
    for row, exposure in enumerate(exposures):
        (slot,) = exposure.slots
        assert exposure.page_id == f"mine-{row + 1}" and exposure.policy_version == "uniform"
        assert exposure.time.ToDatetime(UTC) == START + timedelta(minutes=5 * row)
        assert exposure.shopper_key == NAMES.of("shopper", f"u{row % 7}")
        assert (slot.slot_id, slot.items[-1].item_id) == (f"position-{1 + row % 3}", found.item_ids[row])
        assert len(slot.items) == 1 + row % 3  # unknown items hold the places before
        assert slot.propensity == found.propensities[row] == slot.feasible.propensity[slot.module_index]
        plan = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
        assert plan.modules[slot.module_index].module_id == found.item_ids[row]
        assert len(plan.modules) == len(slot.feasible.module_index) == len(found.pool) <= 64
        assert exposure.scoring_inputs.schema_fingerprint == schema.FINGERPRINT
        kinds = [event["type"] for event in events if event["page_id"] == exposure.page_id]
        assert kinds == ["IMPRESSION", "CLICK"][: 1 + int(found.clicked[row])]


def test_features_tell_of_earlier_rows_alone(tmp_path):
    lines = random_lines(60, 5)
    shop_items = shop(tmp_path, 5)
    whole = exposures_of(tmp_path, logged(tmp_path, lines), shop_items)
    changed = [*lines[:40], *((*line[:4], 1 - line[4], *line[5:]) for line in lines[40:])]
    other = exposures_of(tmp_path, logged(tmp_path, changed), shop_items)
    assert [one == two for one, two in zip(whole, other, strict=True)][:41] == [True] * 41
    assert whole[-1] != other[-1]
    rates = [from_tensor(one.scoring_inputs.item_tensors["item_numbers"])[0, 6] for one in whole]
    counts = [from_tensor(one.scoring_inputs.item_tensors["item_numbers"])[0, 5] for one in whole]
    assert counts[0] == 0 and max(counts) > 0 and len(set(rates)) > 5


def test_statistics_are_those_of_the_last_refresh(tmp_path):
    lines = [(f"2026-01-01T{hour:02}:30:00Z", "", "i0", 1, 1, 1.0, "") for hour in range(3)]
    found = exposures_of(tmp_path, logged(tmp_path, lines), shop(tmp_path, 1))
    counts = [from_tensor(one.scoring_inputs.item_tensors["item_numbers"])[0, 5] for one in found]
    assert counts == pytest.approx([np.log1p(seen) / 4 for seen in range(3)])


def test_a_known_shopper_has_the_history_of_earlier_rows(tmp_path):
    lines = [(f"2026-01-01T10:0{n}:00Z", "u", f"i{n}", 1, n == 0, 0.5, "") for n in range(2)]
    first, second = exposures_of(tmp_path, logged(tmp_path, lines), shop(tmp_path, 2))
    ids = [from_tensor(one.scoring_inputs.shopper_tensors["history_ids"])[0, 0] for one in (first, second)]
    assert ids == [0, schema.hashed("i0", 16384)]
    session = policy_pb2.PlanPageRequest.FromString(second.plan_request).session
    assert session.is_known and session.click_count == 1 and session.category_click_counts == {"pots": 1}


def test_a_pool_above_the_limit_offers_the_item_shown_and_exact_propensities(tmp_path):
    found = logged(tmp_path, random_lines(200, 80))
    for row, exposure in enumerate(exposures_of(tmp_path, found, shop(tmp_path, 80))):
        plan = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
        assert len({module.module_id for module in plan.modules}) == 64
        assert plan.modules[exposure.slots[0].module_index].module_id == found.item_ids[row]
        assert exposure.slots[0].propensity == 1 / 80


def test_rows_of_a_page_stand_below_each_other(tmp_path):
    lines = [("2026-01-01", "u", f"i{n}", 3 - n, n == 1, 0.3, "p" if n < 3 else "q") for n in range(4)]
    lines[3] = (*lines[3][:3], 1, *lines[3][4:])
    pages = exposures_of(tmp_path, logged(tmp_path, lines), shop(tmp_path, 4))
    page = next(page for page in pages if len(page.slots) == 3)
    assert [slot.items[0].item_id for slot in page.slots] == ["i2", "i1", "i0"]
    assert [slot.items[0].scoring_row for slot in page.slots] == [0, 1, 2]
    assert from_tensor(page.scoring_inputs.item_tensors["item_ids"]).shape == (3, 4)
    assert len({page.session_key for page in pages}) == 2  # each page is an episode of its own


@pytest.mark.slow
def test_both_trainers_learn_from_an_imported_log(tmp_path):
    from services.policy.training import rewards, transitions
    from services.policy.training.train import Learner, Settings
    from services.policy.training.train import train as train_policy
    from services.scoring.training.recipe import Recipe
    from services.scoring.training.train import train as train_click

    exposures_of(tmp_path, logged(tmp_path, random_lines(150, 10)), shop(tmp_path, 10))
    folder = tmp_path / "log"
    decisions = transitions.read(folder, rewards.load())
    assert len(decisions) == 150 and decisions.skipped_count == 0
    assert (decisions.following == transitions.TERMINAL).all()
    assert decisions.propensities == pytest.approx(0.1)
    clicks = train_click(folder, tmp_path / "click", Recipe(epoch_count=1))
    assert clicks.metrics["train_item_count"] == 120
    policy = train_policy(folder, tmp_path / "policy", Learner.DDQN, Settings(step_count=5))
    assert policy.metrics["decision_count"] == 150 and policy.metrics["skipped_page_count"] == 0


def test_without_propensities_clicks_are_learned_and_no_decision(tmp_path):
    lines = [line[:5] for line in random_lines(10, 5)]
    found = logged(tmp_path, lines, COLUMNS[:5])
    for exposure in exposures_of(tmp_path, found, shop(tmp_path, 5)):
        assert not exposure.plan_request and exposure.slots[0].module_index == -1
        assert exposure.slots[0].items[-1].scoring_row == 0
    assert support(found).effective_count is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("soon", "u", "i1", 1, 0, 0.5, ""), r"row 2: time \(column time\): got 'soon', want an ISO 8601"),
        (("2026-01-01", "u", "i1", 0, 0, 0.5, ""), r"row 2: position .*got '0', want a whole number from 1"),
        (("2026-01-01", "u", "i1", 1, 2, 0.5, ""), r"row 2: clicked .*got '2', want 1 or 0"),
        (
            ("2026-01-01", "u", "i1", 1, 0, 0, ""),
            r"row 2: propensity .*got '0', want a number from 1e-09 up to 1",
        ),
        (("2026-01-01", "u", "i1", 1, 0, "", ""), r"row 2: propensity .*got ''"),
        (("2026-01-01", "u", "i1", 1, 0, 0.5, "p"), r"row 2: position: got 1, which row 1 of page 'p' has"),
        (
            ("2026-01-01", "v", "i1", 2, 0, 0.5, "p"),
            r"row 2: user: got 'v', want 'u' as in row 1 of page 'p'",
        ),
    ],
)
def test_a_bad_row_is_named(tmp_path, line, message):
    with pytest.raises(ConfigurationError, match=rf"shown\.csv: {message}"):
        logged(tmp_path, [("2026-01-01", "u", "i0", 1, 0, 0.5, "p"), line])


def test_an_unknown_item_is_named_and_the_log_stays_as_it_was(tmp_path):
    catalogue.write(tmp_path / "items.parquet", shop(tmp_path, 3))
    options = ["--out", str(tmp_path / "log"), "--key", str(tmp_path / "key")]
    options += ["--catalogue", str(tmp_path / "items.parquet")]
    (tmp_path / "shown.csv").write_text("time,item,clicked\n2026-01-01,i0,1\n")
    done = CliRunner().invoke(application(), ["import", "log", str(tmp_path / "shown.csv"), *options])
    assert done.exit_code == 0 and "1 exposures and 2 events" in done.output
    before = sorted(path.name for path in (tmp_path / "log").iterdir())
    (tmp_path / "shown.csv").write_text("time,item,clicked\n2026-01-01,i0,1\n2026-01-01,i9,1\n")
    failed = CliRunner().invoke(application(), ["import", "log", str(tmp_path / "shown.csv"), *options])
    assert "row 2: item: got 'i9', want an item of the catalogue" in str(failed.exception)
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == before


def test_two_files_of_one_name_are_refused(tmp_path):
    found = logged(tmp_path, random_lines(2, 2))
    with pytest.raises(ConfigurationError, match="'log' is the name of"):
        next(impressions.pages([found, found], shop(tmp_path, 2), NAMES))


def test_support_counts_what_weights_leave(tmp_path):
    lines = [("2026-01-01", "", "i0", 1, 1, 0.75, "")] * 3 + [("2026-01-01", "", "i1", 1, 0, 0.25, "")]
    found = support(logged(tmp_path, lines))
    weights = np.array([2 / 3] * 3 + [2])
    assert found.effective_count == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert found.largest_weight == pytest.approx(2) and found.uniform_click_rate == pytest.approx(0.5)
    assert found.interval == wilson(3, 4)
    low, high = wilson(38, 10_000)
    assert (low, high) == pytest.approx((0.00277, 0.00521), abs=1e-5)


def test_the_example_of_the_readme_is_imported_as_it_says(tmp_path):
    text = Path(impressions.__file__).with_name("README.md").read_text()
    table = next(block for block in text.split("```") if block.startswith("\nat,visit"))
    mapping = next(block for block in text.split("```") if block.startswith("yaml\nname: front-page"))
    (tmp_path / "shown.csv").write_text(table.lstrip())
    (tmp_path / "log.yaml").write_text(mapping.removeprefix("yaml"))
    (tmp_path / "items.csv").write_text("item_id,title,category\nA1,Teapot,Tea\nB2,Cup,Tea\n")
    found = shown.read(tmp_path / "shown.csv", load(tmp_path / "log.yaml", LogMapping), "log.yaml")
    shop_items = items.read(tmp_path / "items.csv", CatalogueMapping(), "m").items
    first, second = exposures_of(tmp_path, found, shop_items)
    assert [slot.slot_id for slot in first.slots] == ["position-1", "position-2"] and len(second.slots) == 1
    assert [slot.propensity for slot in first.slots] == [0.25, 0.3333]
    kinds = sorted(log.read_events(tmp_path / "log").column("type").to_pylist())
    assert kinds == ["CLICK", "IMPRESSION", "IMPRESSION", "IMPRESSION"]
