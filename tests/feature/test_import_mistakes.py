"""Is every mistake in a file, or in where to write, one line that says what to change?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planogram.files import catalogue
from services.common.errors import ConfigurationError
from services.feature.importing import items
from services.feature.importing.mapping import CatalogueMapping

ROOT = Path(__file__).parents[2]
HEADER = "item_id,title,category"


def read(folder: Path, content: str | bytes, name: str = "items.csv"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return items.read(folder / name, CatalogueMapping(), "m")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            f"{HEADER}\n,Tea,pots\n",
            r"row 1: item_id .*got '', want 1 to 128 bytes without control characters$",
        ),
        (
            f"{HEADER}\na\x00b,Tea,pots\n",
            r"row 1: item_id .*got 'a\\x00b', want .*without control characters$",
        ),
        (f"{HEADER}\na,Tea,p\nb\x1b[1m,Tea,p\n", r"row 2: item_id .*want .*without control characters$"),
        (f"{HEADER},title\na,Tea,pots,x\n", r"column 'title' stands there twice"),
        (
            f"{HEADER},price_micros\na,Tea,p,1\nb,Tea,p,99999999999999999999999\n",
            r"row 2: price_micros .*got '99999999999999999999999', want a whole number from 0 up to 1e\+15$",
        ),
        (f"{HEADER},stock\na,Tea,p,3000000000\n", r"row 1: stock .*want a whole number from 0 up to 2\.1"),
        (f"{HEADER},first_seen\na,Tea,p,-99999-01-01\n", r"row 1: first_seen .*want an ISO 8601 time"),
        (f"{HEADER}\na,Tea,p\nb,Küche,p\n".encode("latin-1"), r"line 3: got byte 0xfc, which is no UTF-8"),
        (f"{HEADER}\na,{'x' * 200_000},pots\n", r"row 1: title .{0,120}, want 1 to 1000 bytes$"),
    ],
    ids=["empty", "nul", "escape", "repeated", "price", "stock", "time", "latin-1", "long"],
)
def test_a_mistake_in_a_catalogue_is_told_with_its_row(tmp_path, content, message):
    with pytest.raises(ConfigurationError, match=rf"items\.csv: {message}") as caught:
        read(tmp_path, content)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_a_time_beyond_the_calendar_is_told_with_its_row(tmp_path):
    (tmp_path / "items.csv").write_text(f"{HEADER},first_seen\na,Tea,p,1e300\n")
    mapping = CatalogueMapping.model_validate(
        {"columns": {"first_seen": {"column": "first_seen", "unit": "s"}}}
    )
    with pytest.raises(ConfigurationError, match=r"row 1: first_seen .*got '1e300'"):
        items.read(tmp_path / "items.csv", mapping, "m")


def test_texts_in_bytes_are_read_as_texts(tmp_path):
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item_id": [b"a"], "title": ["Küche".encode()], "category": ["pots"]}), path)
    assert items.read(path, CatalogueMapping(), "m").items.column("title").to_pylist() == ["Küche"]
    pq.write_table(pa.table({"item_id": ["a"], "title": [b"\xff\xfe"], "category": ["pots"]}), path)
    with pytest.raises(ConfigurationError, match=r"row 1: title .*got b'\\xff\\xfe', want 1 to 1000 bytes"):
        items.read(path, CatalogueMapping(), "m")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"item_id": "a\nb"}, r"row 1: item_id: got 'a\\nb', want an id without control characters"),
        ({"title": "x" * 5_000}, r"row 1: title: got 'x{59}\.\.\. \(5002 characters\), want 1 to 1000 bytes"),
    ],
)
def test_a_catalogue_that_was_not_imported_is_held_to_the_same(tmp_path, row, message):
    path = tmp_path / "items.parquet"
    pq.write_table(pa.Table.from_pylist([{"item_id": "a", "title": "t", "category": "c", **row}]), path)
    with pytest.raises(catalogue.CatalogueError, match=message):
        catalogue.read(path)


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "services.common.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("catalogue", "items.csv", "--out", "folder"), "planogram: folder: Is a directory\n"),
        (("catalogue", "items.csv", "--out", "file/x.parquet"), "planogram: file: File exists\n"),
        (
            ("catalogue", "items.csv", "--out", "x.parquet", "--config-out", "file"),
            "planogram: file: Not a directory\n",
        ),
        (("ratings", "ratings.csv", "--out", "file", "--key", "key"), "planogram: file: File exists\n"),
        (
            ("ratings", "ratings.csv", "--out", "log", "--key", "folder"),
            "planogram: folder: Is a directory\n",
        ),
        (("catalogue", "none.csv", "--out", "x.parquet"), "planogram: none.csv: no such file\n"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_line_and_nothing_is_left(tmp_path, words, message):
    (tmp_path / "items.csv").write_text(f"{HEADER}\na,Tea,pots\n")
    (tmp_path / "ratings.csv").write_text("user,item,rating,time\nu,a,5,2025-01-01\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert run(tmp_path, "import", *words) == (2, message)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "row_count", "message"),
    [
        ("click", 0, "planogram: log cannot be learned from: log: no "),
        ("policy", 0, "planogram: log cannot be learned from: log: no "),
        ("click", 12, "planogram: log cannot be learned from: 12 pages with examined items, want 50 or more"),
        ("policy", 12, "planogram: log cannot be learned from: only 12 actions to compare, want 1000"),
    ],
)
def test_a_log_that_is_too_small_to_learn_from_is_one_line(tmp_path, verb, row_count, message):
    (tmp_path / "items.csv").write_text(f"{HEADER}\na,Tea,pots\n")
    rows = [f"2026-01-01T00:{row:02}:00Z,a,{row % 2},0.5" for row in range(row_count)]
    (tmp_path / "shown.csv").write_text("\n".join(["time,item,clicked,propensity", *rows, ""]))
    assert run(tmp_path, "import", "catalogue", "items.csv", "--out", "items.parquet")[0] == 0
    if rows:
        options = ("--out", "log", "--catalogue", "items.parquet", "--key", "key")
        assert run(tmp_path, "import", "log", "shown.csv", *options)[0] == 0
    code, said = run(tmp_path, "train", verb, "--log", "log", "--models", "models")
    assert code == 2
    assert message in said and "Traceback" not in said
    assert not (tmp_path / "models").exists()
