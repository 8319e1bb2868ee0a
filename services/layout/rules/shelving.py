"""Which items does each module offer, and in which order, under the rules that hold?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import compress

import numpy as np

from services.layout.columns import Array
from services.layout.rules import steps
from services.layout.rules.document import is_page_cap
from services.layout.rules.holding import Holding
from services.layout.rules.items import Items
from services.layout.rules.order import Shelves
from services.layout.rules.programme import Programme
from services.layout.rules.steps import Acts, Seen


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
        if not self.candidates.rows.size:
            return Shelves(self.candidates.rows.copy(), self.candidates.length.copy())
        programme, items = self.programme, self.items
        seen = Seen(
            values=items.candidates.values,
            numbers=items.candidates.numbers,
            now_s=items.now_s,
            # Nothing but variety reads it.
            log_price=np.log1p(items.price) if programme.of("diversify") else items.price,
            named=items.candidates.numbers_of(programme.wanted.names),
            excluded=items.excluded(programme.wanted),
            worth=worth,
            weights=self._weights(),
            fair=self._fair_factors(),
        )
        shelves, admitted, changed, is_lost = steps.arranged(self.candidates, self._acts, seen)
        for name, count in zip(programme.noted, changed.tolist(), strict=True):
            self.holding.effects.note(name, count)
        if True in is_lost.tolist():
            self._note_lost(seen.named, is_lost, admitted)
        return shelves

    def admitted(self, place: int) -> list[int]:
        """One module's candidates without what no page may show; nothing is counted."""
        rows = self.candidates.of(place)
        is_out: Array = np.any(self._is_out[self._acts.is_removing[:, place]], axis=0)
        return rows[~is_out[rows]].tolist()  # type: ignore[no-any-return]

    def starving(self, place: int) -> list[str]:
        """Names of the rules that take items from a module."""
        module_id, rows = self.programme.modules[place].module_id, self.candidates.of(place)
        is_taking: Array = self._acts.is_removing[:, place] & self._is_out[:, rows].any(axis=1)
        caps = [
            rule.name
            for rule in self.holding.of("cap")
            if rule.cap and not is_page_cap(rule) and rule.cap.is_about(module_id)
        ]
        return [*dict.fromkeys(self._removing(is_taking)), *caps]

    @cached_property
    def _acts(self) -> Acts:
        """What rules do: what is sensitive stands on pages about it, but in no module of a shopper's past."""
        acts = self.programme.acts
        about = [
            place
            for place, rule in enumerate(self.programme.removing)
            if rule.sensitive and self.items.is_page_about(rule.sensitive.categories)
        ]
        if not about:
            return acts
        is_removing, is_everywhere = acts.is_removing.copy(), acts.is_everywhere.copy()
        is_removing[about], is_everywhere[about] = self.programme.personal, False
        return acts._replace(is_removing=is_removing, is_everywhere=is_everywhere)

    @cached_property
    def _is_out(self) -> Array:
        """(K, N) the items that each rule takes out, of all modules together or of each."""
        return self.items.meant(self.programme.wanted)[: len(self.programme.removing)]

    def _removing(self, is_named: Array) -> list[str]:
        """The names of those rules that take items out that are true in (K,)."""
        pairs = zip(self.programme.removing, is_named.tolist(), strict=True)
        return [rule.name for rule, is_one in pairs if is_one]

    def _weights(self) -> Array:
        """What each rule that weighs, but is not `fair`, multiplies worth by."""
        kept, weights = self.holding.promise_factors, self.programme.weights
        if not kept:
            return weights
        weights = weights.copy()
        for place, rule in enumerate(self.programme.weighing):
            if rule.promise:
                weights[place] = kept.get(rule.name, 1.0)
        return weights

    def _fair_factors(self) -> Array:
        """(V, N) what each `fair` rule multiplies worth by."""
        kept, found = self.holding.promise_factors, []
        for rule in self.holding.of("fair"):
            if rule.fair:
                nobody, *names = self.items.number_of(rule.fair.of)
                # By number; that of no name is -1, the last.
                own = [kept.get(rule.fair.key(rule.name, each), 1.0) for each in (*names, nobody)]
                found.append(np.array(own)[self.items.numbers(rule.fair.of)])
        return np.array(found, np.float64).reshape(len(found), len(self.items))

    def _note_lost(self, named: Array, is_lost: Array, admitted: Shelves) -> None:
        """Reports the items that rules put first and others take out."""
        for rule, (place, begin, end) in compress(
            zip(self.programme.leading, self._acts.leads.tolist(), strict=True), is_lost.tolist()
        ):
            may, offered = set(admitted.of(place).tolist()), set(self.candidates.of(place).tolist())
            lost = [row for row in named[begin:end].tolist() if row in offered and row not in may]
            is_hiding: Array = np.any(self._is_out[:, lost], axis=1)
            self.holding.effects.conflict(
                [rule.name, *self._removing(is_hiding)],
                f"{self.items.ids[lost[0]]} cannot lead {self.programme.modules[place].module_id}: "
                "it is not to be shown",
            )
