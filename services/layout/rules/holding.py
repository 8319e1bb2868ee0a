"""Which rules hold for a page view, and what do they make of its modules?

They act before the plan: items are hidden, weighed and put in order here; what depends on other slots (caps
across the page, kinds of modules few and apart, pins) is handed to the planner, which masks by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.policy.v1 import policy_pb2
from services.layout.blueprint import Module, Slot
from services.layout.rules import order
from services.layout.rules.document import Cap, Fresh, Modules, Rule, Rules, is_page_cap
from services.layout.rules.effects import Effects
from services.layout.rules.items import Array, Items


@dataclass(frozen=True, slots=True)
class Groups:
    """Caps across the page.

    group_id: (N, K) int32, -1 for none. limits: most items by group. rules: (K,) whose caps they are.
    """

    group_id: Array
    limits: Mapping[int, int]
    rules: Sequence[str]


class Holding:
    """The rules that hold for one page view, and what they did to it."""

    def __init__(
        self,
        rules: Rules,
        context: context_pb2.PageContext,
        segment: str,
        promise_factors: Mapping[str, float],
        is_hurried: bool = False,
    ) -> None:
        """
        Args:
            promise_factors: how much more promised items are worth now, by rule.
            is_hurried: True leaves out variety.
        """
        self.value = rules.value
        self.effects = Effects()
        self._promise_factors = promise_factors
        self._by_action: dict[str, list[Rule]] = {}
        for rule in rules.rules:
            is_left_out = is_hurried and rule.action == "diversify"
            if not is_left_out and rule.when.holds(context, segment):
                self._by_action.setdefault(rule.action, []).append(rule)

    def of(self, action: str) -> Sequence[Rule]:
        """The rules that hold and do this, such as "cap", in the order of the file."""
        return self._by_action.get(action, ())

    def shelves(
        self, modules: Sequence[Module], candidates: Sequence[Array], items: Items, worth: Mapping[str, Array]
    ) -> list[Array]:
        """The rows of each module, filtered and in order.

        Args:
            candidates: rows of each module, in the order of its source.
            worth: (N,) what items are sorted by, by the module's order; modules of another keep their
                source's.
        """
        admitted = self._admit(modules, candidates, items)
        kept = list(admitted)
        factors, is_buried = self._weights(items)
        keys = []
        for place, (module, rows) in enumerate(zip(modules, admitted, strict=True)):
            key = worth.get(module.order)
            if key is None:
                key = _by_place(rows, len(items))
            for action, factor in factors:
                if _reaches(action, module):
                    key = key * factor
            kept[place] = rows[np.argsort(-key[rows], kind="stable")]
            for action, buried in is_buried:
                if _reaches(action, module):
                    kept[place] = kept[place][np.argsort(buried[kept[place]], kind="stable")]
            keys.append(key)
        kept = self._varied(modules, kept, keys, items)
        kept = self._reordered(modules, kept, items)
        return self._led(modules, kept, candidates, admitted, items)

    def admitted(self, module: Module, rows: Array, items: Items) -> Array:
        """One module's rows without what no page may show; nothing is counted."""
        effects, self.effects = self.effects, Effects()
        (kept,) = self._admit([module], [rows], items)
        self.effects = effects
        return kept

    def groups(self, items: Items) -> Groups | None:
        """The caps across the page; None where none can bind."""
        columns, names, first = [], [], 0
        limits: dict[int, int] = {}
        for rule in self.of("cap"):
            if not is_page_cap(rule) or not len(items):
                continue
            numbers = items.numbers(rule.cap.of)  # type: ignore[union-attr]
            most = rule.cap.most  # type: ignore[union-attr]
            counts = np.bincount(numbers[numbers >= 0], minlength=1)
            crowded = np.flatnonzero(counts > most)
            if len(crowded):
                columns.append(np.where(numbers >= 0, numbers + first, -1))
                names.append(rule.name)
                limits |= {first + int(kind): most for kind in crowded}
                first += len(counts)
        if not columns:
            return None
        return Groups(np.stack(columns, axis=1).astype(np.int32), limits, names)

    def limits(
        self, modules: Sequence[Module], slot_count: int, is_continued: bool
    ) -> dict[str, policy_pb2.ModuleLimit]:
        """Kinds of modules that stay few and apart, each with a name that begins with its rule's."""
        found = {}
        for rule in self.of("ads")[:1]:
            ads = rule.ads
            assert ads is not None
            found[rule.name] = policy_pb2.ModuleLimit(
                module_ids=[module.module_id for module in modules if module.is_ad],
                max_module_count=int(ads.most_share * slot_count + 1e-9),
                min_gap=ads.least_gap,
                first_slot=0 if is_continued else ads.first_slot - 1,
            )
        for rule in self.of("kinds"):
            kinds = rule.kinds
            assert kinds is not None
            for part, module_ids in _members(rule, modules).items():
                found[f"{rule.name}{part}"] = policy_pb2.ModuleLimit(
                    module_ids=module_ids, max_module_count=kinds.most, min_gap=kinds.least_gap
                )
        return {name: limit for name, limit in found.items() if limit.module_ids}

    def pinned(self, slots: Sequence[Slot], modules: Sequence[Module]) -> list[Slot]:
        """The slots with the pins of rules in place of the blueprint's own."""
        offered = {module.module_id for module in modules}
        known = {slot.slot_id for slot in slots}
        pins: dict[str, tuple[str, str]] = {}
        for rule in self.of("pin"):
            pin = rule.pin
            if pin is None or pin.slot not in known or pin.module not in offered:
                continue  # a rule for other pages
            other, _ = pins.setdefault(pin.slot, (rule.name, pin.module))
            if other != rule.name:
                self.effects.conflict(
                    [rule.name, other], f"both pin slot {pin.slot}; {other} comes first and holds"
                )
        for name, _ in pins.values():
            self.effects.note(name, "pin", 1)
        return [slot.pinned_to(pins[slot.slot_id][1]) if slot.slot_id in pins else slot for slot in slots]

    def _admit(self, modules: Sequence[Module], candidates: Sequence[Array], items: Items) -> list[Array]:
        """Each module's rows without what is excluded or hidden, or bids too little."""
        out: list[tuple[Rule, Modules, Array]] = [
            (rule, rule.exclude or rule.hide or Modules(), _taken_out(rule, items))
            for rule in (*self.of("exclude"), *self.of("hide"))
        ]
        offered = np.zeros(len(items), bool)
        for rows in candidates:
            offered[rows] = True
        everywhere = np.zeros(len(items), bool)
        for rule, action, is_out in out:
            if not action.in_modules:
                everywhere |= is_out
                self.effects.note(rule.name, rule.action, int((is_out & offered).sum()))
        floor, by = next(((rule.ads.floor, rule.name) for rule in self.of("ads") if rule.ads), (0.0, ""))
        kept = []
        for module, rows in zip(modules, candidates, strict=True):
            left = rows[~everywhere[rows]]
            for rule, action, is_out in out:
                if action.in_modules and action.is_about(module.module_id):
                    self.effects.note(rule.name, rule.action, int(is_out[left].sum()))
                    left = left[~is_out[left]]
            if module.is_ad and floor > 0:
                is_low = items.column("bid_micros")[left] < floor * 1e6
                self.effects.note(by, "ads", int(is_low.sum()))
                left = left[~is_low]
            kept.append(left)
        return kept

    def _weights(self, items: Items) -> tuple[list[tuple[Modules, Array]], list[tuple[Modules, Array]]]:
        """Factors (N,) of worth, and who is buried (N,), each with the modules it is about."""
        factors: list[tuple[Modules, Array]] = []
        for rule in (*self.of("boost"), *self.of("promise")):
            action = rule.boost or rule.promise
            assert action is not None
            factor = rule.boost.factor if rule.boost else self._promise_factors.get(rule.name, 1.0)
            is_meant = items.matching(action)
            if factor != 1.0 and is_meant.any():
                factors.append((action, np.where(is_meant, factor, 1.0)))
                self.effects.note(rule.name, rule.action, int(is_meant.sum()))
        is_buried: list[tuple[Modules, Array]] = []
        for rule in self.of("bury"):
            assert rule.bury is not None
            is_meant = items.matching(rule.bury)
            if is_meant.any():
                is_buried.append((rule.bury, is_meant))
                self.effects.note(rule.name, "bury", int(is_meant.sum()))
        return factors, is_buried

    def _varied(
        self, modules: Sequence[Module], shelves: list[Array], keys: Sequence[Array], items: Items
    ) -> list[Array]:
        """With variety inside each module, by the first rule that is about it."""
        left = set(range(len(modules)))
        for rule in self.of("diversify"):
            action = rule.diversify
            assert action is not None
            places = [place for place in sorted(left) if _reaches(action, modules[place])]
            left.difference_update(places)
            # Modules whose worth is the same column are done at once.
            for key in {id(keys[place]): keys[place] for place in places}.values():
                alike = [place for place in places if keys[place] is key]
                before = [shelves[place] for place in alike]
                after = order.diversified(before, key, items, action.method, action.strength)
                for place, rows in zip(alike, after, strict=True):
                    self.effects.note(rule.name, "diversify", int((rows != shelves[place]).any()))
                    shelves[place] = rows
        return shelves

    def _reordered(self, modules: Sequence[Module], shelves: list[Array], items: Items) -> list[Array]:
        """With new items moved up, then caps kept."""
        steps: list[tuple[Rule, Modules, Callable[[Array], Array]]] = [
            (rule, rule.fresh, _freshening(rule.fresh, items)) for rule in self.of("fresh") if rule.fresh
        ]
        steps += [
            (rule, rule.cap, _capping(rule.cap, items))
            for rule in self.of("cap")
            if rule.cap and not is_page_cap(rule)
        ]
        for place, module in enumerate(modules):
            for rule, action, step in steps:
                if _reaches(action, module):
                    before = shelves[place]
                    shelves[place] = step(before)
                    self.effects.note(rule.name, rule.action, int(not np.array_equal(before, shelves[place])))
        return shelves

    def _led(
        self,
        modules: Sequence[Module],
        shelves: list[Array],
        candidates: Sequence[Array],
        admitted: Sequence[Array],
        items: Items,
    ) -> list[Array]:
        """With the items that rules put first, as far as they may be shown."""
        places = {module.module_id: place for place, module in enumerate(modules)}
        row_of = {item_id: row for row, item_id in enumerate(items.ids)} if self.of("lead") else {}
        for rule in self.of("lead"):
            lead = rule.lead
            if lead is None or lead.module not in places:
                continue
            place = places[lead.module]
            wanted = [row_of[item_id] for item_id in lead.items if item_id in row_of]
            may, offered = set(admitted[place].tolist()), set(candidates[place].tolist())
            lost = [row for row in wanted if row in offered and row not in may]
            if lost:
                self.effects.conflict(
                    [rule.name, *self._hiding(lost, items)],
                    f"{items.ids[lost[0]]} cannot lead {lead.module}: it is not to be shown",
                )
            first = np.array([row for row in wanted if row in may], shelves[place].dtype)
            rest = shelves[place][~np.isin(shelves[place], first)]
            self.effects.note(rule.name, "lead", len(first))
            shelves[place] = np.concatenate((first, rest))
        return shelves

    def _hiding(self, rows: Sequence[int], items: Items) -> list[str]:
        """Names of the rules that keep one of these items from pages."""
        rules = (*self.of("exclude"), *self.of("hide"))
        return [rule.name for rule in rules if _taken_out(rule, items)[list(rows)].any()]

    def starving(self, rows: Sequence[int], items: Items) -> list[str]:
        """Names of the rules that take items from a module with these candidates."""
        ads = [rule.name for rule in self.of("ads")]
        caps = [rule.name for rule in self.of("cap") if not is_page_cap(rule)]
        return [*self._hiding(rows, items), *ads, *caps] if len(rows) else []


def _reaches(action: Modules, module: Module) -> bool:
    """Whether a rule of order is about a module; one in its source's order has to be named."""
    return action.is_about(module.module_id) and (bool(action.in_modules) or module.order != "source")


def _by_place(rows: Array, count: int) -> Array:
    """(N,) worth that falls with the place in the source's order."""
    key = np.zeros(count)
    key[rows] = 1 / (2 + np.arange(len(rows)))
    return key


def _freshening(fresh: Fresh, items: Items) -> Callable[[Array], Array]:
    return partial(order.freshened, is_fresh=items.age_days < fresh.newer_than_days, share=fresh.share)


def _capping(cap: Cap, items: Items) -> Callable[[Array], Array]:
    numbers = items.numbers(cap.of)
    if isinstance(cap.within, int):
        return partial(order.spread, numbers=numbers, most=cap.most, window=cap.within)
    return partial(order.capped, numbers=numbers, most=cap.most)


def _taken_out(rule: Rule, items: Items) -> Array:
    """(N,) items that a rule excludes or hides."""
    if rule.exclude is not None:
        return items.excluded(rule.exclude)
    assert rule.hide is not None
    return items.matching(rule.hide)


def _members(rule: Rule, modules: Sequence[Module]) -> dict[str, list[str]]:
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
            if (module.family in kinds.families if kinds.families else named.is_about(module.module_id))
        ]
    }
