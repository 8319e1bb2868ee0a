"""Which items does each module offer, and in which order, under the rules that hold?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from services.layout.blueprint import Module
from services.layout.rules import order
from services.layout.rules.document import Modules, Rule, Sensitive, is_page_cap
from services.layout.rules.holding import Holding
from services.layout.rules.items import Array, Items
from services.layout.rules.order import Shelves, Traits


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
    modules: Sequence[Module]
    items: Items
    candidates: Sequence[Array]
    """Rows of each module, in the order of its source."""

    def arranged(self, worth: Mapping[str, Array]) -> list[Array]:
        """The rows of each module, filtered and in order.

        Args:
            worth: (N,) what items are sorted by, by the module's order; modules of another keep their
                source's.
        """
        shelves = _padded(self.candidates)
        if not shelves.rows.size:
            return list(self.candidates)
        self._admit(shelves)
        admitted = _rows(shelves) if self.holding.of("lead") else []
        key = self._sort(shelves, worth)
        self._vary(shelves, key)
        self._reorder(shelves)
        return self._led(_rows(shelves), admitted)

    def admitted(self, place: int) -> Array:
        """One module's candidates without what no page may show; nothing is counted."""
        rows = self.candidates[place]
        for removal in self._removals:
            if removal.is_reached[place]:
                rows = rows[~removal.is_out[rows]]
        return rows

    def starving(self, place: int) -> list[str]:
        """Names of the rules that take items from a module."""
        module, rows = self.modules[place], self.candidates[place]
        taking = [
            removal.rule.name
            for removal in self._removals
            if removal.is_reached[place] and removal.is_out[rows].any()
        ]
        caps = [
            rule.name
            for rule in self.holding.of("cap")
            if rule.cap and not is_page_cap(rule) and rule.cap.is_about(module.module_id)
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
        is_reached = np.array([action.is_about(module.module_id) for module in self.modules], bool)
        return _Removal(rule, is_reached, not action.in_modules, is_out)

    def _removal_of_sensitive(self, rule: Rule, sensitive: Sensitive) -> _Removal:
        is_out = self.items.of_categories(sensitive.categories)
        if not self.items.is_page_about(sensitive.categories):
            return _Removal(rule, np.ones(len(self.modules), bool), True, is_out)
        return _Removal(rule, np.array([module.is_personal for module in self.modules], bool), False, is_out)

    def _reached(self, action: Modules) -> Array:
        """(M,) modules that a rule of order is about; those in their source's order have to be named."""
        if action.in_modules:
            return np.array([action.is_about(module.module_id) for module in self.modules])
        return np.array([module.order != "source" for module in self.modules])

    def _admit(self, shelves: Shelves) -> None:
        """Takes out what is excluded or hidden, or bids too little."""
        effects, count = self.holding.effects, len(self.items)
        is_offered = np.zeros(count, bool)
        is_offered[np.concatenate(self.candidates)] = True
        everywhere = np.zeros(count, bool)
        for rule, is_reached, is_everywhere, is_out in self._removals:
            if is_everywhere:
                everywhere |= is_out
                effects.note(rule.name, int((is_out & is_offered).sum()))
            else:
                effects.note(rule.name, order.without(shelves, is_reached, is_out))
        if everywhere.any():
            order.without(shelves, np.ones(len(self.modules), bool), everywhere)
        floor = self.holding.floor_micros
        if floor > 0:
            is_ad = np.array([module.is_ad for module in self.modules])
            is_low = self.items.column("bid_micros") < floor
            effects.note(self.holding.of("ads")[0].name, order.without(shelves, is_ad, is_low))

    def _sort(self, shelves: Shelves, worth: Mapping[str, Array]) -> Array:
        """Sorts by worth, weighed by rules; (M, R) what each row is worth."""
        rows, count = shelves
        places = np.arange(rows.shape[1])
        by_place = 1.0 / (2.0 + places)
        key = np.empty(rows.shape)
        for place, module in enumerate(self.modules):
            key[place] = worth[module.order][rows[place]] if module.order in worth else by_place
        for action, factor, rule in self._factors():
            weight = np.where(self._reached(action)[:, None], factor[rows], 1.0)
            key = np.where(key > 0, key * weight, key / weight)  # what loses money loses less
            self.holding.effects.note(rule.name, int((factor != 1.0).sum()))
        rank = np.where(places < count[:, None], -key, np.inf)
        sorting = np.argsort(rank, axis=1, kind="stable")
        for rule in self.holding.of("bury"):
            if rule.bury is not None:
                is_meant = self.items.matching(rule.bury)
                self.holding.effects.note(rule.name, int(is_meant.sum()))
                is_last = self._reached(rule.bury)[:, None] & is_meant[rows] & (places < count[:, None])
                order_of = np.where(places < count[:, None], is_last, 2)
                moved = np.argsort(np.take_along_axis(order_of, sorting, 1), axis=1, kind="stable")
                sorting = np.take_along_axis(sorting, moved, 1)
        rows[:] = np.take_along_axis(rows, sorting, 1)
        return np.take_along_axis(key, sorting, 1)

    def _factors(self) -> Iterable[tuple[Modules, Array, Rule]]:
        """What worth is multiplied by: (N,), by rule."""
        kept = self.holding.promise_factors
        for rule in (*self.holding.of("boost"), *self.holding.of("promise")):
            action = rule.boost or rule.promise
            assert action is not None
            factor = rule.boost.factor if rule.boost else kept.get(rule.name, 1.0)
            if factor != 1.0:
                yield action, np.where(self.items.matching(action), factor, 1.0), rule
        for rule in self.holding.of("fair"):
            fair = rule.fair
            assert fair is not None
            names = self.items.names(fair.of)
            factors = {name: kept.get(fair.key(rule.name, name), 1.0) for name in set(names)}
            if any(factor != 1.0 for factor in factors.values()):
                yield fair, np.array([factors[name] for name in names]), rule

    def _vary(self, shelves: Shelves, key: Array) -> None:
        """Brings variety into each module, by the first rule that is about it."""
        is_left = np.ones(len(self.modules), bool)
        for rule in self.holding.of("diversify"):
            action = rule.diversify
            assert action is not None
            is_reached = self._reached(action) & is_left
            is_left &= ~is_reached
            mixed = order.VARIETY[action.method]
            changed = mixed(shelves, is_reached, key, _traits(self.items), action.strength)
            self.holding.effects.note(rule.name, changed)

    def _reorder(self, shelves: Shelves) -> None:
        """Moves new items up, then keeps caps."""
        note = self.holding.effects.note
        for rule in self.holding.of("fresh"):
            fresh = rule.fresh
            assert fresh is not None
            is_fresh = self.items.age_days < fresh.newer_than_days
            changed = order.freshened(shelves, self._reached(fresh), is_fresh, fresh.share)
            note(rule.name, changed)
        for rule in self.holding.of("cap"):
            cap = rule.cap
            assert cap is not None
            if is_page_cap(rule):
                continue
            is_reached, numbers = self._reached(cap), self.items.numbers(cap.of)
            if isinstance(cap.within, int):
                changed = order.spread(shelves, is_reached, numbers, cap.most, cap.within)
            else:
                changed = order.capped(shelves, is_reached, numbers, cap.most)
            note(rule.name, changed)

    def _led(self, rows: list[Array], admitted: Sequence[Array]) -> list[Array]:
        """With the items that rules put first, as far as they may be shown."""
        leading = self.holding.of("lead")
        if not leading:
            return rows
        places = {module.module_id: place for place, module in enumerate(self.modules)}
        row_of = {item_id: row for row, item_id in enumerate(self.items.ids)}
        for rule in leading:
            lead = rule.lead
            if lead is None or lead.module not in places:
                continue
            place = places[lead.module]
            wanted = [row_of[item_id] for item_id in lead.items if item_id in row_of]
            may, offered = set(admitted[place].tolist()), set(self.candidates[place].tolist())
            lost = [row for row in wanted if row in offered and row not in may]
            if lost:
                self.holding.effects.conflict(
                    [rule.name, *self._hiding(lost)],
                    f"{self.items.ids[lost[0]]} cannot lead {lead.module}: it is not to be shown",
                )
            first = np.array([row for row in wanted if row in may], np.int64)
            self.holding.effects.note(rule.name, len(first))
            rows[place] = np.concatenate((first, rows[place][~np.isin(rows[place], first)]))
        return rows

    def _hiding(self, rows: Sequence[int]) -> list[str]:
        """Names of the rules that keep one of these items from pages."""
        return [removal.rule.name for removal in self._removals if removal.is_out[list(rows)].any()]


def _padded(candidates: Sequence[Array]) -> Shelves:
    count = np.array([len(rows) for rows in candidates], np.int64)
    rows = np.zeros((len(candidates), int(count.max(initial=0))), np.int64)
    if rows.size:
        rows[np.arange(rows.shape[1]) < count[:, None]] = np.concatenate(candidates)
    return Shelves(rows, count)


def _rows(shelves: Shelves) -> list[Array]:
    return [rows[:count].copy() for rows, count in zip(shelves.rows, shelves.length.tolist(), strict=True)]


def _traits(items: Items) -> Traits:
    return Traits(
        items.numbers("category"), items.numbers("brand"), items.numbers("seller"), np.log1p(items.price)
    )
