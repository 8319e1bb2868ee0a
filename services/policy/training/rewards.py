"""What is each act of a shopper worth?"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from services.common.errors import ConfigurationError

DEFAULT = Path(__file__).parents[1] / "config" / "rewards.yaml"

_LIMIT = 1_000.0


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
        }.get(kind, 0.0)


def load(path: Path = DEFAULT) -> Rewards:
    """The weights of a YAML file.

    Raises:
        ConfigurationError: names the file, and the key or the line.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    # "return" is the field's word, and Python's.
    names = {("return" if field.name == "returned" else field.name): field.name for field in fields(Rewards)}
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: want a mapping with the keys {sorted(names)}")
    for key in (*names, *document):
        if key not in document:
            raise ConfigurationError(f"{path}: {key} is missing")
        if key not in names:
            raise ConfigurationError(f"{path}: {key} is unknown; known: {sorted(names)}")
        _check(path, key, document[key])
    if document["margin_limit"] < 0:
        raise ConfigurationError(f"{path}: margin_limit: got {document['margin_limit']}, want 0 or more")
    return Rewards(**{name: float(document[key]) for key, name in names.items()})


def _check(path: Path, key: str, value: Any) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or abs(value) > _LIMIT:
        raise ConfigurationError(
            f"{path}: {key}: got {value!r}, want a number from -{_LIMIT:g} to {_LIMIT:g}"
        )
