"""Is the programme's page the best one, and its value that page's?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy import programme
from services.policy.programme import Cascade


def cascade_of(seed, pages, actions):
    random = np.random.default_rng(seed)
    shape = (pages, actions)
    return Cascade.of(
        random.beta(1, 5, shape),
        random.uniform(0.5, 0.95, shape),
        random.gamma(1, 1, shape),
        random.gamma(1, 0.2, shape),
    )


def brute_force(cascade, is_free, slot_count):
    best = np.full(len(is_free), -np.inf)
    for page in itertools.permutations(range(is_free.shape[1]), slot_count):
        value = programme.page_value(cascade, np.tile(page, (len(is_free), 1)))
        best = np.where(is_free[:, list(page)].all(1), np.maximum(best, value), best)
    return best


def test_a_page_of_two_slots_by_hand():
    # Above: clicked one time in two for 4, else given up for 1 or gone on from, half and half.
    # Below: clicked one time in four for 8, else given up for 0.
    cascade = Cascade.of(*(np.array([row]) for row in ([0.5, 0.25], [0.5, 0.9], [4.0, 8.0], [1.0, 0.0])))
    below = 0.25 * 8
    wanted = 0.5 * 4 + 0.5 * 0.5 * 1 + 0.5 * 0.5 * below
    assert programme.page_value(cascade, np.array([[0, 1]]))[0] == pytest.approx(wanted)
    assert programme.page_value(cascade, np.array([[1]]))[0] == pytest.approx(below)


def test_who_lets_all_pass_stands_above_who_ends_the_page():
    # Alike but for the scrolling on: nothing is lost by looking at the first one first.
    cascade = Cascade.of(*(np.array([row]) for row in ([0.2, 0.2], [0.95, 0.1], [1.0, 1.0], [0.0, 0.0])))
    assert programme.best_order(cascade, np.ones((1, 2), bool), 2)[1].tolist() == [[0, 1]]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), actions=st.integers(4, 6), slot_count=st.integers(1, 4))
def test_the_programme_comes_near_the_best_of_all_pages(seed, actions, slot_count):
    """98 % on the mean of 20 pages, 70 % on the worst: two candidates alone are weighed for the last slot.

    Of 124,000 such pages 10 came below 85 %, the worst to 74 %.
    """
    cascade = cascade_of(seed, 20, actions)
    is_free = np.random.default_rng(seed).random((20, actions)) < 0.8
    is_free[:, :slot_count] = True
    value, page = programme.best_order(cascade, is_free, slot_count)
    best = brute_force(cascade, is_free, slot_count)
    assert np.allclose(value, programme.page_value(cascade, page))
    assert (value <= best + 1e-12).all()
    assert (value / best).mean() > 0.98
    assert (value / best).min() > 0.7
    assert np.take_along_axis(is_free, page, 1).all()
    assert all(len(set(row)) == slot_count for row in page.tolist())
    assert np.allclose(programme.values_below(cascade, is_free, slot_count), value)


def test_no_slots_are_worth_nothing():
    assert programme.values_below(cascade_of(0, 3, 4), np.ones((3, 4), bool), 0).tolist() == [0, 0, 0]


def test_a_slot_that_lets_nobody_pass_makes_no_nan_of_what_cannot_be():
    cascade = Cascade(np.ones((1, 3)), np.ones((1, 3)), np.zeros((1, 3)))
    is_free = np.array([[True, True, False]])
    assert programme.values_below(cascade, is_free, 2).tolist() == [1.0]
    assert programme.values_below(cascade, is_free, 1).tolist() == [1.0]
