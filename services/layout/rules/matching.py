"""Which items does each of many rules mean? Their words are read once, and asked of a page in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.common.compiled import compiled
from services.layout.columns import Array, Texts, column_of, texts_of
from services.layout.rules.document import Exclude, Match, Sensitive

DAY_S = 86_400.0
_AS_IT_IS, _PRICE, _AGE_DAYS = range(3)
"""What is compared of a number: itself, units of the currency from micros, days since it from seconds."""
_BELOW, _AT_MOST, _AT_LEAST, _ABOVE = range(4)
_NAMES = (("item", "items"), ("brand", "brands"), ("seller", "sellers"), ("category", "categories"))
_LIMITS = (
    ("below_price", "price_micros", _PRICE, _BELOW),
    ("above_price", "price_micros", _PRICE, _ABOVE),
    ("least_discount", "discount", _AS_IT_IS, _AT_LEAST),
    ("newer_than_days", "first_seen_unix_s", _AGE_DAYS, _BELOW),
    ("older_than_days", "first_seen_unix_s", _AGE_DAYS, _ABOVE),
    ("least_age_rating", "age_rating", _AS_IT_IS, _AT_LEAST),
)
"""Field of a match, column that it is about, what of the column, and how it is compared."""
_UNDER_REVIEW = ("is_under_review", _AS_IT_IS, _ABOVE, 0.0)
_SOLD_OUT = ("stock", _AS_IT_IS, _AT_MOST, 0.0)


class Said(NamedTuple):
    """What K rules say of items, as numbers.

    is_everything: (K,) true where a rule means all items for which its conditions hold; false where only the
    page view tells which it means. limits: (C, 4) int64 of each limit its rule, column, what of it, and
    comparison. bounds: (C,) sets: (S, 4) int64 of each set of names its rule, column, and where in
    `Wanted.names` it begins and ends.
    """

    is_everything: Array
    limits: Array
    bounds: Array
    sets: Array


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What K rules say of items.

    Attributes:
        names: those of all sets, and behind them the items that the page is asked for beside.
        from_view: of rules that the page view speaks for, their place and what they exclude.
    """

    said: Said
    names: Texts
    from_view: Sequence[tuple[int, Exclude]]


def wanted(actions: Sequence[Match | Exclude | Sensitive], beside: Sequence[str] = ()) -> Wanted:
    """What the actions of K rules say of items, for `Items.meant`.

    Args:
        beside: ids of other items whose rows are asked for.
    """
    limits: list[tuple[int, str, int, int, float]] = []
    sets: list[tuple[int, str, Sequence[str]]] = []
    from_view: list[tuple[int, Exclude]] = []
    for place, action in enumerate(actions):
        if isinstance(action, Sensitive):
            sets.append((place, "category", action.categories))
        elif isinstance(action, Match):
            limits += [(place, *limit) for limit in _limits(action)]
            sets += [(place, kind, names) for kind, field in _NAMES if (names := getattr(action, field))]
        elif action.what in ("sold_out", "under_review"):
            limits.append((place, *(_SOLD_OUT if action.what == "sold_out" else _UNDER_REVIEW)))
        else:
            from_view.append((place, action))
    ends = np.cumsum([len(names) for _, _, names in sets], dtype=np.int64).tolist()
    is_everything = np.ones(len(actions), bool)
    is_everything[[place for place, _ in from_view]] = False
    said = Said(
        is_everything,
        _table([(rule, column_of(name), unit, how) for rule, name, unit, how, _ in limits]),
        np.array([bound for *_, bound in limits], np.float64),
        _table(
            [
                (rule, column_of(kind), end - len(names), end)
                for (rule, kind, names), end in zip(sets, ends, strict=True)
            ]
        ),
    )
    named = [(kind, name) for _, kind, names in sets for name in names]
    return Wanted(said, texts_of([*named, *(("item", item_id) for item_id in beside)]), from_view)


def _limits(match: Match) -> list[tuple[str, int, int, float]]:
    found = [
        (column, unit, how, float(bound))
        for field, column, unit, how in _LIMITS
        if (bound := getattr(match, field)) is not None
    ]
    return [*found, _UNDER_REVIEW] if match.what == "under_review" else found


def _table(lines: Sequence[tuple[int, int, int, int]]) -> Array:
    return np.array(lines, np.int64).reshape(-1, 4)


@compiled
def matching(said: Said, values: Array, numbers: Array, now_s: float, meant: Array, excluded: Array) -> Array:
    """(K, N) true where all holds that a rule says in numbers and names, or the page view says in its place.

    Args:
        values: (F, N), numbers: (T, N) of the items' facts, by column. meant: (W,) the numbers of
            `Wanted.names`. excluded: (P, 2) of rules that the page view speaks for, the place of each and a
            row that it means.
    """
    is_everything, limits, bounds, sets = said
    count = values.shape[1]
    found = np.empty((len(is_everything), count), np.bool_)
    for rule in range(len(found)):
        found[rule] = is_everything[rule]
    for place in range(len(limits)):
        rule, column, unit, how = limits[place]
        bound = bounds[place]
        for item in range(count):
            value = values[column, item]
            if unit == _PRICE:
                value = value / 1e6
            elif unit == _AGE_DAYS:
                value = (now_s - value) / DAY_S
            if how == _BELOW:
                holds = value < bound
            elif how == _AT_MOST:
                holds = value <= bound
            elif how == _AT_LEAST:
                holds = value >= bound
            else:
                holds = value > bound
            found[rule, item] &= holds
    is_meant = np.empty(count + 1, np.bool_)  # by number; what is of no name, -1, in the last place
    for place in range(len(sets)):
        rule, column, begin, end = sets[place]
        is_meant[:] = False
        for name in range(begin, end):
            if meant[name] >= -1:
                is_meant[meant[name]] = True
        for item in range(count):
            found[rule, item] &= is_meant[numbers[column, item]]
    for place in range(len(excluded)):
        found[excluded[place, 0], excluded[place, 1]] = True
    return found


def warm_up() -> None:
    """Compiles it."""
    one = wanted((Match.model_validate({"brands": ["oak"], "above_price": 1}),))
    values, numbers, meant = np.ones((16, 1)), np.zeros((16, 1), np.int64), np.zeros(1, np.int64)
    matching(one.said, values, numbers, 0.0, meant, np.zeros((1, 2), np.int64))
