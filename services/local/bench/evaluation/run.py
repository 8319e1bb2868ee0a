"""Does the evaluation tell the truth, on a shop where the truth is known?

Step after step, each with a result of its own on disk, so that a run that was stopped goes on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.local.bench import harness
from services.local.bench.evaluation import (
    accuracy,
    click_head,
    cold,
    far_sight,
    kept,
    plots,
    pool,
    truth,
    verdicts,
)
from services.local.bench.evaluation import scene as scenes
from services.local.bench.evaluation.accuracy import Truth
from services.local.bench.evaluation.contestants import Alone, Blend, Contestant
from services.local.bench.evaluation.scene import Scene
from services.local.bench.evaluation.sizes import Size
from services.local.bench.harness import Row
from services.local.bench.policy.contenders import Exploring
from services.local.bench.policy.sizes import DAY
from services.policy.evaluation.blending import Blending
from simulator import catalogue
from simulator import world as worlds

MIXTURE_DRAWS = 50
HOTTER = Exploring(temperature=0.5, epsilon=0.02)
"""How an incumbent is served that explores more than need be."""


def run(
    world: int,
    size: Size,
    command: str,
    folder: Path = Path("reports"),
    say: Callable[[str], None] = print,
) -> list[Row]:
    """Makes what has no result yet, and reports all figures of one world."""
    items = worlds.read_items(catalogue.make(0, DAY), DAY)
    kept_in = folder / "bench-evaluation" / f"{world}-{_digest(size)}"

    def step(name: str, make: Callable[[], Any], *rests_on: Any) -> Any:
        def timed() -> dict[str, Any]:
            begun_s = time.process_time()
            found = make()
            say(f"{name}: done in {time.process_time() - begun_s:.0f} s of processor time")
            return {"found": found, "cpu_s": time.process_time() - begun_s}

        return kept.result(kept_in / "steps" / f"{name}.json", repr(rests_on), timed)["found"]

    scene = scenes.set_up(items, world, "base", size, kept_in, say)
    parts = pool.fill(kept_in / "pool", scene.shop, scene.incumbent, scene.candidate, size, say)
    clicks = step("click-head", lambda: click_head.measure(scene, say), size.held_out_sessions)
    strangers = step("cold", lambda: cold.measure(scene))
    rows = _estimates(scene, parts, step, folder, say)
    judged = step(
        "worse",
        lambda: verdicts.judged_worse(scene, parts, say),
        *(size.pool_sessions, size.worse_count, size.worse_sessions, size.worse_truth_sessions),
    )
    rows += verdicts.worse_rows(judged, size.worse_sessions)
    rows += _powers(scene, parts, step, folder, say)
    rows += click_head.rows(clicks) + cold.rows(strangers)
    answers = {
        regime: step(
            f"warranted-{regime}",
            lambda: far_sight.measure(items, world, regime, size, kept_in / regime, say),  # noqa: B023
            size.warranted_sessions,
        )
        for regime in far_sight.REGIMES
    }
    rows += far_sight.rows(answers, size)
    harness.report(f"evaluation-{world}", rows, command, folder)
    return rows


Step = Callable[..., Any]
"""What a step of this name found before, where it rests on the same; else what the function finds now."""


def _estimates(
    scene: Scene, parts: list[Path], step: Step, folder: Path, say: Callable[[str], None]
) -> list[Row]:
    """How far off estimates are, on logs drawn from the pool."""
    size = scene.size
    whole, drawn = pool.load(parts), (size.pool_sessions, size.draw_count, size.draw_sessions)
    found = step(
        "accuracy",
        lambda: accuracy.draws(whole, Blending.GEOMETRIC, size.draw_count, size.draw_sessions, say),
        *drawn,
    )
    mixed = step(
        "mixture",
        lambda: accuracy.draws(
            whole, Blending.MIXTURE, min(MIXTURE_DRAWS, size.draw_count), size.draw_sessions, say
        ),
        *drawn,
    )
    rivals = scene.incumbent, scene.candidate
    known = _truths(scene, "accuracy", rivals, accuracy.declared(found), size.truth_sessions, step)
    if known:
        path = folder / f"bench-evaluation-{scene.shop.world.seed}-accuracy.svg"
        path.write_text(plots.accuracy(found, known, size.draw_sessions))
    return [
        *accuracy.rows(found, known, size.draw_sessions),
        accuracy.unsupported("mixtures: logs without support at any blend", mixed, size.draw_sessions),
    ]


def _powers(
    scene: Scene, parts: list[Path], step: Step, folder: Path, say: Callable[[str], None]
) -> list[Row]:
    """How often two better candidates are promoted: one more round, and the incumbent exploring less."""
    size = scene.size
    hotter = dataclasses.replace(scene.incumbent, name="hotter", exploring=HOTTER)
    smaller = dataclasses.replace(size, pool_sessions=size.colder_pool_sessions)
    colder_parts = pool.fill(scene.folder / "hotter", scene.shop, hotter, scene.incumbent, smaller, say)
    rivals = {
        "one more round": (parts, scene.incumbent, scene.candidate, size.power_sessions, size.truth_sessions),
        "colder": (colder_parts, hotter, scene.incumbent, size.colder_sessions, size.colder_truth_sessions),
    }
    rows, curves = [], {}
    for name, (files, incumbent, candidate, session_counts, truth_sessions) in rivals.items():
        slug = name.replace(" ", "-")

        def judged() -> dict[str, Any]:
            return verdicts.power(pool.load(files), session_counts, size.power_draws)  # noqa: B023

        found = step(f"power-{slug}", judged, len(files), session_counts, size.power_draws)
        blends = verdicts.declared(found)
        known = _truths(scene, f"power-{slug}", (incumbent, candidate), blends, truth_sessions, step)
        uplifts = {blend: of.difference / (of.value - of.difference) for blend, of in known.items()}
        rows += verdicts.power_rows(name, found, uplifts)
        told = ", ".join(f"{uplift:+.1%} at blend {blend:g}" for blend, uplift in uplifts.items())
        curves[f"{name}: true uplift {told or 'unknown'}"] = found
    (folder / f"bench-evaluation-{scene.shop.world.seed}-power.svg").write_text(plots.power(curves))
    return rows


def _truths(
    scene: Scene,
    name: str,
    rivals: tuple[Contestant, Contestant],
    blends: list[float],
    count: int,
    step: Step,
) -> dict[float, Truth]:
    """What blends of two policies earn, and how much more than the first."""
    incumbent, candidate = rivals
    folder = scene.folder / "truth" / f"{incumbent.name}-{candidate.name}"

    def played() -> dict[str, Any]:
        found = {}
        served = truth.values(scene.shop, Alone(incumbent, scene.module), count, folder / "incumbent")
        for share in blends:
            blend = Blend(incumbent, candidate, share, Blending.GEOMETRIC, scene.module)
            earned = truth.of_blend(blend, scene.shop, count, folder)
            pairs = zip(("value", "value_error"), truth.mean_and_error(earned), strict=True)
            more = zip(("difference", "difference_error"), truth.mean_and_error(earned - served), strict=True)
            found[f"{share:g}"] = dict(pairs) | dict(more)
        return found

    found = step(f"truth-{name}", played, count, blends)
    return {share: Truth(**found[f"{share:g}"]) for share in blends}


def _digest(size: Size) -> str:
    """Of what is kept longest: another shop, recipe or part starts anew."""
    return hashlib.sha256(repr((size.shop, size.part_sessions)).encode()).hexdigest()[:8]
