"""What CPU time does a call take beyond the graph itself, in one process?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from planogram.scoring.v1 import scoring_pb2
from services.common import inference
from services.common.artifacts import Artifact
from services.common.executor import BoundedExecutor
from services.common.watching import Versions
from services.common.written import Written
from services.local.bench.scoring import models
from services.scoring.registry import open_model
from services.scoring.servicer import ScoringServicer
from services.scoring.signature import CURRENT, OUTPUTS

Measure = Callable[[], float]
"""Mean CPU milliseconds of one call, over a window."""


def graph(path: Path, arrays: models.Arrays, count: int, rest_s: float = 0.0) -> Measure:
    """Bare ONNX Runtime: a session with one thread, arrays in and arrays out.

    Args:
        rest_s: between calls, not measured; caches are cold after it.
    """
    session = inference.open_session(path, "cpu")
    outputs = list(OUTPUTS)
    return lambda: _cpu_ms(lambda: session.run(outputs, arrays), count, rest_s)


def score_items(artifact: Artifact, arrays: models.Arrays, count: int, rest_s: float) -> Measure:
    """ScoreItems from the request's bytes to the answer's, without a socket.

    Args:
        rest_s: between calls, not measured; without rest, calls go to a worker thread by turns.
    """
    model = open_model(artifact, "cpu")
    servicer = ScoringServicer(
        Versions(artifact.path.parent, lambda _: model, model, None), BoundedExecutor("bench", 1, 0), 1
    )
    request = Written(scoring_pb2.ScoreItemsRequest.FromString, models.request(arrays).SerializeToString())

    async def calls() -> float:
        taken_s = 0.0
        for _ in range(count):
            began_s = time.process_time()
            await servicer.ScoreItems(request, None)
            taken_s += time.process_time() - began_s
            await asyncio.sleep(rest_s)
        return 1e3 * taken_s / count

    return lambda: asyncio.run(calls())


def reading(arrays: models.Arrays, count: int) -> Measure:
    """What a request's bytes take to become arrays that are held against the signature."""
    wire = models.request(arrays).SerializeToString()

    return lambda: _cpu_ms(lambda: CURRENT.reader.read(wire), count)


def batch(artifact: Artifact, arrays: models.Arrays, size: int, count: int) -> Measure:
    """One request of a batch of `size`, model alone; of one, the graph for one shopper."""
    model = open_model(artifact, "cpu", batch_size=16)
    requests = [arrays] * size
    return lambda: _cpu_ms(lambda: model.predict_many(requests), count) / size


def distance(path: Path, other: Path, arrays: models.Arrays) -> float:
    """The largest difference of two graphs' click probabilities."""
    first, second = (
        inference.open_session(each, "cpu").run(list(OUTPUTS), arrays)[0] for each in (path, other)
    )
    return float(np.abs(first - second).max())


def _cpu_ms(work: Callable[[], Any], count: int, rest_s: float = 0.0) -> float:
    taken_s = 0.0
    for _ in range(count):
        began_s = time.process_time()
        work()
        taken_s += time.process_time() - began_s
        if rest_s:
            time.sleep(rest_s)
    return 1e3 * taken_s / count
