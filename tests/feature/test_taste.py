"""Does what is for a shopper move from what all want to what this one does, as more is known?"""

from __future__ import annotations

import numpy as np
import pytest

from services.feature.shoppers.taste import CAUTION, Demand, Taste

# Ten products, bestsellers first; the even ones are of category 0, the odd ones of category 1.
ROWS = np.arange(10, dtype=np.int32)
CATEGORY = (ROWS % 2).astype(np.int32)
DEMAND = Demand.of(ROWS, CATEGORY, 2)
PLACES = {"kitchen": 0, "garden": 1}
FLAT = np.zeros((10, 2), np.float32)


NONE = np.zeros(0, np.int32)


def order(taste, vectors=FLAT, rows=ROWS, but=NONE):
    return taste.best_first(rows, but, DEMAND, CATEGORY, vectors, PLACES).tolist()


def taste(event_count, shares=None, vector=(1.0, 0.0)):
    return Taste(np.array(vector, np.float32), shares or {}, event_count)


def test_sales_fall_with_the_rank_and_make_shares_of_categories():
    assert (np.diff(DEMAND.sales) < 0).all()
    assert DEMAND.share.sum() == pytest.approx(1) and DEMAND.share[0] > DEMAND.share[1]
    assert Demand.of(ROWS[:3], CATEGORY, 2).sales[3:].tolist() == [0] * 7


def test_of_whom_nothing_is_known_the_bestsellers_are():
    assert order(taste(0)) == ROWS.tolist()
    assert order(taste(0, {"kitchen": 1.0})) == ROWS.tolist()


def test_a_liked_category_comes_up_with_each_event():
    places = [order(taste(count, {"garden": 1.0})).index(9) for count in (0, 1, 3, 30)]
    assert places == sorted(places, reverse=True) and places[-1] == 4
    assert order(taste(1_000, {"garden": 1.0}))[:5] == [1, 3, 5, 7, 9]


def test_as_many_events_as_caution_weigh_half():
    rows = np.arange(100, dtype=np.int32)
    demand, vectors = Demand.of(rows, rows % 2, 2), np.zeros((100, 2), np.float32)
    lift = np.where(rows % 2, 0.5 / demand.share[1] + 0.5, 0.5)
    by_hand = np.argsort(-lift * demand.sales, kind="stable").tolist()
    found = [
        taste(int(CAUTION) + more, {"garden": 1.0}).best_first(rows, NONE, demand, rows % 2, vectors, PLACES)
        for more in (-1, 0, 1)
    ]
    assert [one.tolist() == by_hand for one in found] == [False, True, False]


def test_rows_come_once_and_without_those_to_leave_out():
    rows, but = np.array([9, 0, 3, 0, 9, 5, 3], np.int32), np.array([3, 7], np.int32)
    assert order(taste(0), rows=rows, but=but) == [0, 5, 9]


def test_the_vector_counts_once_much_is_known():
    vectors = FLAT.copy()
    vectors[9, 0] = 1.0
    assert order(taste(1), vectors).index(9) >= 8
    assert order(taste(500), vectors).index(9) == 0


def test_categories_that_the_snapshot_does_not_know_are_passed_over():
    assert order(taste(5, {"gone": 1.0})) == ROWS.tolist()
