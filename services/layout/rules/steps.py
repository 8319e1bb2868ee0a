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
from services.layout.rules.matching import DAY_S
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


@compiled
def arranged(
    shelves: Shelves,
    values: Array,
    numbers: Array,
    log_price: Array,
    now_s: float,
    is_reached: Array,
    is_everywhere: Array,
    is_out: Array,
    ads: Array,
    floor_micros: float,
    orders: Array,
    worth: Array,
    is_weighed: Array,
    factors: Array,
    is_burying: Array,
    is_buried: Array,
    whole: Array,
    parts: Array,
    is_stepped: Array,
) -> tuple[Array, Array, Array]:
    """Takes out, sorts and moves rows, in place.

    Args:
        values, numbers: (F, N) of the items' facts, by field. log_price: (N,) of 1 + price.
        is_reached, is_everywhere, is_out: as `order.admit` takes them.
        ads: (M,) modules that are paid for, which hold no bid below the floor.
        orders, worth, is_weighed, factors, is_burying, is_buried: as `order.by_worth` takes them.
        whole, parts, is_stepped: of `Steps`.

    Returns:
        (M, R) rows and (M,) length of what was let in, before it was sorted; and int64 how much each rule
        changed: those that take out, the floor, those that weigh, those that bury, and the steps.
    """
    rows, length = shelves
    taken = order.admit(shelves, is_reached, is_everywhere, is_out)
    low = order.without(shelves, ads, values[_BID] < floor_micros) if floor_micros > 0 else 0
    admitted_rows, admitted_length = rows.copy(), length.copy()
    key, concerned = order.by_worth(shelves, orders, worth, is_weighed, factors, is_burying, is_buried)
    traits = Traits(numbers[_CATEGORY], numbers[_BRAND], numbers[_SELLER], log_price)
    moved = np.zeros(len(whole), np.int64)
    for step in range(len(whole)):
        what, column, most, window = whole[step]
        share, days = parts[step]
        if what == _RELEVANT:
            moved[step] = variety.relevant(shelves, is_stepped[step], key, traits, share)
        elif what == _REPULSIVE:
            moved[step] = variety.repulsive(shelves, is_stepped[step], key, traits, share)
        elif what == _FRESH:
            is_fresh = (now_s - values[column]) / DAY_S < days
            moved[step] = order.freshened(shelves, is_stepped[step], is_fresh, share)
        elif what == _SPREAD:
            moved[step] = order.spread(shelves, is_stepped[step], numbers[column], most, window)
        else:
            moved[step] = order.capped(shelves, is_stepped[step], numbers[column], most)
    changed = np.concatenate((taken, np.array([low]), concerned, moved))
    return admitted_rows, admitted_length, changed


def warm_up() -> None:
    """Compiles all of it, so that no shopper waits for that; what was compiled is kept on the machine."""
    one, by_rule, items = np.ones(1, bool), np.ones((1, 1), bool), np.zeros((1, 4), bool)
    field_count = 1 + max(field.number for field in _FIELDS.values())
    arranged(
        Shelves(np.arange(4)[None].copy(), np.array([4])),
        np.zeros((field_count, 4)),
        np.zeros((field_count, 4), np.int64),
        np.zeros(4),
        0.0,
        by_rule,
        one,
        items,
        one,
        0.0,
        np.zeros(1, np.int64),
        np.ones((1, 4)),
        by_rule,
        np.ones((1, 4)),
        by_rule,
        items,
        *steps((), {}, 1),
    )
