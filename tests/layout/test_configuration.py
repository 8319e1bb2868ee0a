"""Does every mistake in the YAML files name file, line and key?"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from planogram.common.v1 import context_pb2
from services.common.errors import ConfigurationError, NotFound
from services.layout import blueprint, configuration
from services.layout.configuration import LiveConfiguration
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
    loaded = configuration.load(CONFIG)
    assert set(loaded.blueprints.by_name) == {
        "home",
        "category",
        "product",
        "search",
        "cart",
        "checkout",
        "article",
        "help",
    }
    assert len(loaded.blueprints.by_name["home"].modules) == 25
    assert loaded.blueprints.by_name["product"].slots[0].pinned_module_id == "similar"


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("modules.yaml", "family: promotion", "family: promotoin", "family"),
        ("modules.yaml", "source: trending", "source: trendy", "source"),
        ("modules.yaml", "min_items: 1,", "min_items: -1,", "min_items"),
        ("modules.yaml", "order: bid", "ordr: bid", "ordr"),
        ("blueprints.yaml", "page_type: home", "page_type: house", "page_type"),
        ("blueprints.yaml", "{id: top}", "{id: Top!}", "id"),
        ("rules.yaml", "least_age_rating: 18", "least_age_rating: teen", "rules.4.hide.least_age_rating"),
        ("rules.yaml", "what: in_cart", "what: in_basket", "rules.1.exclude.what"),
        ("rules.yaml", "{name: in-cart,", "{name: sold-out,", "'sold-out' is rule 1 too"),
        ("rules.yaml", "hide: {least_age_rating: 18}", "hide: {}", "says nothing of items"),
        ("rules.yaml", "hide: {least", "bury: {sellers: [s]}, hide: {least", "does hide and bury"),
        ("rules.yaml", "most: 4", "most: 4, within: 3", "allows everything"),
        ("rules.yaml", "most: 4", "most: 4, in_modules: [daels-*]", "'daels-*' matches none"),
        ("rules.yaml", "{name: adults-only,", "{name: adults-only, when: {hours: [9, 25]},", "when.hours.1"),
        ("rules.yaml", "{name: ads,", "{name: ads, when: {time_zone: Mars/Base},", "no such time zone"),
        (
            "rules.yaml",
            "{name: ads,",
            "{name: ads, when: {from: 2026-02-01, until: 2026-01-01},",
            "not before",
        ),
        ("rules.yaml", "click: 0.05", "click: -1", "click"),
        ("rules.yaml", "help: {click: 0.5", "halp: {click: 0.5", "value.page_types.halp"),
        ("rules.yaml", "help: {click: 0.5", "help: {click: -0.5", "value.page_types.help.click"),
        ("blueprints.yaml", "answers: 4,", "answers: 7,", "7 of 6 answers"),
        ("blueprints.yaml", '[contact-us, "guides-*"]', '["giudes-*"]', "'giudes-*' is not among"),
    ],
)
def test_a_bad_value_names_file_line_and_key(folder, name, old, new, said):
    line = change(folder, name, old, new)
    with pytest.raises(ConfigurationError) as caught:
        configuration.load(folder)
    assert f"{folder / name}:{line}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_key_twice_is_a_mistake(folder):
    change(folder, "rules.yaml", "  click: 0.05", "  click: 0.05\n  click: 0.1")
    with pytest.raises(ConfigurationError, match="stands in line"):
        configuration.load(folder)


def test_broken_yaml_names_file_and_line(folder):
    (folder / "rules.yaml").write_text("exclude: {sold_out: true\nlimits: [")
    with pytest.raises(ConfigurationError, match=r"rules\.yaml:\d+"):
        configuration.load(folder)


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
        ("blueprints.yaml", "{id: second}", "{id: top}", "'top' is taken by another slot"),
        ("blueprints.yaml", "{id: top}", "{id: top, when: {segments: [vip]}}", "before the shopper is known"),
        ("blueprints.yaml", "page_type: home", "page_type: cart", "page_type home"),
    ],
)
def test_names_that_lead_nowhere_are_mistakes(folder, name, old, new, said):
    change(folder, name, old, new)
    with pytest.raises(ConfigurationError, match=rf"{name}:\d+: ") as caught:
        configuration.load(folder)
    assert said in str(caught.value)


def test_two_rules_that_always_pin_a_slot_are_a_mistake(folder):
    pins = [
        "  - {name: one, pin: {slot: top, module: hero}}",
        "  - {name: two, pin: {slot: top, module: popular}}",
    ]
    with (folder / "rules.yaml").open("a") as file:
        file.write("\n".join(["", *pins, ""]))
    line = (folder / "rules.yaml").read_text().splitlines().index(pins[1]) + 1
    with pytest.raises(ConfigurationError, match=rf":{line}: .*pinned by 'one' already"):
        configuration.load(folder)


def test_a_page_type_needs_a_blueprint_that_always_holds(folder):
    change(
        folder, "blueprints.yaml", "    page_type: cart", "    page_type: cart\n    when: {devices: [phone]}"
    )
    with pytest.raises(ConfigurationError, match=r"blueprints\.yaml:\d+: .*page_type cart holds always"):
        configuration.load(folder)


def test_a_shop_need_not_have_all_kinds_of_pages(folder):
    change(folder, "blueprints.yaml", "page_type: checkout", "page_type: cart")
    blueprints = configuration.load(folder).blueprints
    assert blueprints.of(context_pb2.PageContext(page_type=context_pb2.PAGE_TYPE_CART)).name == "cart"
    with pytest.raises(NotFound, match="no blueprint is of page_type PAGE_TYPE_CHECKOUT"):
        blueprints.of(context_pb2.PageContext(page_type=context_pb2.PAGE_TYPE_CHECKOUT))


def test_a_change_is_followed_and_a_mistake_leaves_what_serves(folder, tmp_path):
    live = LiveConfiguration(folder, tmp_path / "archive")
    first = live.current
    change(folder, "rules.yaml", "click: 0.05", "click: 0.06")
    live.reload()
    second = live.current
    assert second.rules.value.click == 0.06
    change(folder, "rules.yaml", "click: 0.06", "click: -1")
    live.reload()
    assert live.current is second
    change(folder, "rules.yaml", "click: -1", "click: 0.07")
    live.reload()
    assert live.current.rules.value.click == 0.07
    assert live.of(first.version).rules.value.click == 0.05
    assert live.of(second.version).rules.value.click == 0.06
    assert live.of("0" * 12) is None


def test_a_configuration_that_cannot_be_kept_does_not_serve_until_it_can(folder, tmp_path, capsys):
    archive = tmp_path / "archive"
    live = LiveConfiguration(folder, archive)
    before = live.current
    shutil.rmtree(archive)
    archive.write_text("no folder")
    change(folder, "rules.yaml", "click: 0.05", "click: 0.06")
    for _ in range(3):
        live.reload()
    assert live.current is before
    said = capsys.readouterr()
    assert (said.out + said.err).count("cannot keep the configuration") == 1
    archive.unlink()
    live.reload()
    assert live.current.rules.value.click == 0.06
    assert "click: 0.06" in live.files(live.current.version)["rules.yaml"]


async def test_an_unforeseen_error_does_not_end_the_watch(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(configuration, "RELOAD_INTERVAL_S", 0.01)
    live, problems = LiveConfiguration(folder, tmp_path / "archive"), [ValueError("unforeseen")]
    read = configuration.version
    monkeypatch.setattr(
        configuration, "version", lambda path: throw(problems.pop()) if problems else read(path)
    )
    change(folder, "rules.yaml", "click: 0.05", "click: 0.06")
    live.follow()
    for _ in range(200):
        await asyncio.sleep(0.05)
        if live.current.rules.value.click == 0.06:
            break
    await live.close()
    assert not problems and live.current.rules.value.click == 0.06


def throw(problem):
    raise problem


def test_the_version_changes_with_any_file(folder):
    before = configuration.version(folder)
    change(folder, "rules.yaml", "click: 0.05", "click: 0.06")
    assert configuration.version(folder) != before


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
        configuration.load(folder)


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
        configuration.load(folder)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
