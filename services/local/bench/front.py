"""How fast is the synthetic shop for learners: page views of one core, and slot steps through Gymnasium?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from services.local.bench import harness
from services.local.bench.harness import Row
from simulator import catalogue, front, slotwise, world
from simulator.environment_process import DAY
from simulator.front import Front
from simulator.regimes import FRONT

PAGES_PER_MINUTE, STEPS_PER_SECOND = 100_000, 10_000
"""What learners need: a first log within seconds, and an environment that is not what they wait for."""
_SESSIONS = 8_192

Array = np.ndarray[Any, Any]
Step = Callable[[Array], Array]


def run(windows: int, window_s: float, session_count: int, seed: int, command: str) -> list[Row]:
    """Measures in turns and reports.

    Args:
        windows: turns of each figure.
        session_count: of the vector environment.
    """
    items = world.read_items(catalogue.make(0, DAY), DAY)
    made = front.build(world.draw(items, 0, DAY, FRONT), season_count=1, daypart_count=2)
    shop = slotwise.SlotShop(made, session_count, is_renewed=True)
    action_count = shop.action_count
    many = gymnasium.make_vec("simulator.environment:planogram/Front-v0", num_envs=session_count)
    one = gymnasium.make("simulator.environment:planogram/Front-v0")
    try:
        many.reset(seed=seed)
        shop.reset(seed)
        pages = [_page_views(made, seed + window) for window in range(windows)]

        def through_pipes() -> float:
            return _rate(lambda actions: many.step(actions)[0], session_count, action_count, window_s, seed)

        def in_process() -> float:
            return _rate(lambda actions: shop.step(actions)[0], session_count, action_count, window_s, seed)

        piped, direct = harness.in_turns(through_pipes, in_process, windows)
        single = [_single(one, action_count, window_s, seed + window) for window in range(windows)]
    finally:
        many.close()
        one.close()
    rows = rows_of(pages, piped, direct, single, session_count, seed)
    harness.report("front", rows, command)
    return rows


def rows_of(
    pages: list[tuple[int, float]],
    piped: list[float],
    direct: list[float],
    single: list[float],
    session_count: int,
    seed: int,
) -> list[Row]:
    """The figures of all windows.

    Args:
        pages: page views and the seconds of CPU that they took.
        piped, direct, single: slot steps per second with and without a child process, and of one session.
    """
    per_minute = 60 * statistics.median(count / seconds for count, seconds in pages)
    steps, count = statistics.median(piped), len(piped)
    return [
        Row(
            "page views, uniform policy",
            per_minute,
            "per minute of one core",
            sum(count for count, _ in pages),
            reach=PAGES_PER_MINUTE,
            seed=seed,
        ),
        Row(
            f"vector environment, {session_count} sessions",
            steps,
            "slot steps per second",
            count,
            reach=STEPS_PER_SECOND,
            seed=seed,
        ),
        Row(
            "the same, over the shop in the learner's process",
            steps,
            "slot steps per second",
            count,
            floor=statistics.median(direct),
            seed=seed,
        ),
        Row("environment, one session", statistics.median(single), "slot steps per second", count, seed=seed),
    ]


def _page_views(made: Front, seed: int) -> tuple[int, float]:
    """Page views of sessions played to their end, and the seconds of CPU."""
    policy = front.Uniform(made.catalogue)
    began_s = time.process_time()
    pages = front.play(made, policy, _SESSIONS, seed).pages
    return int(pages.sum()), time.process_time() - began_s


def _rate(step: Step, session_count: int, action_count: int, window_s: float, seed: int) -> float:
    """Slot steps per second with actions drawn at random, beforehand."""
    drawn = np.random.default_rng(seed).integers(action_count, size=(600, session_count))
    began_s, count = time.perf_counter(), 0
    while time.perf_counter() - began_s < window_s:
        step(drawn[count % len(drawn)])
        count += 1
    return count * session_count / (time.perf_counter() - began_s)


def _single(env: gymnasium.Env[Array, Any], action_count: int, window_s: float, seed: int) -> float:
    """Slot steps per second of one session after the other."""
    env.reset(seed=seed)

    def step(actions: Array) -> Array:
        observation: Array
        observation, _, is_over, _, _ = env.step(actions[0])
        if is_over:
            env.reset()
        return observation

    return _rate(step, 1, action_count, window_s, seed)
