"""Does a policy that saw help pages order answers better than the score of their match does?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from services.layout.export import export
from services.local.bench import harness
from services.local.bench.composer import learning, shop
from services.local.bench.composer.shop import Shop
from services.local.bench.harness import Row
from services.local.bench.help import contest
from services.local.bench.help.contest import UNIFORM, Contender, Outcome
from services.local.bench.help.sizes import Size
from services.local.state import State
from services.policy.training import train as policy
from simulator.questions import BOUGHT
from simulator.regimes import BASE

Array = np.ndarray[Any, Any]

_DRAWING = {"PLANOGRAM_POLICY_EXPLORATION_MODE": "epsilon_greedy", "PLANOGRAM_POLICY_EPSILON": "1.0"}
"""Every choice that is allowed, as often as any other."""
RETRIEVAL, DRAWN, LEARNED = "order of the match", "drawn among the allowed", "learned"


def run(seed: int, size: Size, command: str, say: Callable[[str], None] = print) -> list[Row]:
    """Browses, learns, compares and reports one world."""
    with tempfile.TemporaryDirectory() as root:
        place = shop.found(State(Path(root)), seed, BASE)
        learning.know_the_past(place)
        report = contest.send(place, size, size.log_sessions, 1, _DRAWING)
        say(f"log: {report.page_count:,} pages, of which {report.help_page_count:,} help pages")
        outcome = contest.compared(place, size, contenders_of(place, size), _DRAWING, report.bought_s)
    rows = summary(outcome, seed)
    harness.report("help", rows, command)
    return rows


def contenders_of(place: Shop, size: Size) -> tuple[Contender, ...]:
    """The order of the match, chance, and what is learned from the shop's log so far."""
    export(place.state.segments, place.state.log)
    settings = policy.Settings(step_count=size.step_count)
    trained = policy.train(place.state.log, place.state.policy_models, settings=settings).artifact
    return (
        Contender(RETRIEVAL, UNIFORM, is_greedy=True),
        Contender(DRAWN, UNIFORM, is_greedy=False),
        Contender(LEARNED, trained.version, is_greedy=True),
    )


def summary(outcome: Outcome, seed: int) -> list[Row]:
    """What each contender is worth, and how the others differ from the order of the match."""
    rows = []
    names = (RETRIEVAL, DRAWN, LEARNED)
    for number, name in enumerate(names):
        for what, values in (("value", outcome.value), ("helped", outcome.helped)):
            rows.append(_row(f"{name}: {what} of a help page", values[:, number], outcome.shopper, seed))
    lately = outcome.state == BOUGHT
    everyone = np.ones(len(lately), bool)
    for who, rows_of in (("", everyone), (", bought lately", lately), (", nothing bought lately", ~lately)):
        if rows_of.any():
            gain = (outcome.value[:, 2] - outcome.value[:, 0])[rows_of]
            name = f"{LEARNED} less {RETRIEVAL}{who}"
            rows.append(_row(name, gain, outcome.shopper[rows_of], seed, reach=0.0 if not who else None))
    return rows


def _row(name: str, values: Array, shopper: Array, seed: int, reach: float | None = None) -> Row:
    mean, error = clustered(values, shopper)
    return Row(
        name,
        mean,
        "",
        len(values),
        reach=reach,
        seed=seed,
        interval=(mean - 1.96 * error, mean + 1.96 * error),
    )


def clustered(values: Array, cluster: Array) -> tuple[float, float]:
    """The mean of (n,) values, and its standard error where those of one cluster (n,) go together."""
    mean = float(values.mean())
    sums = np.bincount(cluster, values - mean)
    return mean, float(np.sqrt((sums**2).sum()) / len(values))
