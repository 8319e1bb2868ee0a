"""What can a page be made of: modules, templates, slots and blueprints, as merchandisers wrote them?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.common.errors import ConfigurationError
from services.layout import yaml_file
from services.layout.yaml_file import Document

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_{}-]{0,63}$")]
Names = dict[str, Annotated[str, Field(max_length=128)]]
"""Text by language."""

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


@dataclass(frozen=True, slots=True)
class Template:
    """A way to draw a module."""

    template_id: str
    min_item_count: int
    max_item_count: int


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One page type's modules, in editorial order, and slots, top-down."""

    name: str
    page_type: context_pb2.PageType
    modules: tuple[Module, ...]
    filler_id: str
    slots: tuple[Slot, ...]
    static_modules: tuple[Module, ...]


@dataclass(frozen=True, slots=True)
class Blueprints:
    """All blueprints of a configuration."""

    by_name: Mapping[str, Blueprint]
    by_page_type: Mapping[int, Blueprint]
    category_names: Mapping[str, Names]
    templates: Mapping[str, Template]

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
        name: Template(name, entry.min_items, entry.max_items)
        for name, entry in modules_file.templates.items()
    }
    modules = _expand(folder / "modules.yaml", modules_file, templates, categories)
    by_name = {
        name: _assemble(folder / "blueprints.yaml", name, entry, modules, templates)
        for name, entry in blueprints_file.blueprints.items()
    }
    by_page_type: dict[int, Blueprint] = {}
    for blueprint in by_name.values():
        by_page_type.setdefault(blueprint.page_type, blueprint)
    missing = [name for name in _PAGE_TYPES if _PAGE_TYPES[name] not in by_page_type]
    if missing:
        raise ConfigurationError(f"{folder / 'blueprints.yaml'}: no blueprint has page_type {missing[0]}")
    return Blueprints(by_name, by_page_type, categories, templates)


def version(folder: Path) -> str:
    """12 hex digits that change with any of the configuration's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.yaml")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def text(names: Mapping[str, str], locale: str) -> str:
    """The text in the locale's language; English, or the first there is, where there is none."""
    language = locale.partition("-")[0].lower()
    return names.get(language) or names.get("en") or next(iter(names.values()), "")


_PAGE_TYPES = {
    "home": context_pb2.PAGE_TYPE_HOME,
    "category": context_pb2.PAGE_TYPE_CATEGORY,
    "product": context_pb2.PAGE_TYPE_PRODUCT,
    "search": context_pb2.PAGE_TYPE_SEARCH,
    "cart": context_pb2.PAGE_TYPE_CART,
}
_SOURCES = {
    name.removeprefix("CANDIDATE_SOURCE_").lower(): getattr(feature_pb2, name)
    for name in feature_pb2.CandidateSource.keys()[1:]
}


class _Categories(Document):
    categories: dict[str, Names]


class _Template(Document):
    min_items: int = Field(ge=0, le=100)
    max_items: int = Field(ge=1, le=100)

    @model_validator(mode="after")
    def _is_ordered(self) -> _Template:
        if self.min_items > self.max_items:
            raise ValueError(f"min_items {self.min_items} is above max_items {self.max_items}")
        return self


class _Module(Document):
    id: Id
    family: Literal["promotion", "discovery", "deep"]
    source: Literal[tuple(_SOURCES)]  # type: ignore[valid-type]
    title: Names = Field(min_length=1)
    templates: list[str] = Field(min_length=1, max_length=8)
    category: str = ""
    per_category: bool = False
    order: Literal["value", "source", "bid"] = "value"
    candidates: int = Field(16, ge=1, le=200)


class _Modules(Document):
    templates: dict[str, _Template]
    modules: list[_Module] = Field(min_length=1)


class _Slot(Document):
    id: Id
    pin: str = ""
    modules: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()


class _Blueprint(Document):
    page_type: Literal["home", "category", "product", "search", "cart"]
    modules: list[str] = Field(min_length=1)
    filler: str
    static: list[str] = Field(min_length=1)
    slots: list[_Slot] = Field(min_length=1, max_length=40)


class _Blueprints(Document):
    blueprints: dict[str, _Blueprint]


def _expand(
    path: Path, file: _Modules, templates: Mapping[str, Template], categories: Mapping[str, Names]
) -> dict[str, Module]:
    modules: dict[str, Module] = {}
    for index, entry in enumerate(file.modules):
        where = f"{path}: modules.{index} ({entry.id})"
        unknown = [name for name in entry.templates if name not in templates]
        if unknown:
            raise ConfigurationError(f"{where}: templates: {unknown[0]!r} is not among {sorted(templates)}")
        if entry.per_category != ("{category}" in entry.id):
            raise ConfigurationError(f"{where}: id: per_category and {{category}} in the id go together")
        for category in categories if entry.per_category else [entry.category]:
            module_id = entry.id.replace("{category}", category)
            if module_id in modules:
                raise ConfigurationError(f"{where}: id: {module_id!r} is taken by another module")
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
                source=_SOURCES[entry.source],
                source_name=entry.source,
                category=category,
                order=entry.order,
                candidate_count=entry.candidates,
                templates=tuple(templates[name] for name in entry.templates),
                titles=titles,
            )
    return modules


def _assemble(
    path: Path, name: str, entry: _Blueprint, modules: Mapping[str, Module], templates: Mapping[str, Template]
) -> Blueprint:
    where = f"{path}: blueprints.{name}"
    chosen = {module.module_id: module for module in _matching(f"{where}.modules", entry.modules, modules)}
    static = _matching(f"{where}.static", entry.static, modules)
    hungry = [m.module_id for m in static if min(t.min_item_count for t in m.templates)]
    if hungry:
        raise ConfigurationError(f"{where}.static: {hungry[0]!r} has no template with min_items 0")
    if len(chosen) > 56:
        raise ConfigurationError(f"{where}.modules: {len(chosen)} modules, want at most 56")
    slots = []
    for slot in entry.slots:
        for key, names, known in (
            ("pin", [slot.pin] if slot.pin else [], chosen),
            ("modules", slot.modules, chosen),
            ("templates", slot.templates, templates),
        ):
            unknown = [value for value in names if value not in known]
            if unknown:
                raise ConfigurationError(
                    f"{where}.slots.{slot.id}.{key}: {unknown[0]!r} is not among {sorted(known)}"
                )
        # The filler may stand anywhere, so that no slot can be impossible to fill.
        allowed = (*slot.modules, entry.filler) if slot.modules else ()
        slots.append(Slot(slot.id, slot.pin, allowed, slot.templates))
    if len({slot.slot_id for slot in slots}) != len(slots):
        raise ConfigurationError(f"{where}.slots: ids must differ: {[slot.slot_id for slot in slots]}")
    if entry.filler not in chosen:
        raise ConfigurationError(f"{where}.filler: {entry.filler!r} is not among {sorted(chosen)}")
    page_type = _PAGE_TYPES[entry.page_type]
    return Blueprint(name, page_type, tuple(chosen.values()), entry.filler, tuple(slots), tuple(static))


def _matching(where: str, patterns: list[str], modules: Mapping[str, Module]) -> list[Module]:
    found: dict[str, Module] = {}
    for pattern in patterns:
        matching = [module for module in modules.values() if fnmatchcase(module.module_id, pattern)]
        if not matching:
            raise ConfigurationError(f"{where}: {pattern!r} matches none of {sorted(modules)}")
        found.update((module.module_id, module) for module in matching)
    return list(found.values())
