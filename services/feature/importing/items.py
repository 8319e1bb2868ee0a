"""How does a shop's catalogue become this system's, and its categories the layout's?"""

from __future__ import annotations

import re
import shutil
import tempfile
import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

import services
from planogram.files import catalogue as files
from services.common.errors import ConfigurationError
from services.feature.importing import rows
from services.feature.importing.mapping import CatalogueMapping

MAX_CATEGORY_COUNT = 16
"""Categories that get modules of their own: three each, beside seven others, of a page's 56 at most."""

_MAX_SLUG_LENGTH = 50
_KINDS = {
    pa.string(): "text",
    pa.int64(): "integer",
    pa.int32(): "integer",
    pa.float32(): "number",
    pa.bool_(): "flag",
}
_AMOUNT = {"low": 0.0, "high": 1e15}
_COUNT = {"low": 0.0, "high": 2.0**31 - 1}
_LIMITS: Mapping[str, dict[str, Any]] = {
    "item_id": {"max_bytes": files.MAX_ID_BYTES, "is_id": True},
    "title": {"max_bytes": files.MAX_TITLE_BYTES},
    "category": {"max_bytes": files.MAX_TITLE_BYTES},  # its id is made of it, and is shorter
    "price_micros": _AMOUNT,
    "list_price_micros": _AMOUNT,
    "margin_micros": {"low": -1e15, "high": 1e15},
    "bid_micros": _AMOUNT,
    "stock": _COUNT,
    "age_rating": _COUNT,
    "quality": {"low": 0.0, "high": 1.0},
}
FIELDS = tuple(
    rows.Field(
        field.name,
        _KINDS.get(field.type, "time"),
        is_required=field.name in files.REQUIRED,
        **_LIMITS.get(field.name, {}),
    )
    for field in files.COLUMNS
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Imported items, and the name of each category by its id."""

    items: pa.Table
    category_names: Mapping[str, str]

    @property
    def largest_categories(self) -> dict[str, str]:
        """Names of the categories with most items, by id; at most MAX_CATEGORY_COUNT."""
        sizes = Counter(self.items.column("category").to_pylist())
        found = sorted(sizes, key=lambda category: (-sizes[category], category))[:MAX_CATEGORY_COUNT]
        return {category: self.category_names[category] for category in found}


def read(path: Path, mapping: CatalogueMapping, mapped_by: str) -> Catalogue:
    """The items of a CSV or Parquet file in the schema of planogram.files.catalogue.

    Category ids are made of the shop's names: "Home & Garden" becomes "home-garden". Names that differ in
    case and punctuation alone are one category.

    Raises:
        ConfigurationError: naming file, row, field, what was found and what is wanted.
    """
    values = rows.read(path, mapping, FIELDS, mapped_by)
    names: dict[str, str] = {}
    for name in values["category"]:
        names.setdefault(slug(name), name)
    values["category"] = [slug(name) for name in values["category"]]
    columns = {name: pa.array(column, files.COLUMNS.field(name).type) for name, column in values.items()}
    return Catalogue(_validated(path, pa.table(columns)), names)


def joined(catalogues: Sequence[Catalogue], source: Path) -> Catalogue:
    """Several catalogues as one.

    Raises:
        ConfigurationError: for an item that stands in two of them.
    """
    names: dict[str, str] = {}
    for each in catalogues:
        names = {**each.category_names, **names}
    return Catalogue(_validated(source, pa.concat_tables([each.items for each in catalogues])), names)


def shipped_configuration() -> Path:
    """The layout service's own folder of YAML files.

    Raises:
        ConfigurationError: where that service is not installed beside this one.
    """
    for root in services.__path__:
        folder = Path(root, "layout", "config")
        if folder.is_dir():
            return folder
    raise ConfigurationError("the layout service is not installed here; name its folder with --config-from")


def write_configuration(out: Path, source: Path, category_names: Mapping[str, str]) -> Path:
    """A folder of layout's configuration whose categories are these.

    Where the folder is there already, its categories.yaml alone is replaced, so that what was edited stays.
    """
    document = {"categories": {category: {"en": name} for category, name in category_names.items()}}
    text = "# The categories that modules are made for, each with its name per language.\n" + yaml.safe_dump(
        document, allow_unicode=True, sort_keys=False
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".import-") as name:
        staging = Path(name, "config")
        shutil.copytree(out if out.is_dir() else source, staging)
        Path(staging, "categories.yaml").write_text(text)
        if out.is_dir():
            Path(staging, "categories.yaml").replace(out / "categories.yaml")
        else:
            staging.replace(out)
    return out


def slug(name: str) -> str:
    """A category's id: lower-case letters, digits and hyphens; a digest for names without any of them."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_SLUG_LENGTH].strip("-")
    return found or f"c-{zlib.crc32(name.encode()):08x}"


def _validated(path: Path, table: pa.Table) -> pa.Table:
    """The table as the catalogue's own reader would have it, defaults filled in."""
    with tempfile.TemporaryDirectory() as folder:
        staging = Path(folder, "items.parquet")
        pq.write_table(table, staging)
        try:
            return files.read(staging)
        except files.CatalogueError as error:
            raise ConfigurationError(str(error).replace(str(staging), str(path))) from None
