"""What do the rows of a shop's file say, field by field?

Files are CSV or Parquet. Every cell is checked; what cannot be used is told with file, row and field. Rows
count from 1, a CSV header not included.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from services.common.errors import ConfigurationError
from services.feature.importing.mapping import FileMapping, Source

_UNITS_US = {"s": 1e6, "ms": 1e3, "us": 1.0}
_EARLIEST_US = 631_152_000_000_000  # 1990-01-01: an earlier time is a count in another unit
_AHEAD_US = 86_400_000_000  # clocks differ; one future row would become the pipeline's "now"
_MOST_US = 253_402_300_799_999_999  # the end of the year 9999, as far as times are written
MAX_TOLD_COLUMNS = 50
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TRUE, _FALSE = ("1", "true", "yes", "y", "1.0"), ("0", "false", "no", "n", "0.0")


@dataclass(frozen=True, slots=True)
class Field:
    """What an import wants to know of each row."""

    name: str
    kind: str = "text"
    """text, number, integer, flag or time (microseconds since 1970)."""
    is_required: bool = False
    """Whether it needs a source, and a value in every row."""
    is_complete: bool = False
    """Whether it needs a value in every row, where it has a source."""
    low: float = -math.inf
    high: float = math.inf
    max_bytes: int = 1_000_000
    is_id: bool = False
    """Whether it names something; ids hold no control characters."""
    is_event_time: bool = False
    """Whether something happened at it: since 1990, and at most a day ahead of the clock."""

    @property
    def wanted(self) -> str:
        bounds = "" if math.isinf(self.low) else f" from {self.low:g}"
        bounds += "" if math.isinf(self.high) else f" up to {self.high:g}"
        if self.is_event_time:
            latest = _EPOCH + timedelta(microseconds=_latest_us())
            bounds = f", from 1990-01-01 up to {latest:%Y-%m-%dT%H:%M:%SZ} (a day ahead of the clock)"
        return {
            "text": f"1 to {self.max_bytes} bytes" + (" without control characters" if self.is_id else ""),
            "number": "a number" + bounds,
            "integer": "a whole number" + bounds,
            "flag": "1 or 0, true or false, yes or no",
            "time": "an ISO 8601 time, such as 2026-01-31T12:00:00Z, or a mapping with unit: s, ms or us"
            + bounds,
        }[self.kind]


def read(path: Path, mapping: FileMapping, fields: Sequence[Field], mapped_by: str) -> dict[str, list[Any]]:
    """The values of each field that has a source; None where a cell that may be empty is.

    A field without a source in the mapping is read from the column of its own name, where there is one.

    Args:
        mapped_by: name of the mapping file, for messages.

    Raises:
        ConfigurationError: for a file that cannot be read, a missing column, or a value that cannot be used.
    """
    names = _columns_of(path)
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ConfigurationError(f"{path}: column {repeated[0]!r} stands there twice; found {_told(names)}")
    known = {field.name for field in fields}
    unknown = [name for name in mapping.columns if name not in known]
    if unknown:
        raise ConfigurationError(f"{mapped_by}: columns.{unknown[0]}: no such field; known: {sorted(known)}")
    sources = {}
    for field in fields:
        source = mapping.columns.get(field.name)
        if source is None and field.name in names:
            source = Source(column=field.name)
        if source is not None:
            sources[field.name] = source
        elif field.is_required:
            raise ConfigurationError(
                f"{path}: {field.name}: no column of that name, and no source under `columns` in "
                f"{mapped_by}; found columns {_told(names)}"
            )
    for name, source in sources.items():
        missing = [column for column in source.names if column not in names]
        if missing:
            raise ConfigurationError(
                f"{path}: {name}: column {missing[0]!r} is missing ({mapped_by} wants it); "
                f"found {_told(names)}"
            )
    wanted = list(dict.fromkeys(column for source in sources.values() for column in source.names))
    table = _load(path, wanted)
    if not table.num_rows:
        raise ConfigurationError(f"{path}: no row")
    return {
        field.name: _values(path, table, field, sources[field.name])
        for field in fields
        if field.name in sources
    }


def _columns_of(path: Path) -> list[str]:
    try:
        if path.suffix == ".csv":
            with pyarrow.csv.open_csv(path, parse_options=_PARSING) as reader:
                return list(reader.schema.names)
        if path.suffix == ".parquet":
            return list(pq.read_schema(path).names)
    except _UNREADABLE as error:
        raise ConfigurationError(f"{path}: {_unreadable(path, error)}") from None
    raise ConfigurationError(f"{path}: want a file that ends in .csv or .parquet")


def _load(path: Path, columns: list[str]) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path, columns=columns or None)
            for name, kind in zip(table.column_names, table.schema.types, strict=True):
                if pa.types.is_nested(kind):
                    raise ConfigurationError(f"{path}: column {name!r}: got {kind}, want one value a cell")
            return table
        # As text: a column's type guessed from its first rows is a mistake in a later one.
        options = pyarrow.csv.ConvertOptions(
            include_columns=columns,
            column_types={name: pa.string() for name in columns},
            strings_can_be_null=False,
        )
        return pyarrow.csv.read_csv(path, convert_options=options, parse_options=_PARSING)
    except _UNREADABLE as error:
        raise ConfigurationError(f"{path}: {_unreadable(path, error)}") from None


_PARSING = pyarrow.csv.ParseOptions(newlines_in_values=True)
_UNREADABLE = (OSError, pa.ArrowException, UnicodeError, MemoryError)
_TOO_LONG = ("straddling object", "out of sync")
"""What pyarrow says of a row that does not fit into a block, which is 1 MiB."""


def _told(names: list[str]) -> str:
    """Names of columns as messages show them."""
    return f"{names}" if len(names) <= MAX_TOLD_COLUMNS else f"{names[:MAX_TOLD_COLUMNS]} and others"


def _unreadable(path: Path, error: Exception) -> str:
    """What is wrong with a file; of one in another encoding, the first line that shows it."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if any(words in str(error) for words in _TOO_LONG):
        return "a row is longer than 1 MiB; is a quote not closed?"
    if path.suffix == ".csv" and not isinstance(error, OSError):
        content = path.read_bytes()
        try:
            content.decode()
        except UnicodeDecodeError as wrong:
            line = content.count(b"\n", 0, wrong.start) + 1
            return f"line {line}: got byte 0x{content[wrong.start]:02x}, which is no UTF-8; save it as UTF-8"
    return str(error)


def _values(path: Path, table: pa.Table, field: Field, source: Source) -> list[Any]:
    parse = _PARSERS[field.kind]
    result: list[Any] = []
    remembered: dict[Any, Any] = {}
    for row, cell in enumerate(_cells(path, table, source)):
        # Few distinct cells stand in most columns, and parsing is what takes the time.
        value = remembered.get(cell, _NEW)
        if value is _NEW:
            value = _parsed(path, row, cell, field, source, parse)
            if len(remembered) < 100_000:
                remembered[cell] = value
        result.append(value)
    return result


_NEW = object()


def _cells(path: Path, table: pa.Table, source: Source) -> Sequence[Any]:
    if source.value is not None:
        return [source.value] * table.num_rows
    if source.column:
        return _listed(path, table, source.column)
    columns = [_listed(path, table, name) for name in source.columns]
    return [
        source.separator.join(str(cell) for cell in cells if cell not in (None, ""))
        for cells in zip(*columns, strict=True)
    ]


def _listed(path: Path, table: pa.Table, name: str) -> list[Any]:
    """The cells of a column; Parquet may hold texts and times that are none."""
    column = table.column(name)
    try:
        cells: list[Any] = column.to_pylist()
        return cells
    except _NO_VALUE as error:
        for row, cell in enumerate(column):
            try:
                cell.as_py()
            except _NO_VALUE as problem:
                where = f"{path}: row {row + 1}: column {name!r}"
                raise ConfigurationError(f"{where}: got no value of type {column.type}: {problem}") from None
        raise ConfigurationError(f"{path}: column {name!r}: {error}") from None


_NO_VALUE = (ValueError, ArithmeticError, LookupError, TypeError, pa.ArrowException)


def _parsed(
    path: Path, row: int, cell: Any, field: Field, source: Source, parse: Callable[[Any, Source], Any]
) -> Any:
    found = cell.strip() if isinstance(cell, str) else cell
    if found is None or found == "" or found != found:
        found = source.default
    elif source.values:
        found = source.values.get(str(found), found)
    value = None
    if found is not None:
        try:
            value = parse(found, source)
        except (ValueError, OverflowError, TypeError):
            raise _refused(path, row, cell, field, source) from None
    if value is None:
        if field.is_required or field.is_complete:
            raise _refused(path, row, cell, field, source)
        return None
    if not _is_within(value, field):
        raise _refused(path, row, cell, field, source)
    return value


def _is_within(value: Any, field: Field) -> bool:
    if field.kind == "text":
        is_short = 1 <= len(value.encode()) <= field.max_bytes
        return is_short and not (field.is_id and _CONTROL.search(value))
    if field.is_event_time:
        return bool(_EARLIEST_US <= value <= _latest_us())
    if field.kind == "time":
        return bool(-_MOST_US <= value <= _MOST_US)
    return field.kind not in ("number", "integer") or bool(field.low <= value <= field.high)


def _latest_us() -> int:
    return time.time_ns() // 1_000 + _AHEAD_US


def _refused(path: Path, row: int, cell: Any, field: Field, source: Source) -> ConfigurationError:
    names = f" (column {', '.join(source.names)})" if source.names else " (value of the mapping)"
    shown = repr(cell) if len(repr(cell)) <= 60 else f"{cell!r:.60}..."
    known = f", or one of {sorted(source.values)}" if source.values else ""
    return ConfigurationError(
        f"{path}: row {row + 1}: {field.name}{names}: got {shown}, want {field.wanted}{known}"
    )


def _text(cell: Any, source: Source) -> str:
    text = cell.decode() if isinstance(cell, bytes) else cell
    return f"{source.prefix}{text}"


def _number(cell: Any, source: Source) -> float:
    value = float(cell) * source.times
    if not math.isfinite(value):
        raise ValueError(cell)
    return value


def _integer(cell: Any, source: Source) -> int:
    value = _number(cell, source)
    # A price of 19.99 times a million is a whole number but for rounding.
    if abs(value - round(value)) > 1e-3:
        raise ValueError(cell)
    return round(value)


def _flag(cell: Any, source: Source) -> bool:
    text = str(cell).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(cell)


def _time(cell: Any, source: Source) -> int:
    if source.unit != "iso" and not isinstance(cell, datetime):
        return round(float(cell) * _UNITS_US[source.unit])
    moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round((moment - _EPOCH).total_seconds() * 1e6)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARSERS: Mapping[str, Callable[[Any, Source], Any]] = {
    "text": _text,
    "number": _number,
    "integer": _integer,
    "flag": _flag,
    "time": _time,
}
