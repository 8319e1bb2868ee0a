"""What is a kind of product made of: words, prices, sizes, materials and colours?"""

from __future__ import annotations

from dataclasses import dataclass, field

COLOURS = {
    "white": "#f4f1ea",
    "cream": "#ece0c8",
    "sand": "#d9c3a0",
    "oak": "#c99a62",
    "walnut": "#7b5638",
    "terracotta": "#c96f4a",
    "brick": "#a8503c",
    "rust": "#b5622f",
    "coral": "#e58a72",
    "rose": "#d99a9c",
    "plum": "#7a4a66",
    "red": "#c8423c",
    "mustard": "#d8a23a",
    "yellow": "#edc14b",
    "olive": "#87894f",
    "sage": "#93ab8b",
    "moss": "#64804f",
    "forest": "#3f6150",
    "mint": "#a3cfbb",
    "teal": "#3d8186",
    "sky": "#8fb9d4",
    "blue": "#4a7fb5",
    "navy": "#33476b",
    "lilac": "#a99bc9",
    "stone": "#b3aca1",
    "grey": "#8d9298",
    "steel": "#b4bcc4",
    "copper": "#c77e52",
    "brass": "#c4a05a",
    "charcoal": "#484c52",
    "black": "#34373c",
}
"""Hex value of each colour name."""

SOFT = ("cream", "sage", "rose", "mustard", "navy", "terracotta", "stone", "teal")
BRIGHT = ("red", "yellow", "sky", "mint", "coral", "blue", "lilac")
CALM = ("white", "black", "sand", "navy", "sage", "grey")
FIELD = ("moss", "forest", "rust", "navy", "sand", "teal", "mustard")


@dataclass(frozen=True, slots=True)
class Size:
    """One size of a product: how it reads in a title, and what it does to the price."""

    label: str
    price_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Material:
    """How a product is made: an adjective for the title, and a colour where the material fixes it."""

    adjective: str
    colour: str = ""
    price_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Subcategory:
    """A kind of product, with the words and prices that its items are made of.

    Attributes:
        price: median price in units of the currency.
        colours: colour names to choose from where the material fixes none.
        question: what shoppers ask before they buy, as an article's title would put it.
        benefits, details: sentences of descriptions.
        age_rating: lowest age in years by kind.
    """

    id: str
    category: str
    noun: str
    plural: str
    price: float
    kinds: tuple[str, ...]
    materials: tuple[Material, ...]
    sizes: tuple[Size, ...]
    colours: tuple[str, ...]
    question: str
    benefits: tuple[str, ...]
    details: tuple[str, ...]
    age_rating: dict[str, int] = field(default_factory=dict)


def made(*materials: str) -> tuple[Material, ...]:
    """Materials from "adjective", "adjective=colour", "adjective*factor" or "adjective=colour*factor"."""
    made = []
    for text in materials:
        name, _, factor = text.partition("*")
        adjective, _, colour = name.partition("=")
        made.append(Material(adjective, colour, float(factor or 1)))
    return tuple(made)


def sized(*sizes: str) -> tuple[Size, ...]:
    """Sizes from "label" or "label*factor"."""
    return tuple(
        Size(label, float(factor or 1)) for label, _, factor in (text.partition("*") for text in sizes)
    )
