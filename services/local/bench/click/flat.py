"""What do learners read that want one row an item?

The very tensors that were logged, the shopper's beside each item. What our network works out by itself is
worked out for them: how like the item is to the shopper, the affinity to its category, and what the shopper
did with this item, its category and its brand. Where the item stood is a feature like any other, slot and
place both as a code and as a number.

Symbols: R rows, C columns, L length of the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.scoring.signature import SPECS
from services.scoring.training.data import (
    DEVICE_COUNT,
    MODULE_COUNT,
    PLACE_COUNT,
    SLOT_COUNT,
    TEMPLATE_COUNT,
    Examined,
)

Array = np.ndarray[Any, Any]

_SPEC = {spec.name: spec for spec in SPECS}
_RATES = ("click_rate", "purchase_rate")
_RATE_FLOOR = 1e-4
_AGE_LIMIT = 10.0  # logarithm of hours: what never happened is older than anything that did

CODES: dict[str, int] = {
    **_SPEC["item_ids"].cardinality,
    **_SPEC["context_ids"].cardinality,
    "stood_on": DEVICE_COUNT,
    "slot": SLOT_COUNT,
    "place": PLACE_COUNT,
    "module": MODULE_COUNT,
    "template": TEMPLATE_COUNT,
}
"""Categorical columns, and how many values each has."""
HISTORY = ("item", "category", "brand")
"""Codes that events of the history have as well."""


@dataclass(frozen=True, slots=True)
class Flat:
    """Examined items as rows.

    Attributes:
        codes: (R,) int32 by the names of CODES; numbers: (R, C) float32; names: of its columns.
        history: (R, L) int32 by the names of HISTORY, newest first, 0 behind the last; L is the longest.
        length: (R,) events of the history.
    """

    codes: Mapping[str, Array]
    numbers: Array
    names: tuple[str, ...]
    history: Mapping[str, Array]
    length: Array
    click: Array

    def take(self, rows: Array) -> Flat:
        """Some of the rows."""
        return Flat(
            {name: array[rows] for name, array in self.codes.items()},
            self.numbers[rows],
            self.names,
            {name: array[rows] for name, array in self.history.items()},
            self.length[rows],
            self.click[rows],
        )


def make(data: Examined) -> Flat:
    """All rows, in their order."""
    page = np.repeat(np.arange(data.page_count), np.diff(data.offsets))
    shopper = {name: array[page] for name, array in data.shopper.items()}
    item_ids, context_ids, history_ids = data.item["item_ids"], shopper["context_ids"], shopper["history_ids"]
    codes = {name: item_ids[:, column] for column, name in enumerate(_SPEC["item_ids"].columns)}
    codes |= {name: context_ids[:, column] for column, name in enumerate(_SPEC["context_ids"].columns)}
    codes |= {"stood_on": data.device, "slot": data.slot, "place": data.place}
    codes |= {"module": data.module, "template": data.template}
    numbers = {**_item_numbers(data), **_shopper_numbers(shopper), **_meetings(data, shopper)}
    numbers |= {"slot_number": data.slot, "place_number": data.place}
    numbers |= {"log_shelf_size": np.log(data.shelf_size)}
    length = (history_ids[:, :, 3] > 0).sum(1)
    longest = max(1, int(length.max()))
    return Flat(
        codes={name: array.astype(np.int32) for name, array in codes.items()},
        numbers=np.column_stack(list(numbers.values())).astype(np.float32),
        names=tuple(numbers),
        history={name: history_ids[:, :longest, column] for column, name in enumerate(HISTORY)},
        length=length,
        click=data.click,
    )


def _item_numbers(data: Examined) -> dict[str, Array]:
    columns = _SPEC["item_numbers"].columns
    found = {name: data.item["item_numbers"][:, column] for column, name in enumerate(columns)}
    found |= {f"log_{name}": np.log(np.maximum(found[name], 0) + _RATE_FLOOR) for name in _RATES}
    return found | {f"item_vector_{axis}": row for axis, row in enumerate(data.item["item_vector"].T)}


def _shopper_numbers(shopper: Mapping[str, Array]) -> dict[str, Array]:
    columns = _SPEC["shopper_numbers"].columns
    found = {name: shopper["shopper_numbers"][:, column] for column, name in enumerate(columns)}
    return found | {f"shopper_vector_{axis}": row for axis, row in enumerate(shopper["shopper_vector"].T)}


def _meetings(data: Examined, shopper: Mapping[str, Array]) -> dict[str, Array]:
    """What item and shopper have in common."""
    item_ids, history_ids = data.item["item_ids"], shopper["history_ids"]
    age = shopper["history_numbers"][:, :, 0]
    found = {
        "likeness": (data.item["item_vector"] * shopper["shopper_vector"]).sum(1),
        "affinity": shopper["category_affinity"][np.arange(len(item_ids)), item_ids[:, 1]],
    }
    for column, name in enumerate(HISTORY):
        is_same = (history_ids[:, :, column] == item_ids[:, column, None]) & (history_ids[:, :, 3] > 0)
        is_same &= item_ids[:, column, None] > 0
        found[f"same_{name}"] = np.log1p(is_same.sum(1))
        found[f"age_of_same_{name}"] = np.where(is_same, age, _AGE_LIMIT).min(1, initial=_AGE_LIMIT)
    return found
