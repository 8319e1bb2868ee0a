"""How are dataclasses of arrays with one row each of the same things cut and put together?"""

from __future__ import annotations

from dataclasses import fields
from typing import TypeVar

import numpy as np

Rows = TypeVar("Rows")
"""A dataclass of arrays with one row each of the same things."""


def taken(part: Rows, chosen: np.ndarray) -> Rows:
    """Some rows of a dataclass of arrays."""
    return type(part)(*(getattr(part, field.name)[chosen] for field in fields(part)))  # type: ignore[arg-type]


def concatenated(parts: list[Rows]) -> Rows:
    """Rows of dataclasses of arrays, one behind the other; what is None stays so."""
    columns = (
        [getattr(part, field.name) for part in parts]
        for field in fields(parts[0])  # type: ignore[arg-type]
    )
    return type(parts[0])(*(None if column[0] is None else np.concatenate(column) for column in columns))


def put(part: Rows, at: np.ndarray, fresh: Rows) -> None:
    """Replaces rows of a dataclass of arrays, in place."""
    for field in fields(part):  # type: ignore[arg-type]
        getattr(part, field.name)[at] = getattr(fresh, field.name)
