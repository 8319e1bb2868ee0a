"""Does a log alone say whether learning whole sessions pays: yes where it does, and no where it does not?

In the base regime what is clicked changes what follows; in the control regime it makes no difference. In
each, two policies learn from one uniform log, with a later page counting in full or nothing. The shop serves
the second with exploration, as one that has not heard of the first; what it served is asked about both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.local.bench.evaluation import contestants, kept, pool, truth
from services.local.bench.evaluation import scene as scenes
from services.local.bench.evaluation.contestants import Blend, Contestant, Recording, whole_sessions
from services.local.bench.evaluation.sizes import HELD_OUT_SEED, Size
from services.local.bench.harness import Row
from services.local.bench.policy import log
from services.local.bench.policy.front_pages import Encoder, pages_of
from services.local.bench.policy.run import SERVED
from services.policy.evaluation import warranted
from services.policy.evaluation.blending import Blending
from services.policy.training import slateq
from services.policy.training.slateq import CascadeNetwork
from simulator import front
from simulator.world import Items

REGIMES = {"base": warranted.Answer.WARRANTED, "control": warranted.Answer.NOT_SHOWN}
"""And what the log should say."""


def measure(
    items: Items, world: int, regime: str, size: Size, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """What the log says in one regime, and what is true."""
    shop = log.build_shop(items, world, regime, size.shop)
    encoder, module = Encoder(shop), shop.catalogue.module
    found = {}
    for name, page_discount in (("far", 1.0), ("near", 0.0)):

        def learn() -> CascadeNetwork:
            say(f"warranted, {regime}: learning with page discount {page_discount:g}")  # noqa: B023
            recipe = dataclasses.replace(size.shop.recipe, page_discount=page_discount)  # noqa: B023
            return slateq.learn(pages_of(encoder, scenes.uniform_log(shop, size)), recipe)

        network = kept.network(folder / f"{name}.pt", learn)
        found[name] = whole_sessions(name, encoder, network, SERVED)
    near, far = found["near"], found["far"]
    served = Recording(near, module)
    trace = front.play(shop, served, size.warranted_sessions, HELD_OUT_SEED + 10, is_traced=True).trace
    assert trace is not None
    asked = contestants.likelihoods(
        contestants.steps(far, trace, module), served.steps(trace), trace, pool.STEPS
    )
    served_log = pool.of_trace(trace, asked)
    answer = warranted.ask(served_log.geometric_blend, lambda share: served_log.decisions(served_log.served))
    say(f"warranted, {regime}: {answer.reasons[-1]}")
    return {
        "answer": answer.answer.value,
        "blend": answer.blend,
        "far": answer.far_sighted,
        "near": answer.short_sighted,
        "bounds": None if answer.bounds is None else [answer.bounds.lower, answer.bounds.upper],
        "reasons": answer.reasons,
        "truth": _truths(shop, near, far, answer.blend, size, folder / "truth"),
    }


def _truths(
    shop: front.Front, near: Contestant, far: Contestant, blend: float | None, size: Size, folder: Path
) -> dict[str, float]:
    """True gains of the far-sighted policy, alone and at the blend, with errors."""
    earned = {
        share: truth.of_blend(
            Blend(near, far, share, Blending.GEOMETRIC, shop.catalogue.module),
            shop,
            size.shop.test_sessions,
            folder,
        )
        for share in (0.0, 1.0, *([] if blend is None else [blend]))
    }
    result = {}
    for label, share in (("alone", 1.0), ("blended", blend)):
        if share is not None:
            result[label], result[f"{label}_error"] = truth.mean_and_error(earned[share] - earned[0.0])
    return result


def rows(found: dict[str, dict[str, Any]], size: Size) -> list[Row]:
    """Whether the answer is right, and what it rests on."""
    result = []
    for regime, of in found.items():
        is_right = of["answer"] == REGIMES[regime].value
        n = size.warranted_sessions
        result.append(
            Row(
                f"warranted, {regime}: the log says {of['answer']}",
                float(is_right),
                "right",
                n,
                reach=1.0,
            )
        )
        if of["bounds"] is not None:
            lower, upper = of["bounds"]
            result.append(
                Row(
                    f"warranted, {regime}: estimated gain at blend {of['blend']:g}",
                    of["far"] - of["near"],
                    "margin per session",
                    n,
                    interval=(lower, upper),
                )
            )
        for label in ("blended", "alone"):
            if label in of["truth"]:
                value, error = of["truth"][label], 1.96 * of["truth"][f"{label}_error"]
                result.append(
                    Row(
                        f"warranted, {regime}: true gain, {label}",
                        value,
                        "margin per session",
                        size.shop.test_sessions,
                        interval=(value - error, value + error),
                    )
                )
    return result
