"""What does a catalogue file hold: the items of a shop, in Parquet or CSV?

One row per item. Required columns: item_id, title, category. All others may be left out; each has a
default that COLUMNS states.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

REQUIRED = ("item_id", "title", "category")
MAX_ID_BYTES = 128
MAX_TITLE_BYTES = 1_000
MAX_MICROS = 10**15
"""Of prices and margins, a thousand million of the currency: what events and facts of items may hold."""

COLUMNS = pa.schema(
    [
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("category", pa.string()),  # category id, such as "kitchen"
        ("kind", pa.string()),  # "product" or "article"
        ("description", pa.string()),
        ("brand", pa.string()),
        ("seller", pa.string()),
        ("price_micros", pa.int64()),  # millionths of the currency
        ("list_price_micros", pa.int64()),  # price before any cut; default: the price
        ("margin_micros", pa.int64()),  # expected margin of a sale; default: 30 % of the price
        ("stock", pa.int32()),
        ("age_rating", pa.int32()),  # lowest age in years; 0 is none
        ("bid_micros", pa.int64()),  # advertiser's bid for a click; 0 is no ad
        ("quality", pa.float32()),  # mean rating scaled to 0..1
        ("first_seen", pa.timestamp("us", tz="UTC")),
        ("is_active", pa.bool_()),
        ("image_svg", pa.string()),  # drawn image; empty is none
        ("image_url", pa.string()),
    ]
)

_TIMES_US = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_CONTROL = r"[\x00-\x1f\x7f]"
_DEFAULTS: dict[str, Any] = {
    "kind": "product",
    "description": "",
    "brand": "",
    "seller": "",
    "price_micros": 0,
    "stock": 1_000,
    "age_rating": 0,
    "bid_micros": 0,
    "quality": 0.5,
    "is_active": True,
    "image_svg": "",
    "image_url": "",
}


class CatalogueError(ValueError):
    """A catalogue that cannot be used; the message names the file, the row and the column."""


def read(path: Path) -> pa.Table:
    """The items of a .parquet or .csv file in the schema COLUMNS, defaults filled in, by item_id.

    Raises:
        CatalogueError: for a missing column, a value of the wrong type or out of range, an item
            twice. Rows count from 1, a CSV header not included.
    """
    table = _load(path)
    missing = [name for name in REQUIRED if name not in table.column_names]
    if missing:
        raise CatalogueError(f"{path}: column {missing[0]!r} is missing; found {table.column_names}")
    unknown = [name for name in table.column_names if name not in COLUMNS.names]
    if unknown:
        raise CatalogueError(f"{path}: column {unknown[0]!r} is unknown; known: {COLUMNS.names}")
    columns = [_column(path, table, field) for field in COLUMNS]
    filled = _fill_derived(pa.Table.from_arrays(columns, schema=COLUMNS))
    _check(path, filled)
    return filled.sort_by("item_id").combine_chunks()


def write(path: Path, items: pa.Table) -> Path:
    """Writes items as Parquet, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pq.write_table(items.select(COLUMNS.names).cast(COLUMNS), staging, compression="zstd")
        return staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)


def _load(path: Path) -> pa.Table:
    try:
        if path.suffix == ".csv":
            text = {name: pa.string() for name in REQUIRED}
            table = pyarrow.csv.read_csv(
                path, convert_options=pyarrow.csv.ConvertOptions(column_types=text, strings_can_be_null=False)
            )
        elif path.suffix == ".parquet":
            table = pq.read_table(path)
        else:
            raise CatalogueError(f"{path}: want a file that ends in .parquet or .csv")
        table.validate(full=True)  # texts that are no UTF-8 would fail whoever reads them
        names = table.column_names
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            raise CatalogueError(f"{path}: column {twice[0]!r} stands there twice; found {names}")
        return table
    except FileNotFoundError:
        raise CatalogueError(f"{path}: no such file") from None
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise CatalogueError(f"{path}: {error}") from None


def _column(path: Path, table: pa.Table, field: pa.Field) -> pa.Array:
    default = _DEFAULTS.get(field.name)
    if field.name not in table.column_names:
        return pa.array([default] * table.num_rows, field.type)
    column = table.column(field.name).combine_chunks()
    try:
        column = column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        for row, value in enumerate(column):
            try:
                value.cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise CatalogueError(
                    f"{path}: row {row + 1}: {field.name}: got {_short(value.as_py())}, want {field.type}"
                ) from None
        raise
    return column if default is None else column.fill_null(pa.scalar(default, field.type))


def _fill_derived(table: pa.Table) -> pa.Table:
    price = table.column("price_micros")
    derived = {
        "list_price_micros": price,
        "margin_micros": pc.cast(
            pc.multiply(pc.cast(price, pa.float64(), safe=False), 0.3), pa.int64(), safe=False
        ),
        "first_seen": pa.scalar(0, pa.timestamp("us", tz="UTC")),
    }
    for name, value in derived.items():
        index = table.schema.get_field_index(name)
        table = table.set_column(index, COLUMNS.field(name), pc.coalesce(table.column(name), value))
    return table


def _check(path: Path, table: pa.Table) -> None:
    for name in REQUIRED:
        length = pc.fill_null(pc.binary_length(table.column(name)), 0)
        limit = MAX_ID_BYTES if name != "title" else MAX_TITLE_BYTES
        _refuse(
            path, table, name, pc.or_(pc.equal(length, 0), pc.greater(length, limit)), f"1 to {limit} bytes"
        )
    for name in ("item_id", "category"):
        has_control = pc.match_substring_regex(table.column(name), _CONTROL)
        _refuse(path, table, name, has_control, "an id without control characters")
    for name in ("stock", "age_rating"):
        _refuse(path, table, name, pc.less(table.column(name), 0), "0 or more")
    for name in ("price_micros", "list_price_micros", "bid_micros"):
        _refuse(path, table, name, _outside(table, name, 0, MAX_MICROS), f"0 to {MAX_MICROS}")
    margin = _outside(table, "margin_micros", -MAX_MICROS, MAX_MICROS)
    _refuse(path, table, "margin_micros", margin, f"{-MAX_MICROS} to {MAX_MICROS}")
    # As numbers: what is outside is no time that Python could show.
    first_seen = pa.table({"first_seen": table.column("first_seen").cast(pa.int64())})
    outside = _outside(first_seen, "first_seen", *_TIMES_US)
    _refuse(path, first_seen, "first_seen", outside, "a time of the years 1 to 9999, in us since 1970")
    quality = table.column("quality")
    outside = pc.invert(pc.and_(pc.greater_equal(quality, 0), pc.less_equal(quality, 1)))
    _refuse(path, table, "quality", outside, "0 to 1")
    is_known = pc.is_in(table.column("kind"), pa.array(["product", "article"]))
    _refuse(path, table, "kind", pc.invert(is_known), "product or article")
    first_row: dict[str, int] = {}
    for row, item_id in enumerate(table.column("item_id").to_pylist()):
        if item_id in first_row:
            raise CatalogueError(
                f"{path}: row {row + 1}: item_id: {item_id!r} stands in row {first_row[item_id] + 1} already"
            )
        first_row[item_id] = row


def _outside(table: pa.Table, name: str, low: int, high: int) -> pa.ChunkedArray:
    """Which numbers of a column are not from low to high."""
    column = table.column(name)
    return pc.or_(pc.less(column, low), pc.greater(column, high))


def _refuse(path: Path, table: pa.Table, name: str, is_bad: pa.ChunkedArray, want: str) -> None:
    row = pc.index(is_bad, True).as_py()
    if row >= 0:
        raise CatalogueError(
            f"{path}: row {row + 1}: {name}: got {_short(table.column(name)[row].as_py())}, want {want}"
        )


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
