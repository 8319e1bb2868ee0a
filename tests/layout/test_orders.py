"""Do orders of items keep what they promise, on shelves that are made up?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.layout.rules import order, variety


def greedy_relevance(rows, quality, alike, strength):
    """Plain maximal marginal relevance."""
    left, chosen = list(range(len(rows))), []
    while left:

        def score(place):
            near = max((alike[place][other] for other in chosen), default=0.0)
            return (1 - strength) * quality[place] - strength * near

        best = max(left, key=lambda place: (score(place), -place))
        chosen.append(best)
        left.remove(best)
    return [rows[place] for place in chosen]


def greedy_determinant(rows, quality, alike, strength):
    """Plain greedy maximum of the determinant."""
    gain = np.exp((1 - strength) / (2 * strength) * np.array(quality))
    kernel = (np.array(alike) + 0.05 * np.eye(len(rows))) / 1.05 * np.outer(gain, gain)
    left, chosen = list(range(len(rows))), []
    while left:

        def volume(place):
            within = [*chosen, place]
            return np.linalg.slogdet(kernel[np.ix_(within, within)])[1]

        best = max(left, key=lambda place: (round(volume(place), 9), -place))
        chosen.append(best)
        left.remove(best)
    return [rows[place] for place in chosen]


def shelves_of(*shelves):
    """Rows as the functions of order take them, and what reaches all of them."""
    rows = np.zeros((len(shelves), max(map(len, shelves))), np.int64)
    for place, each in enumerate(shelves):
        rows[place, : len(each)] = each
    return order.Shelves(rows, np.array([len(each) for each in shelves])), np.ones(len(shelves), bool)


def rows_in(shelves):
    return [rows[:count].tolist() for rows, count in zip(shelves.rows, shelves.length, strict=True)]


@pytest.mark.parametrize(
    ("mixed", "plain"), [(variety.relevant, greedy_relevance), (variety.repulsive, greedy_determinant)]
)
@pytest.mark.parametrize("strength", [0.2, 0.6])
def test_variety_is_that_of_the_plain_formula(mixed, plain, strength):
    generator = np.random.default_rng(0)
    traits = variety.Traits(
        generator.integers(0, 3, 40),
        generator.integers(-1, 3, 40),
        np.zeros(40, np.int64),
        np.log1p(generator.uniform(5, 50, 40)),
    )
    worth = generator.uniform(0.1, 1.0, 40)
    given = [
        sorted(generator.choice(40, size, replace=False).tolist(), key=lambda row: -worth[row])
        for size in (12, 7, 2, 0)
    ]
    shelves, reached = shelves_of(*given)
    mixed(shelves, reached, worth[shelves.rows], traits, strength)
    for before, after in zip(given, rows_in(shelves), strict=True):
        if len(before) < 3:
            assert after == before
            continue
        alike = variety.likeness(traits, np.array(before))
        assert np.diag(alike) == pytest.approx([1 - 0.35 * (traits.brand[row] < 0) for row in before])
        np.fill_diagonal(alike, 1.0)
        assert after == plain(before, worth[before] / worth[before].max(), alike, strength)


@settings(deadline=None)  # the first example waits for the compiler
@given(
    kinds=st.lists(st.integers(-1, 3), min_size=1, max_size=20),
    most=st.integers(1, 3),
    gap=st.integers(1, 4),
    is_fresh=st.lists(st.booleans(), min_size=20, max_size=20),
    share=st.floats(0.05, 1.0),
)
def test_orders_keep_what_they_promise(kinds, most, gap, is_fresh, share):
    everything, numbers = list(range(len(kinds))), np.array(kinds)

    shelves, reached = shelves_of(everything, everything)
    reached[1] = False
    order.capped(shelves, reached, numbers, most)
    capped, untouched = rows_in(shelves)
    assert untouched == everything
    assert all((numbers[capped] == kind).sum() == min((numbers == kind).sum(), most) for kind in range(4))

    shelves, reached = shelves_of(everything)
    order.spread(shelves, reached, numbers, most, most + gap)
    (spread,) = rows_in(shelves)
    for at in range(len(spread)):
        near = numbers[spread[at : at + most + gap]]
        assert all((near == kind).sum() <= most for kind in range(4))

    new = np.array(is_fresh)[: len(kinds)]
    shelves, reached = shelves_of(everything)
    order.freshened(shelves, reached, new, share)
    (fresh,) = rows_in(shelves)
    assert sorted(fresh) == everything
    wanted = np.minimum(np.floor(share * np.arange(1, len(kinds) + 1)), new.sum())
    assert (np.cumsum(new[fresh]) >= wanted).all()
    assert [row for row in fresh if not new[row]] == [row for row in everything if not new[row]]


@settings(deadline=None)  # the first example waits for the compiler
@given(
    worth=st.lists(st.sampled_from((-2.0, -0.5, 0.0, 0.5, 1.0, 3.0)), min_size=1, max_size=30),
    is_meant=st.lists(st.booleans(), min_size=30, max_size=30),
    factor=st.sampled_from((0.5, 1.0, 4.0)),
)
def test_what_is_worth_most_stands_first_and_what_is_buried_last(worth, is_meant, factor):
    everything, meant = list(range(len(worth))), np.array(is_meant)[: len(worth)]
    shelves, reached = shelves_of(everything, everything, everything)
    reached[1] = False
    key = order.keyed(shelves, np.array([0, 0, -1]), np.array([worth]))
    assert key[2].tolist() == [1 / (2 + place) for place in everything]

    order.weigh(shelves, key, reached, np.where(meant, factor, 1.0))
    weighed = [own * factor if own > 0 else own / factor for own in np.array(worth)[meant].tolist()]
    assert key[0][meant].tolist() == weighed and key[1].tolist() == worth

    before = key.copy()
    order.sort(shelves, key)
    expected = [np.argsort(-own, kind="stable").tolist() for own in before]
    assert rows_in(shelves) == expected
    assert key.tolist() == [sorted(own, reverse=True) for own in before.tolist()]

    order.bury(shelves, key, reached, meant)
    last = [sorted(rows, key=lambda row: meant[row]) for rows in expected]
    assert rows_in(shelves) == [last[0], expected[1], last[2]]
    assert key[0].tolist() == before[0][last[0]].tolist()
