"""Do the peers that come from other libraries learn? Run by `make test-peers`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.local.bench.policy import log, sizes
from services.local.bench.policy.entrants import ENTRANTS
from simulator import catalogue, world
from simulator.front import SLOT_COUNT

SIZE = replace(
    sizes.QUICK, log_sessions=300, test_sessions=100, recipe=replace(sizes.QUICK.recipe, step_count=40)
)
FOREIGN = [entrant for entrant in ENTRANTS if entrant.package]

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, about each other


@pytest.fixture(scope="module")
def gathered():
    items = world.read_items(catalogue.make(0, sizes.DAY), sizes.DAY)
    return log.gather(log.build_shop(items, 0, "base", SIZE), SIZE)


@pytest.mark.parametrize("entrant", FOREIGN, ids=lambda entrant: entrant.name)
def test_a_library_s_pages_may_be_shown_and_differ_by_shopper(gathered, entrant):
    module = gathered.encoder.catalogue.module
    decision = entrant.fit(gathered, 0).decide(gathered.trace.observed, np.random.default_rng(0))
    assert decision.placed.shape == (len(gathered.pages), SLOT_COUNT)
    assert (np.diff(np.sort(module[decision.placed], 1), axis=1) > 0).all()
    assert len(np.unique(decision.placed, axis=0)) > 1


@pytest.mark.parametrize(
    "entrant", [one for one in FOREIGN if one.package == "d3rlpy"], ids=lambda entrant: entrant.name
)
def test_q_learning_finds_the_only_module_that_is_ever_bought(gathered, entrant):
    """Whatever the page, the hero in its slot brings 1, and each session is a single page."""
    pages = gathered.pages
    hero = pages.placed == 0
    told = replace(
        gathered,
        pages=replace(
            pages,
            reward=hero.astype(np.float32),
            is_examined=np.ones_like(hero),
            is_clicked=np.zeros_like(hero),
            following=np.full(len(pages), -1),
        ),
    )
    policy = entrant.fit(told, 0)
    placed = policy.decide(gathered.trace.observed, np.random.default_rng(0)).placed
    assert (placed == 0).any(1).mean() > 0.95  # by chance 6 of 22


def test_online_learning_finds_the_only_module_that_is_ever_bought(gathered, monkeypatch):
    """A page with the hero on it brings 1 at its end, whatever else stands there."""
    from services.local.bench.policy.peers import online_dqn

    class HeroShop(online_dqn.SlotShop):
        def step(self, actions):
            is_page_end = self._slot == SLOT_COUNT - 1
            has_hero = (self._placed[:, : self._slot] == 0).any(1) | (actions == 0)
            observation, _, is_over = super().step(actions)
            return observation, np.where(is_page_end & has_hero, 1.0, 0.0), is_over

    monkeypatch.setattr(online_dqn, "SlotShop", HeroShop)
    recipe = online_dqn.Recipe(session_count=8, batch_size=64, discount=0.9, renewal=25)
    policy = online_dqn.fit(gathered, 0, recipe)
    placed = policy.decide(gathered.trace.observed, np.random.default_rng(0)).placed
    assert (placed == 0).any(1).mean() > 0.7  # by chance 6 of 22
