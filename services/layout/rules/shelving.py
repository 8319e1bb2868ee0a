"""Which items does each module offer, and in which order, under the rules that hold?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from services.layout.columns import Array
from services.layout.rules import steps
from services.layout.rules.document import Fair, is_page_cap
from services.layout.rules.holding import Holding
from services.layout.rules.items import Items
from services.layout.rules.order import Shelves
from services.layout.rules.programme import Acting, Programme


class _Removals(NamedTuple):
    """What K rules take out of modules, of all together or of each: (K, N) items."""

    acting: Acting
    is_out: Array

    def names(self, is_named: Array) -> list[str]:
        """Of (K,) those that are true, the rules' names."""
        pairs = zip(self.acting.rules, is_named.tolist(), strict=True)
        return [rule.name for rule, is_one in pairs if is_one]


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

    def arranged(self, worth: Array) -> Shelves:
        """The rows of all modules, filtered and in order.

        Args:
            worth: (K, N) what items are sorted by, in each of K ORDERS.
        """
        shelves = Shelves(self.candidates.rows.copy(), self.candidates.length.copy())
        if not shelves.rows.size:
            return shelves
        programme, removals = self.programme, self._removals
        weighing, burying, price = programme.weighing, programme.burying, self.items.price
        rows, length, changed = steps.arranged(
            shelves,
            *self.items.facts,
            np.log1p(price) if programme.of("diversify") else price,  # which nothing else reads
            self.items.now_s,
            removals.acting.is_reached,
            removals.acting.is_everywhere,
            removals.is_out,
            programme.ads,
            float(programme.floor_micros),
            programme.orders,
            worth,
            weighing.is_reached,
            self._factors(),
            burying.is_reached,
            self._meant[len(self._meant) - len(burying.rules) :],
            *programme.steps,
        )
        for name, count in zip(programme.noted, changed.tolist(), strict=True):
            self.holding.effects.note(name, count)
        self._lead(shelves, Shelves(rows, length))
        return shelves

    def admitted(self, place: int) -> list[int]:
        """One module's candidates without what no page may show; nothing is counted."""
        rows, removals = self.candidates.of(place), self._removals
        is_out: Array = np.any(removals.is_out[removals.acting.is_reached[:, place]], axis=0)
        return rows[~is_out[rows]].tolist()  # type: ignore[no-any-return]

    def starving(self, place: int) -> list[str]:
        """Names of the rules that take items from a module."""
        module_id, rows = self.programme.modules[place].module_id, self.candidates.of(place)
        removals = self._removals
        is_taking: Array = removals.acting.is_reached[:, place] & removals.is_out[:, rows].any(axis=1)
        caps = [
            rule.name
            for rule in self.holding.of("cap")
            if rule.cap and not is_page_cap(rule) and rule.cap.is_about(module_id)
        ]
        return [*dict.fromkeys(removals.names(is_taking)), *caps]

    @cached_property
    def _meant(self) -> Array:
        """(K, N) the items that each rule of `Programme.wanted` means."""
        return self.items.meant(self.programme.wanted, self._row_of)

    @cached_property
    def _row_of(self) -> Mapping[str, int]:
        """The row of each item that rules name."""
        return self.items.row_of(self.programme.named)

    @cached_property
    def _removals(self) -> _Removals:
        """What rules take out of modules."""
        acting, personal = self.programme.removing, self.programme.personal
        is_out = self._meant[: len(acting.rules)]
        about = [
            place
            for place, rule in enumerate(acting.rules)
            if rule.sensitive and self.items.is_page_about(rule.sensitive.categories)
        ]
        if about:
            acting = Acting(acting.rules, acting.is_reached.copy(), acting.is_everywhere.copy())
            acting.is_reached[about], acting.is_everywhere[about] = personal, False
        return _Removals(acting, is_out)

    def _factors(self) -> Array:
        """(W, N) what each rule that weighs multiplies worth by."""
        kept, rules = self.holding.promise_factors, self.programme.weighing.rules
        said = [
            rule.boost.factor if rule.boost else kept.get(rule.name, 1.0) for rule in rules if not rule.fair
        ]
        meant = self._meant[len(self.programme.removing.rules) :][: len(said)]
        factors: Array = np.where(meant, np.array(said)[:, None], 1.0)
        fair = [self._fair_factors(rule.name, rule.fair) for rule in rules if rule.fair]  # the last to weigh
        return np.vstack((factors, *fair)) if fair else factors

    def _fair_factors(self, name: str, fair: Fair) -> Array:
        """(N,) what a rule of that name multiplies worth by."""
        kept = self.holding.promise_factors
        nobody, *names = self.items.number_of(fair.of)
        # By number; that of no name is -1, the last.
        own = np.array([kept.get(fair.key(name, each), 1.0) for each in (*names, nobody)])
        found: Array = own[self.items.numbers(fair.of)]
        return found

    def _lead(self, shelves: Shelves, admitted: Shelves) -> None:
        """Brings the items forward that rules put first, as far as they may be shown."""
        places = self.programme.place_of
        for rule in self.holding.of("lead"):
            lead = rule.lead
            if lead is None or lead.module not in places:
                continue
            place = places[lead.module]
            wanted = [self._row_of[item_id] for item_id in lead.items if item_id in self._row_of]
            may, offered = set(admitted.of(place).tolist()), set(self.candidates.of(place).tolist())
            lost = [row for row in wanted if row in offered and row not in may]
            if lost:
                self.holding.effects.conflict(
                    [rule.name, *self._hiding(lost)],
                    f"{self.items.ids[lost[0]]} cannot lead {lead.module}: it is not to be shown",
                )
            first = [row for row in wanted if row in may]
            self.holding.effects.note(rule.name, len(first))
            shelves.put(place, first + [row for row in shelves.of(place).tolist() if row not in first])

    def _hiding(self, rows: Sequence[int]) -> list[str]:
        """Names of the rules that keep one of these items from pages."""
        is_hiding: Array = np.any(self._removals.is_out[:, rows], axis=1)
        return self._removals.names(is_hiding)
