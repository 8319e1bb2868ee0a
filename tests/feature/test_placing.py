"""Do items of several modules stand once on a page, in the order in which they came, and only where they may?"""

from __future__ import annotations

import numpy as np
import pytest

from services.feature.pages.placing import ANY_PLACE, NO_PLACE, Placed, Shelf, Stock, find, placed

NOTHING = np.zeros(0, np.int64)


def by_module(page: Placed) -> list[list[int]]:
    return [one.tolist() for one in np.split(page.positions, page.ends[:-1])]


@pytest.mark.parametrize("seed", range(20))
def test_rows_are_placed_as_a_dictionary_would(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Few rows that repeat, and many whose addresses in a table collide.
    highest = (8, 100_000)[seed % 2]
    first = random.permutation(highest)[: random.integers(0, 9)].astype(np.int64)
    found = [random.integers(-1, highest, random.integers(0, 200)).astype(np.int32) for _ in range(5)]
    found.append(np.arange(0, highest, max(highest // 100, 1), dtype=np.int32))
    is_shown = random.random(highest) < 0.8
    stock = Stock(
        is_shown,
        is_shown & (random.random(highest) < 0.7),
        random.integers(0, 3, highest).astype(np.int32),
        random.integers(0, 10, highest),
    )
    now_s = float(random.integers(5, 10))
    shelves = [
        Shelf(rows, int(random.choice([0, 3, 40, 200])), int(random.choice([ANY_PLACE, 1])), bool(kind))
        for rows, kind in zip(found, random.integers(0, 2, len(found)), strict=True)
    ]
    place = {row: position for position, row in enumerate(first.tolist())}
    want = []
    for shelf in shelves:
        may_stand = (is_shown if shelf.is_of_any_kind else stock.is_product_shown) & (
            stock.first_seen_unix_s <= now_s
        )
        if shelf.category_place != ANY_PLACE:
            may_stand &= stock.category == shelf.category_place
        standing = [row for row in dict.fromkeys(shelf.rows.tolist()) if row >= 0 and may_stand[row]]
        want.append([place.setdefault(row, len(place)) for row in standing[: shelf.limit]])
    page = placed(first, shelves, stock, now_s)
    assert page.rows.tolist() == list(place) and by_module(page) == want
    wanted = np.array([-1, *range(0, highest, 7), highest], np.int32)
    assert find(wanted, page.rows).tolist() == [place.get(row, -1) for row in wanted.tolist()]


def test_a_page_may_be_empty() -> None:
    stock = Stock(np.ones(4, bool), np.ones(4, bool), np.zeros(4, np.int32), np.zeros(4, np.int64))
    rows, positions, ends = placed(NOTHING, [], stock, np.inf)
    assert not len(rows) and not len(positions) and not len(ends)
    assert find(np.array([3], np.int32), rows).tolist() == [-1]
    unknown = Shelf(np.array([3], np.int32), 24, NO_PLACE)
    assert by_module(placed(NOTHING, [unknown], stock, np.inf)) == [[]]
