"""What are the values of a process small enough for a table, and how does a table learn them from a log?

The reference for every other learner: Q-learning (Watkins 1989) and SARSA (Rummery and Niranjan 1994) with a
cell per state and action, beside value iteration, which knows the process and learns nothing.
Symbols: S states, A actions, T logged steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from services.policy.training.dqn import Bootstrap
from services.policy.training.pages import TERMINAL, Array
from services.policy.training.replay import Replay


@dataclass(frozen=True, slots=True)
class Process:
    """A finite Markov decision process.

    Attributes:
        chance: (S, A, S) probability of each next state; what is missing to 1 is the session's end.
        reward: (S, A) expected.
        discount: (S, A) of what follows.
        allowed: (S, A) true where the action is feasible; one or more in each state.
    """

    chance: Array
    reward: Array
    discount: Array
    allowed: Array

    def __post_init__(self) -> None:
        total = self.chance.sum(2)
        if self.chance.min() < 0 or total.max() > 1 + 1e-9:
            raise ValueError(
                f"chance: from {self.chance.min():g}, summing to {total.max():g} at most; want 0 or more, "
                "summing to 1 or less"
            )
        if not self.allowed.any(1).all():
            state = int(np.flatnonzero(~self.allowed.any(1))[0])
            raise ValueError(f"allowed: state {state} has no feasible action, want 1 or more")


@dataclass(frozen=True, slots=True)
class Steps:
    """Logged steps of a finite process.

    Attributes:
        state, action: (T,) indexes.
        reward, discount: (T,).
        following: (T,) index of the next step; TERMINAL where the session ended.
        allowed: (S, A) true where the action is feasible.
    """

    state: Array
    action: Array
    reward: Array
    discount: Array
    following: Array
    allowed: Array

    @classmethod
    def of(cls, replay: Replay) -> Steps:
        """The decisions of a log in which few states and actions are told apart, each a row of its own.

        An action is feasible in a state where it was in any decision of that state.
        """
        everything = torch.arange(len(replay))
        states, state = np.unique(replay.states(everything).numpy(), axis=0, return_inverse=True)
        choices = replay.feasible(everything)
        flat = choices.actions.reshape(-1, choices.actions.shape[2]).numpy()
        actions, cell = np.unique(flat, axis=0, return_inverse=True)
        cell = cell.reshape(choices.allowed.shape)
        allowed = np.zeros((len(states), len(actions)), bool)
        decision, place = np.nonzero(choices.allowed.numpy())
        allowed[state.ravel()[decision], cell[decision, place]] = True
        return cls(
            state=state.ravel(),
            action=cell[np.arange(len(cell)), replay.place(everything).numpy()],
            reward=replay.outcomes.rewards.numpy().astype(np.float64),
            discount=replay.outcomes.discounts.numpy().astype(np.float64),
            following=replay.outcomes.following.numpy(),
            allowed=allowed,
        )


@dataclass(frozen=True, slots=True)
class TabularRecipe:
    """How to fill a table."""

    pass_count: int = 30
    """Times that the log is gone through, in an order of its own each."""
    rate_exponent: float = 0.7
    """A cell's n-th update weighs n to the minus this: between .5 and 1, so that noise averages out and the
    first guess is forgotten (Robbins and Monro 1951)."""
    bootstrap: Bootstrap = Bootstrap.BEST
    """The best action (Q-learning) or the one placed next (SARSA)."""
    seed: int = 0


def value_iteration(process: Process, tolerance: float = 1e-12, sweep_limit: int = 100_000) -> Array:
    """(S, A) values of the best policy; minus infinity where an action is not feasible.

    Raises:
        ValueError: where values still move by more than `tolerance` after the last sweep.

    Source: Bellman 1957; Sutton and Barto 2018, section 4.4.
    """
    value = np.zeros(len(process.reward))
    for _ in range(sweep_limit):
        everything = process.reward + process.discount * (process.chance @ value)
        table: Array = np.where(process.allowed, everything, -np.inf)
        after = table.max(1)
        if np.abs(after - value).max() <= tolerance:
            return table
        value = after
    raise ValueError(f"sweep_limit: values still move after {sweep_limit} sweeps; is every session to end?")


def learn(steps: Steps, recipe: TabularRecipe) -> Array:
    """(S, A) values learned from a log; 0 where it never was, minus infinity where it cannot be.

    Raises:
        ValueError: for a bootstrap that a table does not know.
    """
    if recipe.bootstrap is Bootstrap.EXPECTED:
        raise ValueError(f"bootstrap: got {recipe.bootstrap.value!r}, want 'best' or 'placed'")
    generator = np.random.default_rng(recipe.seed)
    table = np.where(steps.allowed, 0.0, -np.inf).tolist()
    counts = np.zeros(steps.allowed.shape, np.int64).tolist()
    # Lists: single cells of arrays are read and written at a tenth of the speed.
    state, action = steps.state.tolist(), steps.action.tolist()
    reward, discount = steps.reward.tolist(), steps.discount.tolist()
    following = steps.following.tolist()
    is_best = recipe.bootstrap is Bootstrap.BEST
    for _ in range(recipe.pass_count):
        for step in generator.permutation(len(state)).tolist():
            wanted = reward[step]
            if following[step] != TERMINAL:
                row = table[state[following[step]]]
                wanted += discount[step] * (max(row) if is_best else row[action[following[step]]])
            here, what = state[step], action[step]
            counts[here][what] += 1
            table[here][what] += (wanted - table[here][what]) / counts[here][what] ** recipe.rate_exponent
    return np.array(table)
