"""What does the shop know of its items: titles, prices, pictures?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planogram.files import catalogue

_EMPTY_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200"><path fill="#ece9e4" d="M0 0h200v200H0z"/>'
    '<path fill="none" stroke="#b9b2a6" stroke-width="6" stroke-linejoin="round" '
    'd="M60 76h80v64H60zM60 76l14-20h52l14 20M84 92a16 16 0 0 0 32 0"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Item:
    """One item as a page shows it. Prices are in units of the currency."""

    item_id: str
    title: str
    description: str
    category: str
    brand: str
    is_article: bool
    price: float
    list_price: float
    margin: float
    stock: int
    picture: str
    picture_url: str

    @property
    def discount_percent(self) -> int:
        return round(100 * (1 - self.price / self.list_price)) if self.list_price > self.price else 0


def read(path: Path) -> Mapping[str, Item]:
    """The items of a catalogue file by id.

    Raises:
        CatalogueError: names file, row and column.
    """
    rows = catalogue.read(path).to_pylist()
    return {
        row["item_id"]: Item(
            item_id=row["item_id"],
            title=row["title"],
            description=row["description"],
            category=row["category"],
            brand=row["brand"],
            is_article=row["kind"] == "article",
            price=row["price_micros"] / 1e6,
            list_price=row["list_price_micros"] / 1e6,
            margin=row["margin_micros"] / 1e6,
            stock=row["stock"],
            picture=row["image_svg"] or _EMPTY_PICTURE,
            picture_url=row["image_url"],
        )
        for row in rows
    }
