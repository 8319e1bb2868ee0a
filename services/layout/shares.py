"""What share of what was shown is kept by rules, and what should it be? Counted page by page from the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.layout.v1 import ranking_pb2
from planogram.policy.v1 import policy_pb2
from services.common.tensors import from_tensor
from services.layout import ranking
from services.layout.columns import Candidates
from services.layout.rules.document import Fair, Modules, Promise, Rule
from services.layout.rules.items import Items
from services.layout.rules.matching import wanted

Array = np.ndarray[Any, Any]

MOST_MEMBERS = 200
"""Brands, sellers or categories that a fair rule looks after: those that deserve most."""


@dataclass(frozen=True, slots=True)
class ShownPage:
    """One page of the log.

    Attributes:
        segment: of the shopper, as the policy knew it.
        rows: of the items shown, top-down. place: of the slot of each, from 0. modules: its module.
        click: (N,) predicted probability of a click of every candidate.
    """

    context: context_pb2.PageContext
    segment: str
    items: Items
    rows: Array
    place: Array
    modules: Sequence[str]
    click: Array

    @classmethod
    def of(cls, exposure: events_pb2.Exposure, inputs: ranking_pb2.RankingInputs) -> ShownPage:
        """From a page's log and what its rules saw."""
        shown = [
            (item.plan_row, place)
            for place, slot in enumerate(exposure.slots)
            for item in slot.items
            if item.plan_row >= 0
        ]
        rows, places = np.array(shown, np.int64).reshape(-1, 2).T
        modules = [exposure.slots[place].module_id for place in places.tolist()]
        plan = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
        now_s = exposure.context.time.seconds
        if inputs.HasField("click_probability"):
            click = from_tensor(inputs.click_probability, "click_probability")
        else:
            click = ranking.predictions(inputs.item_facts, now_s).click
        items = Items(Candidates(inputs), exposure.context, now_s)
        return cls(exposure.context, plan.session.segment, items, rows, places, modules, click)

    def of_rule(self, rule: Rule, action: Modules) -> ShownPage | None:
        """What of the page a rule is about; None where it does not hold."""
        if not rule.when.holds(self.context, self.segment):
            return None
        is_about = np.array([action.is_about(module_id) for module_id in self.modules], bool)
        modules = [module_id for module_id, is_kept in zip(self.modules, is_about, strict=True) if is_kept]
        return replace(self, rows=self.rows[is_about], place=self.place[is_about], modules=modules)


class Share(Protocol):
    """A share of what is shown that a rule looks after."""

    def add(self, page: ShownPage) -> None:
        """Counts one page."""
        ...

    def found(self) -> Iterator[tuple[str, float, float]]:
        """By the key of its factor: the least share that is wanted, and the one that was shown."""
        ...


class _Promised:
    """Of the items shown, those that a promise is about."""

    def __init__(self, rule: Rule, promise: Promise) -> None:
        self._rule, self._promise, self._wanted = rule, promise, wanted((promise,))
        self._kept = self._total = 0

    def add(self, page: ShownPage) -> None:
        own = page.of_rule(self._rule, self._promise)
        if own is not None:
            self._kept += int(own.items.meant(self._wanted)[0, own.rows].sum())
            self._total += len(own.rows)

    def found(self) -> Iterator[tuple[str, float, float]]:
        if self._total:
            yield self._rule.name, self._promise.share, self._kept / self._total


class _Fair:
    """Of all exposure, that of each brand, seller or category beside what shoppers would click of it.

    An item in the slot at place j is seen with 1 / log2(j + 2), as by Singh and Joachims, "Fairness of
    exposure in rankings", KDD 2018; what is deserved is the sum of predicted clicks on all candidates.
    """

    def __init__(self, rule: Rule, fair: Fair) -> None:
        self._rule, self._fair = rule, fair
        self._seen: dict[str, float] = {}
        self._deserved: dict[str, float] = {}

    def add(self, page: ShownPage) -> None:
        own = page.of_rule(self._rule, self._fair)
        if own is None:
            return
        names = own.items.names(self._fair.of)
        seen = np.bincount(own.rows, 1 / np.log2(own.place + 2.0), minlength=len(names))
        for name, exposure, click in zip(names, seen.tolist(), own.click.tolist(), strict=True):
            if name:
                self._seen[name] = self._seen.get(name, 0.0) + exposure
                self._deserved[name] = self._deserved.get(name, 0.0) + click

    def found(self) -> Iterator[tuple[str, float, float]]:
        seen, deserved = sum(self._seen.values()), sum(self._deserved.values())
        if seen and deserved:
            for name in sorted(self._deserved, key=self._deserved.__getitem__, reverse=True)[:MOST_MEMBERS]:
                wanted = self._fair.least * self._deserved[name] / deserved
                if wanted:
                    yield self._fair.key(self._rule.name, name), wanted, self._seen[name] / seen


def watched(rules: Sequence[Rule]) -> list[Share]:
    """The shares that rules look after."""
    return [
        *(_Promised(rule, rule.promise) for rule in rules if rule.promise is not None),
        *(_Fair(rule, rule.fair) for rule in rules if rule.fair is not None),
    ]
