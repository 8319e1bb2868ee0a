"""From how many products on do inverted lists pay, and what do they miss?"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.feature.indexes import neighbours
from services.feature.items.schema import VECTOR_WIDTH
from services.local.bench import harness
from services.local.bench.harness import Row

_FOUND_COUNT = 20
_CENTRE_COUNT = 300
_TASTE_COUNT = 200
_LOOKED_COUNT = 25


def run(sizes: Sequence[int], seed: int, command: str) -> list[Row]:
    """Times both ways on made-up catalogues of each size, and counts what lists find of the true nearest."""
    rows: list[Row] = []
    for size in sizes:
        vectors, popularity, tastes = _crowd(size, np.random.default_rng([seed, size]))
        of_all = partial(_of_all, np.ascontiguousarray(vectors.T), popularity)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "neighbours.faiss")
            begun = time.perf_counter()
            neighbours.write(path, vectors, popularity, np.arange(size))
            build_s = time.perf_counter() - begun
            lists = neighbours.Neighbours(neighbours.read(path), np.ones(size, np.bool_))
            exact, exact_us = _answers(of_all, tastes)
            found, lists_us = _answers(partial(lists.nearest, count=_FOUND_COUNT), tastes)
        share = float(np.mean([np.isin(*pair).mean() for pair in zip(exact, found, strict=True)]))
        what = f"nearest {_FOUND_COUNT} of {size:,} products"
        rows += [
            Row(f"{what}: lists, p50, over all", lists_us, "us", _TASTE_COUNT, floor=exact_us, seed=seed),
            Row(f"{what}: share that lists find", share, "", _TASTE_COUNT, seed=seed),
            Row(f"{what}: build of the lists", build_s, "s", 1, seed=seed),
        ]
    harness.report("nearest", rows, command)
    return rows


def _crowd(
    size: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Vectors around centres, their popularity, and tastes: means of what somebody looked at."""
    centres = random.normal(size=(_CENTRE_COUNT, VECTOR_WIDTH))
    own_centres = centres[random.integers(_CENTRE_COUNT, size=size)]
    vectors = _unit(own_centres + 0.5 * random.normal(size=own_centres.shape))
    looked = random.integers(size, size=(_TASTE_COUNT, _LOOKED_COUNT))
    weights = random.exponential(size=(_TASTE_COUNT, _LOOKED_COUNT, 1))
    tastes = _unit((weights * vectors[looked]).sum(axis=1))
    return vectors, (0.1 * random.random(size) ** 4).astype(np.float32), tastes


def _unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: NDArray[np.float32] = (vectors / lengths).astype(np.float32)
    return result


def _of_all(
    by_width: NDArray[np.float32], popularity: NDArray[np.float32], taste: NDArray[np.float32]
) -> NDArray[np.int64]:
    """What "for you" does without an index."""
    scores = taste @ by_width + popularity
    last = np.partition(scores, -_FOUND_COUNT)[-_FOUND_COUNT]
    top = np.flatnonzero(scores >= last)
    return top[np.argsort(-scores[top])]


def _answers(
    find: Callable[[NDArray[np.float32]], NDArray[np.int64]], tastes: NDArray[np.float32]
) -> tuple[list[NDArray[np.int64]], float]:
    """What is found for each taste, and the median time of it in microseconds."""
    found, times = [], []
    for taste in tastes:
        begun = time.perf_counter()
        found.append(find(taste))
        times.append(time.perf_counter() - begun)
    return found, 1e6 * float(np.median(times))
