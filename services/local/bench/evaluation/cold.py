"""What do shoppers bring of whom nothing is known, on their first two pages?"""

from __future__ import annotations

from typing import Any

import numpy as np

from services.local.bench.evaluation import scene as scenes
from services.local.bench.evaluation.scene import Scene
from services.local.bench.evaluation.sizes import TRUTH_SEED
from services.local.bench.harness import Row
from services.local.bench.policy.contenders import CascadePolicy, ClickOrder
from services.local.bench.policy.front_pages import pages_of
from services.local.bench.policy.log import Log
from services.local.bench.policy.peers import popularity
from simulator import front
from simulator.front import Policy

Array = np.ndarray[Any, Any]

REACH = 1.10
_REPLICATES = 1_000


def measure(scene: Scene) -> dict[str, Any]:
    """Means by policy of pages 1, 2 and both, and how they compare; all learned from the uniform log."""
    trace = scenes.uniform_log(scene.shop, scene.size)
    log = Log(scene.shop, scene.encoder, trace, pages_of(scene.encoder, trace), scene.size.shop)
    policies: dict[str, Policy] = {
        "whole sessions": CascadePolicy(scene.encoder, scene.first),
        "click order": ClickOrder(scene.encoder, scene.first),
        "popularity": popularity.fit(log, 0),
    }
    earned = {}
    for name, policy in policies.items():
        # The same shoppers with the same luck: all the same are cold.
        outcome = front.play(scene.shop, policy, scene.size.shop.test_sessions, TRUTH_SEED)
        earned[name] = outcome.first_pages[outcome.is_cold]
    parts = {"page 1": [0], "page 2": [1], "pages 1 and 2": [0, 1]}
    return {
        part: {
            name: {
                "mean": float(pages[:, columns].sum(1).mean()),
                "ratio": _interval(pages[:, columns].sum(1), earned["popularity"][:, columns].sum(1)),
                "count": len(pages),
            }
            for name, pages in earned.items()
        }
        for part, columns in parts.items()
    }


def _interval(one: Array, other: Array) -> tuple[float, float]:
    """95 % of a ratio of means, by shoppers drawn with replacement."""
    generator = np.random.default_rng(0)
    ratios = []
    for _ in range(_REPLICATES):
        drawn = generator.integers(len(one), size=len(one))
        ratios.append(one[drawn].mean() / other[drawn].mean())
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)


def rows(found: dict[str, Any]) -> list[Row]:
    """Margins of cold shoppers over popularity's."""
    return [
        Row(
            f"cold shoppers, {part}: {name}",
            of["mean"],
            "margin; floor: popularity's",
            of["count"],
            floor=by_name["popularity"]["mean"],
            reach=REACH if name == "whole sessions" and part == "pages 1 and 2" else None,
            interval=tuple(of["ratio"]),
        )
        for part, by_name in found.items()
        for name, of in by_name.items()
        if name != "popularity"
    ]
