"""In which order do modules show their items?

First rows are sorted by what they are worth. Then each function changes, in place, the rows of the modules
that it reaches, and answers in how many something changed. Shelves are padded: M modules of up to R rows;
behind a module's count, rows mean nothing. N items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from services.common.compiled import compiled
from services.layout.columns import Array


class Shelves(NamedTuple):
    """The rows of all modules.

    rows: (M, R) int64. length: (M,) int64.
    """

    rows: Array
    length: Array

    def of(self, place: int) -> Array:
        """The rows of one module, as a view."""
        rows: Array = self.rows[place, : self.length[place]]
        return rows

    def put(self, place: int, rows: Sequence[int]) -> None:
        """Gives a module other rows, at most R."""
        self.rows[place, : len(rows)] = rows
        self.length[place] = len(rows)


@compiled
def worths(
    click: Array, purchase: Array, margin: Array, bids: Array, of_click: float, of_purchase: float
) -> Array:
    """(2, N) what items are worth, and what their bids are: what `keyed` sorts by.

    Args:
        click, purchase: (N,) float32 probabilities. margin: (N,) float32. bids: (N,) float64 for a click.
        of_click, of_purchase: what one click is worth, and a unit of margin.
    """
    found = np.empty((2, len(click)))
    for item in range(len(click)):
        bought = np.float32(of_purchase) * purchase[item] * margin[item]
        found[0, item] = np.float32(of_click) * click[item] + bought
        found[1, item] = bids[item] * click[item]
    return found


@compiled
def offered(shelves: Shelves, item_count: int) -> Array:
    """(N,) true for items of any module."""
    rows, count = shelves
    found = np.zeros(item_count, np.bool_)
    for module in range(len(count)):
        for place in range(count[module]):
            found[rows[module, place]] = True
    return found


@compiled
def without(shelves: Shelves, is_reached: Array, is_out: Array) -> int:
    """Leaves out items; answers how many rows that were.

    Args:
        is_reached: (M,) modules that it is about. is_out: (N,)
    """
    rows, count = shelves
    total = 0
    for module in range(len(count)):
        if is_reached[module]:
            kept = 0
            for place in range(count[module]):
                row = rows[module, place]
                if not is_out[row]:
                    rows[module, kept] = row
                    kept += 1
            total += count[module] - kept
            count[module] = kept
    return total


@compiled
def admit(shelves: Shelves, is_reached: Array, is_everywhere: Array, is_out: Array) -> Array:
    """Leaves out what each of K rules takes out; (K,) int64 how much that was.

    Of what is out everywhere, the items that any module offers, whatever other rules say of them; else the
    rows, each by the first rule that takes it.

    Args:
        is_reached: (K, M) modules that each is about. is_everywhere: (K,) where that is all, taken together.
        is_out: (K, N)
    """
    found = np.zeros(len(is_out), np.int64)
    is_offered = offered(shelves, is_out.shape[1])
    is_nowhere = np.zeros(is_out.shape[1], np.bool_)
    for rule in range(len(is_out)):
        if is_everywhere[rule]:
            found[rule] = (is_out[rule] & is_offered).sum()
            is_nowhere |= is_out[rule]
        else:
            found[rule] = without(shelves, is_reached[rule], is_out[rule])
    without(shelves, np.ones(len(shelves.length), np.bool_), is_nowhere)
    return found


@compiled
def keyed(shelves: Shelves, orders: Array, worth: Array) -> Array:
    """(M, R) what each row is worth: in its module's order, or the less the further down it stands.

    Args:
        orders: (M,) by which row of `worth`; -1 for the order that the module has. worth: (K, N)
    """
    rows, count = shelves
    key = np.zeros(rows.shape)
    for module in range(len(count)):
        for place in range(count[module]):
            if orders[module] < 0:
                key[module, place] = 1.0 / (2.0 + place)
            else:
                key[module, place] = worth[orders[module], rows[module, place]]
    return key


@compiled
def weigh(shelves: Shelves, key: Array, is_reached: Array, factor: Array) -> None:
    """Multiplies what rows are worth; what loses money loses less.

    Args:
        key: (M, R) what each row is worth, changed in place. is_reached: (M,) factor: (N,)
    """
    rows, count = shelves
    for module in range(len(count)):
        if is_reached[module]:
            for place in range(count[module]):
                weight = factor[rows[module, place]]
                if key[module, place] > 0:
                    key[module, place] *= weight
                else:
                    key[module, place] /= weight


@compiled
def sort(shelves: Shelves, key: Array) -> None:
    """Puts the rows that are worth most first; of those worth the same, the one that stood first.

    By insertion: a module has some 50 rows.

    Args:
        key: (M, R) what each row is worth, brought into the same order.
    """
    rows, count = shelves
    for module in range(len(count)):
        for place in range(1, count[module]):
            row, own = rows[module, place], key[module, place]
            at = place
            while at > 0 and key[module, at - 1] < own:
                rows[module, at], key[module, at] = rows[module, at - 1], key[module, at - 1]
                at -= 1
            rows[module, at], key[module, at] = row, own


@compiled
def bury(shelves: Shelves, key: Array, is_reached: Array, is_meant: Array) -> None:
    """Puts some items last, in the order that they have.

    Args:
        key: (M, R) what each row is worth, brought into the same order. is_reached: (M,) is_meant: (N,)
    """
    rows, count = shelves
    for module in range(len(count)):
        if is_reached[module]:
            buried, worth = rows[module].copy(), key[module].copy()
            kept = last = 0
            for place in range(count[module]):
                row, own = rows[module, place], key[module, place]
                if is_meant[row]:
                    buried[last], worth[last] = row, own
                    last += 1
                else:
                    rows[module, kept], key[module, kept] = row, own
                    kept += 1
            for place in range(last):
                rows[module, kept + place], key[module, kept + place] = buried[place], worth[place]


@compiled
def by_worth(
    shelves: Shelves,
    orders: Array,
    worth: Array,
    is_weighed: Array,
    factors: Array,
    is_reached: Array,
    is_buried: Array,
) -> tuple[Array, Array]:
    """Sorts by worth as rules weigh it, and buries what they bury.

    Args:
        orders, worth: as `keyed` takes them.
        is_weighed: (W, M) modules that each of W rules weighs. factors: (W, N) what it multiplies worth by.
        is_reached: (B, M) modules in which each of B rules buries. is_buried: (B, N) the items.

    Returns:
        (M, R) what each row is worth; (W + B,) int64 how many items each rule weighs or buries.
    """
    key = keyed(shelves, orders, worth)
    concerned = np.zeros(len(factors) + len(is_buried), np.int64)
    for rule in range(len(factors)):
        weigh(shelves, key, is_weighed[rule], factors[rule])
        concerned[rule] = (factors[rule] != 1.0).sum()
    sort(shelves, key)
    for rule in range(len(is_buried)):
        bury(shelves, key, is_reached[rule], is_buried[rule])
        concerned[len(factors) + rule] = is_buried[rule].sum()
    return key, concerned


@compiled
def capped(shelves: Shelves, is_reached: Array, numbers: Array, most: int) -> int:
    """Leaves out what is beyond the most of a kind.

    Args:
        is_reached: (M,)
        numbers: (N,) the kind of each item, -1 where it is unknown and does not count.
    """
    rows, count = shelves
    seen = np.zeros(numbers.max() + 2 if len(numbers) else 1, np.int64)
    changed = 0
    for module in range(len(count)):
        if not is_reached[module]:
            continue
        seen[:] = 0
        kept = 0
        for place in range(count[module]):
            row = rows[module, place]
            kind = numbers[row]
            seen[kind] += 1  # -1 counts in the last place
            if kind < 0 or seen[kind] <= most:
                rows[module, kept] = row
                kept += 1
        changed += kept < count[module]
        count[module] = kept
    return changed


@compiled
def spread(shelves: Shelves, is_reached: Array, numbers: Array, most: int, window: int) -> int:
    """Lets no `window` neighbours hold more than `most` of a kind; what fits nowhere is left out.

    Each place takes the first that fits, so that no item moves up further than it must.

    Args:
        is_reached: (M,) numbers: (N,), -1 where the kind is unknown and does not count.
    """
    rows, count = shelves
    changed = 0
    for module in range(len(count)):
        if not is_reached[module]:
            continue
        before = rows[module, : count[module]].copy()
        is_used = np.zeros(len(before), np.bool_)
        chosen = first = 0
        for _ in range(len(before)):
            found = -1
            while first < len(before) and is_used[first]:
                first += 1
            for place in range(first, len(before)):
                if is_used[place]:
                    continue
                kind = numbers[before[place]]
                near = 0
                for other in range(max(chosen - window + 1, 0), chosen):
                    near += numbers[rows[module, other]] == kind
                if kind < 0 or near < most:
                    found = place
                    break
            if found < 0:
                break
            is_used[found] = True
            rows[module, chosen] = before[found]
            chosen += 1
        count[module] = chosen
        changed += chosen < len(before) or not np.array_equal(before, rows[module, :chosen])
    return changed


@compiled
def freshened(shelves: Shelves, is_reached: Array, is_fresh: Array, share: float) -> int:
    """Moves new items up so far that each prefix of k holds floor(share k), as long as there are some.

    Args:
        is_reached: (M,) is_fresh: (N,)
    """
    rows, count = shelves
    changed = 0
    for module in range(len(count)):
        if not is_reached[module]:
            continue
        before = rows[module, : count[module]].copy()
        next_new = next_old = taken = 0
        for place in range(len(before)):
            while next_new < len(before) and not is_fresh[before[next_new]]:
                next_new += 1
            while next_old < len(before) and is_fresh[before[next_old]]:
                next_old += 1
            is_due = taken < np.floor(share * (place + 1)) or next_old == len(before)
            if next_new < len(before) and (is_due or next_new < next_old):
                rows[module, place] = before[next_new]
                next_new += 1
                taken += 1
            else:
                rows[module, place] = before[next_old]
                next_old += 1
        changed += not np.array_equal(before, rows[module, : len(before)])
    return changed


@compiled
def lead(shelves: Shelves, module: int, wanted: Array, offered: Array, admitted: Array) -> tuple[int, bool]:
    """Puts rows first in a module, in their order, as far as they are let in.

    Args:
        wanted: rows, negative where the page has no such item. offered, admitted: the module's rows before
            any was taken out, and those that were let in.

    Returns:
        How many were put first, and whether any was offered and not let in.
    """
    rows, count = shelves
    before = rows[module, : count[module]].copy()
    led, is_lost = 0, False
    for row in wanted:
        if row >= 0:
            if (admitted == row).any():
                rows[module, led] = row
                led += 1
            else:
                is_lost |= (offered == row).any()
    kept = led
    for row in before:
        if not (rows[module, :led] == row).any():
            rows[module, kept] = row
            kept += 1
    count[module] = kept
    return led, is_lost


def warm_up() -> None:
    """Compiles all of it, so that no shopper waits for that; what was compiled is kept on the machine."""
    reached, numbers = np.ones(1, bool), np.array([0, 1, 0, 1])
    shelves = Shelves(np.arange(4)[None].copy(), np.array([4]))
    share, own = np.ones(4, np.float32), np.frombuffer(bytes(16), np.float32)
    for chance in (share, own):  # what was computed here, and what a message holds
        worths(chance, chance, share, np.ones(4), 1.0, 1.0)
    by_rule, is_out, none = reached[None].copy(), np.zeros((1, 4), bool), np.zeros(1, np.int64)
    admit(shelves, by_rule, reached, is_out)
    by_worth(shelves, none, np.ones((1, 4)), by_rule, np.ones((1, 4)), by_rule, is_out)
    without(shelves, reached, ~offered(shelves, 4))
    capped(shelves, reached, numbers, 4)
    spread(shelves, reached, numbers, 3, 4)
    freshened(shelves, reached, numbers > 0, 0.5)
