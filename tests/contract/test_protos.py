"""Are the contracts linted, unbroken, documented, and is the generated code theirs?"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from services.common.callers import Role
from services.layout.servicer import MIN_DEADLINE_S

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


def described(folder):
    """The contracts of a folder as descriptors, comments included."""
    target = folder / "described.binpb"
    include = [f"-I{folder}", f"-I{files('grpc_tools') / '_proto'}"]
    protos = sorted(map(str, folder.glob("planogram/*/v1/*.proto")))
    options = ["--include_source_info", f"--descriptor_set_out={target}"]
    assert protoc.main(["protoc", *include, *options, *protos]) == 0
    return descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())


def comments(file):
    return {
        tuple(place.path): " ".join(place.leading_comments.split())
        for place in file.source_code_info.location
    }


FIELD = descriptor_pb2.FieldDescriptorProto
STATED = {
    # A range, or that there is none beyond being a number.
    FIELD.TYPE_DOUBLE: r"\d|[Ff]inite",
    FIELD.TYPE_FLOAT: r"\d|[Ff]inite",
    FIELD.TYPE_INT32: r"\d",
    FIELD.TYPE_INT64: r"\d",
    # A size, or all that it may be.
    FIELD.TYPE_STRING: r'\d bytes|\d hex digits|"\w+", "\w+"',
    FIELD.TYPE_BYTES: r"\d bytes",
}
UNITS = {"_s": "[Ss]econds", "_ms": "Milliseconds", "_micros": "millionths", "_unix_s": "Seconds since 1970"}


def unstated(folder):
    """Scalar fields whose comment leaves out range or unit."""
    found = []
    for file in described(folder).file:
        said = comments(file)
        for place, message in enumerate(file.message_type):
            for number, field in enumerate(message.field):
                comment = said.get((4, place, 2, number), "")
                units = [word for end, word in UNITS.items() if field.name.endswith(end)]
                wanted = [STATED[field.type], *units] if field.type in STATED else []
                if not all(re.search(pattern, comment) for pattern in wanted):
                    found.append(f"{message.name}.{field.name}")
    return found


def test_every_scalar_field_states_its_range_and_unit(copy):
    assert unstated(copy) == []


@pytest.mark.parametrize(
    "field",
    [
        "  // x is a name.\n  string x = 1;",
        "  // x counts.\n  int32 x = 1;",
        "  // x is a share.\n  double x = 1;",
        "  // x_ms is a time, 0 or more.\n  int64 x_ms = 1;",
    ],
    ids=["text", "count", "number", "unit"],
)
def test_a_field_without_range_or_unit_is_caught(copy, field):
    path = copy / "planogram/policy/v1/policy.proto"
    text = path.read_text()
    path.write_text(text.replace("message GetPolicyRequest {}", f"message GetPolicyRequest {{\n{field}\n}}"))
    (name,) = unstated(copy)
    assert name.startswith("GetPolicyRequest.x")


ANY_CALL = {"INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"}
CODES = {
    "layout": {
        "ComposePage": {"NOT_FOUND", "DEADLINE_EXCEEDED"},
        "StreamPage": {"NOT_FOUND", "DEADLINE_EXCEEDED"},
        "RecordEvents": {"UNAVAILABLE", "DEADLINE_EXCEEDED"},
        "ForgetShopper": {"UNAVAILABLE", "DEADLINE_EXCEEDED"},
        "ExplainPage": {"NOT_FOUND", "DEADLINE_EXCEEDED"},
        "GetConfiguration": {"UNAVAILABLE"},
    },
    "feature": {
        "GatherPage": {"FAILED_PRECONDITION", "UNAVAILABLE", "DEADLINE_EXCEEDED"},
        "GetFeatures": {"UNAVAILABLE"},
        "GetProfile": {"NOT_FOUND", "UNAVAILABLE"},
        "UpdateProfiles": {"UNAVAILABLE", "DEADLINE_EXCEEDED"},
        "UpdateItems": {"UNAVAILABLE"},
        "ListReviewAlarms": {"UNAVAILABLE"},
        "ForgetShopper": {"UNAVAILABLE"},
    },
    "scoring": {
        "ScoreItems": {"FAILED_PRECONDITION", "NOT_FOUND", "UNAVAILABLE", "DEADLINE_EXCEEDED"},
        "ExplainScores": {"FAILED_PRECONDITION", "NOT_FOUND", "UNAVAILABLE", "DEADLINE_EXCEEDED"},
        "GetModel": {"UNAVAILABLE"},
    },
    "policy": {
        "PlanPage": {"FAILED_PRECONDITION", "NOT_FOUND", "UNAVAILABLE", "DEADLINE_EXCEEDED"},
        "GetPolicy": {"UNAVAILABLE"},
    },
}


@pytest.mark.parametrize("service", CODES)
def test_every_call_says_which_codes_it_answers_and_whom(copy, service):
    (file,) = [file for file in described(copy).file if file.name.endswith(f"/{service}.proto")]
    roles = importlib.import_module(f"services.{service}.__main__").SERVICE.roles
    said, names = comments(file), {code.name for code in grpc.StatusCode}
    calls = {call.name: said[6, 0, 2, place] for place, call in enumerate(file.service[0].method)}
    assert calls.keys() == CODES[service].keys()
    for name, comment in calls.items():
        assert set(re.findall(r"[A-Z_]{6,}", comment)) & names == ANY_CALL | CODES[service][name], name
        assert f"Role: {roles.get(name, Role.INTERNAL).name.lower()}" in comment, name


def test_the_least_deadline_is_the_one_that_the_contract_names():
    text = (PROTOS / "planogram/layout/v1/layout.proto").read_text()
    assert f"less than {1e3 * MIN_DEADLINE_S:.0f} ms were left" in text
