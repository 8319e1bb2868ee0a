from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from services.policy.evaluation import gate
from services.policy.evaluation.decisions import Decisions
from services.policy.evaluation.tails import tail_index


@pytest.mark.parametrize("index", [0.2, 0.5, 0.8])
def test_the_index_of_pareto_tails_is_found(index):
    """Survival (1 + k x)^(-1 / k): by inversion, and whatever the scale."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(20):
        weights = (generator.random(20_000) ** -index - 1) / index
        found.append(tail_index(weights))
        assert tail_index(7.0 * weights) == pytest.approx(found[-1], abs=1e-6)
    assert np.mean(found) == pytest.approx(index, abs=0.04)


def test_the_fit_agrees_with_that_of_scipy():
    genpareto = pytest.importorskip("scipy.stats").genpareto
    weights = np.random.default_rng(1).lognormal(0.0, 1.0, 40_000)
    tail = np.sort(weights)[-601:]
    index, _, _ = genpareto.fit(tail[1:] - tail[0], floc=0.0)
    assert tail_index(weights) == pytest.approx((600 * index + 10 * 0.5) / 610, abs=0.03)


def test_bounded_weights_have_no_tail():
    generator = np.random.default_rng(2)
    assert tail_index(np.where(generator.random(5_000) < 0.1, 4.0, 0.5)) == -math.inf
    assert tail_index(np.ones(5_000)) == -math.inf
    assert tail_index(generator.random(5_000)) < -0.5
    assert tail_index(np.ones(3)) == -math.inf


def walks(index, count=2_000, seed=0):
    """Sessions of one decision, whose weights have a Pareto tail and mean 1."""
    generator = np.random.default_rng(seed)
    weights = np.minimum((generator.random(count) ** -index - 1) / index * (1 - index), 1e3)
    places = np.arange(count + 1)
    return Decisions(np.full(count, 1e-3), 1e-3 * weights, np.ones(count), places, places, places[:-1])


def test_heavy_tails_are_no_support_however_large_the_effective_sample():
    limits = gate.Limits(first_page_share=0.01, session_share=0.01)
    light, heavy = (gate.support_of(walks(index)) for index in (0.2, 0.8))
    assert light.shortfalls(limits) == []
    (line,) = heavy.shortfalls(limits)
    assert line == f"session weights have a tail of index {heavy.session_tail:.2f}, above 0.5"
    assert dataclasses.replace(heavy, session_tail=0.3).shortfalls(limits) == []
