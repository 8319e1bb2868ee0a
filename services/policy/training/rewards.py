"""What is each act of a shopper worth?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from planogram.common.v1 import context_pb2
from services.common.errors import ConfigurationError

DEFAULT = Path(__file__).parents[1] / "config" / "rewards.yaml"

_LIMIT = 1_000.0
_PAGE_TYPES = {
    name.removeprefix("PAGE_TYPE_").lower(): number
    for name, number in context_pb2.PageType.items()
    if number != context_pb2.PAGE_TYPE_UNSPECIFIED
}


@dataclass(frozen=True, slots=True)
class Rewards:
    """Weights of the reward's components."""

    click: float
    dwell: float
    cart_add: float
    purchase: float
    purchase_margin: float
    """Per unit of currency."""
    margin_limit: float
    """Margin per purchase beyond which no more is credited, in units of currency."""
    returned: float
    dismissal: float
    helpful: float = 0.0
    page_types: Mapping[str, Rewards] = field(default_factory=dict)
    """Where other weights hold, by name such as "help"."""

    def on(self, page_type: int) -> Rewards:
        """The weights that hold on pages of a PageType."""
        return next(
            (weights for name, weights in self.page_types.items() if _PAGE_TYPES[name] == page_type), self
        )

    def of_event(self, kind: str, margin_micros: int, quantity: int) -> float:
        """The reward of one event; 0 for events that are worth nothing by themselves.

        Args:
            kind: EventType without its prefix, such as "CLICK".
            margin_micros: margin of one piece.
            quantity: 0 is read as one piece.
        """
        if kind == "PURCHASE":
            margin = margin_micros * max(quantity, 1) / 1e6
            return self.purchase + self.purchase_margin * min(margin, self.margin_limit)
        return {
            "CLICK": self.click,
            "DWELL": self.dwell,
            "CART_ADD": self.cart_add,
            "RETURN": self.returned,
            "DISMISSAL": self.dismissal,
            "HELPFUL": self.helpful,
        }.get(kind, 0.0)


# "return" is the field's word, and Python's.
_NAMES = {
    ("return" if entry.name == "returned" else entry.name): entry.name
    for entry in dataclasses.fields(Rewards)
    if entry.name != "page_types"
}
_OPTIONAL = frozenset({"helpful", "page_types"})


def load(path: Path = DEFAULT) -> Rewards:
    """The weights of a YAML file.

    Raises:
        ConfigurationError: names the file, and the key or the line.
    """
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, LookupError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    known = {*_NAMES, "page_types"}
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: want a mapping with the keys {sorted(known)}")
    for key in (*_NAMES, *document):
        if key not in document and key not in _OPTIONAL:
            raise ConfigurationError(f"{path}: {key} is missing")
        if key not in known:
            raise ConfigurationError(f"{path}: {key} is unknown; known: {sorted(known)}")
    by_type = document.pop("page_types", {})
    weights = Rewards(**_numbers(path, "", document))
    if not isinstance(by_type, dict):
        raise ConfigurationError(f"{path}: page_types: got {by_type!r}, want a mapping by page type")
    page_types = {}
    for name, changed in by_type.items():
        where = f"page_types.{name}"
        if name not in _PAGE_TYPES:
            raise ConfigurationError(f"{path}: {where} is unknown; known: {sorted(_PAGE_TYPES)}")
        if not isinstance(changed, dict) or not changed.keys() <= _NAMES.keys():
            raise ConfigurationError(f"{path}: {where}: got {changed!r}, want a mapping of {sorted(_NAMES)}")
        page_types[name] = dataclasses.replace(weights, **_numbers(path, f"{where}.", changed))
    return dataclasses.replace(weights, page_types=page_types)


def _numbers(path: Path, prefix: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Weights by field of Rewards."""
    for key, value in document.items():
        _check(path, f"{prefix}{key}", value)
    if document.get("margin_limit", 0) < 0:
        given = document["margin_limit"]
        raise ConfigurationError(f"{path}: {prefix}margin_limit: got {given}, want 0 or more")
    return {_NAMES[key]: float(value) for key, value in document.items()}


def _check(path: Path, key: str, value: Any) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or abs(value) > _LIMIT:
        raise ConfigurationError(
            f"{path}: {key}: got {value!r}, want a number from -{_LIMIT:g} to {_LIMIT:g}"
        )
