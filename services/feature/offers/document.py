"""Within which limits may offers be chosen: what does `offers.yaml` say?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from services.common import yaml_file
from services.common.yaml_file import Document

MAX_LEVEL = 0.9
Level = Annotated[float, Field(gt=0, le=MAX_LEVEL)]


class Floor(Document):
    """What an offer must at least earn on a piece; both hold."""

    share: float = Field(0.0, ge=0, lt=1)
    """Of the price."""
    amount: float = Field(0.0, ge=0, le=1e9)
    """In units of the currency."""

    def holds(self, price_micros: int, cost_micros: int) -> bool:
        """Whether a price keeps to it."""
        margin = price_micros - cost_micros
        return margin >= self.share * price_micros and margin >= 1e6 * self.amount


class CategoryRules(Document):
    """What is different in one category; None is as everywhere."""

    levels: tuple[Level, ...] | None = None
    margin_floor: Floor | None = None
    most_offers: int | None = Field(None, ge=0)

    @field_validator("levels")
    @classmethod
    def _in_order(cls, levels: tuple[float, ...] | None) -> tuple[float, ...] | None:
        return levels and _ascending(levels)


class Rules(Document):
    """The limits of a shop's offers; `offers.yaml` explains each."""

    levels: tuple[Level, ...] = Field(min_length=1)
    price_step: float = Field(0.01, gt=0, le=1_000)
    margin_floor: Floor = Floor(share=0.0, amount=0.0)
    most_offers: int = Field(20, ge=0)
    min_days: float = Field(7, ge=0, le=3_650)
    longest_days: float = Field(28, gt=0, le=3_650)
    reference_days: float = Field(30, ge=0, le=3_650)
    exploration_share: float = Field(0.05, ge=0, le=1)
    window_days: int = Field(90, ge=1, le=3_650)
    categories: Mapping[str, CategoryRules] = Field(default_factory=dict)

    @field_validator("levels")
    @classmethod
    def _in_order(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        return _ascending(levels)

    def levels_of(self, category: str) -> tuple[float, ...]:
        """Price cuts that a category allows, the smallest first."""
        own = self.categories.get(category)
        return self.levels if own is None or own.levels is None else own.levels

    def floor_of(self, category: str) -> Floor:
        """The margin floor of a category."""
        own = self.categories.get(category)
        return self.margin_floor if own is None or own.margin_floor is None else own.margin_floor

    def most_offers_of(self, category: str) -> int:
        """How many items of a category may be on offer at once."""
        own = self.categories.get(category)
        return self.most_offers if own is None or own.most_offers is None else own.most_offers


def load(path: Path) -> Rules:
    """The rules of a file.

    Raises:
        ConfigurationError: names file, line and key, and for a bad value what was found and what is wanted.
    """
    rules = yaml_file.read(path, Rules)
    if rules.min_days > rules.longest_days:
        raise yaml_file.mistake(
            path, ("min_days",), f"got {rules.min_days:g}, want at most longest_days ({rules.longest_days:g})"
        )
    return rules


def _ascending(levels: tuple[float, ...]) -> tuple[float, ...]:
    if list(levels) != sorted(set(levels)):
        raise ValueError("levels must rise, each once")
    return levels
