"""What can stand on the pages of the vectorised face, and how does it please each type of shopper?

Shapes: E shelves, T devices, K types, C categories, L items of a shelf, X contexts, A actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from simulator import choice, modules, world
from simulator.modules import BLUEPRINTS, CONTEXT, FAMILIES, MODULES, TEMPLATES, Module
from simulator.world import Items, World


@dataclass(frozen=True, slots=True)
class Shelf:
    """A module in a template.

    Attributes:
        items: indexes into the catalogue, best first.
        category: id of the category that it is about; empty for none.
    """

    module_id: str
    template_id: str
    family: str
    items: tuple[int, ...]
    category: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a page is about: its type, and a category's index or -1."""

    page_type: int
    category: int


@dataclass(frozen=True, slots=True)
class Table:
    """Everything about E shelves that a step needs, tabulated once.

    Attributes:
        family: (E,) index; bias: (E,); scroll: (E, T).
        affinity: (E, T, K).
        target_share: (E, T, K, C) share of a shelf's clicks that fall on a category.
        target_conversion: (E, T, K, C) the same, items weighted by how readily they are bought.
        items: (E, L) indexes into the catalogue of what can be in view; -1 is nothing.
        share: (E, T, K, L) of a shelf's clicks that each item gets.
    """

    shelves: tuple[Shelf, ...]
    family: np.ndarray
    bias: np.ndarray
    scroll: np.ndarray
    affinity: np.ndarray
    target_share: np.ndarray
    target_conversion: np.ndarray
    items: np.ndarray
    share: np.ndarray


def tabulate(hidden: World, shelves: Sequence[Shelf]) -> Table:
    """The table of some shelves."""
    device_count, type_count = 3, len(hidden.utility)
    width = max(
        (
            world.visible_count(shelf.template_id, device)
            for shelf in shelves
            for device in range(device_count)
        ),
        default=1,
    )
    items = np.full((len(shelves), width), -1)
    visible = np.zeros((len(shelves), device_count), np.int64)
    for row, shelf in enumerate(shelves):
        shown = shelf.items[:width]
        items[row, : len(shown)] = shown
        visible[row] = world.template(shelf.template_id).visible
    pulls = [world.pull(hidden, shelf.module_id, shelf.template_id, shelf.family) for shelf in shelves]
    is_visible = (np.arange(width) < visible[:, :, None]) & (items >= 0)[:, None, :]
    utility = np.moveaxis(hidden.utility[:, items], 0, 1)  # (E, K, L)
    affinity, share = choice.weigh(utility[:, None], is_visible[:, :, None, :])
    is_of = hidden.items.category[items][:, :, None] == np.arange(len(hidden.items.categories))
    is_of = is_of.astype(np.float64)
    return Table(
        shelves=tuple(shelves),
        family=np.array(
            [
                FAMILIES.index(shelf.family) if shelf.family in FAMILIES else modules.DISCOVERY
                for shelf in shelves
            ]
        ),
        bias=np.array([pull.bias for pull in pulls]),
        scroll=np.array([pull.scroll for pull in pulls]),
        affinity=affinity.reshape(len(shelves), device_count, type_count),
        target_share=np.einsum("etkl,elc->etkc", share, is_of),
        target_conversion=np.einsum("etkl,elc->etkc", share, is_of * hidden.conversion[items][:, :, None]),
        items=items,
        share=share,
    )


def contexts(items: Items) -> tuple[Context, ...]:
    """The contexts of a shop: home, cart, and three page types in each category."""
    inner = [
        Context(page_type, category)
        for page_type in (modules.CATEGORY, modules.PRODUCT, modules.SEARCH)
        for category in range(len(items.categories))
    ]
    return (Context(modules.HOME, -1), Context(modules.CART, -1), *inner)


def context_index(page_type: np.ndarray, category: np.ndarray, category_count: int) -> np.ndarray:
    """(B,) position in `contexts` of pages of a type about a category."""
    inner = 2 + (page_type - modules.CATEGORY) * category_count + category
    return np.where(page_type == modules.HOME, 0, np.where(page_type == modules.CART, 1, inner))


def stock(items: Items, context: Context) -> list[list[Shelf]]:
    """The modules of a context, each in its templates; no item stands in two modules.

    Items are chosen by public columns, as a shop would: bestsellers by rating and price, deals by
    price cut, new arrivals by age, sponsored ones by bid.
    """
    taken: set[int] = set()
    stocked = []
    for module_id in BLUEPRINTS[context.page_type].module_ids:
        module = MODULES[module_id]
        most = max(TEMPLATES[template].max_items for template in module.templates)
        fresh = (item for item in _candidates(items, module, context) if item not in taken)
        chosen = tuple(item for item, _ in zip(fresh, range(most), strict=False))
        taken.update(chosen)
        subject = _subject(items, module, context)
        shelves = [
            Shelf(module_id, template, module.family, chosen[: TEMPLATES[template].max_items], subject)
            for template in module.templates
            if len(chosen) >= TEMPLATES[template].min_items
        ]
        if shelves:
            stocked.append(shelves)
    return stocked


def drawn(items: Items, module: Module, context: Context) -> list[Shelf]:
    """A module's shelves in a context, one for each of its templates, whatever stands elsewhere."""
    most = max(TEMPLATES[template].max_items for template in module.templates)
    chosen = tuple(item for item, _ in zip(_candidates(items, module, context), range(most), strict=False))
    subject = _subject(items, module, context)
    return [
        Shelf(module.module_id, template, module.family, chosen[: TEMPLATES[template].max_items], subject)
        for template in module.templates
    ]


def _candidates(items: Items, module: Module, context: Context) -> Iterable[int]:
    """Items that may stand in a module, best first."""
    is_wanted = items.is_sellable & (items.is_article == (module.source == "articles"))
    category = context.category if module.category == CONTEXT else _category(items, module.category)
    if category is None:
        return ()
    if category >= 0:
        is_wanted = is_wanted & (items.category == category)
    rank = {
        "bestsellers": items.quality - 0.1 * items.log_price,
        "deals": items.discount + 0.1 * items.quality,
        "new_arrivals": -items.age_days,
        "articles": items.quality,
        "trending": items.quality - 0.004 * items.age_days,
        "sponsored": items.bid_micros / 1e6,
        "bought_together": items.quality - 0.3 * np.abs(items.log_price),
        "search": items.quality,
        "similar": items.quality - 0.2 * np.abs(items.log_price),
        "for_you": items.quality + 0.3 * items.discount - 0.1 * items.log_price,
        "recently_viewed": items.quality - 0.3 * np.abs(items.log_price),
    }[module.source]
    if module.source == "sponsored":
        is_wanted = is_wanted & (items.bid_micros > 0)
    members = np.flatnonzero(is_wanted)
    return members[np.argsort(-rank[members], kind="stable")].tolist()  # type: ignore[no-any-return]


def _subject(items: Items, module: Module, context: Context) -> str:
    """Id of the category that a module is about in a context."""
    if module.category != CONTEXT:
        return module.category
    return items.categories[context.category] if context.category >= 0 else ""


def _category(items: Items, name: str) -> int | None:
    """-1 for a module about no category, None for a category that this catalogue lacks."""
    if not name:
        return -1
    return items.categories.index(name) if name in items.categories else None
