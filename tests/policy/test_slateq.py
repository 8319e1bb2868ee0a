"""Does cascade SlateQ find what is true of a shop that can be solved by hand?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from services.policy.training import slateq
from services.policy.training.slateq import Recipe
from tests.policy.tiny_shop import BEST_FIRST, BEST_SECOND, CLICK, SCROLL, Same, page_values, shop_log

pytestmark = pytest.mark.slow

RECIPE = Recipe(step_count=1_500, epoch_limit=60, polyak=0.01, weight_decay=0.0, shrinkage=0.0)


@pytest.fixture(scope="module")
def log():
    torch.set_num_threads(1)
    return shop_log(12_000)


@pytest.fixture(scope="module")
def network(log):
    return slateq.learn(log, RECIPE)


def answer(network):
    return network.answer(np.eye(2, dtype=np.float32), Same().of(np.arange(2)).actions)


def test_probabilities_are_those_of_the_shop(network):
    click, scroll, _, _ = answer(network)
    assert np.abs(click - CLICK).max() < 0.05
    assert np.abs(scroll - SCROLL).max() < 0.07


def test_values_are_those_solved_by_hand(network):
    _, _, clicked, stopped = answer(network)
    wanted = np.array([[0, BEST_SECOND, 0], [1, 0, 0]])
    assert np.abs(clicked - wanted).max() < 0.1
    assert np.abs(stopped).max() < 0.1


def test_pages_are_the_best_of_both_states(network):
    described = Same().of(np.arange(2))
    cascade = network.cascade(np.eye(2, dtype=np.float32), described.actions)
    pages = slateq.best_pages(cascade, described, 2)
    assert [page_values([0, BEST_SECOND, 0])[tuple(pages[0])], page_values([1, 0, 0])[tuple(pages[1])]] == (
        pytest.approx([BEST_FIRST, BEST_SECOND], rel=0.02)
    )


def test_without_the_next_page_only_the_page_at_hand_counts(log):
    _, _, clicked, _ = answer(slateq.learn(log, replace(RECIPE, page_discount=0.0)))
    assert np.abs(clicked[0]).max() < 0.1
    assert clicked[1, 0] == pytest.approx(1, abs=0.1)


def test_what_is_not_allowed_never_stands_and_templates_exclude_each_other(network):
    described = Same((True, False, True)).of(np.arange(2))
    cascade = network.cascade(np.eye(2, dtype=np.float32), described.actions)
    assert set(slateq.best_pages(cascade, described, 2).ravel().tolist()) == {0, 2}
    twins = replace(described, module=np.array([[0, 0, 1]] * 2), is_allowed=np.ones((2, 3), bool))
    pages = slateq.best_pages(cascade, twins, 2)
    assert all(len({int(twins.module[0, action]) for action in page}) == 2 for page in pages.tolist())


def test_the_same_seed_learns_the_same_network(log):
    recipe = replace(RECIPE, step_count=30)
    first, again, other = (answer(slateq.learn(log, replace(recipe, seed=seed)))[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_order_of_actions_changes_nothing(network):
    described = Same().of(np.arange(2))
    order = [2, 0, 1]
    plain = network.answer(np.eye(2, dtype=np.float32), described.actions)
    turned = network.answer(np.eye(2, dtype=np.float32), described.actions[:, order])
    for one, other in zip(plain, turned, strict=True):
        assert np.allclose(one[:, order], other, atol=1e-6)


def test_where_actions_add_nothing_shrinkage_says_so():
    """Rewards are luck alone: what differs between actions is noise, and shrinkage takes most of it away."""
    log = shop_log(600)
    is_lucky = np.random.default_rng(0).random(log.reward.shape) < 0.1
    lucky = replace(log, reward=(log.is_clicked & is_lucky).astype(np.float32))
    recipe = replace(RECIPE, step_count=300, page_discount=0.0)
    plain, shrunk = (slateq.learn(lucky, replace(recipe, shrinkage=shrinkage)) for shrinkage in (0.0, 10.0))
    spreads = [np.ptp(answer(network)[2], axis=1).max() for network in (plain, shrunk)]
    assert spreads[1] < 0.3 * spreads[0]
