"""What does a policy really earn?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from services.local.bench.evaluation import kept
from services.local.bench.evaluation.contestants import Blend
from services.local.bench.evaluation.sizes import TRUTH_SEED
from simulator import front
from simulator.front import Front, Policy

Array = np.ndarray[Any, Any]

PART_SESSIONS = 15 * front.sessions.BATCH


def values(shop: Front, policy: Policy, count: int, folder: Path) -> Array:
    """(U,) expected margin of each session that a policy serves, the noise of buying taken out.

    Shoppers and their luck are the same for every policy, so that differences of two are of little noise.

    Args:
        folder: keeps it, part by part.
    """
    parts = []
    for number, begun in enumerate(range(0, count, PART_SESSIONS)):
        wanted = min(PART_SESSIONS, count - begun)
        made = kept.arrays(
            folder / f"{number:02}-{wanted}.npz",
            lambda: {"value": front.play(shop, policy, wanted, TRUTH_SEED + number).value},  # noqa: B023
        )
        parts.append(made["value"])
    return np.concatenate(parts)


def of_blend(blend: Blend, shop: Front, count: int, folder: Path) -> Array:
    """(U,) what a blend earns of its incumbent and its candidate."""
    return values(shop, blend, count, folder / f"blend-{blend.share:g}")


def mean_and_error(found: Array) -> tuple[float, float]:
    """A mean, and its standard error."""
    return float(found.mean()), float(found.std(ddof=1) / np.sqrt(len(found)))
