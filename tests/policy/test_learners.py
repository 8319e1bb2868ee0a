"""Do all learners keep the same promises?

Each learns from logged pages; what a promise needs of one stands in `Learner`, and nothing else differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.training import behaviour, dqn, export, greedy, slateq, tabular
from services.policy.training.course import UNWATCHED, Course
from services.policy.training.dqn import Bootstrap
from services.policy.training.pages import Described
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import PageReplay, slot_states
from services.policy.training.slateq import CascadeNetwork
from services.policy.training.tabular import Steps, TabularRecipe
from tests.policy.tiny_shop import (
    BEST_FIRST,
    MODULE,
    UNIFORM_FIRST,
    Same,
    masked_log,
    shop_log,
    worth,
)

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Learner:
    """A recipe, and the seams of its kind of network."""

    recipe: Any
    learn: Callable[..., Any]
    fresh: Callable[[Any], Any]
    pages: Callable[[Any, np.ndarray, Described, int], np.ndarray]
    answer: Callable[[Any, np.ndarray, np.ndarray], tuple[np.ndarray, ...]]
    export: Callable[[Any, Path], None]
    compare: Callable[[Any, Path], float]


def learn_cascade(pages, recipe, on_step=None, course=UNWATCHED):
    return slateq.learn(pages, recipe, None, on_step, course=course)


def cascade_pages(network, states, described, slot_count):
    return slateq.best_pages(network.cascade(states, described.actions), described, slot_count)


def fresh_cascade(network):
    signal_count = network.heads.out_features - len(slateq.HEADS)
    return CascadeNetwork(len(network.state_mean), len(network.action_mean), signal_count)


def compare_cascade(network, path):
    return export.compare_cascade(network, path, *wide_pages(network, 60))


def learn_slots(pages, recipe, on_step=None, course=UNWATCHED):
    return dqn.learn(PageReplay.of(pages, recipe.page_discount), recipe, None, on_step, course=course)


def fresh_slots(network):
    signal_count = network.signals.out_features if network.signals is not None else 0
    return QNetwork(len(network.state_mean), len(network.action_mean), signal_count)


def slot_answer(network, states, actions):
    """Of first slots; pages have two."""
    first = slot_states(states, np.zeros(len(states)), np.ones(len(states)), np.zeros_like(actions[:, 0]))
    return (network.answer(first, actions, np.ones(actions.shape[:2], bool)),)


def compare_slots(network, path):
    return export.compare(network, path, PageReplay.of(masked_log(np.ones((400, 9), bool), 3), 1.0))


def wide_pages(network, count):
    random = np.random.default_rng(0)
    states = random.normal(size=(count, len(network.state_mean)))
    actions = random.normal(size=(count, 30, len(network.action_mean)))
    return states.astype(np.float32), actions.astype(np.float32)


CASCADE = Learner(
    slateq.Recipe(step_count=600, epoch_limit=60, polyak=0.02, weight_decay=0.0, shrinkage=0.0),
    learn_cascade,
    fresh_cascade,
    cascade_pages,
    CascadeNetwork.answer,
    export.export_cascade,
    compare_cascade,
)
SLOTS = Learner(
    dqn.Recipe(step_count=400, epoch_limit=60, batch_size=256, polyak=0.03, page_discount=1.0),
    learn_slots,
    fresh_slots,
    greedy.pages,
    slot_answer,
    export.export,
    compare_slots,
)


def slots(**changes):
    return replace(SLOTS, recipe=replace(SLOTS.recipe, **changes))


LEARNERS = {
    "slateq": CASCADE,
    "ddqn": SLOTS,
    "sarsa": slots(bootstrap=Bootstrap.PLACED),
    "expected sarsa": slots(bootstrap=Bootstrap.EXPECTED),
    "cql": slots(conservatism=0.1),
    "support-masked": slots(support=0.3),
}
TABLES = {
    "q-learning": TabularRecipe(bootstrap=Bootstrap.BEST),
    "sarsa": TabularRecipe(bootstrap=Bootstrap.PLACED),
}
learners = pytest.mark.parametrize("learner", LEARNERS.values(), ids=LEARNERS)
tables = pytest.mark.parametrize("recipe", TABLES.values(), ids=TABLES)
kinds = pytest.mark.parametrize("learner", [CASCADE, SLOTS], ids=["cascade", "slots"])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def log():
    return shop_log(4_000)


@pytest.fixture(scope="module")
def small_log():
    return shop_log(300)


def short(learner, step_count=40, **changes):
    return replace(learner.recipe, step_count=step_count, batch_size=32, **changes)


def same(one, other):
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def gap_closed(first, second):
    return (worth(first, second) - UNIFORM_FIRST) / (BEST_FIRST - UNIFORM_FIRST)


@learners
def test_what_is_learned_earns_nearly_what_can_be_earned(learner, log):
    network = learner.learn(log, learner.recipe)
    found = learner.pages(network, np.eye(2, dtype=np.float32), Same().of(np.arange(2)), 2)
    assert gap_closed(*found) > 0.95


@tables
def test_what_a_table_learns_earns_nearly_what_can_be_earned(recipe, log):
    steps = Steps.of(PageReplay.of(log, 1.0))
    table = tabular.learn(steps, recipe)
    # Rows are sorted: second state before the first, and in each the first slot, then what stands above.
    # Actions likewise: the last unit vector first.
    placed = []
    for rows in (table[4:], table[:4]):
        upper = int(rows[0].argmax())
        placed.append((2 - upper, 2 - int(rows[1 + upper].argmax())))
    assert gap_closed(*placed) > 0.95


def test_a_clone_is_as_likely_to_choose_as_the_log():
    """What the log places twice as often, the clone does, among what is feasible."""
    pages = shop_log(4_000)
    kept = np.flatnonzero((pages.placed[:, 0] != 2) | (np.arange(len(pages)) % 2 == 0))
    fewer = replace(
        pages,
        following=np.full(len(kept), -1),
        **{
            name: getattr(pages, name)[kept]
            for name in (
                "states",
                "slot_count",
                "placed",
                "propensity",
                "is_examined",
                "is_clicked",
                "reward",
                "signals",
            )
        },
    )
    network = behaviour.clone(PageReplay.of(fewer, 1.0))
    logits = slot_answer(network, np.eye(2, dtype=np.float32), Same().of(np.arange(2)).actions)[0]
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(chance, [[0.4, 0.4, 0.2]] * 2, atol=0.05)


@learners
def test_a_network_that_was_saved_and_loaded_answers_the_same(learner, small_log, tmp_path):
    network = learner.learn(small_log, short(learner))
    torch.save(network.state_dict(), tmp_path / "network.pt")
    again = learner.fresh(network)
    again.load_state_dict(torch.load(tmp_path / "network.pt", weights_only=True))
    given = wide_pages(network, 5)
    given = given if learner.fresh is fresh_cascade else (given[0][:, :2], given[1])
    for one, other in zip(learner.answer(network, *given), learner.answer(again, *given), strict=True):
        assert np.array_equal(one, other)


@learners
def test_the_graph_says_what_the_network_says(learner, tmp_path):
    network = learner.learn(masked_log(np.ones((200, 9), bool), 3), short(learner, 20))
    path = tmp_path / "model.onnx"
    learner.export(network, path)
    assert learner.compare(network, path) < export.TOLERANCE
    other = learner.fresh(network)
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        next(iter(other.state_trunk.parameters())).add_(0.5)
    with pytest.raises(export.ExportError, match="differ"):
        learner.compare(other, path)


masks = st.integers(0, 2**32 - 1).map(
    # Any mask under which three modules can stand: one template of each of three, and any others.
    lambda seed: _mask(np.random.default_rng(seed))
)


def _mask(random):
    allowed = random.random((12, 9)) < random.random()
    for row in allowed:
        for module in random.permutation(6)[:3]:
            row[random.choice(np.flatnonzero(module == MODULE))] = True
    return allowed


@learners
@given(allowed=masks, seed=st.integers(0, 1_000))
@settings(max_examples=25, deadline=None)
def test_what_may_not_stand_never_does(learner, allowed, seed):
    log = masked_log(allowed, seed)
    torch.manual_seed(seed)
    described = log.actions.of(np.arange(12))
    network = fresh_of(learner, log)
    placed = learner.pages(network, log.states, described, 3)
    assert np.take_along_axis(allowed, placed, 1).all()
    assert all(len(set(MODULE[page].tolist())) == 3 for page in placed)


def fresh_of(learner, log):
    if learner.fresh is fresh_cascade:
        return CascadeNetwork(4, 5, log.signals.shape[1])
    return QNetwork(4 + 2 + 5, 5)


@learners
@given(allowed=masks, seed=st.integers(0, 1_000))
@settings(max_examples=8, deadline=None)
def test_what_may_not_stand_teaches_nothing(learner, allowed, seed):
    """Descriptions of what is masked reach neither the bootstrap nor any sum over actions."""
    recipe = short(learner, 12, monte_carlo_share=0.0)
    clean = learner.learn(masked_log(allowed, seed), recipe)
    poisoned = learner.learn(masked_log(allowed, seed, forbidden=1e5), recipe)
    assert same(clean, poisoned)


@kinds
@given(order=st.permutations(range(9)), seed=st.integers(0, 1_000))
@settings(max_examples=25, deadline=None)
def test_the_order_of_actions_changes_nothing_but_that_of_answers(learner, order, seed):
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    log = masked_log(_mask(random), seed)
    network, described = fresh_of(learner, log), log.actions.of(np.arange(12))
    turned = Described(
        described.actions[:, order], described.module[:, order], described.is_allowed[:, order]
    )
    plain = learner.answer(network, log.states, described.actions)
    for one, other in zip(plain, learner.answer(network, log.states, turned.actions), strict=True):
        np.testing.assert_allclose(one[:, order], other, atol=1e-5)
    upright = learner.pages(network, log.states, described, 3)
    assert np.array_equal(upright, np.array(order)[learner.pages(network, log.states, turned, 3)])


@learners
def test_a_seed_tells_every_bit(learner, small_log):
    first, again, other = (
        learner.learn(small_log, short(learner, seed=seed, monte_carlo_share=0.25)) for seed in (1, 1, 2)
    )
    assert same(first, again)
    assert not same(first, other)


@tables
def test_a_seed_tells_every_bit_of_a_table(recipe, small_log):
    steps = Steps.of(PageReplay.of(small_log, 1.0))
    first, again, other = (tabular.learn(steps, replace(recipe, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


class KilledError(Exception):
    pass


@learners
def test_a_run_that_was_killed_ends_as_one_that_was_not(learner, small_log, tmp_path):
    recipe, steps = short(learner, 60), []
    whole = learner.learn(small_log, recipe)
    course = Course(checkpoint=tmp_path / "run.pt", checkpoint_period=20)

    def kill(step, loss):
        if step == 47:
            raise KilledError

    with pytest.raises(KilledError):
        learner.learn(small_log, recipe, kill, course)
    gone_on = learner.learn(small_log, recipe, lambda step, loss: steps.append(step), course)
    assert steps == list(range(40, 60))
    assert same(whole, gone_on)


@learners
def test_curves_are_drawn_of_every_learner(learner, small_log):
    drawn = []
    course = Course(lambda name, value, step: drawn.append((name, value, step)), curve_period=10)
    learner.learn(small_log, short(learner, 21), course=course)
    assert {(name, step) for name, _, step in drawn} == {
        (name, step)
        for name in ("loss", "gradient_norm", "value_mean", "learning_rate")
        for step in (0, 10, 20)
    }
    assert all(np.isfinite(value) for _, value, _ in drawn)
    rates = [value for name, value, _ in drawn if name == "learning_rate"]
    assert rates == sorted(rates, reverse=True) and rates[-1] < rates[0] <= learner.recipe.learning_rate
