"""How often does the gate promote what is worse, and what is better?

Worse candidates are played first, and kept where even the upper end of the 95 % interval of their true
difference is below zero; each is judged on a log of its own. The better candidate is judged on logs of
several sizes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from services.local.bench.evaluation import accuracy, contestants, kept, pool, truth, worse
from services.local.bench.evaluation.contestants import Contestant
from services.local.bench.evaluation.pool import Log
from services.local.bench.evaluation.scene import Scene
from services.local.bench.harness import Row
from services.policy.evaluation import gate

Array = np.ndarray[Any, Any]

PROMOTED = gate.Verdict.PROMOTE_TO_CANARY.value
LOG_SEED = 11
FALSE_REACH, POWER_REACH = 0.05, 0.80


def judged_worse(scene: Scene, parts: Sequence[Path], say: Callable[[str], None]) -> dict[str, Any]:
    """Verdicts on candidates that are worse, one file each."""
    size = scene.size
    earned = truth.values(
        scene.shop,
        contestants.Alone(scene.incumbent, scene.module),
        size.worse_truth_sessions,
        scene.folder / "truth" / "incumbent-short",
    )
    found: list[dict[str, Any]] = []
    tried = 0
    for number, candidate in enumerate(worse.candidates(scene)):
        if len(found) == size.worse_count or number > 3 * size.worse_count:
            break
        tried += 1
        one = kept.result(
            scene.folder / "worse" / f"{number:03}.json",
            repr((candidate.name, size.worse_sessions, size.worse_truth_sessions)),
            lambda: _judge(scene, candidate, number, parts, earned),  # noqa: B023
        )
        if one["is_worse"]:
            found.append(one)
            if len(found) % 20 == 0:
                promoted = sum(each["verdict"] == PROMOTED for each in found)
                say(f"worse: {len(found)} of {tried} candidates are; {promoted} were promoted")
    return {"tried": tried, "judged": found}


def _judge(
    scene: Scene, candidate: Contestant, number: int, parts: Sequence[Path], earned: Array
) -> dict[str, Any]:
    size, module = scene.size, scene.module
    played = truth.values(
        scene.shop,
        contestants.Alone(candidate, module),
        size.worse_truth_sessions,
        scene.folder / "truth" / "worse" / f"{number:03}",
    )
    difference, error = truth.mean_and_error(played - earned)
    if difference + 1.96 * error >= 0:
        return {"name": candidate.name, "is_worse": False, "difference": difference, "error": error}
    whole, trace = pool.load_trace(parts[number % len(parts)])
    generator = np.random.default_rng([LOG_SEED, number])
    some = np.sort(generator.choice(len(whole), min(size.worse_sessions, len(whole)), replace=False))
    log, trace = pool.traced(whole, trace, some)
    asked = contestants.likelihoods(
        contestants.steps(candidate, trace, module),
        contestants.steps(scene.incumbent, trace, module),
        trace,
        pool.STEPS,
    )
    decided = gate.decide(log.of(asked).geometric_blend)
    return {
        "name": candidate.name,
        "is_worse": True,
        "difference": difference,
        "error": error,
        "verdict": decided.verdict.value,
        "blend": decided.blend,
        "estimate": decided.difference,
        "lower": decided.bounds.lower if decided.bounds else None,
    }


def power(whole: Log, session_counts: Sequence[int], draw_count: int) -> dict[str, Any]:
    """Verdicts on the candidate, by the size of the log."""
    found: dict[str, Any] = {}
    for session_count in session_counts:
        verdicts = []
        for number in range(draw_count):
            log = accuracy.drawn(whole, min(session_count, len(whole)), 10_000 + number)
            decided = gate.decide(log.geometric_blend)
            verdicts.append([decided.verdict.value, decided.blend])
        found[str(session_count)] = verdicts
    return found


def declared(found: dict[str, Any]) -> list[float]:
    """Blends at which the candidate was judged."""
    return sorted({blend for verdicts in found.values() for _, blend in verdicts if blend is not None})


def worse_rows(found: dict[str, Any], session_count: int) -> list[Row]:
    """The share of worse candidates that was promoted."""
    judged = found["judged"]
    tried = Row(
        "candidates found to be worse", len(judged), f"of {found['tried']} that were played", len(judged)
    )
    if not judged:
        return [tried]
    counts = Counter(one["verdict"] for one in judged)
    return [
        tried,
        proportion(
            "worse candidates promoted",
            counts[PROMOTED],
            len(judged),
            f"share, on logs of {session_count:,} sessions",
            FALSE_REACH,
            is_more_better=False,
        ),
        *(
            proportion(f"worse candidates: {verdict.value}", counts[verdict.value], len(judged), "share")
            for verdict in (gate.Verdict.NO_UPLIFT_SHOWN, gate.Verdict.INSUFFICIENT_SUPPORT)
        ),
        Row(
            "worse candidates: true difference, median",
            float(np.median([one["difference"] for one in judged])),
            "margin per session",
            len(judged),
        ),
    ]


def power_rows(name: str, found: dict[str, Any], uplifts: dict[float, float]) -> list[Row]:
    """The share of logs on which a better candidate was promoted, by their size; the largest should do.

    Args:
        uplifts: true ones of the blends, as shares of what the incumbent earns.
    """
    result, largest = [], max(found, key=int)
    for session_count, verdicts in found.items():
        promoted = sum(verdict == PROMOTED for verdict, _ in verdicts)
        blends = Counter(blend for _, blend in verdicts if blend is not None)
        usual = blends.most_common(1)[0][0] if blends else None
        said = (
            "no blend" if usual is None else f"blend {usual:g}, true uplift {uplifts.get(usual, np.nan):+.2%}"
        )
        result.append(
            proportion(
                f"{name} promoted, {int(session_count):,} sessions",
                promoted,
                len(verdicts),
                f"share of logs; {said}",
                POWER_REACH if session_count == largest else None,
            )
        )
    return result


def proportion(
    name: str, count: int, n: int, unit: str, reach: float | None = None, is_more_better: bool = True
) -> Row:
    """A share with its exact 95 % interval (Clopper and Pearson 1934)."""
    bounds = stats.binomtest(count, n).proportion_ci(method="exact")
    return Row(
        name,
        count / n,
        unit,
        n,
        reach=reach,
        is_more_better=is_more_better,
        interval=(float(bounds.low), float(bounds.high)),
    )
