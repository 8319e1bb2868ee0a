"""What can a page be made of: modules, templates, slots and blueprints, as merchandisers wrote them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.common import yaml_file
from services.common.errors import ConfigurationError, NotFound
from services.common.yaml_file import Document
from services.layout.conditions import ALWAYS, DEVICES, PAGE_TYPES, When

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_{}-]{0,63}$")]
Names = dict[str, Annotated[str, Field(max_length=128)]]
"""Text by language."""

MAX_ANSWER_COUNT = 24
"""Answers that a page can offer."""
ANSWER = "answer-"
"""What the ids of answers' modules begin with, and no other module's."""

CONTEXT = "context"
"""A module of this category takes the category of the page view."""

PERSONAL_SOURCES = frozenset(
    {
        feature_pb2.CANDIDATE_SOURCE_RECENTLY_VIEWED,
        feature_pb2.CANDIDATE_SOURCE_FOR_YOU,
        feature_pb2.CANDIDATE_SOURCE_BUY_AGAIN,
    }
)

SUBJECT_SOURCES = frozenset(
    {
        feature_pb2.CANDIDATE_SOURCE_SIMILAR,
        feature_pb2.CANDIDATE_SOURCE_BOUGHT_TOGETHER,
        feature_pb2.CANDIDATE_SOURCE_SEARCH,
    }
)
"""What they hold depends on the page's item, cart or query."""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A way to draw a module; a configuration has each once."""

    template_id: str
    min_item_count: int
    max_item_count: int
    columns: Mapping[int, int]
    """Items beside each other, by device; 1 where a device is missing."""


class Kind(NamedTuple):
    """What rules and plans go by of a module, beside its items: a key for what is worked out once."""

    module_id: str
    family: str
    source: feature_pb2.CandidateSource
    source_name: str
    category: str
    order: str
    templates: tuple[Template, ...]
    is_answer: bool
    topic: str = ""

    @property
    def about(self) -> str:
        """What the policy is told that it is about: its category, or what an answer's topic makes of one."""
        return f"{ANSWER}{self.topic}" if self.topic else self.category

    @property
    def least_count(self) -> int:
        """The fewest items that any of its templates can stand with."""
        return min(template.min_item_count for template in self.templates)

    @property
    def is_ad(self) -> bool:
        return self.source == feature_pb2.CANDIDATE_SOURCE_SPONSORED

    @property
    def is_personal(self) -> bool:
        return self.source in PERSONAL_SOURCES


@dataclass(frozen=True)
class Module:
    """Something a slot can hold."""

    module_id: str
    family: str
    source: feature_pb2.CandidateSource
    source_name: str
    category: str
    order: str
    candidate_count: int
    templates: tuple[Template, ...]
    titles: Mapping[str, str]
    item_ids: tuple[str, ...] = ()
    when: When = ALWAYS
    relevance: float | None = None
    """Of an answer: how well it matches the page's question, 0 to 1; None for every other module."""
    topic: str = ""
    """Of an answer: what groups it; never a category, by which items are chosen."""

    @property
    def is_answer(self) -> bool:
        return self.relevance is not None

    @cached_property
    def kind(self) -> Kind:
        """What it has in common with the same module on other pages."""
        return Kind(
            self.module_id,
            self.family,
            self.source,
            self.source_name,
            self.category,
            self.order,
            self.templates,
            self.is_answer,
            self.topic,
        )

    @cached_property
    def least_count(self) -> int:
        """The fewest items that any of its templates can stand with."""
        return self.kind.least_count

    @cached_property
    def largest_count(self) -> int:
        """The most items that any of its templates shows."""
        return max(template.max_item_count for template in self.templates)

    @property
    def is_ad(self) -> bool:
        return self.source == feature_pb2.CANDIDATE_SOURCE_SPONSORED

    @property
    def is_personal(self) -> bool:
        return self.source in PERSONAL_SOURCES

    @property
    def is_about_subject(self) -> bool:
        """True where its items would be wrong on a page about something else."""
        return self.source in SUBJECT_SOURCES or self.category == CONTEXT


@dataclass(frozen=True, slots=True)
class Slot:
    """A place on a page."""

    slot_id: str
    pinned_module_id: str = ""
    allowed_module_ids: tuple[str, ...] = ()
    allowed_template_ids: tuple[str, ...] = ()
    when: When = ALWAYS
    answer_count: int = 0
    """It may hold one of so many of the best answers; 0 where it is not about answers."""

    def pinned_to(self, module_id: str) -> Slot:
        """The same slot with a module that stands there whatever it is worth, if only among the answers."""
        allowed = self.allowed_module_ids
        if self.answer_count and module_id not in allowed:
            allowed = (*allowed, module_id)
        return Slot(self.slot_id, module_id, allowed, self.allowed_template_ids, self.when, self.answer_count)


@dataclass(frozen=True)
class Blueprint:
    """One page type's modules, in editorial order, and slots, top-down."""

    name: str
    page_type: context_pb2.PageType
    modules: tuple[Module, ...]
    filler_id: str
    slots: tuple[Slot, ...]
    static_modules: tuple[Module, ...]
    when: When = ALWAYS
    answer_count: int = 0
    """Answers that are offered ahead of the modules."""

    @cached_property
    def is_fixed(self) -> bool:
        """True where every page has the same modules, whoever it is for and whatever it is about."""
        return all(module.when.is_always and module.category != CONTEXT for module in self.modules)


@dataclass(frozen=True, slots=True)
class Blueprints:
    """All blueprints of a configuration."""

    by_name: Mapping[str, Blueprint]
    by_page_type: Mapping[int, Sequence[Blueprint]]
    """In the order of the file; the last of each always holds."""
    category_names: Mapping[str, Names]
    templates: Mapping[str, Template]

    def of(self, context: context_pb2.PageContext) -> Blueprint:
        """The first blueprint of the page type that holds for the page view.

        Raises:
            NotFound: where the shop has no pages of this type.
        """
        those = self.by_page_type.get(context.page_type, ())
        for blueprint in those:
            if blueprint.when.holds(context, None):
                return blueprint
        name = context_pb2.PageType.Name(context.page_type)
        raise NotFound(f"no blueprint is of page_type {name}; there are {sorted(self.by_name)}")

    def module(self, module_id: str) -> Module | None:
        """The module of a name, from whichever blueprint has it."""
        modules = (module for blueprint in self.by_name.values() for module in blueprint.modules)
        return next((module for module in modules if module.module_id == module_id), None)


def load(folder: Path) -> Blueprints:
    """Reads categories.yaml, modules.yaml and blueprints.yaml.

    Raises:
        ConfigurationError: naming file, line and key.
    """
    categories = yaml_file.read(folder / "categories.yaml", _Categories).categories
    modules_file = yaml_file.read(folder / "modules.yaml", _Modules)
    blueprints_file = yaml_file.read(folder / "blueprints.yaml", _Blueprints)
    templates = {
        name: Template(
            name,
            entry.min_items,
            entry.max_items,
            {DEVICES[device]: count for device, count in entry.columns.items()},
        )
        for name, entry in modules_file.templates.items()
    }
    modules = _expand(folder / "modules.yaml", modules_file, templates, categories)
    by_name = {
        name: _assemble(folder / "blueprints.yaml", name, entry, modules, templates)
        for name, entry in blueprints_file.blueprints.items()
    }
    by_page_type: dict[int, list[Blueprint]] = {}
    for blueprint in by_name.values():
        by_page_type.setdefault(blueprint.page_type, []).append(blueprint)
    for name, page_type in PAGE_TYPES.items():
        those = by_page_type.get(page_type, [])
        # A shop need not have all kinds of pages, but those that it has must be there for everybody.
        if (those and those[-1].when != ALWAYS) or (not those and name == "home"):
            raise yaml_file.mistake(
                folder / "blueprints.yaml",
                ("blueprints", *(each.name for each in those[-1:])),
                f"no blueprint of page_type {name} holds always; add one, as the last of its kind",
            )
    return Blueprints(by_name, by_page_type, categories, templates)


def text(names: Mapping[str, str], locale: str) -> str:
    """The text in the locale's language; English, or the first there is, where there is none."""
    return text_in(names, locale.partition("-")[0].lower())


def text_in(names: Mapping[str, str], language: str) -> str:
    """The text in a language; English, or the first there is, where there is none."""
    return names.get(language) or names.get("en") or next(iter(names.values()), "")


SOURCES = {
    name.removeprefix("CANDIDATE_SOURCE_").lower(): getattr(feature_pb2, name)
    for name in feature_pb2.CandidateSource.keys()[1:]
}


class _Categories(Document):
    categories: dict[str, Names]


class _Template(Document):
    min_items: int = Field(ge=0, le=100)
    max_items: int = Field(ge=1, le=100)
    columns: dict[Literal[tuple(DEVICES)], Annotated[int, Field(ge=1, le=12)]] = Field(  # type: ignore[valid-type]
        default_factory=dict
    )

    @model_validator(mode="after")
    def _is_ordered(self) -> _Template:
        if self.min_items > self.max_items:
            raise ValueError(f"min_items {self.min_items} is above max_items {self.max_items}")
        return self


class _Module(Document):
    id: Id
    family: Literal["promotion", "discovery", "deep"]
    source: Literal[tuple(SOURCES)]  # type: ignore[valid-type]
    title: Names = Field(min_length=1)
    templates: list[str] = Field(min_length=1, max_length=8)
    category: str = ""
    per_category: bool = False
    order: Literal["value", "source", "bid"] = "value"
    candidates: int = Field(16, ge=1, le=200)
    when: When = ALWAYS


class _Modules(Document):
    templates: dict[str, _Template]
    modules: list[_Module] = Field(min_length=1)


class _Slot(Document):
    id: Id
    pin: str = ""
    modules: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    answers: int = Field(0, ge=0, le=MAX_ANSWER_COUNT)
    when: When = ALWAYS


class _Blueprint(Document):
    page_type: Literal[tuple(PAGE_TYPES)]  # type: ignore[valid-type]
    modules: list[str] = Field(min_length=1)
    filler: str
    static: list[str] = Field(min_length=1)
    slots: list[_Slot] = Field(min_length=1, max_length=40)
    answers: int = Field(0, ge=0, le=MAX_ANSWER_COUNT)
    when: When = ALWAYS


class _Blueprints(Document):
    blueprints: dict[str, _Blueprint]


def _expand(
    path: Path, file: _Modules, templates: Mapping[str, Template], categories: Mapping[str, Names]
) -> dict[str, Module]:
    modules: dict[str, Module] = {}
    for index, entry in enumerate(file.modules):
        key = ("modules", index)
        unknown = [name for name in entry.templates if name not in templates]
        if unknown:
            problem = f"{unknown[0]!r} is not among {sorted(templates)}"
            raise yaml_file.mistake(path, (*key, "templates"), problem)
        if entry.per_category != ("{category}" in entry.id):
            raise yaml_file.mistake(path, (*key, "id"), "per_category and {category} in the id go together")
        for category in categories if entry.per_category else [entry.category]:
            module_id = entry.id.replace("{category}", category)
            if module_id in modules:
                raise yaml_file.mistake(path, (*key, "id"), f"{module_id!r} is taken by another module")
            if module_id.startswith(ANSWER):
                raise yaml_file.mistake(path, (*key, "id"), f"{ANSWER} is for what answers.yaml holds")
            titles = entry.title
            if entry.per_category:
                names = categories[category]
                titles = {
                    language: title.replace("{category}", text(names, language))
                    for language, title in entry.title.items()
                }
            modules[module_id] = Module(
                module_id=module_id,
                family=entry.family,
                source=SOURCES[entry.source],
                source_name=entry.source,
                category=category,
                order=entry.order,
                candidate_count=entry.candidates,
                templates=tuple(templates[name] for name in entry.templates),
                titles=titles,
                when=entry.when,
            )
    return modules


def _assemble(
    path: Path, name: str, entry: _Blueprint, modules: Mapping[str, Module], templates: Mapping[str, Template]
) -> Blueprint:
    def mistake(problem: str, *keys: str | int) -> ConfigurationError:
        return yaml_file.mistake(path, ("blueprints", name, *keys), problem)

    def matching(key: str, patterns: list[str]) -> list[Module]:
        found: dict[str, Module] = {}
        for index, pattern in enumerate(patterns):
            those = [module for module in modules.values() if fnmatchcase(module.module_id, pattern)]
            if not those:
                raise mistake(f"{pattern!r} matches none of {sorted(modules)}", key, index)
            found.update((module.module_id, module) for module in those)
        return list(found.values())

    if entry.when.segments:
        raise mistake("a page's blueprint is chosen before the shopper is known", "when", "segments")
    chosen = {module.module_id: module for module in matching("modules", entry.modules)}
    static = matching("static", entry.static)
    hungry = [m.module_id for m in static if min(t.min_item_count for t in m.templates)]
    if hungry:
        raise mistake(f"{hungry[0]!r} has no template with min_items 0", "static")
    if len(chosen) + entry.answers > 56:
        raise mistake(f"{len(chosen) + entry.answers} modules and answers, want at most 56", "modules")
    if entry.filler not in chosen:
        raise mistake(f"{entry.filler!r} is not among {sorted(chosen)}", "filler")
    if chosen[entry.filler].when != ALWAYS:
        raise mistake(f"{entry.filler!r} does not always hold, and a filler has to", "filler")
    slots: dict[str, Slot] = {}
    for index, slot in enumerate(entry.slots):
        own: list[str] = []
        for pattern in slot.modules:
            those = [name for name in chosen if fnmatchcase(name, pattern)]
            if not those:
                raise mistake(f"{pattern!r} is not among {sorted(chosen)}", "slots", index, "modules")
            own += those
        for key, names, known in (
            ("pin", [slot.pin] if slot.pin else [], chosen),
            ("templates", slot.templates, templates),
        ):
            unknown = [value for value in names if value not in known]
            if unknown:
                raise mistake(f"{unknown[0]!r} is not among {sorted(known)}", "slots", index, key)
        if slot.when.segments:
            raise mistake(
                "slots are laid out before the shopper is known", "slots", index, "when", "segments"
            )
        if slot.answers > entry.answers:
            raise mistake(f"{slot.answers} of {entry.answers} answers", "slots", index, "answers")
        if slot.id in slots:
            raise mistake(f"{slot.id!r} is taken by another slot", "slots", index, "id")
        # The filler may stand anywhere, so that no slot can be impossible to fill.
        allowed = (*own, entry.filler) if own else ()
        slots[slot.id] = Slot(slot.id, slot.pin, allowed, slot.templates, slot.when, slot.answers)
    return Blueprint(
        name=name,
        page_type=PAGE_TYPES[entry.page_type],
        modules=tuple(chosen.values()),
        filler_id=entry.filler,
        slots=tuple(slots.values()),
        static_modules=tuple(static),
        when=entry.when,
        answer_count=entry.answers,
    )
