"""Are the contracts linted, unbroken, documented, and is the generated code theirs?"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTOS = ROOT / "protos"
BUF = str(Path(sys.executable).parent / "buf")


def buf(*arguments, cwd=PROTOS):
    return subprocess.run([BUF, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "protos"
    ignore = shutil.ignore_patterns("*.py", "*.pyi", "__pycache__")
    shutil.copytree(PROTOS, folder, ignore=ignore)
    return folder


def test_the_contracts_follow_the_style():
    result = buf("lint")
    assert result.returncode == 0, result.stdout


def test_an_uncommented_field_is_caught(copy):
    path = copy / "planogram/policy/v1/policy.proto"
    text = path.read_text()
    path.write_text(
        text.replace("message GetPolicyRequest {}", "message GetPolicyRequest {\n  string x = 1;\n}")
    )
    assert buf("lint", cwd=copy).returncode != 0


def test_the_contracts_break_nothing_that_was_released():
    result = buf("breaking", "--against", "baseline.binpb")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("policy", "  string slot_id = 1;\n", "  string slot_id = 9;\n"),
        ("policy", "  double propensity = 6;", "  float propensity = 6;"),
        ("layout", "rpc ExplainPage(", "rpc ExplainAPage("),
    ],
    ids=["number", "type", "call"],
)
def test_a_planted_break_is_caught(copy, name, old, new):
    path = copy / f"planogram/{name}/v1/{name}.proto"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert buf("breaking", "--against", "baseline.binpb", cwd=copy).returncode != 0


def test_the_generated_code_is_what_the_protos_make(tmp_path):
    spec = importlib.util.spec_from_file_location("generate", PROTOS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.generate(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*_pb2*")}
    kept = {
        path.relative_to(PROTOS): path.read_bytes()
        for path in PROTOS.rglob("*_pb2*")
        if "__pycache__" not in path.parts
    }
    assert made.keys() == kept.keys()
    assert [str(path) for path in made if made[path] != kept[path]] == []


@pytest.mark.parametrize("service", ["feature", "scoring", "policy", "layout"])
def test_every_call_says_which_codes_it_answers(service):
    text = (PROTOS / f"planogram/{service}/v1/{service}.proto").read_text()
    calls = re.findall(r"((?:  //.*\n)+)  rpc (\w+)\(", text)
    assert calls
    for comment, name in calls:
        assert re.search(r"INVALID_ARGUMENT|NOT_FOUND|UNAVAILABLE|Codes as", comment), name
        assert "Role:" in comment, name
