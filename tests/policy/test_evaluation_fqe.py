from __future__ import annotations

import numpy as np
import pytest
import torch

from services.policy.evaluation import fqe
from services.policy.training.dqn import Recipe
from services.policy.training.pages import TERMINAL
from services.policy.training.transitions import Transitions

PAGE_DISCOUNT = 0.5
RECIPE = Recipe(step_count=600, learning_rate=3e-3, polyak=0.05, epoch_limit=1e6, batch_size=256)


def sessions(count, seed=0):
    """Two states of two actions, drawn alike. First state: the first action earns 1 and ends, the second
    leads to the other state a page later. There the first earns 3, the second nothing; both end."""
    generator = np.random.default_rng(seed)
    states, chosen, rewards, following, pages = [], [], [], [], [0]
    for _ in range(count):
        action = int(generator.integers(2))
        states.append(0)
        chosen.append(action)
        rewards.append(1.0 - action)
        following.append(len(states) if action else TERMINAL)
        pages.append(len(states))
        if action:
            last = int(generator.integers(2))
            states.append(1)
            chosen.append(last)
            rewards.append(3.0 * (1 - last))
            following.append(TERMINAL)
            pages.append(len(states))
    total = len(states)
    found = Transitions(
        states=np.eye(2, dtype=np.float32)[states],
        actions=np.tile(np.eye(2, dtype=np.float16), (total, 1)),
        offsets=np.arange(0, 2 * total + 1, 2),
        chosen=np.array(chosen),
        rewards=np.array(rewards, np.float32),
        following=np.array(following),
        discounts=np.where(np.array(following) == TERMINAL, 0.0, PAGE_DISCOUNT).astype(np.float32),
        propensities=np.full(total, 0.5),
        times=np.arange(total),
        page_count=total,
        skipped_count=0,
    )
    return found, np.array(states), np.array(pages)


def test_values_of_a_candidate_are_those_solved_by_hand():
    """V(second) = .9 x 3 = 2.7; Q(first, go on) = 2.7 / 2; V(first) = .2 x 1 + .8 x 1.35."""
    data, states, _ = sessions(400)
    candidate = np.array([[0.2, 0.8], [0.9, 0.1]])[states].ravel()
    served = np.full(len(candidate), 0.5)
    found = fqe.averaged(fqe.predict(fqe.fit(data, candidate, RECIPE), data), data, candidate, served)
    assert found.expected[states == 1] == pytest.approx(2.7, abs=0.05)
    assert found.expected[states == 0] == pytest.approx(1.28, abs=0.05)
    assert found.expected_served[states == 0] == pytest.approx((1 + 1.35) / 2, abs=0.05)
    assert found.chosen[(states == 0) & (data.chosen == 1)] == pytest.approx(1.35, abs=0.05)


def test_values_to_the_page_end_see_nothing_of_the_next_page():
    data, states, pages = sessions(400)
    candidate = np.array([[0.2, 0.8], [0.9, 0.1]])[states].ravel()
    within = fqe.to_page_end(data, pages)
    assert (within.following == TERMINAL).all() and (within.discounts == 0).all()
    assert (data.following != TERMINAL).any()
    found = fqe.averaged(
        fqe.predict(fqe.fit(within, candidate, RECIPE), within), within, candidate, candidate
    )
    assert found.expected[states == 0] == pytest.approx(0.2, abs=0.05)


def test_page_ends_leave_links_within_a_page():
    data, _, _ = sessions(3)
    whole = fqe.to_page_end(data, np.array([0, len(data)]))
    assert whole.following[:-1].tolist() == data.following[:-1].tolist()


def test_cross_fitted_values_know_nothing_of_their_own_fold():
    """One fold earned nothing, the other 5: each is predicted to earn what the other did."""
    data, states, _ = sessions(300)
    folds = np.arange(len(data)) % 2
    rewards = np.where(folds == 0, 0.0, 5.0).astype(np.float32)
    alone = fqe.to_page_end(data, np.arange(len(data) + 1))
    object.__setattr__(alone, "rewards", rewards)
    candidate = np.full(2 * len(data), 0.5)
    found = fqe.averaged(fqe.cross_fit(alone, candidate, folds, RECIPE), alone, candidate, candidate)
    assert found.expected[folds == 0] == pytest.approx(5.0, abs=0.3)
    assert found.expected[folds == 1] == pytest.approx(0.0, abs=0.3)
    assert len(states) == len(folds)


def test_the_target_is_the_mean_over_what_is_feasible():
    target = fqe.fqe_target(
        reward=torch.tensor([1.0, 2.0]),
        discount=torch.tensor([0.5, 0.0]),
        next_q=torch.tensor([[2.0, 4.0, -torch.inf], [1.0, -torch.inf, torch.inf]]),
        probability=torch.tensor([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]]),
    )
    assert target.tolist() == [1.0 + 0.5 * 3.5, 2.0]
