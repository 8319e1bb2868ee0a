"""Who takes part in the contest on synthetic shops?

Each learns from the same log of a world, and then lays out the pages of the same shoppers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from services.local.bench.policy import slot_contender
from services.local.bench.policy.contenders import CascadePolicy, ClickOrder
from services.local.bench.policy.log import Log
from services.local.bench.policy.peers import (
    ccb,
    discrete_q,
    editorial,
    immediate,
    linucb,
    popularity,
    thompson,
)
from services.local.bench.policy.peers.decisions import down_the_cascade, to_the_page_end
from services.policy.training import dqn, slateq
from services.policy.training.dqn import Bootstrap
from services.policy.training.slateq import CascadeNetwork
from simulator.front import Policy, Uniform

OWN = "cascade SlateQ"
"""What the others are compared with."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A way from a log to a policy.

    Attributes:
        fit: from a log and a seed; logs are the same for all seeds of a world.
        package: what has to be installed beside planogram; empty for nothing.
        is_seeded: False where all seeds give the same policy, so that one is enough.
    """

    name: str
    fit: Callable[[Log, int], Policy]
    package: str = ""
    is_seeded: bool = True


@functools.lru_cache(maxsize=1)
def _network(log: Log, seed: int) -> CascadeNetwork:
    """Trained once for those that lay out pages by it."""
    return slateq.learn(log.pages, replace(log.size.recipe, seed=seed))


def _myopic(log: Log, seed: int) -> Policy:
    recipe = replace(log.size.recipe, page_discount=0.0, seed=seed)
    return CascadePolicy(log.encoder, slateq.learn(log.pages, recipe))


def _slots(log: Log, seed: int, recipe: dqn.Recipe) -> Policy:
    step_count = min(recipe.step_count, log.size.recipe.step_count)
    return slot_contender.fit(log.encoder, log.pages, replace(recipe, step_count=step_count, seed=seed))


def _online_dqn(log: Log, seed: int) -> Policy:
    from services.local.bench.policy.peers import online_dqn  # its environment is a class of the library's

    return online_dqn.fit(log, seed)


ENTRANTS = (
    Entrant(OWN, lambda log, seed: CascadePolicy(log.encoder, _network(log, seed))),
    Entrant("cascade SlateQ, page discount 0", _myopic),
    Entrant("slot double DQN", partial(_slots, recipe=slot_contender.RECIPE)),
    Entrant("slot SARSA", partial(_slots, recipe=replace(slot_contender.RECIPE, bootstrap=Bootstrap.PLACED))),
    Entrant("click order", lambda log, seed: ClickOrder(log.encoder, _network(log, seed))),
    Entrant("click x margin", immediate.fit),
    Entrant(
        "double DQN, cascade (d3rlpy)",
        partial(discrete_q.fit, algorithm="double DQN", cut=down_the_cascade),
        "d3rlpy",
    ),
    Entrant(
        "double DQN, page end (d3rlpy)",
        partial(discrete_q.fit, algorithm="double DQN", cut=to_the_page_end, recipe=discrete_q.PAGE_END),
        "d3rlpy",
    ),
    Entrant(
        "CQL, cascade (d3rlpy)", partial(discrete_q.fit, algorithm="CQL", cut=down_the_cascade), "d3rlpy"
    ),
    Entrant(
        "CQL, page end (d3rlpy)",
        partial(discrete_q.fit, algorithm="CQL", cut=to_the_page_end, recipe=discrete_q.PAGE_END),
        "d3rlpy",
    ),
    Entrant("online DQN (Stable-Baselines3)", _online_dqn, "stable_baselines3"),
    Entrant("CCB (Vowpal Wabbit)", ccb.fit, "vowpalwabbit", is_seeded=False),
    Entrant("LinUCB", linucb.fit, is_seeded=False),
    Entrant("Thompson sampling", thompson.fit, is_seeded=False),
    Entrant("popularity", popularity.fit, is_seeded=False),
    Entrant("editorial order", editorial.fit, is_seeded=False),
    Entrant("random", lambda log, seed: Uniform(log.shop.catalogue), is_seeded=False),
)
