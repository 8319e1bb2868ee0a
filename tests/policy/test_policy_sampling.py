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
"""Pages of each case; a million take an hour."""
SEARCHED_SHARE = 5
"""One in so many pages where each is searched for: they take ten times as long."""


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

    page_count = PAGE_COUNT // SEARCHED_SHARE if kind == "cascade" else PAGE_COUNT
    found: Counter[tuple[int, ...]] = Counter()
    propensity: dict[tuple[int, ...], set[float]] = defaultdict(set)
    sums = []
    for seed in range(page_count):
        value_of = Completion(facts.shape, cascade).values if kind == "cascade" else values
        choices = planner.plan(facts, value_of, exploration, seed)
        shown = tuple(choice.action for choice in choices)
        found[shown] += 1
        propensity[shown].add(float(np.prod([choice.propensity for choice in choices])))
        sums += [choice.feasible_propensities.sum() for choice in choices]

    assert np.abs(np.array(sums) - 1).max() < 1e-9
    assert all(len(logged) == 1 for logged in propensity.values())
    expected = {shown: page_count * logged.pop() for shown, logged in propensity.items()}
    # Every page that has a chance was seen, or the pages that were not are rare together.
    assert sum(expected.values()) == pytest.approx(page_count, rel=2e-3)
    common = [shown for shown, count in expected.items() if count >= 5]
    statistic = sum((found[shown] - expected[shown]) ** 2 / expected[shown] for shown in common)
    freedom = len(common) - 1
    assert freedom > 50, freedom
    # Chi-square has mean `freedom` and variance twice that; five deviations either way.
    assert abs(statistic - freedom) < 5 * np.sqrt(2 * freedom)
