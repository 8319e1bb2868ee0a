"""Are files of the Open Bandit Dataset's format fetched and imported with the shipped mappings?"""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from planogram.files import catalogue, log
from services.common.errors import ConfigurationError
from services.layout import blueprint
from services.local import open_bandit
from services.local.open_bandit import CAMPAIGNS, POLICIES, State

ITEM_COUNT = 5
ROWS = 12


def context_file() -> str:
    lines = [f"{n},{n},0.{n},brand{n % 2},two{n % 3},three" for n in range(ITEM_COUNT)]
    return ",item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n" + "\n".join(lines) + "\n"


def log_file(policy: str) -> str:
    start = datetime(2019, 11, 24, tzinfo=UTC)
    header = ",timestamp,item_id,position,click,propensity_score," + ",".join(
        [*(f"user_feature_{n}" for n in range(4)), *(f"user-item_affinity_{n}" for n in range(ITEM_COUNT))]
    )
    lines = [
        f"{n},{start + timedelta(minutes=7 * n)},{n % ITEM_COUNT},{1 + n % 3},{int(n == 3)},"
        f"{1 / ITEM_COUNT if policy == 'random' else 0.4},a{n % 2},b,c,d" + ",0.0" * ITEM_COUNT
        for n in range(ROWS)
    ]
    return header + "\n" + "\n".join(lines) + "\n"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "obp-0.4.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("obp/__init__.py", "raise SystemExit('never run')")
        for policy in POLICIES:
            for campaign in CAMPAIGNS:
                folder = f"obp/dataset/obd/{policy}/{campaign}"
                archive.writestr(f"{folder}/{campaign}.csv", log_file(policy))
                archive.writestr(f"{folder}/item_context.csv", context_file())
    return path


def test_the_tables_alone_are_unpacked_and_become_items_log_and_configuration(wheel, tmp_path):
    state = State(tmp_path / "state")
    open_bandit.fetch(state.files, wheel)
    names = {path.name for path in state.files.rglob("*") if path.is_file()}
    assert names == {"all.csv", "men.csv", "women.csv", "item_context.csv"}
    found = open_bandit.import_files(state, lambda done, total: None)
    assert [each.name for each in found] == [
        f"{policy}-{campaign}" for policy in POLICIES for campaign in CAMPAIGNS
    ]
    assert all((each.row_count, each.click_count, each.item_count) == (ROWS, 1, ITEM_COUNT) for each in found)
    assert catalogue.read(state.catalogue).num_rows == 3 * ITEM_COUNT
    exposures = list(log.read_exposures(state.log))
    assert len(exposures) == 6 * ROWS and log.read_events(state.log).num_rows == 6 * (ROWS + 1)
    assert {exposure.policy_version for exposure in exposures} == set(POLICIES)
    assert {exposure.slots[0].propensity for exposure in exposures} == {0.2, 0.4}
    assert all(not exposure.shopper_key for exposure in exposures)
    assert blueprint.load(state.config).category_names == {name: {"en": name.title()} for name in CAMPAIGNS}


def test_a_second_run_fetches_nothing(wheel, tmp_path):
    open_bandit.fetch(tmp_path / "files", wheel)
    open_bandit.fetch(tmp_path / "files", tmp_path / "absent.whl")


def test_another_file_is_refused_and_nothing_is_unpacked(tmp_path):
    path = tmp_path / "other.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other/__init__.py", "")
    with pytest.raises(ConfigurationError, match=r"other\.whl: .*all\.csv.*want the wheel of obp==0\.4\.1"):
        open_bandit.fetch(tmp_path / "files", path)
    assert not (tmp_path / "files").exists()
