"""Is what is wrong with a mapping or a cell told with file, line or row, and field?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.common.errors import ConfigurationError
from services.feature.importing import rows
from services.feature.importing.mapping import CatalogueMapping, LogMapping, RatingsMapping, Source, load
from services.feature.importing.rows import Field

TEXT, NUMBER = Field("item", is_required=True, max_bytes=8), Field("price", "integer", low=0)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def refusal(folder: Path, text: str, kind=LogMapping, **variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(written(folder / "m.yaml", text), kind, variables)
    return str(caught.value).replace(str(folder), "")


def cell_refusal(path: Path, fields: list[Field], **sources: object) -> str:
    mapping = LogMapping.model_validate({"columns": sources})
    with pytest.raises(ConfigurationError) as caught:
        rows.read(path, mapping, fields, "m.yaml")
    return str(caught.value).replace(str(path.parent), "")


def test_an_unknown_key_is_named_with_its_line(tmp_path):
    assert "/m.yaml:2: polcy:" in refusal(tmp_path, "name: a\npolcy: random\n")
    assert "/m.yaml:3: columns.item.colum:" in refusal(
        tmp_path, "columns:\n  time: at\n  item: {colum: sku}\n"
    )


def test_a_bad_value_is_shown_with_what_is_wanted(tmp_path):
    found = refusal(tmp_path, "name: a\npage_type: landing\n")
    assert "/m.yaml:2: page_type:" in found and "'home'" in found and "'landing'" in found
    assert "/m.yaml:1: scale:" in refusal(tmp_path, "scale: [5, 1]\n", RatingsMapping)


def test_a_source_needs_one_origin(tmp_path):
    for text in ("{}", "{column: a, value: b}", "{prefix: a}"):
        found = refusal(tmp_path, f"columns:\n  item: {text}\n")
        assert "/m.yaml:2: columns.item: " in found and "column, columns, value" in found


def test_a_variable_without_a_value_is_named_with_its_line(tmp_path):
    assert "/m.yaml:2: variable ${day} has no value" in refusal(tmp_path, "name: a\npolicy: ${day}\n")
    path = written(tmp_path / "m.yaml", "policy: ${day}\n")
    assert load(path, LogMapping, {"day": "monday"}).policy == "monday"


def test_broken_yaml_and_a_missing_file_are_named(tmp_path):
    assert "/m.yaml:3: " in refusal(tmp_path, "name: a\ncolumns: [\n")
    with pytest.raises(ConfigurationError, match=r"absent\.yaml: No such file"):
        load(tmp_path / "absent.yaml", CatalogueMapping)


def test_a_bad_cell_is_named_with_row_field_column_and_wish(tmp_path):
    path = written(tmp_path / "f.csv", "sku,eur\na,1\nb,cheap\n")
    found = cell_refusal(path, [TEXT, NUMBER], item="sku", price="eur")
    assert found == "/f.csv: row 2: price (column eur): got 'cheap', want a whole number from 0"
    path = written(tmp_path / "f.csv", "sku,eur\na,1\n,2\n")
    assert "/f.csv: row 2: item (column sku): got ''" in cell_refusal(path, [TEXT], item="sku")
    path = written(tmp_path / "f.csv", "sku\nmuch too long\n")
    assert "row 1: item (column sku): got 'much too long', want 1 to 8 bytes" in cell_refusal(
        path, [TEXT], item="sku"
    )


def test_a_missing_column_and_an_unknown_field_are_named(tmp_path):
    path = written(tmp_path / "f.csv", "sku\na\n")
    assert "item: column 'id' is missing (m.yaml wants it); found ['sku']" in cell_refusal(
        path, [TEXT], item="id"
    )
    assert "columns.itm: no such field; known: ['item']" in cell_refusal(path, [TEXT], itm="sku")
    assert "item: no column of that name, and no source" in cell_refusal(path, [TEXT])


def test_a_row_of_another_length_and_an_empty_file_are_told(tmp_path):
    path = written(tmp_path / "f.csv", "sku,eur\na,1\nb\n")
    assert "/f.csv: " in (found := cell_refusal(path, [TEXT], item="sku")) and "Expected 2 columns" in found
    path = written(tmp_path / "f.csv", "sku\n")
    assert "/f.csv: no row" in cell_refusal(path, [TEXT], item="sku")
    assert "want a file that ends in .csv or .parquet" in cell_refusal(tmp_path / "f.txt", [TEXT])


def test_every_kind_of_source_makes_its_value(tmp_path):
    path = written(tmp_path / "f.csv", "a,b,eur,act,at\nx,y,19.99,buy,1767225600\nz,,3,see,1767225601\n")
    mapping = LogMapping.model_validate(
        {
            "columns": {
                "plain": "a",
                "joined": {"columns": ["a", "b"], "separator": "-", "prefix": "p:"},
                "fixed": {"value": "shop"},
                "filled": {"column": "b", "default": "none"},
                "price": {"column": "eur", "times": 1_000_000},
                "clicked": {"column": "act", "values": {"buy": 1, "see": 0}},
                "time": {"column": "at", "unit": "s"},
            }
        }
    )
    fields = [
        *(Field(name) for name in ("plain", "joined", "fixed", "filled")),
        *(Field("price", "integer"), Field("clicked", "flag"), Field("time", "time")),
    ]
    assert rows.read(path, mapping, fields, "m") == {
        "plain": ["x", "z"],
        "joined": ["p:x-y", "p:z"],
        "fixed": ["shop", "shop"],
        "filled": ["y", "none"],
        "price": [19_990_000, 3_000_000],
        "clicked": [True, False],
        "time": [1_767_225_600_000_000, 1_767_225_601_000_000],
    }


def test_parquet_cells_keep_their_types(tmp_path):
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"item": [7], "time": [moment], "clicked": [True], "list": [[1]]}), path)
    fields = [Field("item"), Field("time", "time"), Field("clicked", "flag")]
    found = rows.read(path, LogMapping(), fields, "m")
    assert found == {"item": ["7"], "time": [round(moment.timestamp() * 1e6)], "clicked": [True]}
    assert "column 'list': got list" in cell_refusal(path, [TEXT], item="list")


def test_a_time_without_a_zone_is_utc():
    read = rows._PARSERS["time"]
    assert read("2026-01-01 00:00:00", Source(column="t")) == read(
        "2026-01-01T01:00:00+01:00", Source(column="t")
    )
