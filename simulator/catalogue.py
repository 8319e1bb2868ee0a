"""Which items does the synthetic shop sell? Ten thousand of them, the same for the same seed and day."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from planogram.files import catalogue
from simulator import assortment, drawing
from simulator.assortment.kinds import COLOURS, Material, Size, Subcategory

ITEM_COUNT = 10_000
ARTICLE_SHARE = 0.05
AGE_DAYS = 136.0
"""Mean age of an item: 1 - exp(-7 / 136) = 5 % entered within the latest week."""

T = TypeVar("T")

_OLDEST_DAYS = 900.0
_TITLE_ATTEMPTS = 100
_MICROS = 1_000_000
_MARGIN_SHARE = {
    "kitchen": 0.34,
    "garden": 0.36,
    "living": 0.42,
    "audio": 0.24,
    "outdoor": 0.33,
    "kids": 0.38,
}


@dataclass(frozen=True, slots=True)
class Brand:
    """A maker of things in one category.

    Attributes:
        price_level: factor on the price of a subcategory.
        quality: mean quality of its items. 0 to 1.
    """

    name: str
    price_level: float
    quality: float
    lines: tuple[str, ...]
    sellers: tuple[str, ...]


def make(seed: int, as_of: datetime, item_count: int = ITEM_COUNT) -> pa.Table:
    """The items of the shop, in the schema of catalogue files, by item id.

    Args:
        as_of: the day on which the catalogue is looked at; nothing is younger.
        item_count: products and articles together. 200 or more, so that no subcategory is empty.
    """
    if item_count < 200:
        raise ValueError(f"item_count: got {item_count}, want 200 or more")
    random = np.random.default_rng([seed, 0xCA7A])
    brands = {category: _brands(category, random) for category in assortment.CATEGORIES}
    article_count = round(item_count * ARTICLE_SHARE)
    rows = [
        *_products(item_count - article_count, brands, as_of, random),
        *_articles(article_count, brands, as_of, random),
    ]
    return pa.Table.from_pylist(rows, schema=catalogue.COLUMNS).sort_by("item_id").combine_chunks()


def subcategory_of(item_id: str) -> str:
    """The subcategory that an item id of this shop starts with; empty for any other id."""
    name = item_id.removeprefix("guide-").rpartition("-")[0]
    return name if name in _KNOWN else ""


_KNOWN = frozenset(subcategory.id for subcategory in assortment.SUBCATEGORIES)


def _products(
    count: int, brands: dict[str, list[Brand]], as_of: datetime, random: np.random.Generator
) -> Iterator[dict[str, Any]]:
    shares = random.dirichlet(np.full(len(assortment.SUBCATEGORIES), 12.0))
    counts = _apportion(count, shares)
    for subcategory, subcategory_count in zip(assortment.SUBCATEGORIES, counts, strict=True):
        titles: set[str] = set()
        for number in range(subcategory_count):
            yield _product(subcategory, number, brands[subcategory.category], titles, as_of, random)


def _product(
    subcategory: Subcategory,
    number: int,
    brands: list[Brand],
    titles: set[str],
    as_of: datetime,
    random: np.random.Generator,
) -> dict[str, Any]:
    for attempt in itertools.count():
        brand = brands[int(len(brands) * random.random() ** 1.4)]  # the first ones have the widest range
        line = _pick(brand.lines, random)
        kind = _pick(subcategory.kinds, random)
        material = _pick(subcategory.materials, random)
        size = _pick(subcategory.sizes, random)
        colour = material.colour or _pick(subcategory.colours, random)
        title = _title(subcategory, brand, line, kind, material, size, colour)
        if attempt >= _TITLE_ATTEMPTS:  # the words of a large shop are used up
            title = f"{title}, no. {number}"
        if title not in titles:
            titles.add(title)
            break
    quality = float(np.clip(random.normal(brand.quality, 0.12), 0.05, 0.98))
    prices = _prices(subcategory, brand, material, size, quality, random)
    accent = _pick([name for name in subcategory.colours if name != colour], random)
    variant = int(random.integers(36))
    return {
        "item_id": f"{subcategory.id}-{number:04d}",
        "title": title,
        "category": subcategory.category,
        "kind": "product",
        "description": _description(subcategory, kind, material, size, random),
        "brand": brand.name,
        "seller": _pick(brand.sellers, random),
        **prices,
        "stock": 0 if random.random() < 0.03 else int(random.lognormal(3.5, 1.0)) + 1,
        "age_rating": subcategory.age_rating.get(kind, 0),
        "bid_micros": int(random.lognormal(-1.6, 0.5) * _MICROS) if random.random() < 0.06 else 0,
        "quality": quality,
        "first_seen": _first_seen(as_of, random),
        "is_active": bool(random.random() > 0.01),
        "image_svg": drawing.product(
            subcategory.id,
            subcategory.category,
            kind,
            COLOURS[colour],
            COLOURS[accent],
            variant,
        ),
        "image_url": "",
    }


def _title(
    subcategory: Subcategory, brand: Brand, line: str, kind: str, material: Material, size: Size, colour: str
) -> str:
    made = _adjective(material, kind)
    # A packet's colour is not the seed's, and a material such as copper names its own.
    named = "" if material.colour or subcategory.id == "seeds" else f", {colour}"
    return f"{brand.name} {line} {made}{kind}, {size.label}{named}"


def _adjective(material: Material, kind: str) -> str:
    """The material as it stands before a kind; nothing where the kind says it already."""
    words = set(material.adjective.replace("-", " ").split())
    return "" if words & set(kind.split()) else f"{material.adjective} "


def _description(
    subcategory: Subcategory, kind: str, material: Material, size: Size, random: np.random.Generator
) -> str:
    opening = f"{_adjective(material, kind)}{kind}"
    benefit = _pick(subcategory.benefits, random)
    detail = _pick(subcategory.details, random)
    return f"{opening[0].upper()}{opening[1:]}, {size.label}. {benefit} {detail}"


def _prices(
    subcategory: Subcategory,
    brand: Brand,
    material: Material,
    size: Size,
    quality: float,
    random: np.random.Generator,
) -> dict[str, int]:
    factor = brand.price_level * material.price_factor * size.price_factor
    asked = subcategory.price * factor * float(np.exp(random.normal(0.35 * (quality - 0.6), 0.12)))
    list_price = _rounded(asked)
    cut = float(random.choice((0.1, 0.15, 0.2, 0.25, 0.3, 0.4))) if random.random() < 0.28 else 0.0
    price = _rounded(list_price * (1 - cut)) if cut else list_price
    share = float(np.clip(random.normal(_MARGIN_SHARE[subcategory.category], 0.06), 0.1, 0.6))
    # A cut comes out of the margin, half of it paid by the maker.
    margin = price * share - 0.5 * (list_price - price)
    return {
        "price_micros": round(price * 100) * 10_000,
        "list_price_micros": round(list_price * 100) * 10_000,
        "margin_micros": round(max(margin, 0.02 * price) * 100) * 10_000,
    }


def _rounded(price: float) -> float:
    """The nearest price that a shop would print on a label."""
    if price < 10:
        return max(0.99, round(price * 2) / 2 - 0.01)
    if price < 100:
        return round(price) - 0.05 if round(price) % 5 else round(price) - 0.1
    return float(round(price / 5) * 5 - (1 if price < 400 else 0))


def _articles(
    count: int, brands: dict[str, list[Brand]], as_of: datetime, random: np.random.Generator
) -> Iterator[dict[str, Any]]:
    pairs = [
        (subcategory, template)
        for subcategory in assortment.SUBCATEGORIES
        for template in range(len(assortment.ARTICLES))
    ]
    order = random.permutation(len(pairs))
    for position in range(count):
        subcategory, template = pairs[order[position % len(pairs)]]
        yield _article(subcategory, template, position // len(pairs), brands, as_of, random)


def _article(
    subcategory: Subcategory,
    template: int,
    edition: int,
    brands: dict[str, list[Brand]],
    as_of: datetime,
    random: np.random.Generator,
) -> dict[str, Any]:
    brand = _pick(brands[subcategory.category], random)
    title, teaser = assortment.ARTICLES[template]
    title = title.format(
        a_noun=_with_article(subcategory.noun),
        plural=subcategory.plural,
        Plural=subcategory.plural[0].upper() + subcategory.plural[1:],
        question=subcategory.question,
        brand=brand.name,
    )
    colour, accent = random.choice(subcategory.colours, 2, replace=False)
    return {
        "item_id": f"guide-{subcategory.id}-{template:02d}{'' if edition == 0 else f'e{edition}'}",
        "title": title if edition == 0 else f"{title} (part {edition + 1})",
        "category": subcategory.category,
        "kind": "article",
        "description": teaser,
        "brand": "",
        "seller": assortment.SELLERS[0],
        "price_micros": 0,
        "list_price_micros": 0,
        "margin_micros": 0,
        "stock": 1_000,
        "age_rating": 0,
        "bid_micros": 0,
        "quality": float(np.clip(random.normal(0.62, 0.14), 0.05, 0.98)),
        "first_seen": _first_seen(as_of, random),
        "is_active": True,
        "image_svg": drawing.article(
            subcategory.id,
            subcategory.category,
            COLOURS[str(colour)],
            COLOURS[str(accent)],
            int(random.integers(36)),
        ),
        "image_url": "",
    }


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _brands(category: str, random: np.random.Generator) -> list[Brand]:
    names = assortment.BRANDS[category]
    levels = np.exp(np.linspace(-0.3, 0.45, len(names)) + random.normal(0, 0.06, len(names)))
    return [
        Brand(
            name=name,
            price_level=float(level),
            quality=float(np.clip(0.6 + 0.35 * np.log(level) + random.normal(0, 0.06), 0.3, 0.9)),
            lines=tuple(str(line) for line in random.choice(assortment.LINES, 6, replace=False)),
            sellers=(
                assortment.SELLERS[0],
                *(str(seller) for seller in random.choice(assortment.SELLERS[1:], 2, replace=False)),
            ),
        )
        for name, level in zip(names, levels, strict=True)
    ]


def _apportion(count: int, shares: np.ndarray) -> list[int]:
    """Whole numbers, at least 1, in proportion to shares, that sum to count."""
    counts = np.maximum(1, np.floor(shares * count).astype(int))
    counts[np.argsort(-shares)[: max(0, count - int(counts.sum()))]] += 1
    while counts.sum() != count:
        largest = int(np.argmax(counts))
        counts[largest] += 1 if counts.sum() < count else -1
    return [int(value) for value in counts]


def _first_seen(as_of: datetime, random: np.random.Generator) -> datetime:
    age_days = random.exponential(AGE_DAYS)
    age_s = int(min(age_days, _OLDEST_DAYS) * 86_400)
    return datetime.fromtimestamp(int(as_of.timestamp()) - age_s, UTC)


def _pick(options: Sequence[T], random: np.random.Generator) -> T:
    return options[int(random.integers(len(options)))]
