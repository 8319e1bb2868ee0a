"""Is every mistake in a file, or in where to write, one line that says what to change?"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planogram.files import catalogue
from services.common.errors import ConfigurationError
from services.feature.importing import items
from services.feature.importing.mapping import CatalogueMapping, RatingsMapping, load

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
    ("content", "message"),
    [
        (f"{HEADER},".encode() + b"\xff\na,Tea,pots,1\n", r"line 1: got byte 0xff, which is no UTF-8"),
        (f"{HEADER}\na,{'x' * 3_000_000},pots\n", r"a row is longer than 1 MiB; is a quote not closed\?$"),
        (f'{HEADER}\na,"' + "Tea,pots\n" * 300_000, r"a row is longer than 1 MiB; is a quote not closed\?$"),
        (
            ",".join(f"c{place}" for place in range(20_000)) + "\n",
            r"item_id: no column .* 'c49'\] and others$",
        ),
    ],
    ids=["header", "row", "quote", "columns"],
)
def test_a_file_that_is_no_table_is_told_in_one_short_line(tmp_path, content, message):
    with pytest.raises(ConfigurationError, match=rf"items\.csv: {message}") as caught:
        read(tmp_path, content)
    assert len(str(caught.value)) < 600 + len(str(tmp_path))


def test_a_text_of_several_lines_may_stand_anywhere_in_a_large_file(tmp_path):
    text = "first line\nsecond line, of many words\n" * 500
    content = f"{HEADER},description\n" + "".join(f'a{place},Tea,pots,"{text}"\n' for place in range(200))
    assert len(content) > 2 << 20
    assert read(tmp_path, content).items.num_rows == 200


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("price_micros", pa.array([datetime(2026, 1, 1)]), r"row 1: price_micros .*want a whole number"),
        ("price_micros", pa.array([date(2026, 1, 1)]), r"row 1: price_micros .*want a whole number"),
        ("quality", pa.array([timedelta(1)]), r"row 1: quality .*want a number from 0 up to 1$"),
        ("first_seen", pa.array([2**62], pa.timestamp("us")), r"row 1: column 'first_seen': got no value of"),
        (
            "first_seen",
            pa.array([2**40], pa.timestamp("us", tz="Nowhere")),
            r"row 1: column 'first_seen': got no value of type timestamp\[us, tz=Nowhere\]",
        ),
        (
            "title",
            pa.array([b"\xff"]).view(pa.string()),
            r"row 1: column 'title': got no value of type string",
        ),
        ("title", pa.array([["Tea"]]), r"column 'title': got list<.*want one value a cell"),
    ],
    ids=["time", "date", "duration", "far", "zone", "letters", "list"],
)
def test_a_column_of_another_type_is_told_with_its_row(tmp_path, name, column, message):
    path = tmp_path / "items.parquet"
    row = {"item_id": pa.array(["a"]), "title": pa.array(["Tea"]), "category": pa.array(["pots"])}
    pq.write_table(pa.table({**row, name: column}), path)
    with pytest.raises(ConfigurationError, match=rf"items\.parquet: {message}"):
        items.read(path, CatalogueMapping(), "m")


def test_a_parquet_file_that_was_cut_or_overwritten_is_named(tmp_path):
    path = tmp_path / "items.parquet"
    row = {
        "item_id": [f"a{place}" for place in range(500)],
        "title": ["Tea"] * 500,
        "category": ["pots"] * 500,
    }
    pq.write_table(pa.table(row), path)
    whole, refused = path.read_bytes(), 0
    for size in (0, 3, 4, 100, len(whole) // 2, len(whole) - 1):
        with pytest.raises(ConfigurationError, match=r"items\.parquet: "):
            read(tmp_path, whole[:size], "items.parquet")
    generator = random.Random(1)
    for _ in range(100):
        content = bytearray(whole)
        for _ in range(4):
            content[generator.randrange(len(content))] = generator.randrange(256)
        try:
            read(tmp_path, bytes(content), "items.parquet")
        except ConfigurationError as error:
            refused += str(path) in str(error)
    assert refused > 50


@pytest.mark.parametrize("scale", [(-1e308, 1e308), (0, 1e10)])
def test_a_scale_beyond_numbers_is_refused(scale):
    with pytest.raises(ValueError, match=r"at most 1e\+09 between them"):
        RatingsMapping(scale=scale)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns:\n  title: {value: 2026-13-45}", r":2: got '2026-13-45', .*timestamp"),
        ("columns: " + "[" * 5_000, r":1: file: nested deeper than 100 levels"),
        ("columns:\n  title: a\0b", r":2: character 0x00 is not allowed"),
        ("columns:\n  title: a\n  title: b", r":3: title: stands in line 2 already"),
        (b"columns:\n  title: \xff", r":2: byte 0xff is not UTF-8"),
        ("columns:\n  price_micros: {column: p, times: .inf}", r":2: columns\.price_micros.*finite"),
    ],
    ids=["date", "deep", "nul", "twice", "letters", "infinity"],
)
def test_a_mapping_that_cannot_be_read_is_told_with_its_line(tmp_path, text, message):
    path = tmp_path / "items.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError, match=rf"items\.yaml{message}"):
        load(path, CatalogueMapping)


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("title", pa.array([b"\xff"]).view(pa.string()), r"Invalid UTF8"),
        ("item_id", pa.array([b"\xff"]).view(pa.string()), r"Invalid UTF8"),
        (
            "price_micros",
            pa.array([2**62]),
            r"row 1: price_micros: got 4611686018427387904, want 0 to 10{15}$",
        ),
        ("margin_micros", pa.array([-(2**63)]), r"row 1: margin_micros: got -9\d+, want -10{15} to 10{15}$"),
        ("first_seen", pa.array([2**62], pa.timestamp("us")), r"row 1: first_seen: got 4\d+, want a time of"),
        (
            "first_seen",
            pa.array([-(2**62)], pa.timestamp("us")),
            r"row 1: first_seen: got -4\d+, want a time",
        ),
    ],
)
def test_a_catalogue_holds_nothing_that_its_readers_could_not_take(tmp_path, name, column, message):
    path = tmp_path / "items.parquet"
    row = {"item_id": pa.array(["a"]), "title": pa.array(["Tea"]), "category": pa.array(["pots"])}
    pq.write_table(pa.table({**row, name: column}), path)
    with pytest.raises(catalogue.CatalogueError, match=rf"items\.parquet: .*{message}"):
        catalogue.read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HEADER},".encode() + b"\xff\na,Tea,pots,1\n", r"codec can't decode"),
        (f"{HEADER},title\na,Tea,pots,x\n".encode(), r"column 'title' stands there twice"),
    ],
)
def test_columns_of_a_catalogue_that_have_no_name_or_one_twice_are_told(tmp_path, content, message):
    (tmp_path / "items.csv").write_bytes(content)
    with pytest.raises(catalogue.CatalogueError, match=rf"items\.csv: .*{message}"):
        catalogue.read(tmp_path / "items.csv")


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
