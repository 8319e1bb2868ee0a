from __future__ import annotations

import pytest
from typer.testing import CliRunner

from services.common import artifacts
from services.common.cli import application
from services.common.errors import Incompatible, NotFound


@pytest.fixture
def store(tmp_path):
    root = tmp_path / "models" / "click"
    for version in ("one", "two"):
        source = tmp_path / version
        source.mkdir()
        (source / "model.onnx").write_bytes(version.encode())
        artifacts.publish(root, version, source, {"metrics": {"auc": 0.75}})
    return root


def run(*words):
    return CliRunner().invoke(application(), ["models", *map(str, words)], env={"COLUMNS": "200"})


def test_versions_are_listed_with_the_current_one_marked(store):
    for root in (store, store.parent):
        result = run("list", root)
        assert result.exit_code == 0
        (one,) = (line for line in result.output.splitlines() if " one " in line)
        (two,) = (line for line in result.output.splitlines() if " two " in line)
        assert "*" in two and "*" not in one and "0.75" in one


def test_pointing_to_a_version_rolls_back(store):
    assert "one is current" in run("point", store, "one").output
    assert artifacts.current_version(store) == "one"


def test_a_version_that_is_not_there_or_damaged_is_never_pointed_to(store):
    assert isinstance(run("point", store, "three").exception, NotFound)
    (store / "one" / "model.onnx").write_bytes(b"damage")
    assert isinstance(run("point", store, "one").exception, Incompatible)
    assert artifacts.current_version(store) == "two"


def test_both_trainers_are_verbs_of_one_group():
    result = CliRunner().invoke(application(), ["train", "--help"])
    assert "click" in result.output and "policy" in result.output


@pytest.mark.parametrize("damage", ["file", "manifest", "metrics"])
def test_a_damaged_version_is_listed_as_such_beside_the_others(store, damage):
    manifest = store / "one" / "manifest.json"
    if damage == "file":
        (store / "one" / "model.onnx").write_bytes(b"damage")
    elif damage == "manifest":
        manifest.write_text("{")
    else:
        manifest.write_text(manifest.read_text().replace("0.75", '"high"'))
    result = run("list", store)
    assert result.exit_code == 0
    (one,) = (line for line in result.output.splitlines() if " one " in line)
    (two,) = (line for line in result.output.splitlines() if " two " in line)
    assert (" damaged " in one) == (damage != "metrics")
    assert "0.75" in two


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\x00\x80", b"../two"])
def test_a_damaged_pointer_is_told_beside_the_versions(store, content):
    (store / "current").write_bytes(content)
    result = run("list", store)
    assert result.exit_code == 0
    assert "damaged" in result.output and " two " in result.output and "*" not in result.output
