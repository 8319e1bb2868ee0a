from __future__ import annotations

import os
from collections import Counter, defaultdict

import numpy as np
import pytest

from services.policy import page, planner
from services.policy.completion import Completion
from services.policy.exploration import Exploration, Mode
from services.policy.programme import Cascade

PAGE_COUNT = int(os.environ.get("PLANOGRAM_TEST_PAGE_COUNT", "100000"))
"""Pages of each case."""
SEARCHED_PERIOD = 100
"""One in so many pages of a cascade policy is searched for as it is in service."""


def remembered(facts, cascade):
    """Values of a cascade policy, searched for once for each page so far: they depend on nothing else."""
    known = {}

    def values(progress, offer, actions):
        above = tuple(progress.actions)
        if above not in known:
            completion, before = Completion(facts.shape, cascade), page.Progress(facts)
            for slot, action in enumerate(above):
                here = before.offer()
                completion(before, here, known[above[:slot]][0])
                before.place(action, before.rows_of(here, action))
            known[above] = (actions, completion(progress, offer, actions))
        return known[above][1]

    return values


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exploration", "kind"),
    [
        (Exploration(Mode.SOFTMAX, 0.2, 1.5), "distinct"),
        (Exploration(Mode.EPSILON_GREEDY, 0.5, 1.0), "tied"),
        (Exploration(Mode.EPSILON_GREEDY, 0.02, 1.0), "uniform"),
        (Exploration(Mode.SOFTMAX, 0.1, 1.0), "cascade"),
    ],
    ids=["softmax", "epsilon-greedy with ties", "uniform values", "cascade policy"],
)
def test_choices_come_as_often_as_their_propensities_say(build, exploration, kind):
    """Five modules that share items, three slots, values that depend on what stands above."""
    module, slot = build.module, build.slot
    two = [("grid", 2, 2), ("list", 1, 1)]
    facts = page.decode(
        build(
            [
                module("a", [0, 1, 2], two),
                module("b", [1, 2, 3]),
                module("c", [3, 4], [("grid", 2, 2)]),
                module("d", [5, 0], two),
                module("e", [6, 1, 3], is_filler=True),
            ],
            [slot("top"), slot("middle", ["a", "b", "c", "e"]), slot("low")],
        )
    )
    random = np.random.default_rng(3)
    worth = random.normal(size=(3, facts.shape.action_count))
    cascade = Cascade.of(*random.uniform(0.1, 0.9, (4, 1, facts.shape.action_count)))

    def values(progress, offer, actions):
        found = worth[len(progress.actions), actions] + 0.1 * offer.count[actions]
        # Signs alone: several choices are the best of a slot.
        return {"distinct": found, "tied": np.sign(found), "uniform": np.zeros(len(actions))}[kind]

    found: Counter[tuple[int, ...]] = Counter()
    propensity: dict[tuple[int, ...], set[float]] = defaultdict(set)
    sums = []
    if kind == "cascade":
        values = remembered(facts, cascade)
    for seed in range(PAGE_COUNT):
        is_searched = kind == "cascade" and seed % SEARCHED_PERIOD == 0
        value_of = Completion(facts.shape, cascade) if is_searched else values
        choices = planner.plan(facts, value_of, exploration, seed)
        shown = tuple(choice.action for choice in choices)
        found[shown] += 1
        propensity[shown].add(float(np.prod([choice.propensity for choice in choices])))
        sums += [choice.feasible_propensities.sum() for choice in choices]

    assert np.abs(np.array(sums) - 1).max() < 1e-9
    assert all(len(logged) == 1 for logged in propensity.values())
    expected = {shown: PAGE_COUNT * logged.pop() for shown, logged in propensity.items()}
    # Every page that has a chance was seen, or the pages that were not are rare together.
    assert sum(expected.values()) == pytest.approx(PAGE_COUNT, rel=1e-3)
    common = [shown for shown, count in expected.items() if count >= 5]
    statistic = sum((found[shown] - expected[shown]) ** 2 / expected[shown] for shown in common)
    freedom = len(common) - 1
    assert freedom > 50, freedom
    # Chi-square has mean `freedom` and variance twice that; five deviations either way.
    assert abs(statistic - freedom) < 5 * np.sqrt(2 * freedom)
