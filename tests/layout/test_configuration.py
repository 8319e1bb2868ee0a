"""Does every mistake in the YAML files name file, line and key?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.common.errors import ConfigurationError
from services.layout import blueprint, experiments, rules
from services.layout.experiments import Arm, Experiment, Experiments

CONFIG = Path(blueprint.__file__).parent / "config"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def change(folder, name, old, new):
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_the_shipped_configuration_is_valid():
    loaded = blueprint.load(CONFIG)
    assert set(loaded.by_name) == {"home", "category", "product", "search", "cart"}
    assert len(loaded.by_name["home"].modules) == 25
    assert loaded.by_name["product"].slots[0].pinned_module_id == "similar"
    rules.load(CONFIG)
    experiments.load(CONFIG)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("modules.yaml", "family: promotion", "family: promotoin", "family"),
        ("modules.yaml", "source: trending", "source: trendy", "source"),
        ("modules.yaml", "min_items: 1,", "min_items: -1,", "min_items"),
        ("modules.yaml", "order: bid", "ordr: bid", "ordr"),
        ("blueprints.yaml", "page_type: home", "page_type: house", "page_type"),
        ("blueprints.yaml", "{id: top}", "{id: Top!}", "id"),
        ("rules.yaml", "min_age_rating: 18", "min_age_rating: teen", "min_age_rating"),
        ("rules.yaml", "click: 0.05", "click: -1", "click"),
    ],
)
def test_a_bad_value_names_file_line_and_key(folder, name, old, new, said):
    line = change(folder, name, old, new)
    with pytest.raises(ConfigurationError) as caught:
        blueprint.load(folder)
        rules.load(folder)
    assert f"{folder / name}:{line}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_key_twice_is_a_mistake(folder):
    change(folder, "rules.yaml", "  click: 0.05", "  click: 0.05\n  click: 0.1")
    with pytest.raises(ConfigurationError, match="stands in line"):
        rules.load(folder)


def test_broken_yaml_names_file_and_line(folder):
    (folder / "rules.yaml").write_text("exclude: {sold_out: true\nlimits: [")
    with pytest.raises(ConfigurationError, match=r"rules\.yaml:\d+"):
        rules.load(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("modules.yaml", "templates: [banner]", "templates: [bannner]", "bannner"),
        ("modules.yaml", "id: deals-{category}", "id: deals", "per_category"),
        ("modules.yaml", "id: new-in", "id: popular", "taken by another module"),
        ("blueprints.yaml", '"deals-*"', '"daels-*"', "daels-*"),
        ("blueprints.yaml", "pin: results", "pin: reslts", "reslts"),
        ("blueprints.yaml", "filler: popular", "filler: similar", "filler"),
        ("blueprints.yaml", 'static: ["shop-*"]', "static: [popular]", "min_items 0"),
        ("blueprints.yaml", "{id: second}", "{id: top}", "ids must differ"),
        ("blueprints.yaml", "page_type: cart", "page_type: home", "page_type cart"),
    ],
)
def test_names_that_lead_nowhere_are_mistakes(folder, name, old, new, said):
    change(folder, name, old, new)
    with pytest.raises(ConfigurationError) as caught:
        blueprint.load(folder)
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_the_version_changes_with_any_file(folder):
    before = blueprint.version(folder)
    change(folder, "rules.yaml", "click: 0.05", "click: 0.06")
    assert blueprint.version(folder) != before


def test_arms_are_stable_and_as_large_as_their_shares():
    experiment = Experiment(name="x", arms=(Arm(name="a", share=0.3), Arm(name="b", share=0.7)))
    drawn = [experiment.arm_of(str(unit)).name for unit in range(20_000)]
    assert drawn == [experiment.arm_of(str(unit)).name for unit in range(20_000)]
    assert abs(drawn.count("a") / len(drawn) - 0.3) < 0.015


def test_arms_carry_versions_and_strangers_are_in_none():
    arm = Arm(name="new", share=1.0, policy_version="dqn-2")
    split = Experiments(experiments=(Experiment(name="x", arms=(arm,)),))
    assert split.assign("somebody").policy_version == "dqn-2"
    assert split.assign("somebody").arms == {"x": "new"}
    assert split.assign("").arms == {}


def test_shares_must_sum_to_one(folder):
    (folder / "experiments.yaml").write_text(
        "experiments:\n  - name: x\n    arms:\n      - {name: a, share: 0.4}\n"
    )
    with pytest.raises(ConfigurationError, match=r"experiments\.yaml:2: experiments\.0.*0\.4"):
        experiments.load(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: 1\nb: Küche\n".encode("latin-1"), ":2: byte 0xfc is not UTF-8"),
        (b"\x89PNG\r\n", ":1: byte 0x89 is not UTF-8"),
        (b"a: 1\nb: x\x07\n", ":2: character 0x07 is not allowed"),
        (b"exclude: &a {x: *a}\n", "an alias stands within itself"),
        (b"exclude: &a [*a]\n", "an alias stands within itself"),
    ],
)
def test_a_file_that_is_no_yaml_is_a_mistake(folder, content, said):
    path = folder / "rules.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        rules.load(folder)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
