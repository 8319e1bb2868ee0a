"""Is every text that is no proper YAML refused, whatever it would do to the reader?"""

from __future__ import annotations

import subprocess
import sys

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
