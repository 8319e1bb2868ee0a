"""What becomes of the rows of all modules under rules? One rule after the other, in one compiled pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from planogram.feature.v1 import feature_pb2
from services.common.compiled import compiled
from services.layout.columns import Array
from services.layout.rules import order, variety
from services.layout.rules.document import Rule, is_page_cap
from services.layout.rules.matching import DAY_S, Said, matching, wanted
from services.layout.rules.order import Shelves
from services.layout.rules.variety import Traits

_RELEVANT, _REPULSIVE, _FRESH, _SPREAD, _CAPPED = range(5)
"""What a step does."""
_VARIETY = {"mmr": _RELEVANT, "dpp": _REPULSIVE}
_FIELDS = feature_pb2.ItemFacts.DESCRIPTOR.fields_by_name
_BRAND, _SELLER, _CATEGORY = (_FIELDS[kind].number for kind in ("brand", "seller", "category"))
_BID, _FIRST_SEEN = _FIELDS["bid_micros"].number, _FIELDS["first_seen_unix_s"].number


class Steps(NamedTuple):
    """T rules that move rows once these are sorted, in the order in which they act.

    whole: (T, 4) int64 of each what it does, the column of facts that it is about, the most of a kind, and
    among how many neighbours. parts: (T, 2) float64 its share or strength, and its days.
    is_reached: (T, M) the modules that it is about.
    """

    whole: Array
    parts: Array
    is_reached: Array


def moving_of(by_action: Mapping[str, Sequence[Rule]]) -> list[Rule]:
    """Of the rules that hold, those that move rows: variety first, then new items, then caps of modules."""
    caps = [rule for rule in by_action.get("cap", ()) if not is_page_cap(rule)]
    return [*by_action.get("diversify", ()), *by_action.get("fresh", ()), *caps]


def steps(rules: Sequence[Rule], reached: Mapping[str, Array], module_count: int) -> Steps:
    """Rules as steps.

    Args:
        rules: in the order of `moving_of`. reached: by rule, (M,) the modules that it is about; of those that
            bring variety, the first that is about a module acts there.
    """
    whole, parts, lines = [], [], []
    is_left = np.ones(module_count, bool)
    for rule in rules:
        is_reached = reached[rule.name]
        if rule.diversify:
            whole.append((_VARIETY[rule.diversify.method], 0, 0, 0))
            parts.append((rule.diversify.strength, 0.0))
            is_reached, is_left = is_reached & is_left, is_left & ~is_reached
        elif rule.fresh:
            whole.append((_FRESH, _FIRST_SEEN, 0, 0))
            parts.append((rule.fresh.share, rule.fresh.newer_than_days))
        elif rule.cap:
            within = rule.cap.within
            what, window = (_SPREAD, within) if isinstance(within, int) else (_CAPPED, 0)
            whole.append((what, _FIELDS[rule.cap.of].number, rule.cap.most, window))
            parts.append((0.0, 0.0))
        lines.append(is_reached)
    return Steps(
        np.array(whole, np.int64).reshape(-1, 4),
        np.array(parts, np.float64).reshape(-1, 2),
        np.array(lines, bool).reshape(-1, module_count),
    )


class Acts(NamedTuple):
    """What the rules that hold do to M modules, as numbers.

    said: what those that take out, weigh (but are not `fair`) and bury say of items, in this order.
    is_removing: (K, M) modules that each that takes out is about. is_everywhere: (K,) where that is all.
    ads: (M,) modules that are paid for, which hold no bid below floor_micros.
    orders: (M,) what each is sorted by, as `order.keyed` takes it.
    is_weighing, is_burying: (W, M), (B, M) modules that those are about; `fair` ones are the last to weigh.
    steps: what moves rows once they are sorted.
    leads: (L, 3) int64 of each rule that puts items first its module, and where they begin and end in
    `Wanted.names`.
    """

    said: Said
    is_removing: Array
    is_everywhere: Array
    ads: Array
    floor_micros: float
    orders: Array
    is_weighing: Array
    is_burying: Array
    steps: Steps
    leads: Array


class Seen(NamedTuple):
    """What rules know of a page's N items.

    values: (F, N), numbers: (T, N) of their facts, by column. log_price: (N,) of 1 + price.
    named: (W,) the numbers of `Wanted.names`. excluded: as `matching.matching` takes it.
    worth: what `order.keyed` sorts by. weights: what each rule that weighs (but is not `fair`) multiplies the
    worth of the items by that it means. fair: (V, N) what each `fair` one multiplies worth by.
    """

    values: Array
    numbers: Array
    now_s: float
    log_price: Array
    named: Array
    excluded: Array
    worth: Array
    weights: Array
    fair: Array


@compiled
def arranged(candidates: Shelves, acts: Acts, seen: Seen) -> tuple[Shelves, Shelves, Array, Array]:
    """Takes out, sorts and moves rows, and puts first what is to lead.

    Returns:
        The rows; those that were let in, before they were sorted; int64 how much each rule changed: those
        that take out, the floor, those that weigh, those that bury, the steps, and those that lead; and (L,)
        bool where items that are offered cannot lead, since they are not let in.
    """
    values, numbers = seen.values, seen.numbers
    meant = matching(acts.said, values, numbers, seen.now_s, seen.named, seen.excluded)
    shelves = Shelves(candidates.rows.copy(), candidates.length.copy())
    weigh_begin, bury_begin = len(acts.is_removing), len(meant) - len(acts.is_burying)
    taken = order.admit(shelves, acts.is_removing, acts.is_everywhere, meant[:weigh_begin])
    low = np.zeros(1, np.int64)
    if acts.floor_micros > 0:
        low[0] = order.without(shelves, acts.ads, values[_BID] < acts.floor_micros)
    admitted = Shelves(shelves.rows.copy(), shelves.length.copy())
    factors = np.ones((len(acts.is_weighing), values.shape[1]))
    for rule in range(len(seen.weights)):
        for item in range(values.shape[1]):
            if meant[weigh_begin + rule, item]:
                factors[rule, item] = seen.weights[rule]
    factors[len(seen.weights) :] = seen.fair
    key, concerned = order.by_worth(
        shelves, acts.orders, seen.worth, acts.is_weighing, factors, acts.is_burying, meant[bury_begin:]
    )
    moved = np.zeros(len(acts.steps.whole), np.int64)
    for step in range(len(moved)):
        moved[step] = move(shelves, key, acts.steps, step, seen)
    led, is_lost = np.zeros(len(acts.leads), np.int64), np.zeros(len(acts.leads), np.bool_)
    for rule in range(len(led)):
        module, begin, end = acts.leads[rule]
        led[rule], is_lost[rule] = order.lead(
            shelves,
            module,
            seen.named[begin:end],
            candidates.rows[module, : candidates.length[module]],
            admitted.rows[module, : admitted.length[module]],
        )
    return shelves, admitted, np.concatenate((taken, low, concerned, moved, led)), is_lost


@compiled
def move(shelves: Shelves, key: Array, steps: Steps, step: int, seen: Seen) -> int:
    """Takes one step, in place; answers in how many modules something changed.

    Args:
        key: (M, R) what each row is worth.
    """
    what, column, most, window = steps.whole[step]
    share, days = steps.parts[step]
    is_reached, numbers = steps.is_reached[step], seen.numbers
    if what == _FRESH:
        return order.freshened(shelves, is_reached, (seen.now_s - seen.values[column]) / DAY_S < days, share)
    if what == _SPREAD:
        return order.spread(shelves, is_reached, numbers[column], most, window)
    if what == _CAPPED:
        return order.capped(shelves, is_reached, numbers[column], most)
    traits = Traits(numbers[_CATEGORY], numbers[_BRAND], numbers[_SELLER], seen.log_price)
    if what == _RELEVANT:
        return variety.relevant(shelves, is_reached, key, traits, share)
    return variety.repulsive(shelves, is_reached, key, traits, share)


def warm_up() -> None:
    """Compiles all of it, so that no shopper waits for that; what was compiled is kept on the machine."""
    one, by_rule = np.ones(1, bool), np.ones((1, 1), bool)
    values = np.zeros((1 + max(field.number for field in _FIELDS.values()), 4))
    orders, excluded, leads = np.zeros(1, np.int64), np.zeros((0, 2), np.int64), np.zeros((0, 3), np.int64)
    none, still = by_rule[:0], steps((), {}, 1)
    arranged(
        Shelves(np.arange(4)[None].copy(), np.array([4])),
        Acts(wanted(()).said, none, one[:0], one, 0.0, orders, none, none, still, leads),
        Seen(
            values,
            values.astype(np.int64),
            0.0,
            values[0],
            orders[:0],
            excluded,
            values,
            one * 1.0,
            values[:0],
        ),
    )
