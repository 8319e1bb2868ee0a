"""Are the decisions of whole pages those of the cascade, each with its state and its mask?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from services.policy.training.pages import TERMINAL, Pages
from services.policy.training.replay import PageReplay
from tests.policy.tiny_shop import MODULE, Masked, masked_log

DESCRIBED = np.arange(45, dtype=np.float32).reshape(9, 5)


def by_hand():
    """A page given up on at the second slot, then one clicked at the first, whose third slot was seen too."""
    return Pages(
        states=np.array([[1.0], [2.0]], np.float32),
        actions=Masked(np.ones((2, 9), bool), DESCRIBED),
        slot_count=np.array([3, 3]),
        placed=np.array([[0, 2, 4], [5, 6, 8]]),
        propensity=np.full((2, 3), 0.2),
        is_examined=np.array([[True, True, False], [True, True, True]]),
        is_clicked=np.array([[False, False, False], [True, False, False]]),
        reward=np.array([[0.25, -1.0, 0.0], [4.0, 0.0, 0.5]]),
        signals=np.array([[False, False], [True, False]]),
        following=np.array([1, TERMINAL]),
    )


@pytest.fixture
def replay():
    return PageReplay.of(by_hand(), 0.5)


def test_slots_below_the_end_of_a_page_are_no_decisions(replay):
    assert len(replay) == 3


def test_a_slot_leads_to_the_next_and_giving_up_to_the_next_page(replay):
    assert replay.outcomes.following.tolist() == [1, 2, TERMINAL]
    assert replay.outcomes.discounts.tolist() == [1.0, 0.5, 0.0]


def test_what_was_earned_below_counts_where_the_page_ended(replay):
    assert replay.outcomes.rewards.tolist() == [0.25, -1.0, 4.5]
    assert replay.outcomes.returns.tolist() == [0.25 - 1 + 0.5 * 4.5, -1 + 0.5 * 4.5, 4.5]


def test_signals_are_the_click_going_on_and_what_followed(replay):
    no = np.nan
    wanted = [[0, 1, no, no], [0, 0, no, no], [1, no, 1, 0]]
    np.testing.assert_array_equal(replay.outcomes.signals, wanted)


def test_nobody_can_tell_who_would_have_gone_on_below_the_last_slot():
    pages = replace(by_hand(), is_examined=np.ones((2, 3), bool))
    assert PageReplay.of(pages, 0.5).outcomes.signals[2, 1].isnan()


def test_a_state_is_the_page_the_slot_what_is_left_and_what_stands_above(replay):
    states = replay.states(torch.tensor([0, 1, 2]))
    assert states.tolist() == [
        [1, 0, 2, *[0.0] * 5],
        [1, 1, 1, *DESCRIBED[0].tolist()],
        [2, 0, 2, *[0.0] * 5],
    ]


def test_templates_of_what_stands_above_are_not_feasible(replay):
    choices = replay.feasible(torch.tensor([1, 0]))
    assert choices.allowed.tolist() == [(MODULE != 0).tolist(), [True] * 9]
    np.testing.assert_allclose(choices.centres[0], DESCRIBED[MODULE != 0].mean(0))
    assert torch.equal(replay.centres(torch.tensor([1, 0])), choices.centres)


def test_what_was_placed_is_among_what_was_feasible():
    is_allowed = np.random.default_rng(0).random((80, 9)) < 0.5
    is_allowed[:, [0, 4, 5]] = True
    replay = PageReplay.of(masked_log(is_allowed, 1), 1.0)
    everything = torch.arange(len(replay))
    choices, place = replay.feasible(everything), replay.place(everything)
    assert choices.allowed[everything, place].all()
    assert torch.equal(choices.actions[everything, place], replay.placed(everything))


@pytest.mark.parametrize("discount", [0.0, 0.9, 1.0])
def test_first_slots_return_what_their_pages_return(discount):
    pages = masked_log(np.ones((40, 9), bool), 2)
    replay = PageReplay.of(pages, discount)
    end, _ = pages.ends()
    first = np.concatenate([[0], np.cumsum(end + 1)[:-1]])
    np.testing.assert_allclose(replay.outcomes.returns[first], pages.returns(discount), rtol=1e-5)
