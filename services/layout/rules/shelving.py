"""Which items does each module offer, and in which order, under the rules that hold?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from services.layout.columns import Array
from services.layout.rules import order
from services.layout.rules.document import Modules, Rule, Sensitive, is_page_cap
from services.layout.rules.holding import Holding
from services.layout.rules.items import Items
from services.layout.rules.order import Shelves, Traits
from services.layout.rules.programme import Programme


class _Removal(NamedTuple):
    """What a rule takes out: of some modules (M,), or of all together, some items (N,)."""

    rule: Rule
    is_reached: Array
    is_everywhere: bool
    is_out: Array


@dataclass(frozen=True)
class Shelving:
    """The modules of a page, with the rules that hold for it.

    M modules, N items, R rows of the longest module.
    """

    holding: Holding
    items: Items
    candidates: Shelves
    """Of each module, in the order of its source."""

    @property
    def programme(self) -> Programme:
        return self.holding.programme

    def arranged(self, worth: Array) -> list[list[int]]:
        """The rows of each module, filtered and in order.

        Args:
            worth: (K, N) what items are sorted by, in each of K ORDERS.
        """
        shelves = _copy(self.candidates)
        if not shelves.rows.size:
            return _lists(shelves)
        self._admit(shelves)
        admitted = _copy(shelves)
        key = self._sort(shelves, worth)
        self._vary(shelves, key)
        self._reorder(shelves)
        rows = _lists(shelves)
        self._lead(rows, admitted)
        return rows

    def admitted(self, place: int) -> list[int]:
        """One module's candidates without what no page may show; nothing is counted."""
        rows = _of(self.candidates, place)
        for removal in self._removals:
            if removal.is_reached[place]:
                rows = rows[~removal.is_out[rows]]
        return rows.tolist()  # type: ignore[no-any-return]

    def starving(self, place: int) -> list[str]:
        """Names of the rules that take items from a module."""
        module_id, rows = self.programme.modules[place].module_id, _of(self.candidates, place)
        taking = [
            removal.rule.name
            for removal in self._removals
            if removal.is_reached[place] and removal.is_out[rows].any()
        ]
        caps = [
            rule.name
            for rule in self.holding.of("cap")
            if rule.cap and not is_page_cap(rule) and rule.cap.is_about(module_id)
        ]
        return [*dict.fromkeys(taking), *caps]

    @cached_property
    def _removals(self) -> list[_Removal]:
        """What rules take out of modules."""
        return [
            *(
                self._removal(rule, rule.exclude, self.items.excluded(rule.exclude))
                for rule in self.holding.of("exclude")
                if rule.exclude
            ),
            *(
                self._removal(rule, rule.hide, self.items.matching(rule.hide))
                for rule in self.holding.of("hide")
                if rule.hide
            ),
            *(
                self._removal_of_sensitive(rule, rule.sensitive)
                for rule in self.holding.of("sensitive")
                if rule.sensitive
            ),
        ]

    def _removal(self, rule: Rule, action: Modules, is_out: Array) -> _Removal:
        return _Removal(rule, self.programme.reached[rule.name], not action.in_modules, is_out)

    def _removal_of_sensitive(self, rule: Rule, sensitive: Sensitive) -> _Removal:
        is_out = self.items.of_categories(sensitive.categories)
        if not self.items.is_page_about(sensitive.categories):
            return _Removal(rule, self.programme.everywhere, True, is_out)
        return _Removal(rule, self.programme.personal, False, is_out)

    def _admit(self, shelves: Shelves) -> None:
        """Takes out what is excluded or hidden, or bids too little."""
        effects, count = self.holding.effects, len(self.items)
        is_offered = order.offered(shelves, count)
        everywhere = np.zeros(count, bool)
        for rule, is_reached, is_everywhere, is_out in self._removals:
            if is_everywhere:
                everywhere |= is_out
                effects.note(rule.name, int(np.count_nonzero(is_out & is_offered)))
            else:
                effects.note(rule.name, order.without(shelves, is_reached, is_out))
        if everywhere.any():
            order.without(shelves, self.programme.everywhere, everywhere)
        floor = self.holding.floor_micros
        if floor > 0:
            is_low = self.items.column("bid_micros") < floor
            effects.note(self.holding.of("ads")[0].name, order.without(shelves, self.programme.ads, is_low))

    def _sort(self, shelves: Shelves, worth: Array) -> Array:
        """Sorts by worth, weighed by rules; (M, R) what each row is worth."""
        note, reached = self.holding.effects.note, self.programme.reached
        key: Array = order.keyed(shelves, self.programme.orders, worth)
        for rule, factor in self._factors():
            order.weigh(shelves, key, reached[rule.name], factor)
            note(rule.name, int(np.count_nonzero(factor != 1.0)))
        order.sort(shelves, key)
        for rule in self.holding.of("bury"):
            if rule.bury is not None:
                is_meant = self.items.matching(rule.bury)
                order.bury(shelves, key, reached[rule.name], is_meant)
                note(rule.name, int(np.count_nonzero(is_meant)))
        return key

    def _factors(self) -> Iterable[tuple[Rule, Array]]:
        """What rules multiply worth by: (N,)."""
        kept = self.holding.promise_factors
        for rule in (*self.holding.of("boost"), *self.holding.of("promise")):
            action = rule.boost or rule.promise
            assert action is not None
            factor = rule.boost.factor if rule.boost else kept.get(rule.name, 1.0)
            if factor != 1.0:
                yield rule, np.where(self.items.matching(action), factor, 1.0)
        for rule in self.holding.of("fair"):
            fair = rule.fair
            assert fair is not None
            nobody, *names = self.items.number_of(fair.of)
            # By number; that of no name is -1, the last.
            factors = np.array([kept.get(fair.key(rule.name, name), 1.0) for name in (*names, nobody)])
            if (factors != 1.0).any():
                yield rule, factors[self.items.numbers(fair.of)]

    def _vary(self, shelves: Shelves, key: Array) -> None:
        """Brings variety into each module, by the first rule that is about it."""
        is_left = self.programme.everywhere.copy()
        for rule in self.holding.of("diversify"):
            action = rule.diversify
            assert action is not None
            is_reached = self.programme.reached[rule.name] & is_left
            is_left &= ~is_reached
            mixed = order.VARIETY[action.method]
            changed = mixed(shelves, is_reached, key, _traits(self.items), action.strength)
            self.holding.effects.note(rule.name, changed)

    def _reorder(self, shelves: Shelves) -> None:
        """Moves new items up, then keeps caps."""
        note, reached = self.holding.effects.note, self.programme.reached
        for rule in self.holding.of("fresh"):
            fresh = rule.fresh
            assert fresh is not None
            is_fresh = self.items.age_days < fresh.newer_than_days
            note(rule.name, order.freshened(shelves, reached[rule.name], is_fresh, fresh.share))
        for rule in self.holding.of("cap"):
            cap = rule.cap
            assert cap is not None
            if is_page_cap(rule):
                continue
            is_reached, numbers = reached[rule.name], self.items.numbers(cap.of)
            if isinstance(cap.within, int):
                changed = order.spread(shelves, is_reached, numbers, cap.most, cap.within)
            else:
                changed = order.capped(shelves, is_reached, numbers, cap.most)
            note(rule.name, changed)

    def _lead(self, rows: list[list[int]], admitted: Shelves) -> None:
        """Brings the items forward that rules put first, as far as they may be shown."""
        places = self.programme.place_of
        for rule in self.holding.of("lead"):
            lead = rule.lead
            if lead is None or lead.module not in places:
                continue
            place = places[lead.module]
            wanted = [self.items.row_of[item_id] for item_id in lead.items if item_id in self.items.row_of]
            may, offered = set(_of(admitted, place).tolist()), set(_of(self.candidates, place).tolist())
            lost = [row for row in wanted if row in offered and row not in may]
            if lost:
                self.holding.effects.conflict(
                    [rule.name, *self._hiding(lost)],
                    f"{self.items.ids[lost[0]]} cannot lead {lead.module}: it is not to be shown",
                )
            first = [row for row in wanted if row in may]
            self.holding.effects.note(rule.name, len(first))
            rows[place] = [*first, *(row for row in rows[place] if row not in first)]

    def _hiding(self, rows: Sequence[int]) -> list[str]:
        """Names of the rules that keep one of these items from pages."""
        return [removal.rule.name for removal in self._removals if removal.is_out[list(rows)].any()]


def _copy(shelves: Shelves) -> Shelves:
    return Shelves(shelves.rows.copy(), shelves.length.copy())


def _of(shelves: Shelves, place: int) -> Array:
    rows: Array = shelves.rows[place, : shelves.length[place]]
    return rows


def _lists(shelves: Shelves) -> list[list[int]]:
    lengths = shelves.length.tolist()
    return [rows[:length] for rows, length in zip(shelves.rows.tolist(), lengths, strict=True)]


def _traits(items: Items) -> Traits:
    return Traits(
        items.numbers("category"), items.numbers("brand"), items.numbers("seller"), np.log1p(items.price)
    )
