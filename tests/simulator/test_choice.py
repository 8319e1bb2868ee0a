"""A shopper's choice on one page follows its formulas, solved by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator import choice
from simulator.regimes import BASE


def test_affinity_is_the_log_of_the_mean_of_exponentials_in_view() -> None:
    utility = np.array([0.0, math.log(3.0), 9.0])
    affinity, share = choice.weigh(utility, np.array([True, True, False]))
    assert affinity == pytest.approx(math.log(2.0))
    assert share == pytest.approx([0.25, 0.75, 0.0])


def test_an_empty_shelf_is_never_clicked() -> None:
    affinity, share = choice.weigh(np.zeros((1, 2)), np.zeros((1, 2), bool))
    assert affinity[0] == -np.inf
    assert share.sum() == 0
    click = choice.click_probability(
        BASE,
        np.zeros((1, 1)),
        affinity[None],
        np.zeros((1, 1)),
        np.zeros((1, 1), int),
        np.array([0]),
        np.zeros((1, 3), int),
    )
    assert click[0, 0] == 0


def test_a_click_weighs_bias_affinity_target_stage_and_fatigue() -> None:
    click = choice.click_probability(
        BASE,
        bias=np.array([[-2.5, -3.4]]),
        affinity=np.array([[0.5, 0.5]]),
        target_share=np.array([[1.0, 0.0]]),
        family=np.array([[0, 2]]),
        stage=np.array([2]),
        fatigue=np.array([[1, 0, 2]]),
    )
    promotion = -2.5 + 1.2 * 0.5 + 1.2 * 1.0 - 0.2 - 0.7 * 1
    deep = -3.4 + 1.2 * 0.5 + 0.0 + 0.9 - 0.7 * 2
    assert click[0] == pytest.approx([1 / (1 + math.exp(-promotion)), 1 / (1 + math.exp(-deep))])


def test_little_patience_makes_scrolling_rarer() -> None:
    scroll = choice.scroll_probability(BASE, np.full((3, 1), 0.8), np.array([1, 2, 3]))
    assert scroll[:, 0] == pytest.approx([0.68, 0.8, 0.86])


def test_a_walk_ends_at_a_click_at_a_stop_or_at_the_end() -> None:
    click = np.full((4, 3), 0.5)
    scroll = np.full((4, 3), 0.5)
    draws = np.full((4, 3, 2), (0.9, 0.1))  # neither click nor stop
    draws[0, 1, 0] = 0.1  # clicks the second slot
    draws[1, 0, 1] = 0.9  # gives up at the first
    is_present = np.ones((4, 3), bool)
    is_present[3, 2] = False  # a page of two slots
    walk = choice.walk(click, scroll, is_present, draws)
    assert walk.last.tolist() == [1, 0, 2, 1]
    assert walk.clicked.tolist() == [1, choice.NO_SLOT, choice.NO_SLOT, choice.NO_SLOT]


def test_no_slot_below_a_short_page_is_clicked() -> None:
    random = np.random.default_rng(0)
    is_present = np.arange(5) < random.integers(1, 6, 2_000)[:, None]
    walk = choice.walk(
        np.full((2_000, 5), 0.3), np.full((2_000, 5), 0.9), is_present, random.random((2_000, 5, 2))
    )
    assert (walk.last < is_present.sum(1)).all()
    assert (walk.clicked < is_present.sum(1)).all()


def test_reach_is_how_often_walks_get_there() -> None:
    random = np.random.default_rng(1)
    click, scroll = np.full((60_000, 3), (0.2, 0.1, 0.3)), np.full((60_000, 3), (0.8, 0.7, 0.9))
    is_present = np.ones((60_000, 3), bool)
    walk = choice.walk(click, scroll, is_present, random.random((60_000, 3, 2)))
    reached = (walk.last[:, None] >= np.arange(3)).mean(0)
    assert choice.reach(click, scroll, is_present)[0] == pytest.approx([1, 0.64, 0.64 * 0.63])
    assert reached == pytest.approx([1, 0.64, 0.64 * 0.63], abs=0.01)


def test_items_are_picked_by_their_shares() -> None:
    share = np.tile([0.2, 0.0, 0.8], (50_000, 1))
    picked = choice.pick(share, np.random.default_rng(2).random(50_000))
    counts = np.bincount(picked, minlength=3) / 50_000
    assert counts[1] == 0
    assert counts[0] == pytest.approx(0.2, abs=0.01)


def test_the_largest_draw_picks_an_item_that_can_be_picked() -> None:
    share = np.array([[1 / 3, 1 / 3, 1 / 3, 0.0]])
    assert choice.pick(share, np.array([np.nextafter(1.0, 0.0)]))[0] < 3
