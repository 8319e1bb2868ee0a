"""Which shop, which incumbent and which candidate is the evaluation proved on?

The incumbent learned from a uniform log, and is served with exploration; the candidate learned from that log
and from one more, which the incumbent served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from services.local.bench.evaluation import kept
from services.local.bench.evaluation.contestants import Alone, Contestant, whole_sessions
from services.local.bench.evaluation.sizes import Size
from services.local.bench.policy import log
from services.local.bench.policy.front_pages import Encoder, pages_of
from services.local.bench.policy.run import SERVED
from services.local.bench.policy.sizes import LOG_SEED
from services.policy.training import slateq
from services.policy.training.slateq import CascadeNetwork, Recipe
from simulator import front
from simulator.front import Front, Trace
from simulator.world import Items

ROUND_SEED = LOG_SEED + 100


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A shop and what was learned from it."""

    shop: Front
    encoder: Encoder
    size: Size
    folder: Path
    """Of everything that is kept."""
    first: CascadeNetwork
    """Learned from a uniform log."""
    second: CascadeNetwork
    """Learned from that log, and from what the first served."""

    @property
    def incumbent(self) -> Contestant:
        return self.contestant("incumbent", self.first)

    @property
    def candidate(self) -> Contestant:
        return self.contestant("candidate", self.second)

    @property
    def module(self) -> np.ndarray:
        """(A,) of each action."""
        return self.shop.catalogue.module

    def contestant(self, name: str, network: CascadeNetwork) -> Contestant:
        """A network, served as the incumbent is."""
        return whole_sessions(name, self.encoder, network, SERVED)


def set_up(
    items: Items, world: int, regime: str, size: Size, folder: Path, say: Callable[[str], None]
) -> Scene:
    """Builds the shop and learns; what was learned before is read again."""
    shop = log.build_shop(items, world, regime, size.shop)
    encoder = Encoder(shop)

    def learn_first() -> CascadeNetwork:
        say("learning the incumbent")
        return slateq.learn(pages_of(encoder, uniform_log(shop, size)), size.shop.recipe)

    first = kept.network(folder / "incumbent.pt", learn_first)

    def learn_second() -> CascadeNetwork:
        say("learning the candidate")
        served = Alone(whole_sessions("incumbent", encoder, first, SERVED), shop.catalogue.module)
        more = front.play(shop, served, size.shop.log_sessions, ROUND_SEED, is_traced=True).trace
        assert more is not None
        more = replace(more, session=more.session + size.shop.log_sessions)
        both = front.joined([uniform_log(shop, size), more])
        return slateq.learn(pages_of(encoder, both), size.shop.recipe)

    second = kept.network(folder / "candidate.pt", learn_second)
    return Scene(shop, encoder, size, folder, first, second)


def uniform_log(shop: Front, size: Size, session_count: int | None = None, seed: int = LOG_SEED) -> Trace:
    """Sessions on pages that were laid out uniformly."""
    count = session_count or size.shop.log_sessions
    trace = front.play(shop, front.Uniform(shop.catalogue), count, seed, is_traced=True).trace
    assert trace is not None
    return trace


def learned(scene: Scene, name: str, trace: Trace, recipe: Recipe) -> CascadeNetwork:
    """A network learned from a log, kept under a name."""
    path = scene.folder / "networks" / f"{name}.pt"
    return kept.network(path, lambda: slateq.learn(pages_of(scene.encoder, trace), recipe))
