"""What does learning whole sessions earn over greedy ranking, on shops whose best is known?

One world after the other, each with a result of its own on disk, so that a run that was stopped goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from services.local.bench import harness
from services.local.bench.harness import Row
from services.local.bench.policy import log, standings
from services.local.bench.policy.contenders import CascadePolicy, ClickOrder, Exploring
from services.local.bench.policy.front_pages import pages_of
from services.local.bench.policy.sizes import DAY, LOG_SEED, TEST_SEED, Size
from services.policy.training import slateq
from services.policy.training.slateq import CascadeNetwork, Recipe
from simulator import catalogue, front, oracle, world
from simulator.front import Front, Part, Policy, Trace
from simulator.world import Items

Array = np.ndarray[Any, Any]

SERVED = Exploring(temperature=0.2, epsilon=0.02)
"""How learned policies are served while they gather the next log."""


def run(
    seeds: Sequence[int],
    regime: str,
    size: Size,
    command: str,
    folder: Path = Path("reports/bench-policy"),
    say: Callable[[str], None] = print,
) -> list[Row]:
    """Plays what has no result yet, and reports all of these worlds."""
    items = world.read_items(catalogue.make(0, DAY), DAY)
    results = []
    for seed in seeds:
        path = folder / f"{regime}-{seed}.json"
        key = repr(size)
        found = json.loads(path.read_text()) if path.exists() else {}
        if found.get("size") != key:
            found = {"size": key, "values": play(items, seed, regime, size)}
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found, indent=2) + "\n")
        results.append(found["values"])
        say(
            f"{regime}, world {seed}: "
            + ", ".join(f"{name} {value:.4f}" for name, value in results[-1].items())
        )
    rows = summary(results)
    harness.report(f"policy-{regime}", rows, command)
    return rows


def play(items: Items, seed: int, regime: str, size: Size) -> dict[str, float]:
    """Expected margin per session of every contender in one world."""
    shop = log.build_shop(items, seed, regime, size)
    first = log.gather(shop, size)
    encoder, gathered = first.encoder, first.trace
    values = {"uniform": _value(shop, front.Uniform(shop.catalogue), size)}

    def learned(recipe: Recipe) -> CascadeNetwork:
        return slateq.learn(pages_of(encoder, gathered), recipe)

    network = learned(size.recipe)
    values["one log: cascade"] = _value(shop, CascadePolicy(encoder, network), size)
    values["one log: click order"] = _value(shop, ClickOrder(encoder, network), size)
    myopic = learned(replace(size.recipe, page_discount=0.0))
    values["one log: cascade, page discount 0"] = _value(shop, CascadePolicy(encoder, myopic), size)
    for number in range(1, size.round_count + 1):
        more = _log(shop, CascadePolicy(encoder, network, SERVED), size, number)
        gathered = front.joined([gathered, more])
        network = learned(size.recipe)
        values[f"round {number}: cascade"] = _value(shop, CascadePolicy(encoder, network), size)
    values["last round: click order"] = _value(shop, ClickOrder(encoder, network), size)
    if not shop.is_rich and any(law is shop.world.regime for law in oracle.SOLVABLE):
        values["qmdp"] = _reference(shop, size)
    return values


def summary(results: Sequence[dict[str, float]]) -> list[Row]:
    """Means over worlds, with the figures that matter; intervals are by bootstrap over worlds."""
    of = {name: np.array([result[name] for result in results]) for name in results[0]}
    count = len(results)
    drawn = np.random.default_rng(0).integers(count, size=(standings.DRAW_COUNT, count))

    def row(name: str, value: Array, unit: str = "margin per session", **known: Any) -> Row:
        interval = standings.interval(value[drawn].mean(1)) if count > 1 else None
        return Row(name, float(value.mean()), unit, count, interval=interval, **known)

    def ratio(name: str, value: Array, floor: Array, **known: Any) -> Row:
        interval = standings.interval(value[drawn].mean(1) / floor[drawn].mean(1)) if count > 1 else None
        return replace(row(name, value, floor=float(floor.mean()), **known), interval=interval)

    own, greedy = of["one log: cascade"], of["one log: click order"]
    rows = [row(name, value) for name, value in of.items()]
    rows.append(ratio("one log: cascade over click order", own, greedy, reach=1.30))
    myopic = of["one log: cascade, page discount 0"]
    rows.append(ratio("one log: page discount 0 over 1", myopic, own, reach=0.90, is_more_better=False))
    if "qmdp" in of:
        last = of[max(name for name in of if name.startswith("round "))]
        best_greedy = np.maximum(greedy, of["last round: click order"])
        closed = (last - best_greedy) / (of["qmdp"] - best_greedy)
        name = "gap from click order to QMDP closed"
        rows.append(row(f"{name}, mean", closed, "share", reach=0.70))
        rows.append(Row(f"{name}, worst", float(closed.min()), "share", count, reach=0.55))
    return rows


def _log(shop: Front, policy: Policy, size: Size, number: int) -> Trace:
    seed = LOG_SEED + 100 * number
    played = front.play(shop, policy, size.log_sessions, seed, is_traced=True, part=Part.AFTER)
    trace = played.trace
    assert trace is not None
    return replace(trace, session=trace.session + number * size.log_sessions)


def _value(shop: Front, policy: Policy, size: Size) -> float:
    return float(front.play(shop, policy, size.test_sessions, TEST_SEED, part=Part.AFTER).value.mean())


def _reference(shop: Front, size: Size) -> float:
    solutions: list[oracle.Solution] = []
    for context in range(shop.context_count):
        solutions.append(oracle.solve(shop, context, solutions[-1] if solutions else None))
    qmdp = oracle.Qmdp(shop, solutions, oracle.Space.of(shop))
    outcome = front.play(shop, qmdp, size.reference_sessions, TEST_SEED, watch=qmdp.watch)
    return float(outcome.value.mean())
