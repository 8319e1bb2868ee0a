"""What do many pages share: modules, templates and slots, without items and shopper?

A shape is worked out once for all pages of a blueprint that offer the same modules.

Symbols: M modules, A actions (a module in one of its templates, in the order of the request), S slots, L
limits on modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planogram.policy.v1 import policy_pb2
from services.common.errors import InvalidRequest

Array = np.ndarray[Any, Any]

MAX_MODULE_COUNT = 64
MAX_SLOT_COUNT = 40
MAX_TEMPLATE_COUNT = 8
MAX_ID_BYTES = 64
MAX_CATEGORY_BYTES = 128
MAX_SHOWN_COUNT = 100
MAX_LIMIT_COUNT = 64

SHAPE_LIMIT = 1_024
"""Shapes that are remembered; a shop has a handful per page type, a caller who varies ids has many."""
MAX_REMEMBERED_BYTES = 65_536
"""Of a blueprint; a shop's has a few thousand."""

_NONE = -1
_shapes: dict[bytes, Shape] = {}


@dataclass(frozen=True, slots=True)
class ModuleLimits:
    """Modules of a kind that stay few and apart."""

    is_member: Array
    """(L, M) true for modules that a limit is about."""
    most: Array
    """(L,) most of them on the page."""
    gap: Array
    """(L,) least number of slots between two of them."""
    first_slot: Array
    """(L,) the highest place where one may stand."""
    pinned: Array
    """(S,) module that each slot is pinned to, -1 for none."""
    is_pinned: Array
    """(L, S) true for slots that one of a limit's modules is pinned to."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Modules, templates and slots of a page: many pages share one."""

    module_ids: tuple[str, ...]
    families: tuple[str, ...]
    sources: tuple[str, ...]
    categories: tuple[str, ...]
    template_ids: tuple[str, ...]
    """(A,)"""
    module: Array
    """(A,) index of the action's module."""
    template: Array
    """(A,) index of the action's template within its module."""
    min_count: Array
    """(A,) least items the action can stand with."""
    max_count: Array
    """(A,) most items the action shows."""
    is_filler: Array
    """(A,) true where the action's module is a filler."""
    draw_rank: Array
    """(A,) place of the action by module and template id: draws do not depend on the request's order."""
    slot_ids: tuple[str, ...]
    allowed: Array
    """(S, A) true where module and template may stand in a slot."""
    pinned: Array
    """(S, A) true for the pinned module in the templates that the slot takes; all false without a pin."""
    kept: Array
    """(S, A) true for modules that a slot below is pinned to."""
    may_stand: Array
    """(S, A + 1) what each slot may hold, pins in force; behind the actions the empty place."""
    limits: ModuleLimits

    @property
    def action_count(self) -> int:
        return len(self.module)


def shape_of(request: policy_pb2.PlanPageRequest, blueprint: bytes) -> Shape:
    """The page's shape; pages of one blueprint find it ready.

    Args:
        blueprint: equal for requests that differ in rows, items and shopper alone.

    Raises:
        InvalidRequest: names the field, its value and the limit.
    """
    shape = _shapes.get(blueprint)
    if shape is None:
        shape = _make(request)
        if len(blueprint) > MAX_REMEMBERED_BYTES:
            return shape
        if len(_shapes) >= SHAPE_LIMIT:
            _shapes.clear()
        _shapes[blueprint] = shape
    return shape


def _make(request: policy_pb2.PlanPageRequest) -> Shape:
    modules = request.modules
    _check_ids("modules", [module.module_id for module in modules], MAX_MODULE_COUNT)
    _check_names(modules)
    _check_ids("slots", [slot.slot_id for slot in request.slots], MAX_SLOT_COUNT)
    module, template, min_count, max_count = _actions(request)
    template_ids = tuple(template.template_id for entry in modules for template in entry.templates)
    allowed, pinned, kept = _slots(request, module, template_ids)
    may_stand = np.ones((len(allowed), len(module) + 1), bool)
    may_stand[:, :-1] = np.where(pinned.any(axis=1, keepdims=True), pinned, allowed & ~kept)
    return Shape(
        module_ids=tuple(entry.module_id for entry in modules),
        families=tuple(entry.family for entry in modules),
        sources=tuple(entry.source for entry in modules),
        categories=tuple(entry.category for entry in modules),
        template_ids=template_ids,
        module=module,
        template=template,
        min_count=min_count,
        max_count=max_count,
        is_filler=np.array([entry.is_filler for entry in modules], bool)[module],
        draw_rank=_draw_rank(request),
        slot_ids=tuple(slot.slot_id for slot in request.slots),
        allowed=allowed,
        pinned=pinned,
        kept=kept,
        may_stand=may_stand,
        limits=_limits(request),
    )


def _check_ids(field: str, ids: Sequence[str], limit: int) -> None:
    if not 1 <= len(ids) <= limit:
        raise InvalidRequest(field, f"{len(ids)} entries", f"1 to {limit}")
    name = {"modules": "module_id", "slots": "slot_id"}.get(field, "template_id")
    seen = set()
    for index, text in enumerate(ids):
        if not 1 <= len(text.encode()) <= MAX_ID_BYTES:
            raise InvalidRequest(f"{field}[{index}].{name}", text, f"1 to {MAX_ID_BYTES} bytes")
        if text in seen:
            raise InvalidRequest(f"{field}[{index}].{name}", text, "an id that stands once")
        seen.add(text)


def _check_names(modules: Sequence[policy_pb2.Module]) -> None:
    for index, module in enumerate(modules):
        for name, limit in (("source", MAX_ID_BYTES), ("category", MAX_CATEGORY_BYTES)):
            text = getattr(module, name)
            if len(text.encode()) > limit:
                raise InvalidRequest(f"modules[{index}].{name}", text, f"0 to {limit} bytes")


def _actions(request: policy_pb2.PlanPageRequest) -> tuple[Array, Array, Array, Array]:
    columns = []
    for index, module in enumerate(request.modules):
        where = f"modules[{index}].templates"
        _check_ids(where, [template.template_id for template in module.templates], MAX_TEMPLATE_COUNT)
        for position, template in enumerate(module.templates):
            least, most = template.min_item_count, template.max_item_count
            if not 0 <= least <= most <= MAX_SHOWN_COUNT:
                raise InvalidRequest(
                    f"{where}[{position}]",
                    f"min_item_count {least}, max_item_count {most}",
                    f"0 <= min_item_count <= max_item_count <= {MAX_SHOWN_COUNT}",
                )
            columns.append((index, position, least, most))
    # A copy: columns that stand apart in memory would be compiled for anew.
    module_index, template_index, min_count, max_count = np.array(columns, np.int64).T.copy()
    return module_index, template_index, min_count, max_count


def _slots(
    request: policy_pb2.PlanPageRequest, module: Array, template_ids: Sequence[str]
) -> tuple[Array, Array, Array]:
    """(S, A) each: what slots take, what they are pinned to, and what is kept for pins below."""
    index_of = {entry.module_id: index for index, entry in enumerate(request.modules)}
    allowed, pinned, kept = np.zeros((3, len(request.slots), len(module)), bool)
    for index, slot in enumerate(request.slots):
        templates = np.ones(len(module), bool)
        if slot.allowed_template_ids:
            wanted = set(slot.allowed_template_ids)
            templates = np.array([template_id in wanted for template_id in template_ids])
        allowed[index] = templates
        if slot.allowed_module_ids:
            # Ids of modules that the page does not have are no mistake: a source may have been empty.
            is_wanted = np.zeros(len(index_of), bool)
            is_wanted[[index_of[name] for name in slot.allowed_module_ids if name in index_of]] = True
            allowed[index] &= is_wanted[module]
        # A pin stands whatever the slot allows, but not in a template that the slot cannot hold.
        pinned[index] = templates & (module == index_of.get(slot.pinned_module_id, _NONE))
        allowed[index] |= pinned[index]
    is_kept = np.zeros(len(index_of), bool)
    for index in range(len(pinned) - 1, -1, -1):
        kept[index] = is_kept[module]
        is_kept[module[pinned[index]]] = True
    return allowed, pinned, kept


def _limits(request: policy_pb2.PlanPageRequest) -> ModuleLimits:
    if len(request.module_limits) > MAX_LIMIT_COUNT:
        raise InvalidRequest(
            "module_limits", f"{len(request.module_limits)} entries", f"at most {MAX_LIMIT_COUNT}"
        )
    for index, limit in enumerate(request.module_limits):
        for name in ("max_module_count", "min_gap", "first_slot"):
            if not 0 <= getattr(limit, name) <= MAX_SLOT_COUNT:
                raise InvalidRequest(
                    f"module_limits[{index}].{name}", getattr(limit, name), f"0 to {MAX_SLOT_COUNT}"
                )
    place_of = {module.module_id: place for place, module in enumerate(request.modules)}
    is_member = np.zeros((len(request.module_limits), len(place_of)), bool)
    for row, limit in zip(is_member, request.module_limits, strict=True):
        row[[place_of[name] for name in limit.module_ids if name in place_of]] = True
    pinned = np.array([place_of.get(slot.pinned_module_id, _NONE) for slot in request.slots], np.int64)
    most, gap, first_slot = (
        np.array([getattr(limit, name) for limit in request.module_limits], np.int64)
        for name in ("max_module_count", "min_gap", "first_slot")
    )
    return ModuleLimits(
        is_member=is_member,
        most=most,
        gap=gap,
        first_slot=first_slot,
        pinned=pinned,
        # A copy, because columns that are picked stand apart in memory where there are two limits or more.
        is_pinned=np.ascontiguousarray(is_member[:, pinned] & (pinned != _NONE)),
    )


def _draw_rank(request: policy_pb2.PlanPageRequest) -> Array:
    names = [
        (entry.module_id, template.template_id) for entry in request.modules for template in entry.templates
    ]
    rank = np.empty(len(names), np.int64)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return rank
