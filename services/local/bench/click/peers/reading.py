"""What do all peers need: calibrated answers, and the time that a page takes?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from services.local.bench.click.flat import Array
from services.scoring.training.metrics import logloss as logloss

_REPEATS = 30
_NEWTON_STEPS = 25


def milliseconds(work: Callable[[], object]) -> float:
    """The median time of some work on one thread, done once before; of the processor, not by the clock, so
    that what else runs on the machine does not count.
    """
    work()
    taken = []
    for _ in range(_REPEATS):
        begun = time.thread_time()
        work()
        taken.append(time.thread_time() - begun)
    return 1_000 * statistics.median(taken)


def platt(predicted: Array, observed: Array) -> Callable[[Array], Array]:
    """Slope and shift of the log-odds, by maximum likelihood on held-out rows, as our own model gets them.

    Args:
        predicted, observed: (R,) chances, and 0 or 1.
    """
    odds = np.column_stack([_log_odds(predicted), np.ones(len(predicted))])
    free = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-odds @ free))
        slope = odds.T @ (observed - chance)
        bend = (odds * (chance * (1 - chance))[:, None]).T @ odds + 1e-6 * np.eye(2)
        free = free + np.linalg.solve(bend, slope)
    if not np.isfinite(free).all() or free[0] <= 0:
        free = np.array([1.0, 0.0])  # what cannot be mended stays as it was
    return lambda chance: 1 / (1 + np.exp(-(free[0] * _log_odds(chance) + free[1])))


def _log_odds(chance: Array) -> Array:
    kept = np.clip(chance.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(kept / (1 - kept))
