"""What may rules.yaml say? One named rule after the other, each with one thing that it does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from planogram.common.v1 import context_pb2
from services.common import yaml_file
from services.common.yaml_file import Document
from services.layout.blueprint import Blueprints, Id
from services.layout.conditions import ALWAYS, PAGE_TYPES, When

FILE = "rules.yaml"
MAX_LIMIT_COUNT = 64
"""Limits on kinds of modules that a page can have; a rule by category makes one of each category."""
MAX_PAGE_CAP_COUNT = 8
"""Caps across the page."""

Kind = Literal["brand", "seller", "category"]
Share = Annotated[float, Field(gt=0, le=1)]
Days = Annotated[float, Field(gt=0, le=3_650)]
Patterns = tuple[Annotated[str, Field(min_length=1, max_length=64)], ...]


class Modules(Document):
    """Which modules a rule is about: `*` matches any run of characters; empty means all."""

    in_modules: Patterns = ()

    def is_about(self, module_id: str) -> bool:
        return not self.in_modules or any(fnmatchcase(module_id, name) for name in self.in_modules)


class Match(Modules):
    """Items for which all that is given holds; something must be given."""

    items: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    sellers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    below_price: float | None = Field(None, gt=0)
    above_price: float | None = Field(None, ge=0)
    least_discount: float | None = Field(None, gt=0, le=1)
    newer_than_days: Days | None = None
    older_than_days: Days | None = None
    least_age_rating: int | None = Field(None, ge=1, le=99)
    what: Literal["under_review"] | None = None
    """Items whose bad reviews surged, until somebody has looked at them."""

    @model_validator(mode="after")
    def _is_about_something(self) -> Match:
        if not any(
            getattr(self, name) not in ((), None) for name in Match.model_fields if name != "in_modules"
        ):
            raise ValueError(
                "says nothing of items; name items, brands, sellers, categories, prices, ages or what"
            )
        return self


class Exclude(Modules):
    """Items that their state, the page view or the shopper's past rules out."""

    what: Literal["sold_out", "under_review", "in_cart", "current_item", "purchased", "dismissed"]
    within_days: Days | None = None
    """Of purchases and dismissals: how long they count."""


class Boost(Match):
    """Items that are worth more, or less, than what is expected of them."""

    factor: float = Field(gt=0, le=1_000)


class Pin(Document):
    """A module that stands in a slot, whatever it is worth."""

    slot: Id
    module: Id


class Lead(Document):
    """Items that come first in a module, in this order."""

    module: Id
    items: tuple[str, ...] = Field(min_length=1, max_length=48)


class Cap(Modules):
    """The most items of one brand, seller or category.

    Within a module, across the page, or among so many neighbours in a module.
    """

    of: Kind
    most: int = Field(ge=1, le=1_000)
    within: Literal["module", "page"] | Annotated[int, Field(ge=2, le=48)] = "module"

    @model_validator(mode="after")
    def _has_its_place(self) -> Cap:
        if self.within == "page" and self.in_modules:
            raise ValueError("a cap within the page is about all modules; leave in_modules out")
        if isinstance(self.within, int) and self.most >= self.within:
            raise ValueError(f"most {self.most} of {self.within} neighbours allows everything")
        return self


class Fresh(Modules):
    """The least share of new items, from the top of a module down."""

    share: Share
    newer_than_days: Days


class Diversify(Modules):
    """How far likeness to what stands before counts against an item, 0 to below 1.

    By maximal marginal relevance, or by a determinantal point process.
    """

    method: Literal["mmr", "dpp"] = "mmr"
    strength: float = Field(0.3, gt=0, lt=1)


class Ads(Document):
    """How much of a page is paid for, and what a click on it costs at least."""

    most_share: Share = 1.0
    least_gap: int = Field(0, ge=0, le=40)
    first_slot: int = Field(1, ge=1, le=40)
    floor: float = Field(0.0, ge=0, le=1e6)
    """In units of the currency; a bid below it is no bid."""


class Kinds(Document):
    """Modules that stay few and apart: by family, by category, or named."""

    families: tuple[Literal["promotion", "discovery", "deep"], ...] = ()
    modules: Patterns = ()
    same_category: bool = False
    """True makes one limit for each category that modules are about."""
    most: int = Field(40, ge=0, le=40)
    least_gap: int = Field(0, ge=0, le=40)

    @model_validator(mode="after")
    def _is_about_modules(self) -> Kinds:
        if bool(self.families) + bool(self.modules) + self.same_category != 1:
            raise ValueError("want one of families, modules and same_category")
        return self


class Promise(Match):
    """The least share of all items shown that match; kept by a controller that raises what they are worth."""

    share: Share


class Fair(Modules):
    """Every brand, seller or category is seen as much as what shoppers would click of it deserves."""

    of: Kind
    least: Share = 0.9
    """Of what it deserves; kept by a controller like that of promises."""

    def key(self, rule: str, member: str) -> str:
        """The name of the factor of one brand, seller or category."""
        return f"{rule}: {member}"


class Sensitive(Document):
    """Categories that say something private about who looks at them.

    Their items stand only where a page is about such a category or answers a search, never in a module of
    what the shopper did; and what the shopper did with them enters no decision about modules.
    """

    categories: tuple[str, ...] = Field(min_length=1)


class Rule(Document):
    """One rule: a name, when it holds, and one thing that it does."""

    name: Id
    when: When = ALWAYS
    exclude: Exclude | None = None
    hide: Match | None = None
    boost: Boost | None = None
    bury: Match | None = None
    pin: Pin | None = None
    lead: Lead | None = None
    cap: Cap | None = None
    fresh: Fresh | None = None
    diversify: Diversify | None = None
    ads: Ads | None = None
    kinds: Kinds | None = None
    promise: Promise | None = None
    fair: Fair | None = None
    sensitive: Sensitive | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Rule:
        given = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "nothing"
            raise ValueError(f"does {found}; want one of {', '.join(ACTIONS)}")
        return self

    @cached_property
    def action(self) -> str:
        """What it does, such as "hide"."""
        return next(name for name in ACTIONS if getattr(self, name) is not None)


ACTIONS = tuple(name for name in Rule.model_fields if name not in ("name", "when"))


class Worth(Document):
    """What a click and a sale are worth."""

    click: float = Field(ge=0, le=1e6)
    purchase: float = Field(ge=0, le=1e6)


class Value(Worth):
    """The same, with what holds on pages of some types instead."""

    page_types: dict[Literal[tuple(PAGE_TYPES)], Worth] = Field(default_factory=dict)  # type: ignore[valid-type]

    def on(self, page_type: int) -> Worth:
        """What holds on pages of a PageType."""
        return next((worth for name, worth in self.page_types.items() if PAGE_TYPES[name] == page_type), self)


class _File(Document):
    value: Value
    rules: tuple[Rule, ...] = Field((), max_length=500)


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The content of rules.yaml.

    rules: in the order of the file; where two contradict each other, the first one holds.
    """

    value: Value
    rules: tuple[Rule, ...] = ()

    @property
    def watching(self) -> tuple[Rule, ...]:
        """The rules that look after shares of what is shown."""
        return tuple(rule for rule in self.rules if rule.promise or rule.fair)

    def sensitive(self, context: context_pb2.PageContext) -> frozenset[str]:
        """Categories that are sensitive on a page view, whoever the shopper is."""
        return frozenset(
            category
            for rule in self.rules
            if rule.sensitive is not None and rule.when.holds(context, None)
            for category in rule.sensitive.categories
        )

    def leading(self, context: context_pb2.PageContext) -> dict[str, tuple[str, ...]]:
        """Items that rules put first on a page view, by module, whoever the shopper is."""
        found: dict[str, tuple[str, ...]] = {}
        for rule in self.rules:
            if rule.lead is not None and rule.when.holds(context, None):
                found[rule.lead.module] = (*found.get(rule.lead.module, ()), *rule.lead.items)
        return found

    def pinned(self, context: context_pb2.PageContext) -> frozenset[str]:
        """Modules that rules pin on a page view for everybody: rules that ask for a segment are left out."""
        return frozenset(
            rule.pin.module
            for rule in self.rules
            if rule.pin is not None and not rule.when.segments and rule.when.holds(context, None)
        )

    def without(self, name: str) -> Rules:
        """The same without the rule of a name."""
        return Rules(self.value, tuple(rule for rule in self.rules if rule.name != name))


def load(folder: Path, blueprints: Blueprints, answer_ids: Collection[str] = ()) -> Rules:
    """Reads rules.yaml, and holds the names in it against the blueprints and the modules of answers.

    Raises:
        ConfigurationError: naming file, line and key.
    """
    path = folder / FILE
    file = yaml_file.read(path, _File)
    places: dict[str, int] = {}
    for index, rule in enumerate(file.rules):
        key = ("rules", index)
        if rule.name in places:
            raise yaml_file.mistake(
                path, (*key, "name"), f"{rule.name!r} is rule {places[rule.name] + 1} too"
            )
        places[rule.name] = index
        for keys, names, known in _named(rule, blueprints, answer_ids):
            unknown = [name for name in names if not any(fnmatchcase(each, name) for each in known)]
            if unknown:
                raise yaml_file.mistake(
                    path, (*key, *keys), f"{unknown[0]!r} matches none of {sorted(known)}"
                )
    _refuse_two_pins(path, file.rules)
    for action, limit, count in (
        ("kinds or ads", MAX_LIMIT_COUNT, sum(bool(rule.kinds or rule.ads) for rule in file.rules)),
        ("cap within the page", MAX_PAGE_CAP_COUNT, sum(is_page_cap(rule) for rule in file.rules)),
    ):
        if count > limit:
            raise yaml_file.mistake(path, ("rules",), f"{count} rules with {action}, want at most {limit}")
    return Rules(file.value, file.rules)


def is_page_cap(rule: Rule) -> bool:
    """True for a cap across the page, which the planner keeps."""
    return rule.cap is not None and rule.cap.within == "page"


def _named(
    rule: Rule, blueprints: Blueprints, answer_ids: Collection[str]
) -> Sequence[tuple[tuple[str, str], Collection[str], set[str]]]:
    """Names that a rule uses, each with its keys and what there is."""
    modules = {module.module_id for each in blueprints.by_name.values() for module in each.modules}
    modules |= set(answer_ids)
    slots = {slot.slot_id for each in blueprints.by_name.values() for slot in each.slots}
    action = getattr(rule, rule.action)
    found = []
    for field, known in (("in_modules", modules), ("modules", modules), ("module", modules), ("slot", slots)):
        names = getattr(action, field, ())
        found.append(((rule.action, field), (names,) if isinstance(names, str) else names, known))
    return found


def _refuse_two_pins(path: Path, rules: tuple[Rule, ...]) -> None:
    always: dict[str, str] = {}
    for index, rule in enumerate(rules):
        if rule.pin is not None and rule.when == ALWAYS:
            other = always.setdefault(rule.pin.slot, rule.name)
            if other != rule.name:
                message = f"slot {rule.pin.slot!r} is pinned by {other!r} already, and both always hold"
                raise yaml_file.mistake(path, ("rules", index, "pin", "slot"), message)
