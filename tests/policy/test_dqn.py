from __future__ import annotations

import numpy as np
import pytest
import torch

from services.policy.training import behaviour, dqn
from services.policy.training.dqn import Bootstrap, Recipe, td_target
from services.policy.training.pages import TERMINAL
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import EventReplay, Feasible, Outcomes
from services.policy.training.transitions import Transitions


def test_the_target_by_hand():
    """The online network chooses, the target network values, masks and ends are kept."""
    target = td_target(
        reward=torch.tensor([1.0, 1.0, 1.0]),
        discount=torch.tensor([0.5, 1.0, 0.9]),
        # Row 0 chooses action 1 (2 > 0); row 1 would choose action 1, which is masked, so action 0.
        next_q_online=torch.tensor([[0.0, 2.0], [1.0, 9.0], [3.0, 4.0]]),
        next_q_target=torch.tensor([[7.0, 4.0], [5.0, 100.0], [6.0, 8.0]]),
        allowed=torch.tensor([[True, True], [True, False], [True, True]]),
        is_terminal=torch.tensor([False, False, True]),
    )
    assert target.tolist() == [1 + 0.5 * 4, 1 + 1 * 5, 1.0]


def test_a_terminal_state_without_actions_is_no_nan():
    target = td_target(
        reward=torch.tensor([2.0]),
        discount=torch.tensor([0.0]),
        next_q_online=torch.tensor([[-torch.inf]]),
        next_q_target=torch.tensor([[-torch.inf]]),
        allowed=torch.tensor([[False]]),
        is_terminal=torch.tensor([True]),
    )
    assert target.tolist() == [2.0]


def test_it_is_double_and_not_the_max_of_the_target_network():
    online, averaged = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 10.0]])
    everything, end = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, dtype=torch.bool)
    one = torch.ones(1)
    assert td_target(one, one, online, averaged, everything, end).item() == 1.0


STAY, LEAVE = 0, 1
GAMMA = 0.9
# Two states. In "shelf", staying earns 0 and goes to "till" (7 of 10) or stays; leaving earns 1 and ends.
# In "till", staying earns 2 and goes back to "shelf"; leaving earns 0 and ends.
MOVE_CHANCE = 0.7


def mdp_log(count, seed=0):
    """Transitions of uniform choices, and features that name states and actions."""
    generator = np.random.default_rng(seed)
    chosen, rewards, states, following = [], [], [], []
    state = 0
    for _ in range(count):
        action = int(generator.integers(2))
        states.append(state)
        chosen.append(action)
        if action == LEAVE:
            rewards.append(1.0 if state == 0 else 0.0)
            following.append(TERMINAL)
            state = int(generator.integers(2))
        else:
            rewards.append(0.0 if state == 0 else 2.0)
            state = (1 if generator.random() < MOVE_CHANCE else 0) if state == 0 else 0
            following.append(len(states))
    following[-1] = TERMINAL
    following = np.array(following)
    return Transitions(
        states=np.eye(2, dtype=np.float32)[states],
        actions=np.tile(np.eye(2, dtype=np.float16), (count, 1)),
        offsets=2 * np.arange(count + 1),
        chosen=np.array(chosen),
        rewards=np.array(rewards, np.float32),
        following=following,
        discounts=np.where(following == TERMINAL, 0, GAMMA).astype(np.float32),
        propensities=np.full(count, 0.5),
        times=np.arange(count),
        page_count=count,
        skipped_count=0,
    )


def value_iteration():
    value = np.zeros(2)
    for _ in range(1_000):
        stay = np.array(
            [GAMMA * (MOVE_CHANCE * value[1] + (1 - MOVE_CHANCE) * value[0]), 2 + GAMMA * value[0]]
        )
        leave = np.array([1.0, 0.0])
        value = np.maximum(stay, leave)
    return np.stack([stay, leave], axis=1)


def test_the_learner_agrees_with_value_iteration():
    exact = value_iteration()
    assert exact[0].argmax() == STAY and exact[0, STAY] > 5  # the far-sighted choice differs from the greedy
    recipe = Recipe(step_count=2_000, batch_size=256, polyak=0.05, epoch_limit=1e9)
    network = dqn.learn(EventReplay.of(mdp_log(6_000)), recipe)
    with torch.no_grad():
        actions = torch.eye(2).expand(2, 2, 2)
        found = network(torch.eye(2), actions, torch.ones(2, 2, dtype=torch.bool)).numpy()
    np.testing.assert_allclose(found, exact, rtol=0.06, atol=0.15)


def test_infeasible_actions_have_no_value():
    network = QNetwork(2, 3)
    allowed = torch.tensor([[True, False, True], [False, True, False]])
    values = network(torch.zeros(2, 2), torch.zeros(2, 3, 3), allowed)
    assert torch.isneginf(values[~allowed]).all() and torch.isfinite(values[allowed]).all()


def test_infeasible_actions_do_not_move_the_others():
    torch.manual_seed(0)
    network = QNetwork(2, 3)
    state, actions = torch.randn(1, 2), torch.randn(1, 4, 3)
    allowed = torch.tensor([[True, True, True, False]])
    before = network(state, actions, allowed)[0, :3]
    actions[0, 3] = 1e3
    assert torch.equal(network(state, actions, allowed)[0, :3], before)
    assert torch.allclose(network(state, actions[:, :3], allowed[:, :3])[0], before, atol=1e-6)


def test_steps_follow_the_size_of_the_log():
    recipe = Recipe(step_count=2_500, batch_size=512, epoch_limit=20)
    assert recipe.steps_for(10**6) == 2_500
    assert recipe.steps_for(20_480) == 800
    assert recipe.steps_for(1) == dqn.MIN_STEP_COUNT
    assert Recipe(step_count=10).steps_for(1) == 10


def test_the_same_seed_learns_the_same_network():
    data = EventReplay.of(mdp_log(300))
    first, second = (dqn.learn(data, Recipe(step_count=20, epoch_limit=1e9)) for _ in range(2))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_feasible_rows_are_padded_and_masked():
    data = mdp_log(3)
    ragged = Transitions(
        data.states,
        np.arange(12, dtype=np.float16).reshape(6, 2),
        np.array([0, 1, 4, 6]),
        np.array([0, 2, 1]),
        *(getattr(data, name) for name in ("rewards", "following", "discounts", "propensities", "times")),
        3,
        0,
    )
    replay, everything = EventReplay.of(ragged), torch.arange(3)
    choices = replay.feasible(torch.tensor([1, 2]))
    assert choices.allowed.tolist() == [[True, True, True], [True, True, False]]
    assert choices.actions[choices.allowed].tolist() == [[2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
    assert replay.centres(everything).tolist() == [[0, 1], [4, 5], [9, 10]]
    assert replay.placed(everything).tolist() == [[0, 1], [6, 7], [10, 11]]


def test_a_batch_of_ended_sessions_needs_no_network():
    data = mdp_log(50)
    ended = torch.from_numpy(np.flatnonzero(data.following == TERMINAL))
    network = QNetwork(2, 2)
    wanted = dqn.targets(EventReplay.of(data), ended, network, network, Recipe())
    assert wanted.tolist() == pytest.approx(data.rewards[ended.numpy()].tolist())


def test_the_conservative_term_by_hand():
    """log(e^1 + e^3) - 1 where the second action is masked, of the two that are left."""
    values = torch.tensor([[1.0, 50.0, 3.0]])
    allowed = torch.tensor([[True, False, True]])
    found = dqn.conservative_term(values, torch.tensor([0]), allowed)
    assert found.item() == pytest.approx(np.log(np.exp(1) + np.exp(3)) - 1, rel=1e-6)


def test_signals_count_only_where_they_are_told():
    """log 2 for each column at even odds, whatever the share of rows that tell it."""
    told = torch.tensor([[1.0, torch.nan], [0.0, 1.0], [0.0, torch.nan]])
    assert dqn.signal_loss(torch.zeros(3, 2), told).item() == pytest.approx(2 * np.log(2))
    assert dqn.signal_loss(torch.zeros(3, 0), told[:, :0]).item() == 0


def test_what_the_log_hardly_does_is_not_supported():
    chance = torch.tensor([[0.05, 0.15, 0.8], [0.0, 0.1, 0.9]])
    allowed = torch.tensor([[True, True, True], [False, True, True]])
    wanted = [[False, True, True], [False, False, True]]
    assert behaviour.supported(chance, allowed, 0.3).tolist() == wanted
    assert behaviour.supported(chance, allowed, 0.0).tolist() == allowed.tolist()


class Lookup:
    """A replay of one decision that leads to another, of two feasible actions and a masked one."""

    outcomes = Outcomes(
        rewards=torch.tensor([1.0, 0.0]),
        following=torch.tensor([1, TERMINAL]),
        discounts=torch.tensor([0.5, 0.0]),
        returns=torch.zeros(2),
        signals=torch.zeros(2, 0),
    )

    def states(self, decisions):
        return torch.zeros(len(decisions), 1)

    def placed(self, decisions):
        return torch.eye(3)[[1] * len(decisions)]

    def centres(self, decisions):
        return torch.zeros(len(decisions), 3)

    def feasible(self, decisions):
        allowed = torch.tensor([[True, True, False]] * len(decisions))
        return Feasible(torch.eye(3).expand(len(decisions), 3, 3), allowed, self.centres(decisions))


class Values:
    """Values of three one-hot actions."""

    def __init__(self, *values):
        self.values = torch.tensor(values)

    def of(self, state, actions, centre):
        return actions @ self.values


@pytest.mark.parametrize(
    ("recipe", "wanted"),
    [
        (Recipe(), 8.0),  # the network prefers the first action, the average says what it is worth
        (Recipe(bootstrap=Bootstrap.PLACED), 2.0),
        (Recipe(bootstrap=Bootstrap.EXPECTED), 0.2 * 8 + 0.8 * 2),
        (Recipe(support=0.5), 2.0),  # the log takes the first action in a fifth of all cases
        (Recipe(support=0.3), 8.0),
    ],
)
def test_what_each_bootstrap_follows_by_hand(recipe, wanted):
    cloned = Values(float(np.log(0.2)), float(np.log(0.8)), 9.0) if recipe.wants_behaviour else None
    found = dqn.targets(
        Lookup(), torch.tensor([0, 1]), Values(5.0, 4.0, 99.0), Values(8.0, 2.0, 99.0), recipe, cloned
    )
    assert found.tolist() == pytest.approx([1 + 0.5 * wanted, 0.0])
