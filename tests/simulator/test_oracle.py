"""Is the oracle right: are its values what its pages earn, and its beliefs what is true?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from simulator import front, oracle, world
from simulator.oracle import Slots
from simulator.regimes import REGIMES


@pytest.fixture(scope="module", params=["front", "control"])
def solved(request, columns, as_of):
    """A world's front pages in one season and daypart, solved for each device."""
    name = {"front": "base"}.get(request.param, request.param)
    made = front.build(world.draw(columns, 5, as_of, REGIMES[name]), season_count=1, daypart_count=1)
    solutions, start = [], None
    for context in range(made.context_count):
        start = oracle.solve(made, context, start)
        solutions.append(start)
    return made, oracle.Space.of(made), solutions


def begin_value(made, space, solutions):
    """Expected value of a session that begins."""
    law, hidden = made.world.regime, made.world
    chance = (
        hidden.type_share[space.type]
        * hidden.preference[space.type, space.target]
        * law.start_stage[space.stage]
        * law.start_patience[space.patience]
        * (space.fatigue == 0).all(1)
    )
    assert chance.sum() == pytest.approx(1)
    weight = front.DEVICE_SHARE[made.device]
    return sum(weight[context] * (chance @ solutions[context].value) for context in range(made.context_count))


@pytest.mark.slow
def test_the_optimal_policy_earns_what_value_iteration_says(solved):
    """Within 3 standard errors, n = 60,000 sessions."""
    made, space, solutions = solved
    clairvoyant = oracle.Clairvoyant(solutions, space)
    run = front.play(made, clairvoyant, 60_000, 3, reveal=clairvoyant.know)
    error = run.value.std() / np.sqrt(len(run.value))
    assert abs(run.value.mean() - begin_value(made, space, solutions)) < 3 * error


@pytest.mark.slow
def test_beliefs_are_calibrated_and_earn_less_than_knowledge(solved):
    """The mean probability given to the truth is that of a filter that is exact; n = 1,500 sessions."""
    made, space, solutions = solved
    qmdp = oracle.Qmdp(made, solutions, space)
    given = []

    def watch(observed, state, decision, acts):
        belief = qmdp.belief(observed)
        for axis, truth in (
            (1, state.target),
            (2, state.stage),
            (3, state.patience - 1),
            (4, state.fatigue[:, 0]),
        ):
            others = tuple(place + 1 for place in range(7) if place != axis)
            marginal = belief.reshape(len(belief), *space.shape).sum(axis=others, dtype=np.float64)
            marginal /= marginal.sum(1, keepdims=True)
            # Under a calibrated belief p, the truth has probability p[j] with probability p[j].
            found = marginal[np.arange(len(marginal)), truth]
            given.append((axis, found, (marginal**2).sum(1)))
        qmdp.watch(observed, state, decision, acts)

    run = front.play(made, qmdp, 1_500, 4, watch=watch)
    for axis in (1, 2, 3, 4):
        difference = np.concatenate([found - expected for at, found, expected in given if at == axis])
        # Pages of a session share its luck: sessions have some five pages.
        error = difference.std() / np.sqrt(len(difference) / 5)
        assert abs(difference.mean()) <= 4 * error, (axis, difference.mean(), error)
    uniform = front.play(made, front.Uniform(made.catalogue), 1_500, 4)
    assert uniform.value.mean() < run.value.mean() < begin_value(made, space, solutions)


def test_pages_are_nearly_as_good_as_the_best_of_all():
    """At least 99 % of brute force on the mean, and 90 % on the worst of 300 small cases."""
    random = np.random.default_rng(0)
    module = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7])  # with 6 slots
    states = 300
    click = random.beta(1, 6, (states, len(module)))
    scroll = random.uniform(0.6, 0.9, click.shape)
    clicked, stop = random.gamma(1.0, 1.0, click.shape), random.gamma(1.0, 0.2, click.shape)
    unclicked = (1 - click) * stop
    slots = Slots(
        click * clicked + (1 - scroll) * unclicked, click * clicked + unclicked, (1 - click) * scroll
    )
    found = oracle.page_value(slots, oracle.best_pages(slots, module))
    best = np.full(states, -np.inf)
    for modules in itertools.permutations(range(8), front.SLOT_COUNT):
        for actions in itertools.product(*(np.flatnonzero(module == own) for own in modules)):
            page = np.tile(actions, (states, 1))
            best = np.maximum(best, oracle.page_value(slots, page))
    assert (found / best).mean() > 0.99
    assert (found / best).min() > 0.9
    assert (found <= best + 1e-12).all()


@pytest.mark.parametrize(
    "name", sorted(REGIMES.keys() - {law.name for law in oracle.SOLVABLE} - {"base", "shift"})
)
def test_shops_without_a_known_optimum_are_refused(columns, as_of, name):
    made = front.build(world.draw(columns, 5, as_of, REGIMES[name]), season_count=1, daypart_count=1)
    with pytest.raises(ValueError, match=f"regime '{name}'"):
        oracle.solve(made, 0)


def test_rich_shops_are_refused(columns, as_of):
    made = front.build(world.draw(columns, 5, as_of, REGIMES["base"]), 1, 1, is_rich=True)
    with pytest.raises(ValueError, match="is rich"):
        oracle.solve(made, 0)


def test_beliefs_do_not_depend_on_the_names_of_types(columns, as_of):
    order = np.array([3, 5, 0, 1, 4, 2])
    beliefs = []
    for names in (np.arange(6), order):
        hidden = world.draw(columns, 5, as_of, REGIMES["base"]).relabelled(names)
        made = front.build(hidden, season_count=1, daypart_count=1)
        space = oracle.Space.of(made)
        believed = oracle.Filter(made, space, [oracle.odds(made, space, 0)])
        observed = front.Observed.begin(np.zeros(7, int), np.arange(7), 6, 3)
        believed.begin(observed)
        beliefs.append(believed.belief.reshape(7, 6, -1).sum(2))
    assert np.allclose(beliefs[0], beliefs[1][:, order], atol=1e-6)
    assert (beliefs[0][:6].argmax(1) == np.arange(6)).all()
