"""What do the rules that hold ask of modules? Worked out once for all pages that have the same of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from planogram.policy.v1 import policy_pb2
from services.layout.blueprint import ANSWER, Kind
from services.layout.columns import Array
from services.layout.rules.document import Modules, Rule, Rules
from services.layout.rules.matching import Wanted, wanted
from services.layout.rules.steps import Steps, moving_of, steps

ORDERS = ("value", "bid")
"""What items of a module can be sorted by; others keep the order of their source."""
MAX_PROGRAMME_COUNT = 512
"""Programmes that are kept, of all configurations: pages differ by blueprint, segment and hour."""


class Acting(NamedTuple):
    """Rules of one kind that act in modules.

    is_reached: (K, M) the modules that each is about. is_everywhere: (K,) where it names none, and means all.
    """

    rules: Sequence[Rule]
    is_reached: Array
    is_everywhere: Array


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """The rules that hold for a page of M modules.

    Attributes:
        actions: what each rule of the configuration does, by name.
        by_action: the rules that hold, in the order of the file.
        reached: by rule, (M,) the modules that it is about; those in their source's order have to be named
            where it changes the order.
        orders: (M,) the place in ORDERS of what each is sorted by; -1 where it keeps its source's order.
        place_of: the place of each module, by its id.
        answer_ids: of the modules that answer, best first.
        least_counts: (M,) the fewest items that each can stand with.
        everywhere, ads, personal: (M,) all modules, and those that are paid for, or of the shopper's past.
        removing, weighing, burying: the rules that take items out, multiply what they are worth, or put them
            last, in the order in which they act.
        wanted: what they say of items, in the same order; of `fair`, which names no items, nothing.
        steps: what moves rows once they are sorted.
        noted: the names of all rules that change rows, in the order in which `steps.arranged` counts.
        named: the items that any of them names, those that lead included.
        floor_micros: the least that a click on an ad costs.
    """

    modules: tuple[Kind, ...]
    actions: Mapping[str, str]
    by_action: Mapping[str, Sequence[Rule]]
    reached: Mapping[str, Array]
    orders: Array
    place_of: Mapping[str, int]
    answer_ids: Sequence[str]
    least_counts: Array
    everywhere: Array
    ads: Array
    personal: Array
    removing: Acting
    weighing: Acting
    burying: Acting
    wanted: Wanted
    steps: Steps
    noted: Sequence[str]
    named: frozenset[str]
    floor_micros: int
    _limits: dict[tuple[int, bool], dict[str, policy_pb2.ModuleLimit]] = field(default_factory=dict)

    def of(self, action: str) -> Sequence[Rule]:
        """The rules that hold and do this, such as "cap", in the order of the file."""
        return self.by_action.get(action, ())

    def limits(self, slot_count: int, is_continued: bool) -> dict[str, policy_pb2.ModuleLimit]:
        """Kinds of modules that stay few and apart, each with a name that begins with its rule's."""
        key = slot_count, is_continued
        if key not in self._limits:
            found = _ad_limits(self, slot_count, is_continued) | _kind_limits(self)
            self._limits[key] = {name: limit for name, limit in found.items() if limit.module_ids}
        return self._limits[key]


@lru_cache(MAX_PROGRAMME_COUNT)
def programme(rules: Rules, is_holding: tuple[bool, ...], modules: tuple[Kind, ...]) -> Programme:
    """What the rules of a configuration that hold ask of modules.

    Args:
        is_holding: whether each of the rules does.
    """
    by_action: dict[str, list[Rule]] = {}
    reached: dict[str, Array] = {}
    for rule, holds in zip(rules.rules, is_holding, strict=True):
        if holds:
            by_action.setdefault(rule.action, []).append(rule)
            action = getattr(rule, rule.action)
            if isinstance(action, Modules):
                reached[rule.name] = _reached(rule, action, modules)
    is_all = np.ones(len(modules), bool)

    def acting(*actions: str) -> Acting:
        rules = [rule for action in actions for rule in by_action.get(action, ())]
        lines = [reached.get(rule.name, is_all) for rule in rules]
        named = [getattr(getattr(rule, rule.action), "in_modules", ()) for rule in rules]
        return Acting(
            rules,
            np.array(lines, bool).reshape(len(rules), len(modules)),
            np.array([not each for each in named], bool),
        )

    removing, burying = acting("exclude", "hide", "sensitive"), acting("bury")
    weighing = acting("boost", "promise", "fair")
    leading = [item_id for rule in by_action.get("lead", ()) if rule.lead for item_id in rule.lead.items]
    meaning = [rule for rule in (*removing.rules, *weighing.rules, *burying.rules) if not rule.fair]
    ads, moving = by_action.get("ads", ())[:1], moving_of(by_action)
    said = wanted([getattr(rule, rule.action) for rule in meaning])
    return Programme(
        modules=modules,
        actions={rule.name: rule.action for rule in rules.rules},
        by_action=by_action,
        reached=reached,
        orders=np.array([ORDERS.index(m.order) if m.order in ORDERS else -1 for m in modules], np.int64),
        place_of={module.module_id: place for place, module in enumerate(modules)},
        answer_ids=[module.module_id for module in modules if module.module_id.startswith(ANSWER)],
        least_counts=np.array([module.least_count for module in modules], np.int64),
        everywhere=is_all,
        ads=np.array([module.is_ad for module in modules], bool),
        personal=np.array([module.is_personal for module in modules], bool),
        removing=removing,
        weighing=weighing,
        burying=burying,
        wanted=said,
        steps=steps(moving, reached, len(modules)),
        noted=[
            *(rule.name for rule in removing.rules),
            "".join(rule.name for rule in ads),
            *(rule.name for rule in (*weighing.rules, *burying.rules, *moving)),
        ],
        named=said.named.union(leading),
        floor_micros=sum(round(rule.ads.floor * 1e6) for rule in ads if rule.ads),
    )


def _reached(rule: Rule, action: Modules, modules: Sequence[Kind]) -> Array:
    if action.in_modules or rule.action in ("exclude", "hide"):
        return np.array([action.is_about(module.module_id) for module in modules], bool)
    return np.array([module.order != "source" for module in modules], bool)


def _ad_limits(
    programme: Programme, slot_count: int, is_continued: bool
) -> dict[str, policy_pb2.ModuleLimit]:
    return {
        rule.name: policy_pb2.ModuleLimit(
            module_ids=[module.module_id for module in programme.modules if module.is_ad],
            max_module_count=int(rule.ads.most_share * slot_count + 1e-9),
            min_gap=rule.ads.least_gap,
            first_slot=0 if is_continued else rule.ads.first_slot - 1,
        )
        for rule in programme.of("ads")[:1]
        if rule.ads
    }


def _kind_limits(programme: Programme) -> dict[str, policy_pb2.ModuleLimit]:
    return {
        f"{rule.name}{part}": policy_pb2.ModuleLimit(
            module_ids=module_ids, max_module_count=rule.kinds.most, min_gap=rule.kinds.least_gap
        )
        for rule in programme.of("kinds")
        if rule.kinds
        for part, module_ids in _members(rule, programme.modules).items()
    }


def _members(rule: Rule, modules: Sequence[Kind]) -> dict[str, list[str]]:
    """Module ids of each limit of a rule, by what is added to its name."""
    kinds = rule.kinds
    assert kinds is not None
    if kinds.same_category:
        found: dict[str, list[str]] = {}
        for module in modules:
            if module.category:
                found.setdefault(f": {module.category}", []).append(module.module_id)
        return {part: ids for part, ids in found.items() if len(ids) > 1}
    named = Modules(in_modules=kinds.modules)
    return {
        "": [
            module.module_id
            for module in modules
            # Slots for answers could hold nothing else: they are of a kind only where a rule names them.
            if (
                module.family in kinds.families and not module.is_answer
                if kinds.families
                else named.is_about(module.module_id)
            )
        ]
    }
