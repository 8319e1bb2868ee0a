"""Does what holds on the vectorised face hold on pages that the real composer made?

One world after the other, each with a result of its own on disk, so that a run that was stopped goes on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from services.local.bench import harness
from services.local.bench.composer import faces, learning, shop
from services.local.bench.composer.faces import Face, Ratio, Sessions
from services.local.bench.composer.shop import Shop
from services.local.bench.composer.sizes import Size
from services.local.bench.harness import Row
from services.local.state import State
from services.policy import space

FULL_LOG = 40_000
"""Sessions of the log that learners are compared with on the vectorised face."""
_FIRST, _LOG = 2, 1
"""Stretches of traffic, counted back from that of the test."""


def run(
    seeds: Sequence[int],
    size: Size,
    command: str,
    folder: Path = Path("reports/bench-composer"),
    say: Callable[[str], None] = print,
) -> list[Row]:
    """Browses what has no result yet, and reports all of these worlds."""
    results = []
    for seed in seeds:
        path = folder / f"{size.pages}-{seed}.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        made_by = {"size": repr(size), "space": space.FINGERPRINT}
        if {name: kept.get(name) for name in made_by} != made_by:
            with tempfile.TemporaryDirectory() as root:
                kept = {**made_by, "values": play(seed, size, State(Path(root)), say)}
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(kept, indent=2) + "\n")
        results.append(kept["values"])
    rows = summary(results, size)
    harness.report(f"composer-{size.pages}", rows, command)
    return rows


def play(seed: int, size: Size, state: State, say: Callable[[str], None]) -> dict[str, float]:
    """What both policies earned in one world, on both faces."""
    place = shop.found(state, seed, size.pages.regime)
    return browse_past(place, size) | value(place, size, say)


def browse_past(place: Shop, size: Size) -> dict[str, float]:
    """Lives through the time before the test, with uniform pages; figures of what was logged."""
    learning.know_the_past(place)
    shop.send(place, size.first_sessions, _FIRST, "first", {})
    learning.know_the_past(place)
    click = learning.learn_clicks(place, size)
    learning.begin_another_log(place)
    log = shop.send(place, size.log_sessions, _LOG, "log", {})
    learning.know_the_past(place)
    return {
        "log: margin per session": float(log.tally.of("expected_margin").mean()),
        "log: sales": float(log.tally.of("purchases").sum()),
        "log: pages": float(log.tally.of("pages").sum()),
        "click model: auc": click["click_auc"],
    }


def value(place: Shop, size: Size, say: Callable[[str], None]) -> dict[str, float]:
    """Learns both policies from the past, and values them on both faces."""
    policies = learning.learn_policies(place, size)
    composed = [faces.browsed(place, policy, size) for policy in policies]
    values = _compared("composed", composed)
    values["composed: degraded pages"] = float(sum(sessions.degraded_count for sessions in composed))
    say(_line(place.seed, "composed", values))
    for face in Face:
        log_sessions = FULL_LOG if face is Face.FULL else size.log_sessions
        values |= _compared(face, faces.played(place, face, log_sessions, size.vectorised_sessions))
        say(_line(place.seed, face, values))
    return values


def summary(results: Sequence[dict[str, float]], size: Size) -> list[Row]:
    """Means over worlds, with the figures that matter."""
    rows = []
    ratios: dict[str, tuple[float, float]] = {}
    for name in (name.removesuffix(": ratio") for name in results[0] if name.endswith(": ratio")):
        n = size.test_sessions if name == "composed" else size.vectorised_sessions
        ratio = np.array([result[f"{name}: ratio"] for result in results])
        errors = np.array([result[f"{name}: ratio error"] for result in results])
        mean, error = float(ratio.mean()), float(np.sqrt((errors**2).sum()) / len(errors))
        ratios[name] = mean, error
        above, below = (
            float(np.mean([result[f"{name}: {policy}"] for result in results]))
            for policy in ("cascade", "click order")
        )
        label = name if name == "composed" else f"vectorised, {name}"
        rows.append(Row(f"{label}: click order", below, "margin per session", n * len(results)))
        rows.append(Row(f"{label}: cascade", above, "margin per session", n * len(results)))
        rows.append(
            Row(
                f"{label}: cascade over click order",
                mean,
                "ratio",
                n * len(results),
                reach=1.0 if name == "composed" else None,
                interval=(mean - 1.96 * error, mean + 1.96 * error),
            )
        )
    (mean, error), (other, other_error) = ratios["composed"], ratios[Face.ALIKE]
    spread = 1.96 * mean / other * float(np.hypot(error / mean, other_error / other))
    rows.append(
        Row(
            "composed over vectorised, same log",
            mean,
            "ratio of ratios",
            size.test_sessions * len(results),
            floor=other,
            reach=0.9,
            interval=(mean / other - spread, mean / other + spread),
        )
    )
    return rows


def _compared(name: str, pair: Sequence[Sessions]) -> dict[str, float]:
    cascade, click_order = pair
    ratio = Ratio.of(cascade.value, click_order.value)
    values = {f"{name}: ratio": ratio.value, f"{name}: ratio error": ratio.standard_error}
    for policy, sessions in (("cascade", cascade), ("click order", click_order)):
        values |= {
            f"{name}: {policy}": float(sessions.value.mean()),
            f"{name}: {policy} error": float(sessions.value.std(ddof=1) / len(sessions.value) ** 0.5),
            f"{name}: {policy} pages": float(sessions.pages.mean()),
            f"{name}: {policy} clicks": float(sessions.clicks.mean()),
        }
    return values


def _line(seed: int, name: str, values: dict[str, float]) -> str:
    return (
        f"world {seed}, {name}: cascade {values[f'{name}: cascade']:.4f}, click order "
        f"{values[f'{name}: click order']:.4f}, ratio {values[f'{name}: ratio']:.3f} "
        f"(standard error {values[f'{name}: ratio error']:.3f})"
    )
