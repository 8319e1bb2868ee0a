"""Does a slot-wise learner lay out the shop's pages by its values, and say how likely each choice was?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.local.bench.policy import slot_contender
from services.local.bench.policy.contenders import Exploring, served
from services.local.bench.policy.front_pages import Encoder, pages_of
from services.local.bench.policy.sizes import DAY
from services.local.bench.policy.slot_contender import SlotPolicy
from services.policy.training import greedy
from services.policy.training.replay import slot_states
from simulator import catalogue, front, world
from simulator.front import SLOT_COUNT
from simulator.regimes import REGIMES

SERVED = Exploring(temperature=0.2, epsilon=0.1)


@pytest.fixture(scope="module")
def shop():
    items = world.read_items(catalogue.make(0, DAY), DAY)
    return front.build(world.draw(items, 0, DAY, REGIMES["base"]), 1, 1)


@pytest.fixture(scope="module")
def log(shop):
    trace = front.play(shop, front.Uniform(shop.catalogue), 300, 1, is_traced=True).trace
    return trace, pages_of(Encoder(shop), trace)


@pytest.fixture(scope="module")
def policy(shop, log):
    return slot_contender.fit(Encoder(shop), log[1], replace(slot_contender.RECIPE, step_count=5))


def test_no_module_stands_twice_on_a_page(shop, log, policy):
    placed = policy.decide(log[0].observed, np.random.default_rng(0)).placed
    modules = np.sort(shop.catalogue.module[placed], 1)
    assert placed.shape == (len(log[1]), SLOT_COUNT)
    assert (np.diff(modules, axis=1) > 0).all()


def test_propensities_are_those_of_the_served_distribution(shop, log, policy):
    trace, pages = log
    decision = SlotPolicy(Encoder(shop), policy.network, SERVED).decide(
        trace.observed, np.random.default_rng(0)
    )
    everyone = np.arange(len(pages))
    described = pages.actions.of(everyone)
    is_free = np.ones(described.is_allowed.shape, bool)
    is_free &= described.module != described.module[everyone, decision.placed[:, 0]][:, None]
    second = slot_states(
        pages.states,
        np.ones(len(pages)),
        np.full(len(pages), SLOT_COUNT - 2),
        pages.actions.chosen(everyone, decision.placed[:, 0]),
    )
    value = policy.network.answer(second, described.actions, is_free)
    chance = served(np.where(is_free, value, 0.0), is_free, SERVED)
    np.testing.assert_allclose(decision.propensity[:, 1], chance[everyone, decision.placed[:, 1]], rtol=1e-6)


def test_without_exploration_the_best_stands_and_was_certain(log, policy):
    trace, pages = log
    decision = policy.decide(trace.observed, np.random.default_rng(0))
    best = greedy.pages(policy.network, pages.states, pages.actions.of(np.arange(len(pages))), SLOT_COUNT)
    assert np.array_equal(decision.placed, best)
    assert (decision.propensity == 1).all()
