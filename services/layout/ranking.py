"""In which order does each module show its items, and what is the planner to keep?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from planogram.feature.v1 import feature_pb2
from planogram.policy.v1 import policy_pb2
from services.layout.admission import PageView
from services.layout.blueprint import Module, Slot
from services.layout.columns import Candidates
from services.layout.reasons import MASK_WORDS
from services.layout.rules import order
from services.layout.rules.effects import Effects
from services.layout.rules.holding import Groups, Holding
from services.layout.rules.items import Items
from services.layout.rules.order import Shelves
from services.layout.rules.programme import Programme
from services.layout.rules.shelving import Shelving

Floats = np.ndarray[Any, np.dtype[np.float32]]

FRESHNESS_SCALE_S = 30 * 86_400.0
MAX_RANKED_COUNT = 48
"""Items of a module that the planner sees: the largest template and its reserve for dedupe."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is expected of N items.

    click, purchase: (N,) probabilities. margin: (N,) in units of the currency. freshness: (N,) 0..1.
    """

    click: Floats
    purchase: Floats
    margin: Floats
    freshness: Floats


class Shelf(NamedTuple):
    """One module of a page, with its place among all."""

    module: Module
    place: int
    shelves: Shelves

    @property
    def rows(self) -> list[int]:
        """What it may show, best first: made anew at each look, since few modules are looked at."""
        return self.shelves.of(self.place).tolist()  # type: ignore[no-any-return]

    def can_stand(self) -> bool:
        """True where a template finds items enough."""
        return bool(self.shelves.length[self.place] >= self.module.least_count)

    def has_more(self, shown: Collection[int]) -> bool:
        """True where it can stand, with an item at least, on what is left beside the rows shown."""
        unseen = set(self.rows).difference(shown)
        return len(unseen) >= max(1, self.module.least_count)


@dataclass(frozen=True, slots=True)
class Auction:
    """What clicks on ads are paid by.

    bid_micros: (N,) bids for a click. floor_micros: the least that one costs.
    """

    bid_micros: Any
    floor_micros: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """All modules of a page, ready to be planned under the rules that concern the page as a whole."""

    shelves: tuple[Shelf, ...]
    rows: Shelves
    """Those of `shelves`, as arrays."""
    programme: Programme
    """What rules ask of the modules of `shelves`."""
    candidates: Candidates
    slots: tuple[Slot, ...]
    predictions: Predictions
    groups: Groups | None
    limits: Mapping[str, policy_pb2.ModuleLimit]
    auction: Auction
    pin_rules: Mapping[str, str]
    """The rule that pins a slot, by its id."""
    effects: Effects


def predictions(
    facts: feature_pb2.ItemFacts, now_s: float, click: Floats | None = None, purchase: Floats | None = None
) -> Predictions:
    """The click model's predictions; without them, popularity for clicks and a tenth of it for purchases."""
    count = len(facts.popularity)
    if click is None or purchase is None:
        click = np.fromiter(facts.popularity, np.float32, count)
        purchase = np.float32(0.1) * click
    margin = np.fromiter(facts.margin_micros, np.float64, count) / 1e6
    age_s = now_s - np.fromiter(facts.first_seen_unix_s, np.float64, count)
    freshness = np.exp(-np.maximum(age_s, 0) / FRESHNESS_SCALE_S)
    return Predictions(click, purchase, margin.astype(np.float32), freshness.astype(np.float32))


def rank(
    view: PageView,
    gathered: feature_pb2.GatherPageResponse,
    expected: Predictions,
    promise_factors: Mapping[str, float],
    is_hurried: bool,
) -> Ranked:
    """Filters and orders the items of every module under the rules of the page view's configuration.

    Args:
        promise_factors: how much more promised items are worth now, by rule.
        is_hurried: True leaves out variety, which takes the longest.
    """
    segment = gathered.session.segment
    modules = [
        module for module in view.modules if module.when.is_always or module.when.holds(view.context, segment)
    ]
    holding = Holding(view.configuration.rules, modules, view.context, segment, promise_factors, is_hurried)
    programme = holding.programme
    candidates = Candidates(gathered, programme.module_ids)
    items = Items(candidates, view.context, view.time_s, gathered.past)
    offered = Shelves(candidates.rows, candidates.length)
    if view.shown_item_digests:
        order.without(offered, programme.everywhere, items.shown(view.shown_item_digests))
    bids = items.column("bid_micros")
    value = holding.value
    worth = order.worths(
        expected.click, expected.purchase, expected.margin, bids, value.click, value.purchase
    )
    shelving = Shelving(holding, items, offered)
    rows = shelving.arranged(worth)
    limits = programme.limits(len(view.slots), view.is_continued)
    slots = _passable(holding.pinned(view.slots), limits, view)
    _mend(rows, shelving, view, modules, slots)
    np.minimum(rows.length, MAX_RANKED_COUNT, out=rows.length)
    standing_count = int(np.count_nonzero(rows.length >= programme.least_counts))
    return Ranked(
        shelves=tuple([Shelf(module, place, rows) for place, module in enumerate(modules)]),
        rows=rows,
        programme=programme,
        candidates=candidates,
        slots=slots[:standing_count],  # more slots than modules could only repeat the filler
        predictions=expected,
        groups=holding.groups(items),
        limits=limits,
        auction=Auction(bids, programme.acts.floor_micros),
        pin_rules=holding.pin_rules,
        effects=holding.effects,
    )


def _passable(
    slots: Sequence[Slot], limits: Mapping[str, policy_pb2.ModuleLimit], view: PageView
) -> tuple[Slot, ...]:
    """The slots, with the filler where all that a slot may hold could be too many of a kind."""
    if not any(slot.allowed_module_ids for slot in slots):
        return tuple(slots)
    limited = {module_id for limit in limits.values() for module_id in limit.module_ids}
    fillers = tuple(module.module_id for module in view.modules if view.is_filler(module))
    return tuple(
        replace(slot, allowed_module_ids=(*slot.allowed_module_ids, *fillers))
        if slot.allowed_module_ids and limited.issuperset(slot.allowed_module_ids)
        else slot
        for slot in slots
    )


def _mend(
    rows: Shelves,
    shelving: Shelving,
    view: PageView,
    modules: Sequence[Module],
    slots: Sequence[Slot],
) -> None:
    """What rules left too little of: a filler gets back what caps took; a pinned module is reported."""
    short = (rows.length < shelving.programme.least_counts).nonzero()[0].tolist()
    if not short:
        return
    rule_of = shelving.holding.pin_rules
    pins = {slot.pinned_module_id: rule_of.get(slot.slot_id) for slot in slots if slot.pinned_module_id}
    for place in short:
        module, count = modules[place], int(rows.length[place])
        offered_count = int(shelving.candidates.length[place])
        pin_rule = pins.get(module.module_id)
        if not (view.is_filler(module) or module.module_id in pins):
            continue
        if offered_count < module.least_count and pin_rule is None:
            continue  # no rule's doing
        if view.is_filler(module):
            rows.put(place, shelving.admitted(place))
        is_standing = rows.length[place] >= module.least_count
        done = "it stands over its caps" if is_standing else "it does not stand"
        shelving.holding.effects.conflict(
            [*filter(None, [pin_rule]), *shelving.starving(place)],
            f"{module.module_id} is left {count} of {offered_count} items and wants "
            f"{module.least_count}: {done}",
        )


def note_plan(ranked: Ranked, decisions: Sequence[policy_pb2.SlotDecision]) -> None:
    """Adds to the page's effects what the planner kept: pins, kinds of modules, and caps across the page."""
    shelves = {shelf.module.module_id: shelf for shelf in ranked.shelves}
    _note_pins(ranked, {decision.slot_id: decision for decision in decisions})
    seen: set[int] = set()
    for decision in decisions:
        for index, reason in zip(decision.masked.module_index, decision.masked.reason, strict=True):
            if reason == policy_pb2.MASK_REASON_CROWDED:
                module_id = ranked.shelves[index].module.module_id
                for name, limit in ranked.limits.items():
                    if module_id in limit.module_ids:
                        rule, _, _ = name.partition(":")
                        ranked.effects.note(rule, 1)
        if decision.rows and ranked.groups is not None and decision.module_id in shelves:
            shelf = shelves[decision.module_id]
            left_out = [row for row in _passed_over(shelf, decision) if row not in seen]
            for column, rule in enumerate(ranked.groups.rules):
                ranked.effects.note(rule, ranked.groups.limited_count(column, left_out))
        seen.update(decision.rows)


def _note_pins(ranked: Ranked, decision_in: Mapping[str, policy_pb2.SlotDecision]) -> None:
    places = ranked.programme.place_of
    for slot in ranked.slots:
        rule, decision = ranked.pin_rules.get(slot.slot_id), decision_in.get(slot.slot_id)
        if rule is None or decision is None:
            continue
        if decision.module_id == slot.pinned_module_id:
            ranked.effects.note(rule, 1)
        elif ranked.shelves[places[slot.pinned_module_id]].can_stand():
            masked = dict(zip(decision.masked.module_index, decision.masked.reason, strict=True))
            reason = masked.get(places[slot.pinned_module_id], policy_pb2.MASK_REASON_UNSPECIFIED)
            why = MASK_WORDS.get(
                reason, "there is no room for it"
            )  # in the shop's own order, without a reason
            if reason == policy_pb2.MASK_REASON_NOT_ALLOWED:  # a pin is allowed, in templates that fit
                why = "the slot takes none of its templates"
            ranked.effects.conflict(
                [rule], f"{slot.pinned_module_id} does not stand in {slot.slot_id}, where it is pinned: {why}"
            )


def _passed_over(shelf: Shelf, decision: policy_pb2.SlotDecision) -> list[int]:
    """Rows of a module that there was room for and that were not shown."""
    most = next(t.max_item_count for t in shelf.module.templates if t.template_id == decision.template_id)
    rows = shelf.rows
    end = len(rows) if len(decision.rows) < most else rows.index(decision.rows[-1])
    shown = set(decision.rows)
    return [row for row in rows[:end] if row not in shown]
