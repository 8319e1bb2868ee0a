"""Is every text that is no proper YAML refused, whatever it would do to the reader?"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from services.common import yaml_file
from services.common.errors import ConfigurationError
from services.common.yaml_file import Document

READ = """
import sys
from pathlib import Path
from services.common import yaml_file
from services.common.errors import ConfigurationError
try:
    yaml_file.read(Path(sys.argv[1]), yaml_file.Document)
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.parametrize("depth", [101, 32_000])
def test_what_is_nested_too_deep_is_refused_and_ends_no_process(tmp_path, depth):
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n " + "[" * depth + "]" * depth)
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}:2: file: nested deeper than 100 levels\n"


def test_what_is_nested_as_deep_as_files_are_is_read(tmp_path):
    class Nested(Document):
        rules: list

    path = tmp_path / "rules.yaml"
    path.write_text("rules: " + "[" * 60 + "]" * 60)
    assert yaml_file.read(path, Nested).rules != []
    path.write_text("rules: [1, 2")
    with pytest.raises(ConfigurationError, match=r"rules\.yaml:1: "):
        yaml_file.read(path, Nested)


class Shelf(Document):
    name: Any = None
    width: float = 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "name:\n  - 2026-13-45",
            r":2: got '2026-13-45', .*timestamp: month must be in 1\.\.12; .* in quotes",
        ),
        ("name: 2026-01-01T99:00:00Z", r":1: got '2026-01-01T99:00:00Z', .*timestamp: hour must be in 0"),
        ("\nname: " + "9" * 5_000, r":2: got '9{199}\.\.\. \(5002 characters\), .*int: Exceeds the limit"),
        ("name: !!float wide", r":1: got 'wide', .*float: could not convert"),
        ("name: !!bool wide", r":1: got 'wide', .*bool: "),
        ("name: &a [2026-13-45]\nwidth: *a", r":1: got '2026-13-45'"),
        ("name: 1\n2026-13-45: 1", r":2: got '2026-13-45'"),
        ("name: 1\n? {a: b}\n: 2", r":2: file: got a list or mapping as a key, want a text"),
        ("name:\n  ? [a, b]\n  : 2", r":2: file: got a list or mapping as a key, want a text"),
        ("width: .nan", r":1: width: .*finite number \(got nan\)"),
        ("width: -.inf", r":1: width: .*finite number \(got -inf\)"),
        ("width: 1e999", r":1: width: .*finite number \(got '1e999'\)"),
        ("width: " + "x" * 5_000, r":1: width: .*\(got 'x{199}\.\.\. \(5002 characters\)\)"),
    ],
)
def test_a_value_that_is_none_is_named_with_its_line(tmp_path, text, said):
    path = tmp_path / "shelf.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=rf"^{path}{said}") as caught:
        yaml_file.read(path, Shelf)
    assert len(str(caught.value).splitlines()) == 1
