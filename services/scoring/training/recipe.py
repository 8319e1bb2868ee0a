"""How is a click model trained? A recipe says it whole, and is read from and written to JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints

from services.scoring.training.architecture import Architecture, Encoder, Heads


class Precision(StrEnum):
    """In which floats the network computes; weights and loss stay in 32 bits."""

    AUTO = "auto"
    """Mixed on a GPU, full elsewhere."""
    FULL = "full"
    MIXED = "mixed"
    """Matrix products in bfloat16."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    architecture: Architecture = field(default_factory=Architecture)
    epoch_count: int = 4
    """Most passes over the data; early stopping may end sooner."""
    patience: int = 2
    """Passes without a better held-out loss after which training stops."""
    batch_size: int = 128
    """Pages per step, of all processes together."""
    negative_limit: int = 12
    """Items without a click that are learned from per page and pass; those drawn stand for the rest."""
    min_count: int = 300
    """Examined items, or events of histories, from which on an item, category or brand has an embedding."""
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    averaging: float = 0.98
    """Share of the moving average of weights that a step leaves; 0 takes the weights as they are."""
    precision: Precision = Precision.AUTO
    seed: int = 0


class RecipeError(ValueError):
    """A recipe that cannot be read; the message names the field."""


def read(path: Path) -> Recipe:
    """The recipe of a JSON file; fields that are not there have their defaults.

    Raises:
        RecipeError: names the file, and the field that is unknown or of another type.
    """
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: {error}") from None
    return from_document(document, str(path))


def from_document(document: Any, where: str = "recipe") -> Recipe:
    """The inverse of `dataclasses.asdict`, whatever is left out at its default."""
    fields = _checked(Recipe, document, where)
    if "architecture" in fields:
        shape = _checked(Architecture, fields["architecture"], f"{where}: architecture")
        fields["architecture"] = Architecture(**shape)
    return Recipe(**fields)


def write(path: Path, recipe: Recipe) -> None:
    """Writes what `read` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(recipe), indent=2) + "\n")


def _checked(kind: type[Any], document: Any, where: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise RecipeError(f"{where}: got {document!r}, want fields and values")
    types = get_type_hints(kind)
    checked: dict[str, Any] = {}
    for name, value in document.items():
        if name not in types:
            raise RecipeError(f"{where}: {name}: no such field; want one of {sorted(types)}")
        checked[name] = _value(types[name], value, f"{where}: {name}")
    return checked


def _value(wanted: Any, value: Any, where: str) -> Any:
    if wanted is Architecture:
        return value
    if wanted in (Encoder, Heads, Precision):
        if value not in list(wanted):
            raise RecipeError(f"{where}: got {value!r}, want one of {[str(name) for name in wanted]}")
        return wanted(value)
    if wanted == tuple[int, ...]:
        if (
            not isinstance(value, list | tuple)
            or not value
            or not all(type(one) is int and one > 0 for one in value)
        ):
            raise RecipeError(f"{where}: got {value!r}, want widths such as [64, 32]")
        return tuple(value)
    accepted = (int, float) if wanted is float else (wanted,)
    if type(value) not in accepted:
        raise RecipeError(f"{where}: got {value!r}, want {wanted.__name__}")
    return wanted(value)
