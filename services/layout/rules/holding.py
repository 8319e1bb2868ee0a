"""Which rules hold for a page view, and what do they ask of the page as a whole?

What depends on other slots is handed to the planner, which masks by it: caps across the page, kinds of
modules few and apart, pins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np

from planogram.common.v1 import context_pb2
from services.common.compiled import compiled
from services.layout.blueprint import Module, Slot
from services.layout.columns import Array
from services.layout.rules.document import Rule, Rules
from services.layout.rules.effects import Effects
from services.layout.rules.items import Items
from services.layout.rules.programme import programme

NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class Groups:
    """Caps across the page.

    group_id: (N, K) int32, -1 for none. most: (G,) int64 items of each group, NO_LIMIT where there are no
    more. rules: (K,) whose caps they are.
    """

    group_id: Array
    most: Array
    rules: Sequence[str]

    def limited_count(self, column: int, rows: Sequence[int]) -> int:
        """How many of some rows are of a group of one rule, by its place, that may not all stand."""
        groups = self.group_id[rows, column]
        return int(np.count_nonzero((groups >= 0) & (self.most[groups] != NO_LIMIT)))


class Holding:
    """The rules that hold for one page view, and what they did to it."""

    def __init__(
        self,
        rules: Rules,
        modules: Sequence[Module],
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
        self.value = rules.value.on(context.page_type)
        self.promise_factors = promise_factors
        is_holding = [
            (rule.when.is_always or rule.when.holds(context, segment))
            and not (is_hurried and rule.action == "diversify")
            for rule in rules.rules
        ]
        self.programme = programme(rules, tuple(is_holding), tuple([module.kind for module in modules]))
        self.effects = Effects(self.programme.actions)
        self.pin_rules: dict[str, str] = {}
        """The rule that pins a slot, once `pinned` was asked."""

    def of(self, action: str) -> Sequence[Rule]:
        """The rules that hold and do this, such as "cap", in the order of the file."""
        return self.programme.of(action)

    def groups(self, items: Items) -> Groups | None:
        """The caps across the page; None where none can bind."""
        names, caps = self.programme.page_caps
        if not names or not len(items):
            return None
        group_id, most, is_binding = grouped(items.candidates.numbers, caps)
        if not most.size:
            return None
        return Groups(group_id, most, [*compress(names, is_binding.tolist())])

    def pinned(self, slots: Sequence[Slot]) -> list[Slot]:
        """The slots with the pins of rules in place of the blueprint's own."""
        known = {slot.slot_id for slot in slots}
        pins: dict[str, tuple[str, str]] = {}
        for rule in self.of("pin"):
            pin = rule.pin
            if pin is None or pin.slot not in known or pin.module not in self.programme.place_of:
                continue  # a rule for other pages
            other, _ = pins.setdefault(pin.slot, (rule.name, pin.module))
            if other != rule.name:
                self.effects.conflict(
                    [rule.name, other], f"both pin slot {pin.slot}; {other} comes first and holds"
                )
        if not pins:
            return list(slots)
        self.pin_rules = {slot_id: name for slot_id, (name, _) in pins.items()}
        pinned = {slot_id: module_id for slot_id, (_, module_id) in pins.items()}
        free = _free_of(slots, pinned, self.programme.answer_ids)
        return [
            slot.pinned_to(pinned[slot.slot_id]) if slot.slot_id in pinned else free[slot.slot_id]
            for slot in slots
        ]


@compiled
def grouped(numbers: Array, caps: Array) -> tuple[Array, Array, Array]:
    """The kinds of items of which K caps allow less than there are, as groups of one numbering.

    Args:
        numbers: (T, N) the kind of each item by its facts' columns, from 0; -1 where it is unknown.
        caps: (2, K) the column that each cap is of, and how many of a kind it allows.

    Returns:
        (N, B) int32 the groups of each item, by the B caps of which a kind is more, -1 where it is of none;
        (G,) int64 how many of each group may stand, NO_LIMIT where there are no more; (K,) which caps bind.
    """
    columns, most = caps
    kind_count = np.zeros(len(columns), np.int64)
    is_binding = np.zeros(len(columns), np.bool_)
    counts = np.zeros((len(columns), numbers.shape[1]), np.int64)
    for cap in range(len(columns)):
        for item in range(numbers.shape[1]):
            kind = numbers[columns[cap], item]
            if kind >= 0:
                counts[cap, kind] += 1
                kind_count[cap] = max(kind_count[cap], kind + 1)
                is_binding[cap] |= counts[cap, kind] > most[cap]
    group_id = np.full((numbers.shape[1], is_binding.sum()), -1, np.int32)
    limits = np.full((kind_count * is_binding).sum(), NO_LIMIT)
    first = column = 0
    for cap in range(len(columns)):
        if not is_binding[cap]:
            continue
        for kind in range(kind_count[cap]):
            if counts[cap, kind] > most[cap]:
                limits[first + kind] = most[cap]
        for item in range(numbers.shape[1]):
            kind = numbers[columns[cap], item]
            if kind >= 0:
                group_id[item, column] = first + kind
        first += kind_count[cap]
        column += 1
    return group_id, limits, is_binding


def warm_up() -> None:
    """Compiles it."""
    grouped(np.zeros((1, 2), np.int64), np.zeros((2, 1), np.int64))


def _free_of(slots: Sequence[Slot], pins: Mapping[str, str], answers: Sequence[str]) -> dict[str, Slot]:
    """The slots that leave pinned modules to their places, as far as they can hold something else.

    Args:
        answers: module ids, best first; those of answers get as many as there are such slots so far.
    """
    left = [module_id for module_id in answers if module_id not in pins.values()]
    free, place = {}, 0
    for slot in slots:
        kept = [each for each in slot.allowed_module_ids if each not in pins.values()]
        if slot.answer_count and slot.slot_id not in pins:
            place += 1
            kept += [each for each in left[:place] if each not in kept]
        free[slot.slot_id] = replace(slot, allowed_module_ids=tuple(kept)) if kept else slot
    return free
