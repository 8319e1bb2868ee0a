"""Which items does a shop's own file say were shown, on which pages, and what came of it?

A row is an item shown; rows that name one page are one page, and a row that names none is a page of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.errors import ConfigurationError
from services.feature.importing import rows
from services.feature.importing.mapping import LogMapping

MAX_SLOT_COUNT = 40
"""Slots that a plan request may hold."""

MAX_POSITION = 50

FIELDS = (
    rows.Field("time", "time", is_required=True, is_event_time=True),
    rows.Field("item", is_required=True, max_bytes=64, is_id=True),  # it names a module as well
    rows.Field("clicked", "flag", is_required=True),
    rows.Field("position", "integer", low=1, high=MAX_POSITION),
    # One row without it would be a decision of unknown probability among known ones.
    rows.Field("propensity", "number", is_complete=True, low=1e-9, high=1),
    rows.Field("page", max_bytes=128, is_id=True),
    rows.Field("user", max_bytes=128, is_id=True),
    rows.Field("session", max_bytes=128, is_id=True),
    rows.Field("segment", max_bytes=256),
)


@dataclass(frozen=True, slots=True)
class LoggedRows:
    """The rows of one file, R of them, in the file's order."""

    path: Path
    mapping: LogMapping
    times_us: NDArray[np.int64]
    item_ids: Sequence[str]
    clicked: NDArray[np.bool_]
    positions: NDArray[np.int64]
    """From 1."""
    propensities: NDArray[np.float64] | None
    """None where the file tells none; then the log is of use for clicks, and not for a policy."""
    users: Sequence[str]
    sessions: Sequence[str]
    segments: Sequence[str]
    page_rows: Sequence[Sequence[int]]
    """Rows of each page, by position; a row that names no page is a page."""
    names_page: Sequence[bool]
    """(R,) whether the row says which page it stood on."""
    pool: Sequence[str] = field(init=False)
    """The items that the file shows at all, in an order of no meaning."""

    def __post_init__(self) -> None:
        pool = sorted(set(self.item_ids), key=lambda item_id: hashlib.sha256(item_id.encode()).digest())
        object.__setattr__(self, "pool", pool)

    def __len__(self) -> int:
        return len(self.item_ids)


def read(path: Path, mapping: LogMapping, mapped_by: str) -> LoggedRows:
    """The rows of a CSV or Parquet file, one per item shown.

    Raises:
        ConfigurationError: naming file, row, field, what was found and what is wanted.
    """
    values = rows.read(path, mapping, FIELDS, mapped_by)
    count = len(values["item"])
    found = values.get("propensity")
    pages_of = values.get("page", [None] * count)
    positions = [position or 1 for position in values.get("position", [1] * count)]
    return LoggedRows(
        path=path,
        mapping=mapping,
        times_us=np.array(values["time"], np.int64),
        item_ids=values["item"],
        clicked=np.array(values["clicked"], bool),
        positions=np.array(positions, np.int64),
        propensities=None if found is None else np.array(found, np.float64),
        users=[user or "" for user in values.get("user", [""] * count)],
        sessions=[session or "" for session in values.get("session", [""] * count)],
        segments=[segment or "" for segment in values.get("segment", [""] * count)],
        page_rows=_page_rows(path, pages_of, values, positions),
        names_page=[bool(page) for page in pages_of],
    )


def _page_rows(
    path: Path, page_names: Sequence[str | None], values: dict[str, list[Any]], positions: Sequence[int]
) -> list[list[int]]:
    """Rows of each page by position; what cannot be one page is refused."""
    by_page: dict[tuple[str, int], list[int]] = {}
    for row, name in enumerate(page_names):
        by_page.setdefault((name, -1) if name else ("", row), []).append(row)
    for (name, _), members in by_page.items():
        members.sort(key=lambda row: positions[row])
        if len(members) > MAX_SLOT_COUNT:
            raise ConfigurationError(
                f"{path}: row {members[MAX_SLOT_COUNT] + 1}: page: {name!r} has {len(members)} rows, want "
                f"{MAX_SLOT_COUNT} or fewer"
            )
        for above, row in pairwise(members):
            if positions[above] == positions[row]:
                raise ConfigurationError(
                    f"{path}: row {row + 1}: position: got {positions[row]}, which row {above + 1} of page "
                    f"{name!r} has already"
                )
            for field_name in ("user", "session"):
                column = values.get(field_name)
                if column is not None and column[above] != column[row]:
                    raise ConfigurationError(
                        f"{path}: row {row + 1}: {field_name}: got {column[row]!r}, want "
                        f"{column[above]!r} as in row {above + 1} of page {name!r}"
                    )
    return list(by_page.values())
