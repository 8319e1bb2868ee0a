"""What is true of the synthetic shop and hidden from it: tastes, and how shelves draw the eye?

A world is drawn from a seed. Shapes: K types of shopper, C categories, N items, F = 3 families, Z = 3
stages, T = 3 devices.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa

from simulator import modules
from simulator.catalogue import subcategory_of
from simulator.modules import FAMILIES, TEMPLATES, Template
from simulator.regimes import BASE, Regime

TYPE_COUNT = 6
STAGE_COUNT = 3
MAX_PATIENCE = 3
MAX_FATIGUE = 2
STYLE_WIDTH = 4

FAMILY_BIAS = np.array((-2.5, -3.2, -3.4))
_KEENNESS = -0.4
"""Mean utility; a quarter of pages are clicked with it."""
_SHIFT = 1 << 20
"""From the seed of a world to that of the one it drifts towards."""
_SPECIAL_BIAS = {"hero": 0.4, "sponsored": 0.1}
_SPECIAL_SCROLL = {"hero": -0.1, "sponsored": -0.15}


@dataclass(frozen=True, slots=True)
class Items:
    """The public catalogue in the columns that shoppers react to.

    Attributes:
        index: place of each item id.
        category, subcategory, brand: (N,) indexes.
        log_price: (N,) log of price over the category's median; 0 for articles.
        is_sellable: (N,) active, in stock and for everybody.
        age_days: (N,) since the item entered.
        discount: (N,) share of the list price.
    """

    item_ids: Sequence[str]
    index: Mapping[str, int]
    titles: Sequence[str]
    categories: tuple[str, ...]
    subcategories: tuple[str, ...]
    brands: tuple[str, ...]
    category: np.ndarray
    subcategory: np.ndarray
    brand: np.ndarray
    log_price: np.ndarray
    price_micros: np.ndarray
    margin_micros: np.ndarray
    discount: np.ndarray
    quality: np.ndarray
    bid_micros: np.ndarray
    age_days: np.ndarray
    is_article: np.ndarray
    is_sellable: np.ndarray


@dataclass(frozen=True, slots=True)
class World:
    """Everything hidden that does not change.

    Attributes:
        type_share: (K,) sums to 1.
        preference: (K, C) of a type for target categories; rows sum to 1.
        segments: (K,) public name of the segment that a type is usually found in.
        utility: (K, N) of an item for a type; 0 is indifference.
        seasonal: (4, C) what each season adds to the utility of a category.
        by_daypart: (2, C) what mornings and evenings add; on front pages alone.
        conversion: (N,) factor on the probability of buying; 0 for articles.
        season: what the utilities hold for, 0 winter to 3 autumn.
        regime: the laws by which shoppers click and change.
        drifted_to: seed of the world that this one drifted towards; None where it did not.
    """

    seed: int
    regime: Regime
    items: Items
    season: int
    type_share: np.ndarray
    preference: np.ndarray
    segments: tuple[str, ...]
    utility: np.ndarray
    seasonal: np.ndarray
    by_daypart: np.ndarray
    conversion: np.ndarray
    drifted_to: int | None = None

    @property
    def segment_of(self) -> np.ndarray:
        """(K,) place of each type's segment among the segments in the order of their names."""
        return np.argsort(np.argsort(self.segments))

    def at(self, season: int, daypart: int) -> World:
        """The same world in another season, in the morning (0) or evening (1)."""
        change = self.seasonal[season] - self.seasonal[self.season] + self.by_daypart[daypart]
        return replace(self, season=season, utility=self.utility + change[self.items.category])

    def shifted(self, other: World) -> World:
        """This world with tastes, and biases of shelves, part of the way to those of another."""
        share = self.regime.shift_share
        utility = (1 - share) * self.utility + share * other.utility
        return replace(self, utility=utility, drifted_to=other.seed)

    def relabelled(self, order: Sequence[int]) -> World:
        """The same world with type number k named order[k]."""
        old = np.argsort(np.asarray(order))
        return replace(
            self,
            type_share=self.type_share[old],
            preference=self.preference[old],
            segments=tuple(self.segments[k] for k in old),
            utility=self.utility[old],
        )


@dataclass(frozen=True, slots=True)
class Pull:
    """How a shelf in a template draws the eye.

    Attributes:
        bias: added to the click logit.
        scroll: (T,) probability of scrolling on after no click, before patience, by device.
    """

    bias: float
    scroll: np.ndarray


def read_items(table: pa.Table, as_of: datetime) -> Items:
    """The columns of a catalogue file that shoppers react to."""
    item_ids = table["item_id"].to_pylist()
    category_names, category = _coded(table["category"].to_pylist())
    subcategory_names, subcategory = _coded(
        [
            subcategory_of(item_id) or name
            for item_id, name in zip(item_ids, table["category"].to_pylist(), strict=True)
        ]
    )
    brand_names, brand = _coded(table["brand"].to_pylist())
    price = table["price_micros"].to_numpy()
    list_price = np.maximum(table["list_price_micros"].to_numpy(), 1)
    is_article = np.array(table["kind"].to_pylist()) == "article"
    age_s = as_of.timestamp() - table["first_seen"].cast(pa.int64()).to_numpy() / 1e6
    return Items(
        item_ids=item_ids,
        index={item_id: place for place, item_id in enumerate(item_ids)},
        titles=table["title"].to_pylist(),
        categories=category_names,
        subcategories=subcategory_names,
        brands=brand_names,
        category=category,
        subcategory=subcategory,
        brand=brand,
        log_price=_log_relative_price(price, category, is_article, len(category_names)),
        price_micros=price,
        margin_micros=table["margin_micros"].to_numpy(),
        discount=np.clip(1 - price / list_price, 0, 1) * ~is_article,
        quality=table["quality"].to_numpy().astype(np.float64),
        bid_micros=table["bid_micros"].to_numpy(),
        age_days=np.maximum(age_s / 86_400, 0),
        is_article=is_article,
        is_sellable=table["is_active"].to_numpy(zero_copy_only=False)
        & (table["stock"].to_numpy() > 0)
        & (table["age_rating"].to_numpy() < 18),
    )


def draw(items: Items, seed: int, as_of: datetime, regime: Regime = BASE) -> World:
    """The world of a seed."""
    return _drawn(items, seed, (as_of.month % 12) // 3, regime)


def successor(hidden: World) -> World:
    """What a world becomes in mid-course, where its regime says that it changes."""
    return hidden.shifted(_drawn(hidden.items, hidden.seed + _SHIFT, hidden.season, hidden.regime))


def _drawn(items: Items, seed: int, season: int, regime: Regime) -> World:
    random = np.random.default_rng([seed, 0x707E])
    type_share = random.dirichlet(np.full(TYPE_COUNT, 4.0))
    preference = random.dirichlet(np.full(len(items.categories), 0.5), TYPE_COUNT)
    utility, seasonal = _utilities(items, preference, season, random)
    by_daypart = np.random.default_rng([seed, 0xDA7]).normal(0, 0.2, (1, len(items.categories)))
    return World(
        seed=seed,
        regime=regime,
        items=items,
        season=season,
        type_share=type_share,
        preference=preference,
        segments=tuple(f"segment-{letter}" for letter in "abcdef"),
        utility=_centred(items, type_share, preference, utility),
        seasonal=seasonal,
        by_daypart=np.concatenate((by_daypart, -by_daypart)),
        conversion=_conversion(items),
    )


def pull(hidden: World, module_id: str, template_id: str, family: str) -> Pull:
    """How one shelf draws the eye; a shelf that shoppers do not know does as its family does."""
    law, seed = hidden.regime, hidden.seed
    bias = float(FAMILY_BIAS[FAMILIES.index(family)]) if family in FAMILIES else float(FAMILY_BIAS.mean())
    for own in _own_biases(hidden, module_id, template_id):
        bias += own
    scroll = np.full(3, np.mean(law.scroll_range))
    if law.has_scroll_traits:
        if module_id in modules.MODULES:
            random = _of_module(seed, module_id)
            random.normal()  # the bias came first
            scroll = np.full(3, random.uniform(*law.scroll_range)) + _SPECIAL_SCROLL.get(module_id, 0.0)
        if template_id in TEMPLATES:
            random = _of_template(seed, template_id)
            random.normal()
            scroll = scroll - random.uniform(-0.05, 0.05, 3)
    return Pull(bias, scroll)


def _own_biases(hidden: World, module_id: str, template_id: str) -> tuple[float, float]:
    """What a module, and a template, add to the bias of their family."""

    def drawn(seed: int) -> np.ndarray:
        by_module = by_template = 0.0
        if module_id in modules.MODULES:
            by_module = _of_module(seed, module_id).normal(0, 0.25) + _SPECIAL_BIAS.get(module_id, 0.0)
        if template_id in TEMPLATES:
            by_template = _of_template(seed, template_id).normal(0, 0.15)
        return np.array((by_module, by_template))

    own = drawn(hidden.seed)
    if hidden.drifted_to is not None:
        share = hidden.regime.shift_share
        own = (1 - share) * own + share * drawn(hidden.drifted_to)
    return float(own[0]), float(own[1])


def _of_module(seed: int, module_id: str) -> np.random.Generator:
    return np.random.default_rng([seed, 0x30D, zlib.crc32(module_id.encode())])


def _of_template(seed: int, template_id: str) -> np.random.Generator:
    return np.random.default_rng([seed, 0x7E3, zlib.crc32(template_id.encode())])


def visible_count(template_id: str, device: int) -> int:
    """Items in view on a device (0 desktop, 1 phone, 2 tablet)."""
    return template(template_id).visible[device]


def template(template_id: str) -> Template:
    return TEMPLATES.get(template_id, modules.UNKNOWN_TEMPLATE)


def _coded(names: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct names in order, and each name's place among them."""
    distinct, codes = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)
    return tuple(distinct.tolist()), codes.astype(np.int64)


def _log_relative_price(
    price: np.ndarray, category: np.ndarray, is_article: np.ndarray, category_count: int
) -> np.ndarray:
    result = np.zeros(len(price))
    for code in range(category_count):
        rows = (category == code) & ~is_article & (price > 0)
        if rows.any():
            result[rows] = np.log(price[rows] / np.median(price[rows]))
    return result


def _utilities(
    items: Items, preference: np.ndarray, season: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(K, N), and the (4, C) part of it that all seasons have.

    Taste . embedding - price sensitivity x log relative price + quality + season.

    The embedding is category, subcategory and the brand's style: public columns, so that a model that
    reads the catalogue can learn it; the noise of each item can be learned from its clicks alone.
    """
    category_count = len(items.categories)
    by_category = 0.6 * np.log(preference * category_count + 0.15)
    by_subcategory = random.normal(0, 0.35, (TYPE_COUNT, len(items.subcategories)))
    style = random.normal(0, 1 / np.sqrt(STYLE_WIDTH), (len(items.brands), STYLE_WIDTH))
    by_brand = 0.5 * random.normal(0, 1, (TYPE_COUNT, STYLE_WIDTH)) @ style.T
    sensitivity = random.uniform(0.05, 0.45, TYPE_COUNT)
    quality_weight = random.uniform(0.8, 1.8, TYPE_COUNT)
    seasonal = random.normal(0, 0.2, (4, category_count))
    noise = random.normal(0, 0.25, len(items.item_ids))
    utility = (
        by_category[:, items.category]
        + by_subcategory[:, items.subcategory]
        + by_brand[:, items.brand] * ~items.is_article
        - sensitivity[:, None] * np.clip(items.log_price, -2, 2)
        + quality_weight[:, None] * (items.quality - 0.6)
        + 0.8 * items.discount
        + seasonal[season][items.category]
        + noise
    )
    return utility, seasonal


def _centred(items: Items, type_share: np.ndarray, preference: np.ndarray, utility: np.ndarray) -> np.ndarray:
    """Utilities of which the mean over shoppers, in the category that each comes for, is _KEENNESS."""
    is_of = items.category == np.arange(len(items.categories))[:, None]
    by_category = utility @ is_of.T / np.maximum(is_of.sum(1), 1)
    return utility - float(type_share @ (preference * by_category).sum(1)) + _KEENNESS


def _conversion(items: Items) -> np.ndarray:
    """(N,): dear things are bought less readily, good ones more; articles never."""
    factor = np.exp(-0.25 * np.clip(items.log_price, -2, 2) + 1.0 * (items.quality - 0.6))
    factor = np.where(items.is_article, 0.0, factor)
    mean = factor[~items.is_article].mean() if (~items.is_article).any() else 1.0
    return factor / mean
