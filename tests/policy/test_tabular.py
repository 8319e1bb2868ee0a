"""Do tables agree with a process of two states that is solved by hand?"""

from __future__ import annotations

import numpy as np
import pytest

from services.policy.training import tabular
from services.policy.training.dqn import Bootstrap
from services.policy.training.replay import EventReplay
from services.policy.training.tabular import Process, Steps, TabularRecipe
from tests.policy.test_dqn import GAMMA, MOVE_CHANCE, mdp_log, value_iteration

# States "shelf" and "till", actions "stay" and "leave", as in test_dqn.
SHOP = Process(
    chance=np.array([[[1 - MOVE_CHANCE, MOVE_CHANCE], [0, 0]], [[1, 0], [0, 0]]]),
    reward=np.array([[0.0, 1.0], [2.0, 0.0]]),
    discount=np.full((2, 2), GAMMA),
    allowed=np.ones((2, 2), bool),
)
# V(shelf) = .9 (.7 (2 + .9 V) + .3 V), so V = 1.26 / .163; V(till) = 2 + .9 V(shelf).
SHELF = 1.26 / 0.163
BY_HAND = np.array([[SHELF, 1.0], [2 + 0.9 * SHELF, 0.0]])


@pytest.fixture(scope="module")
def steps():
    # Rows of states and actions come sorted, so the second unit vector is the first: turn both.
    found = Steps.of(EventReplay.of(mdp_log(6_000)))
    return Steps(
        1 - found.state, 1 - found.action, found.reward, found.discount, found.following, found.allowed
    )


def test_value_iteration_finds_what_is_solved_by_hand():
    np.testing.assert_allclose(tabular.value_iteration(SHOP), BY_HAND, rtol=1e-9)
    np.testing.assert_allclose(tabular.value_iteration(SHOP), value_iteration(), rtol=1e-9)


def test_q_learning_agrees_with_value_iteration(steps):
    found = tabular.learn(steps, TabularRecipe())
    np.testing.assert_allclose(found, tabular.value_iteration(SHOP), rtol=0.05, atol=0.1)


def test_sarsa_finds_the_values_of_uniform_choice(steps):
    """V = (stay + leave) / 2 in both: stay(shelf) = .9 (.7 V(till) + .3 V(shelf)), stay(till) = 2 + .9 V(shelf)."""
    # V0 = (1 + .63 V1 + .27 V0) / 2 and V1 = 1 + .45 V0.
    shelf = (1 + 0.63) / (2 - 0.27 - 0.63 * 0.45)
    till = 1 + 0.45 * shelf
    wanted = [[0.63 * till + 0.27 * shelf, 1.0], [2 + 0.9 * shelf, 0.0]]
    found = tabular.learn(steps, TabularRecipe(bootstrap=Bootstrap.PLACED))
    np.testing.assert_allclose(found, wanted, rtol=0.05, atol=0.1)


def test_what_is_not_feasible_has_no_value_and_moves_none():
    allowed = np.array([[True, False], [True, True]])
    masked = Process(SHOP.chance, np.array([[0.0, 1e6], [2.0, 0.0]]), SHOP.discount, allowed)
    found = tabular.value_iteration(masked)
    assert found[0, 1] == -np.inf
    np.testing.assert_allclose(found[allowed], BY_HAND[allowed], rtol=1e-9)


def test_a_table_never_follows_what_is_not_feasible():
    steps = Steps(
        state=np.array([0, 1]),
        action=np.array([0, 0]),
        reward=np.array([0.0, -1.0]),
        discount=np.array([1.0, 0.0]),
        following=np.array([1, -1]),
        allowed=np.array([[True, True], [True, False]]),
    )
    found = tabular.learn(steps, TabularRecipe(pass_count=300))
    # The masked cell of state 1 would be worth 0, more than the -1 of the only action there.
    assert found[1].tolist() == [-1.0, -np.inf]
    assert found[0, 0] == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chance": SHOP.chance * 2}, "summing to 2 at most"),
        ({"allowed": np.array([[True, True], [False, False]])}, "state 1 has no feasible action"),
    ],
)
def test_what_is_no_process_is_refused(changes, message):
    given = {name: getattr(SHOP, name) for name in ("chance", "reward", "discount", "allowed")}
    with pytest.raises(ValueError, match=message):
        Process(**{**given, **changes})


def test_a_process_without_end_is_told():
    endless = Process(np.ones((1, 1, 1)), np.ones((1, 1)), np.ones((1, 1)), np.ones((1, 1), bool))
    with pytest.raises(ValueError, match="still move after 50 sweeps"):
        tabular.value_iteration(endless, sweep_limit=50)


def test_a_table_knows_no_expectation(steps):
    with pytest.raises(ValueError, match="bootstrap: got 'expected'"):
        tabular.learn(steps, TabularRecipe(bootstrap=Bootstrap.EXPECTED))
