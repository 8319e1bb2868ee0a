"""How near does the click head come to the best that anybody could foretell of a click?

The best is the exact filter's: the probability of a click under the belief that follows from all that was
seen, the slots passed above included, with every hidden parameter known. Both are asked about the same
examined slots, on pages that nobody learned from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from services.local.bench.evaluation import contestants
from services.local.bench.evaluation.scene import Scene
from services.local.bench.evaluation.sizes import HELD_OUT_SEED
from services.local.bench.harness import Row
from services.local.bench.policy.front_pages import Encoder, FrontActions
from services.policy.training.slateq import CascadeNetwork
from simulator import front, oracle
from simulator.front import Acts, Decision, Front, Observed, Policy
from simulator.session import HiddenState

Array = np.ndarray[Any, Any]

REACH = 0.97
_REPLICATES = 200


@dataclass(slots=True)
class Onlooker:
    """Watches pages, and keeps what was foretold of every examined slot and whether it was clicked."""

    encoder: Encoder
    networks: dict[str, CascadeNetwork]
    filter: oracle.Filter
    clicked: list[Array] = field(default_factory=list)
    session: list[Array] = field(default_factory=list)
    foretold: dict[str, list[Array]] = field(default_factory=dict)
    _batch: int = 0

    def watch(self, observed: Observed, state: HiddenState, decision: Decision, acts: Acts) -> None:
        """Takes in a page; of the arguments, the hidden state is not read."""
        del state
        if not observed.page_index.any():
            self.filter.begin(observed)
            self._batch += 1
        rows, slots = np.nonzero(acts.is_examined)
        self.clicked.append(acts.is_clicked[rows, slots])
        self.session.append(self._batch * front.sessions.BATCH + observed.rows[rows])
        self._keep("bayes", self._best(observed, decision, acts)[rows, slots])
        described = FrontActions(self.encoder, observed).chosen(
            np.repeat(np.arange(len(observed.rows)), decision.placed.shape[1]), decision.placed.ravel()
        )
        actions = described.reshape(*decision.placed.shape, -1)
        for name, network in self.networks.items():
            click, *_ = network.answer(self.encoder.states(observed), actions)
            self._keep(name, click[rows, slots])
        self.filter.update(observed, decision, acts)

    def _keep(self, name: str, chances: Array) -> None:
        self.foretold.setdefault(name, []).append(chances)

    def _best(self, observed: Observed, decision: Decision, acts: Acts) -> Array:
        """(B, S) probability of a click in a slot, given that it was come to, under the exact belief."""
        result: Array = np.empty(decision.placed.shape)
        for context in np.unique(observed.context):
            here = np.flatnonzero(observed.context == context)
            odds = self.filter.odds[context]
            click = odds.click.T.astype(np.float32)
            passing = ((1 - odds.click) * odds.scroll).T.astype(np.float32)
            weight = self.filter.belief[observed.rows[here]]
            for slot in range(decision.placed.shape[1]):
                stays = acts.is_examined[here, slot]
                here, weight = here[stays], weight[stays]
                action = decision.placed[here, slot]
                weight /= weight.sum(1, keepdims=True)
                result[here, slot] = np.einsum("bh,bh->b", weight, click[action])
                weight *= passing[action]
        return result


def measure(scene: Scene, say: Callable[[str], None]) -> dict[str, Any]:
    """Areas under curves, by log and network."""
    space = oracle.Space.of(scene.shop)
    odds = [oracle.odds(scene.shop, space, context) for context in range(scene.shop.context_count)]
    logs: dict[str, Policy] = {
        "uniform": front.Uniform(scene.shop.catalogue),
        "served": contestants.Alone(scene.incumbent, scene.module),
    }
    networks = {"one log": scene.first, "two logs": scene.second}
    found: dict[str, Any] = {}
    for number, (name, policy) in enumerate(logs.items()):
        onlooker = Onlooker(scene.encoder, networks, oracle.Filter(scene.shop, space, odds))
        _play(scene.shop, policy, scene.size.held_out_sessions, HELD_OUT_SEED + number, onlooker)
        clicked, session = np.concatenate(onlooker.clicked), np.concatenate(onlooker.session)
        foretold = {who: np.concatenate(parts) for who, parts in onlooker.foretold.items()}
        areas = {who: area(chances, clicked) for who, chances in foretold.items()}
        found[name] = {
            "slots": len(clicked),
            "clicks": int(clicked.sum()),
            "areas": areas,
            "shares": {who: _share_interval(foretold, who, clicked, session) for who in networks},
        }
        say(f"click head, {name}: {len(clicked):,} examined slots, {areas}")
    return found


def _play(shop: Front, policy: Policy, count: int, seed: int, onlooker: Onlooker) -> None:
    front.play(shop, policy, count, seed, watch=onlooker.watch)


def area(chances: Array, clicked: Array) -> float:
    """Area under the ROC curve: how often a click was thought likelier than what was not clicked.

    Source: Hanley and McNeil 1982; by ranks, as Mann and Whitney 1947.
    """
    ranks = stats.rankdata(chances)
    positive, negative = int(clicked.sum()), int((~clicked).sum())
    return float((ranks[clicked].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _share_interval(
    foretold: dict[str, Array], who: str, clicked: Array, session: Array
) -> tuple[float, float]:
    """95 % of the ratio of two areas, by sessions drawn with replacement."""
    generator = np.random.default_rng(0)
    order = np.argsort(session, kind="stable")
    _, starts, counts = np.unique(session[order], return_index=True, return_counts=True)
    ratios = []
    for _ in range(_REPLICATES):
        drawn = generator.integers(len(starts), size=len(starts))
        lengths = counts[drawn]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = order[np.repeat(starts[drawn], lengths) + within]
        one, other = (area(foretold[name][rows], clicked[rows]) for name in (who, "bayes"))
        ratios.append(one / other)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)


def rows(found: dict[str, Any]) -> list[Row]:
    """Areas against the best, by log and network."""
    return [
        Row(
            f"click head on {log} pages, learned from {who}",
            of["areas"][who],
            "AUC; floor: the exact filter's",
            of["slots"],
            floor=of["areas"]["bayes"],
            reach=REACH,
            interval=tuple(of["shares"][who]),
        )
        for log, of in found.items()
        for who in of["shares"]
    ]
