"""Which shelves does the demo shop have, as its shoppers know them?"""

from __future__ import annotations

from dataclasses import dataclass

from planogram.common.v1 import context_pb2
from simulator.assortment import CATEGORIES

FAMILIES = ("promotion", "discovery", "deep")
PROMOTION, DISCOVERY, DEEP = range(3)
"""Positions in FAMILIES."""

PAGE_TYPES = (
    context_pb2.PAGE_TYPE_HOME,
    context_pb2.PAGE_TYPE_CATEGORY,
    context_pb2.PAGE_TYPE_PRODUCT,
    context_pb2.PAGE_TYPE_SEARCH,
    context_pb2.PAGE_TYPE_CART,
)
HOME, CATEGORY, PRODUCT, SEARCH, CART = range(5)
"""Positions in PAGE_TYPES."""

CONTEXT = "context"
"""Category of a shelf that takes the page's own."""


@dataclass(frozen=True, slots=True)
class Template:
    """A way to draw a shelf.

    Attributes:
        visible: items in view on desktop, phone and tablet before scrolling sideways.
    """

    template_id: str
    min_items: int
    max_items: int
    visible: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Module:
    """A shelf.

    Attributes:
        category: id, CONTEXT, or empty where it is about none.
        source: how its items are chosen.
    """

    module_id: str
    family: str
    source: str
    category: str
    templates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A place on a page: what it may hold (empty: anything), and what is pinned there."""

    slot_id: str
    allowed: tuple[str, ...] = ()
    pinned: str = ""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a page type is made of."""

    module_ids: tuple[str, ...]
    slots: tuple[Slot, ...]


TEMPLATES = {
    template.template_id: template
    for template in (
        Template("banner", 1, 1, (1, 1, 1)),
        Template("strip", 3, 16, (7, 3, 5)),
        Template("carousel", 4, 12, (5, 2, 3)),
        Template("grid", 4, 8, (8, 4, 6)),
        Template("list", 2, 6, (4, 3, 4)),
        Template("wall", 1, 24, (12, 6, 9)),
    )
}
UNKNOWN_TEMPLATE = Template("", 0, 24, (5, 2, 3))
"""What shoppers see of a template that they do not know."""

_SHELVES = (
    Module("hero", "promotion", "trending", "", ("banner",)),
    *(Module(f"deals-{name}", "promotion", "deals", name, ("carousel", "grid")) for name in CATEGORIES),
    *(
        Module(f"bestsellers-{name}", "discovery", "bestsellers", name, ("carousel", "grid"))
        for name in CATEGORIES
    ),
    Module("popular", "discovery", "bestsellers", "", ("carousel", "grid")),
    Module("new-in", "discovery", "new_arrivals", "", ("carousel", "grid")),
    *(Module(f"guides-{name}", "deep", "articles", name, ("list", "grid")) for name in CATEGORIES),
    Module("sponsored", "promotion", "sponsored", "", ("carousel", "strip")),
    Module("similar", "discovery", "similar", CONTEXT, ("carousel", "grid")),
    Module("bought-together", "promotion", "bought_together", CONTEXT, ("carousel", "strip")),
    Module("complements", "promotion", "bought_together", "", ("carousel", "strip")),
    Module("category-results", "discovery", "bestsellers", CONTEXT, ("wall",)),
    Module("category-deals", "promotion", "deals", CONTEXT, ("carousel", "strip")),
    Module("category-new", "discovery", "new_arrivals", CONTEXT, ("carousel", "strip")),
    Module("category-guides", "deep", "articles", CONTEXT, ("list", "grid")),
    Module("results", "discovery", "search", CONTEXT, ("wall",)),
)
MODULES = {module.module_id: module for module in _SHELVES}
"""Shelves whose items do not depend on the shopper's past; others behave as their family does."""
SOURCES = tuple(dict.fromkeys(module.source for module in _SHELVES))
HISTORY_MODULES = {
    module.module_id: module
    for module in (
        Module("for-you", "discovery", "for_you", CONTEXT, ("carousel", "grid")),
        Module("recently-viewed", "discovery", "recently_viewed", CONTEXT, ("carousel", "strip")),
    )
}
"""Shelves of rich worlds, about a category that a shopper's past points to."""

_GUIDES = tuple(f"guides-{name}" for name in CATEGORIES)
_DEALS = tuple(f"deals-{name}" for name in CATEGORIES)
_BESTSELLERS = tuple(f"bestsellers-{name}" for name in CATEGORIES)
_OWN = ("category-deals", "category-new", "category-guides")

BLUEPRINTS = (
    Blueprint(
        ("hero", *_DEALS, *_BESTSELLERS, "popular", "new-in", *_GUIDES, "sponsored"),
        tuple(Slot(name) for name in ("top", "second", "third", "fourth", "fifth", "sixth")),
    ),
    Blueprint(
        ("category-results", *_OWN, "sponsored", "popular"),
        (
            Slot("above", (*_OWN, "sponsored")),
            Slot("listing", pinned="category-results"),
            Slot("below"),
            Slot("last"),
        ),
    ),
    Blueprint(
        ("similar", "bought-together", "category-deals", "category-guides", "sponsored", "popular"),
        tuple(Slot(name) for name in ("first", "second", "third", "fourth")),
    ),
    Blueprint(
        ("results", *_GUIDES, "sponsored", "popular"),
        (Slot("hits", pinned="results"), Slot("first"), Slot("second")),
    ),
    Blueprint(
        ("complements", *_DEALS, "popular"),
        tuple(Slot(name) for name in ("first", "second", "third")),
    ),
)
"""Pages of the vectorised face, in the order of PAGE_TYPES."""
