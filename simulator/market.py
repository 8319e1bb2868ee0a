"""How does demand answer to prices that change, and what would a shop earn with others?

Worlds as they are drawn have one price per item. Here each item has an elasticity as well: a purchase that
follows a click is (price / price before) ** -elasticity times as likely. What draws the eye, and clicks, stay
as they are. Nothing of other worlds changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simulator.world import FAMILY_BIAS, World

CATEGORY_RANGE = (1.5, 5.0)
"""Of elasticities of categories. Published ones are 2.62 on average, four fifths of them within 0 and 5."""
ITEM_DEVIATION = 0.3
"""Of an item's elasticity around that of its category."""
_DISCOVERY = 1


@dataclass(frozen=True, slots=True)
class PriceLaw:
    """How demand answers to price; hidden from the shop.

    Attributes:
        list_price_micros: (N,) at which demand is what the world says.
        cost_micros: (N,)
        elasticity: (N,) above 0.
    """

    list_price_micros: np.ndarray
    cost_micros: np.ndarray
    elasticity: np.ndarray

    def uplift(self, price_micros: np.ndarray) -> np.ndarray:
        """(N,) how many times as many are bought as at the list price."""
        ratio = price_micros / np.maximum(self.list_price_micros, 1)
        return np.where(self.list_price_micros > 0, np.maximum(ratio, 1e-9) ** -self.elasticity, 1.0)


def draw_law(world: World, seed: int, category_range: tuple[float, float] = CATEGORY_RANGE) -> PriceLaw:
    """A law for a world whose list prices are those before any cut; costs are what its margins leave."""
    items = world.items
    random = np.random.default_rng([seed, 0x9A1])
    by_category = random.uniform(*category_range, len(items.categories))
    own = by_category[items.category] + random.normal(0, ITEM_DEVIATION, len(items.item_ids))
    return PriceLaw(
        list_price_micros=np.round(items.price_micros / np.maximum(1 - items.discount, 1e-9)).astype(
            np.int64
        ),
        cost_micros=items.price_micros - items.margin_micros,
        elasticity=np.maximum(own, 0.1),
    )


def repriced(world: World, law: PriceLaw, price_micros: np.ndarray) -> World:
    """The world at other prices, as shoppers browse it and buy in it."""
    items = world.items
    was, now = law.uplift(items.price_micros), law.uplift(price_micros)
    cut = 1 - price_micros / np.maximum(law.list_price_micros, 1)
    return replace(
        world,
        conversion=world.conversion * now / was,
        items=replace(
            items,
            price_micros=price_micros,
            margin_micros=price_micros - law.cost_micros,
            discount=np.clip(cut, 0, 1) * ~items.is_article,
        ),
    )


def purchase_rate(world: World, law: PriceLaw) -> np.ndarray:
    """(N,) purchases per view of an item at its list price, by a shopper who comes by; 0 for articles."""
    regime, category = world.regime, world.items.category
    logit = FAMILY_BIAS[_DISCOVERY] + regime.affinity_weight * world.utility
    on_target = world.type_share[:, None] * world.preference[:, category]
    clicks = (on_target / (1 + np.exp(-logit))).sum(0)
    readiness = world.conversion / law.uplift(world.items.price_micros)
    return clicks * np.minimum(float(regime.start_stage @ regime.buy) * readiness, 1.0)


def sell(
    rate: np.ndarray, law: PriceLaw, price_micros: np.ndarray, views: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """(N,) purchases that so many views end in."""
    return random.poisson(rate * law.uplift(price_micros) * views)


def margin(rate: np.ndarray, law: PriceLaw, price_micros: np.ndarray, views: np.ndarray) -> float:
    """Expected margin of so many views, in units of the currency."""
    earned = rate * law.uplift(price_micros) * (price_micros - law.cost_micros) * views
    return float(earned.sum() / 1e6)
