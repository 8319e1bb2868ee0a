"""Do items of several modules stand once on a page, in the order in which they came?"""

from __future__ import annotations

import numpy as np
import pytest

from services.feature.placing import find, placed


@pytest.mark.parametrize("seed", range(20))
def test_rows_are_placed_as_a_dictionary_would(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Few rows that repeat, and many whose addresses in a table collide.
    highest = (8, 100_000)[seed % 2]
    first = random.permutation(highest)[: random.integers(0, 9)].astype(np.int64)
    modules = [random.integers(0, highest, random.integers(0, 200)).astype(np.int32) for _ in range(5)]
    modules.append(np.arange(0, highest, max(highest // 100, 1), dtype=np.int32))
    place = {row: position for position, row in enumerate(first.tolist())}
    want = [[place.setdefault(row, len(place)) for row in rows.tolist()] for rows in modules]
    rows, found = placed(first, modules)
    assert rows.tolist() == list(place) and [one.tolist() for one in found] == want
    wanted = np.array([-1, *range(0, highest, 7), highest], np.int32)
    assert find(wanted, rows).tolist() == [place.get(row, -1) for row in wanted.tolist()]


def test_a_page_may_be_empty() -> None:
    rows, positions = placed(np.zeros(0, np.int64), [])
    assert not len(rows) and positions == []
    assert find(np.array([3], np.int32), rows).tolist() == [-1]
