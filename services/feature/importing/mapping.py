"""Which columns of a shop's file are which fields of this system?

A mapping is a YAML file: `columns` names a source for each field, other keys are settings of the kind of
import. A source is a column's name, or says how to make the field's text out of columns:

    item_id: sku                                        the column sku
    item_id: {column: sku, prefix: "men-"}              with something in front
    title: {columns: [brand, name], separator: " "}     several columns, joined
    price_micros: {column: price, times: 1000000}       a number in another unit
    clicked: {column: action, values: {buy: 1, see: 0}} other words for the same
    brand: {column: maker, default: unknown}            instead of an empty cell
    category: {value: fashion}                          the same for every row

`${name}` anywhere in the file stands for a variable, so that one mapping serves many files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from services.common import yaml_file
from services.common.errors import ConfigurationError
from services.common.yaml_file import Document

M = TypeVar("M", bound="Document")

MAX_SCALE = 1e9
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"


class Source(Document):
    """Where a field's values come from."""

    column: str = ""
    columns: tuple[str, ...] = ()
    value: str | int | float | bool | None = None
    separator: str = " "
    prefix: str = ""
    values: dict[str, str | int | float | bool] = Field(default_factory=dict)
    default: str | int | float | bool | None = None
    times: float = 1.0
    unit: Literal["iso", "s", "ms", "us"] = "iso"
    """How a time is written: ISO 8601, or a count since 1970."""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, data: Any) -> Any:
        return {"column": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if bool(self.column) + bool(self.columns) + (self.value is not None) != 1:
            raise ValueError("want a column's name, or one of the keys column, columns, value")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that the source reads."""
        return (self.column,) if self.column else self.columns


class FileMapping(Document):
    """What mappings of every kind of file have in common."""

    columns: dict[str, Source] = Field(default_factory=dict)


class CatalogueMapping(FileMapping):
    """How a shop writes down its items."""


class RatingsMapping(FileMapping):
    """How a shop writes down what shoppers thought of items."""

    name: str = Field("ratings", pattern=_NAME)
    """Part of the files' names; a second import of the same name replaces the first."""
    scale: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest rating that the file can hold; they become 1 and 5."""
    click_from: float = Field(4.0, ge=1, le=6)
    """Rating, out of 5, from which it counts as a click as well; 6 for never."""

    @field_validator("scale")
    @classmethod
    def _is_ordered(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] >= scale[1]:
            raise ValueError("want the lowest rating, then the highest")
        if scale[1] - scale[0] > MAX_SCALE:
            raise ValueError(f"want at most {MAX_SCALE:g} between them")
        return scale


class LogMapping(FileMapping):
    """How a shop writes down what it showed."""

    name: str = Field("log", pattern=_NAME)
    """Part of page ids and of the files' names; a second import of the same name replaces the first."""
    policy: str = Field("logged", min_length=1, max_length=64)
    """What chose the items; becomes the exposures' policy_version."""
    page_type: Literal["home", "category", "product", "search", "cart", "checkout", "article", "help"] = (
        "home"
    )
    device: Literal["desktop", "phone", "tablet"] = "desktop"
    family: Literal["promotion", "discovery", "deep"] = "discovery"
    refresh_hours: float = Field(1.0, gt=0, le=24 * 7)
    """Item statistics of a row are those at the last full multiple of this time before it."""


def load(path: Path, kind: type[M], variables: Mapping[str, str] | None = None) -> M:
    """The mapping of a file.

    Raises:
        ConfigurationError: naming file, line and key, what was found and what is wanted.
    """
    return yaml_file.read(path, kind, lambda text: _filled(path, text, variables or {}))


def _filled(path: Path, text: str, variables: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in variables:
            line = text.count("\n", 0, match.start()) + 1
            raise ConfigurationError(
                f"{path}:{line}: variable {match[0]} has no value; give one: --set {match[1]}=..."
            )
        return variables[match[1]]

    return _VARIABLE.sub(value, text)
