from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.evaluation import intervals
from services.policy.evaluation.intervals import cluster_bootstrap, empirical_bernstein
from services.policy.evaluation.sequences import asymptotic_radius


def test_bernstein_is_the_formula():
    values = np.array([0.0, 4.0, 2.0, 2.0])
    found = empirical_bernstein(values, -10.0, 30.0, 0.9)
    variance, log_term = (8 / 3) / 40**2, math.log(2 / 0.05)
    radius = 40 * (math.sqrt(2 * variance * log_term / 4) + 7 * log_term / (3 * 3))
    assert found.lower == max(-10.0, 2.0 - radius) and found.upper == min(30.0, 2.0 + radius)


def test_bernstein_knows_of_values_that_were_never_drawn():
    """A sample of zeros of what may be 1,000 bounds little; the sample's own range would bound all."""
    found = empirical_bernstein(np.zeros(1_000), 0.0, 1_000.0)
    assert found.lower == 0.0 and found.upper == pytest.approx(7 * math.log(80) / (3 * 999) * 1_000)


def test_bernstein_does_not_grow_with_the_sample():
    """A radius multiplied by n, as SCOPE-RL has it, would widen with evidence."""
    generator = np.random.default_rng(0)
    widths = []
    for count in (100, 1_000, 10_000):
        found = empirical_bernstein(generator.random(count), 0.0, 1.0)
        widths.append(found.upper - found.lower)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


@pytest.mark.parametrize(
    ("values", "lowest", "highest", "confidence", "message"),
    [
        ([0.0, 2.0], 0.0, 1.0, 0.9, r"values: got 0.0 to 2.0, want 0.0 to 1.0"),
        ([0.0, 1.0], 1.0, 1.0, 0.9, r"highest: got 1.0, want more than lowest"),
        ([0.0], 0.0, 1.0, 0.9, r"values: got shape \(1,\)"),
        ([0.0, math.nan], 0.0, 1.0, 0.9, r"values: got NaN"),
        ([0.0, 1.0], 0.0, 1.0, 1.0, r"confidence: got 1.0"),
    ],
)
def test_bad_samples_are_refused(values, lowest, highest, confidence, message):
    with pytest.raises(ValueError, match=message):
        empirical_bernstein(np.array(values), lowest, highest, confidence)


def test_bernstein_covers_rare_large_values():
    """One in 200 is 1, the rest 0: the normal interval of 100 values misses the mean most of the time."""
    generator = np.random.default_rng(1)
    missed = 0
    for _ in range(400):
        found = empirical_bernstein((generator.random(100) < 0.005).astype(float), 0.0, 1.0, 0.9)
        missed += not found.lower <= 0.005 <= found.upper
    assert missed <= 40


def test_the_bootstrap_covers_where_shoppers_come_in_clusters():
    """Each shopper's sessions share a level; taking sessions for independent would cover 4 in 10."""
    generator = np.random.default_rng(2)
    missed = missed_alone = 0
    for repeat in range(150):
        level = generator.exponential(1.0, 80)
        shoppers = np.repeat(np.arange(80), 12)
        values = level[shoppers] + 0.2 * generator.normal(size=len(shoppers))
        found = cluster_bootstrap(values, shoppers, 0.9, 300, repeat)
        alone = cluster_bootstrap(values, np.arange(len(values)), 0.9, 300, repeat)
        missed += not found.lower <= 1.0 <= found.upper
        missed_alone += not alone.lower <= 1.0 <= alone.upper
    assert missed <= 27  # 15 expected; 3.3 standard deviations
    assert missed_alone > 50


def test_the_bootstrap_is_the_same_for_the_same_seed_and_needs_two_shoppers():
    values, shoppers = np.arange(6.0), np.array([0, 0, 1, 1, 4, 4])
    assert cluster_bootstrap(values, shoppers) == cluster_bootstrap(values, shoppers)
    found = cluster_bootstrap(values, shoppers)
    assert 0.5 <= found.lower < 2.5 < found.upper <= 4.5
    with pytest.raises(ValueError, match="shoppers: got 1, want 2 or more"):
        cluster_bootstrap(values, np.zeros(6, int))


def test_the_asymptotic_radius_holds_however_often_one_looks():
    """Where intervals of a fixed sample, looked at 2,000 times, would be wrong in most runs."""

    number = np.arange(1, 3_001)
    missed = wrong = 0
    for repeat in range(300):
        values = np.random.default_rng(repeat).exponential(1.0, 3_000)
        means = np.cumsum(values) / number
        variances = np.maximum(np.cumsum(values**2) / number - means**2, 0.0)
        off = np.abs(means - 1)[200:]
        missed += bool((off > asymptotic_radius(number, variances, 0.9, 1_000)[200:]).any())
        wrong += bool((off > (1.645 * np.sqrt(variances / number))[200:]).any())
    assert missed <= 30 + 3 * 5.2
    assert wrong > 100


@given(st.integers(2, 10**6), st.floats(1e-6, 1e6), st.floats(0.5, 0.999), st.floats(10, 1e6))
@settings(max_examples=100, deadline=None)
def test_the_asymptotic_radius_exceeds_that_of_a_fixed_sample(count, variance, confidence, tuned_count):
    from statistics import NormalDist

    radius = asymptotic_radius(np.array(count), np.array(variance), confidence, tuned_count)
    fixed = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance / count)
    assert radius > fixed


def test_the_asymptotic_radius_is_narrowest_about_where_it_is_tuned():
    count = np.array(1_000.0)
    tunings = np.array([50.0, 300.0, 1_000.0, 3_000.0, 20_000.0])
    widths = [float(asymptotic_radius(count, np.array(1.0), 0.95, tuning)) for tuning in tunings]
    assert tunings[int(np.argmin(widths))] == 1_000.0


def test_shoppers_in_groups_spread_as_much_as_one_by_one(monkeypatch):
    generator = np.random.default_rng(3)
    values = generator.exponential(1.0, 6_000) * (generator.random(6_000) < 0.1)
    shoppers = np.arange(6_000) // 2
    apart = cluster_bootstrap(values, shoppers)
    monkeypatch.setattr(intervals, "CLUSTER_LIMIT", 500)
    grouped = cluster_bootstrap(values, shoppers)
    assert grouped != apart
    assert grouped.upper - grouped.lower == pytest.approx(apart.upper - apart.lower, rel=0.12)
    assert (grouped.upper + grouped.lower) / 2 == pytest.approx(values.mean(), rel=0.03)
