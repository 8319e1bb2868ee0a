"""What is on offer for a page, and what is left of it after the slots above?

`decode` turns a plan request into arrays, once a page; `Progress` is what the slots above took away.
The planner masks by them, `space` encodes them, and training replays logged pages through both.

Symbols: N items, M modules, R rows of the longest module, A actions (a module in one of its templates,
in the order of the request), S slots, s slots that are left, G capped groups, K groups of an item, L module
limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from planogram.policy.v1 import policy_pb2
from services.common.errors import InvalidRequest
from services.common.tensors import from_tensor
from services.policy.recount import crowded, first_repeating, recounted

Array = np.ndarray[Any, Any]

MAX_ITEM_COUNT = 2_000
MAX_MODULE_COUNT = 64
MAX_SLOT_COUNT = 40
MAX_TEMPLATE_COUNT = 8
MAX_ID_BYTES = 64
MAX_SHOWN_COUNT = 100
MAX_GROUPS_OF_ITEM = 8
MAX_LIMIT_COUNT = 64

SHAPE_LIMIT = 1_024
"""Shapes that are remembered; a shop has a handful per page type, a caller who varies ids has many."""

_NONE = -1
_but_rows = attrgetter("module_id", "family", "source", "category", "is_filler")
_of_template = attrgetter(*policy_pb2.Template.DESCRIPTOR.fields_by_name)
_shapes: dict[Any, Shape] = {}


@dataclass(frozen=True, slots=True)
class SlotShape:
    """One slot, as masks over actions."""

    slot_id: str
    allowed: Array
    """(A,) true where module and template may stand here."""
    pinned: Array
    """(A,) true for the pinned module in the templates that the slot takes; all false without a pin."""
    kept: Array
    """(A,) true for modules that a slot below is pinned to."""


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
    """Modules, templates and slots of a page without its items and shopper: many pages share one."""

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
    slots: tuple[SlotShape, ...]
    limits: ModuleLimits
    draw_rank: Array
    """(A,) place of the action by module and template id: draws do not depend on the request's order."""

    @property
    def action_count(self) -> int:
        return len(self.module)


@dataclass(frozen=True, slots=True)
class Facts:
    """One plan request as arrays."""

    request: policy_pb2.PlanPageRequest
    shape: Shape
    click: Array
    """(N,) P(click | examined)."""
    purchase: Array
    """(N,) P(purchase | examined)."""
    margin: Array
    """(N,) margin of a sale, in units of the currency."""
    freshness: Array
    """(N,) exp(-age / 30 days)."""
    rows: Array
    """(M, R) items of each module, best first; 0 beyond its end."""
    length: Array
    """(M,) how many items each module has."""
    can_fill: Array
    """(A,) true for fillers with enough rows to stand whatever stands above."""
    group: Array
    """(N, K) indexes of the item's capped groups; G where no cap applies."""
    group_limit: Array
    """(G,) most items of the group on the page."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What each action could show now."""

    shown: Array
    """(A, R) rows of its module that the action would show."""
    count: Array
    """(A,) how many they are."""
    is_enough: Array
    """(A,) true where they reach the action's minimum; false of modules that stand already, but fillers."""
    is_crowded: Array
    """(s, M) true where a slot that is left would hold too many of a kind, or two too near; what stands above
    counts, and what is pinned below."""


class Progress:
    """What the slots above took: items, modules and room under caps."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.is_seen = np.zeros(len(facts.click), bool)
        self.is_placed = np.zeros(len(facts.rows), bool)
        self.group_left = facts.group_limit.copy()
        self.stands = np.zeros(facts.shape.limits.is_pinned.shape, bool)
        """(L, S) true for slots above that hold a module of a limit."""
        self.actions: list[int] = []
        """Actions of the slots above, top-down."""

    def copy(self) -> Progress:
        other = object.__new__(Progress)
        other.facts = self.facts
        other.is_seen = self.is_seen.copy()
        other.is_placed = self.is_placed.copy()
        other.group_left = self.group_left.copy()
        other.stands = self.stands.copy()
        other.actions = self.actions.copy()
        return other

    def offer(self) -> Offer:
        """What each action could show below what stands already.

        Modules show what was not shown above, within caps. A filler that falls below its minimum so
        repeats items, and where caps alone starve it, it goes over them: a filler that has enough rows
        at all can always stand.
        """
        facts, shape = self.facts, self.facts.shape
        counted = recounted(
            facts.rows,
            facts.length,
            self.is_seen,
            self.is_placed,
            facts.group,
            self.group_left,
            shape.module,
            shape.min_count,
            shape.max_count,
            shape.is_filler,
        )
        return Offer(*counted, self._crowded())

    def _crowded(self) -> Array:
        limits, index = self.facts.shape.limits, len(self.actions)
        return crowded(
            self.stands,
            limits.is_pinned,
            limits.pinned,
            limits.is_member,
            limits.most,
            limits.gap,
            limits.first_slot,
            index,
        )

    def rows_of(self, offer: Offer, action: int) -> Array:
        """Items that an action would show, in order."""
        rows: Array = self.facts.rows[self.facts.shape.module[action]][offer.shown[action]]
        return rows

    def place(self, action: int, rows: Array) -> None:
        """Puts an action into the next slot, where it shows these items."""
        self.is_seen[rows] = True
        self.is_placed[self.facts.shape.module[action]] = True
        if len(self.group_left):
            group = self.facts.group[rows]
            counts = np.bincount(group.ravel(), minlength=len(self.group_left) + 1)
            self.group_left = self.group_left - counts[:-1]
        if len(self.stands):
            module = self.facts.shape.module[action]
            self.stands[:, len(self.actions)] = self.facts.shape.limits.is_member[:, module]
        self.actions.append(action)


def decode(request: policy_pb2.PlanPageRequest) -> Facts:
    """The facts of a request.

    Raises:
        InvalidRequest: names the field, its value and the limit.
    """
    columns = {
        name: _column(request, name) for name in ("click_probability", "purchase_probability", "margin")
    }
    item_count = len(columns["click_probability"])
    freshness = _column(request, "freshness")
    for name, column in (*columns.items(), ("freshness", freshness)):
        if len(column) != item_count:
            raise InvalidRequest(f"items.{name}.shape", column.shape, f"({item_count},)")
    for index, module in enumerate(request.modules):
        if not 0 <= module.relevance <= 1:
            raise InvalidRequest(f"modules[{index}].relevance", module.relevance, "0 to 1")
    shape = _shape(request)
    rows, length = _rows(request, item_count)
    group, group_limit = _groups(request, item_count)
    return Facts(
        request=request,
        shape=shape,
        click=columns["click_probability"],
        purchase=columns["purchase_probability"],
        margin=columns["margin"],
        freshness=freshness,
        rows=rows,
        length=length,
        can_fill=shape.is_filler & (length[shape.module] >= shape.min_count),
        group=group,
        group_limit=group_limit,
    )


def _shape(request: policy_pb2.PlanPageRequest) -> Shape:
    """The page's shape; pages of one blueprint find it ready."""
    key = (
        tuple((*_but_rows(module), *map(_of_template, module.templates)) for module in request.modules),
        tuple(map(policy_pb2.Slot.SerializeToString, request.slots)),
        tuple(map(policy_pb2.ModuleLimit.SerializeToString, request.module_limits)),
    )
    shape = _shapes.get(key)
    if shape is None:
        shape = _make_shape(request)
        if len(_shapes) >= SHAPE_LIMIT:
            _shapes.clear()
        _shapes[key] = shape
    return shape


def _make_shape(request: policy_pb2.PlanPageRequest) -> Shape:
    modules = request.modules
    _check_ids("modules", [module.module_id for module in modules], MAX_MODULE_COUNT)
    _check_ids("slots", [slot.slot_id for slot in request.slots], MAX_SLOT_COUNT)
    module, template, min_count, max_count = _actions(request)
    template_ids = tuple(template.template_id for entry in modules for template in entry.templates)
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
        slots=_slots(request, module, template_ids),
        limits=_limits(request),
        draw_rank=_draw_rank(request),
    )


def _column(request: policy_pb2.PlanPageRequest, name: str) -> Array:
    field = f"items.{name}"
    array = from_tensor(getattr(request.items, name), field)
    if array.dtype != np.float32 or array.ndim != 1 or len(array) > MAX_ITEM_COUNT:
        raise InvalidRequest(
            field, f"{array.dtype} {array.shape}", f"float32 of shape (N), N up to {MAX_ITEM_COUNT}"
        )
    if name != "margin" and len(array) and array.min() >= 0 and array.max() <= 1:  # never with NaN
        return array
    if not np.isfinite(array).all():
        raise InvalidRequest(field, "NaN or infinity", "finite numbers")
    if name != "margin" and len(array):
        raise InvalidRequest(field, f"{array.min()} to {array.max()}", "0 to 1")
    return array


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


def _rows(request: policy_pb2.PlanPageRequest, item_count: int) -> tuple[Array, Array]:
    columns = [module.rows for module in request.modules]
    lengths = np.array([len(column) for column in columns])
    width = max(int(lengths.max()), 1)
    is_row = np.arange(width) < lengths[:, None]
    flat = np.array(list(chain.from_iterable(column[:] for column in columns)), np.int64)
    rows = np.zeros(is_row.shape, np.int64)
    rows[is_row] = flat
    if len(flat) and not (flat.min() >= 0 and flat.max() < item_count):
        index = int(np.argmax(((rows < 0) | (rows >= item_count)).any(axis=1)))
        raise InvalidRequest(f"modules[{index}].rows", columns[index], f"0 to below {item_count}")
    index = first_repeating(rows, lengths, item_count)
    if index >= 0:
        raise InvalidRequest(f"modules[{index}].rows", columns[index], "distinct rows")
    return rows, lengths


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
) -> tuple[SlotShape, ...]:
    index_of = {entry.module_id: index for index, entry in enumerate(request.modules)}
    everything = np.ones(len(module), bool)
    slots = []
    for slot in request.slots:
        templates = everything
        if slot.allowed_template_ids:
            wanted = set(slot.allowed_template_ids)
            templates = np.array([template_id in wanted for template_id in template_ids])
        allowed = templates
        if slot.allowed_module_ids:
            # Ids of modules that the page does not have are no mistake: a source may have been empty.
            is_wanted = np.zeros(len(index_of), bool)
            is_wanted[[index_of[name] for name in slot.allowed_module_ids if name in index_of]] = True
            allowed = templates & is_wanted[module]
        # A pin stands whatever the slot allows, but not in a template that the slot cannot hold.
        pinned = templates & (module == index_of.get(slot.pinned_module_id, _NONE))
        slots.append((slot.slot_id, allowed | pinned, pinned))
    is_kept = np.zeros(len(index_of), bool)
    shapes = []
    for slot_id, allowed, pinned in reversed(slots):
        shapes.append(SlotShape(slot_id, allowed, pinned, is_kept[module]))
        is_kept[module[pinned]] = True
    return tuple(reversed(shapes))


def _groups(request: policy_pb2.PlanPageRequest, item_count: int) -> tuple[Array, Array]:
    limits: dict[int, int] = {}
    for index, limit in enumerate(request.group_limits):
        where = f"group_limits[{index}]"
        if limit.group_id < 0 or limit.group_id in limits:
            raise InvalidRequest(f"{where}.group_id", limit.group_id, "0 or more, and once")
        if limit.max_item_count < 0:
            raise InvalidRequest(f"{where}.max_item_count", limit.max_item_count, "0 or more")
        limits[limit.group_id] = limit.max_item_count
    if not limits:
        return np.zeros((item_count, 1), np.int64), np.zeros(0, np.int64)
    ids = from_tensor(request.items.group_id, "items.group_id")
    columns = ids[:, None] if ids.ndim == 1 else ids
    if (
        ids.dtype != np.int32
        or columns.ndim != 2
        or len(columns) != item_count
        or not 1 <= columns.shape[1] <= MAX_GROUPS_OF_ITEM
    ):
        raise InvalidRequest(
            "items.group_id",
            f"{ids.dtype} {ids.shape}",
            f"int32 of shape ({item_count},) or ({item_count}, K), K up to {MAX_GROUPS_OF_ITEM}",
        )
    capped = np.array(sorted(limits))
    place = np.minimum(np.searchsorted(capped, columns), len(capped) - 1)
    group = np.where(capped[place] == columns, place, len(capped))
    return group, np.array([limits[int(identity)] for identity in capped])


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
        is_pinned=is_member[:, pinned] & (pinned != _NONE),
    )


def _draw_rank(request: policy_pb2.PlanPageRequest) -> Array:
    names = [
        (entry.module_id, template.template_id) for entry in request.modules for template in entry.templates
    ]
    rank = np.empty(len(names), np.int64)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return rank
