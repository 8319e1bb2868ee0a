"""Do the metrics say what their definitions say?"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from services.scoring.training import metrics


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    predicted = np.round(generator.random(2_000), 2)  # with ties
    return predicted, (generator.random(2_000) < 0.3 * predicted).astype(np.float32)


def test_areas_agree_with_scikit_learn(rows):
    predicted, observed = rows
    assert metrics.auc(predicted, observed) == pytest.approx(reference.roc_auc_score(observed, predicted))
    expected = reference.average_precision_score(observed, predicted)
    assert metrics.average_precision(predicted, observed) == pytest.approx(expected)


def test_f1_agrees_with_scikit_learn_and_its_threshold_is_the_best(rows):
    predicted, observed = rows
    best = metrics.best_threshold(predicted, observed)
    scores = {
        threshold: reference.f1_score(observed, predicted >= threshold) for threshold in np.unique(predicted)
    }
    assert metrics.f1(predicted, observed, best) == pytest.approx(max(scores.values()))


def test_auc_by_shopper_by_hand():
    """One shopper with three rows, all in order: 1; one with two, in reverse: 0; one without a click."""
    predicted = np.array([0.9, 0.2, 0.1, 0.3, 0.4, 0.8])
    observed = np.array([1, 0, 0, 1, 0, 0])
    shopper = np.array([4, 4, 4, 2, 2, 7])
    assert metrics.grouped_auc(predicted, observed, shopper) == pytest.approx(3 / 5)
    assert metrics.grouped_auc(predicted, np.zeros(6), shopper) == 0.5


def test_no_event_and_no_hit_have_figures_too():
    predicted = np.array([0.1, 0.2])
    assert metrics.average_precision(predicted, np.zeros(2)) == 0
    assert metrics.f1(predicted, np.array([1.0, 0.0]), 0.9) == 0


def test_reliability_by_hand():
    predicted = np.linspace(0.01, 0.2, 20)
    observed = np.zeros(20)
    observed[[18, 19]] = 1  # the last decile predicts .19 + .20 of 2
    found = metrics.reliability(
        predicted, observed, np.arange(20), {"segment": np.array([3] * 10 + [5] * 10)}
    )
    last = found["decile"][-1]
    assert (last["group"], last["rows"], last["events"]) == (9, 2, 2)
    assert last["predicted_to_observed"] == pytest.approx(0.39 / 2)
    assert [(entry["group"], entry["events"]) for entry in found["segment"]] == [(3, 0), (5, 2)]
    assert found["segment"][0]["predicted_to_observed"] == 0
    (whole,) = found["all"]
    assert (whole["rows"], whole["events"]) == (20, 2)
    assert whole["predicted_to_observed"] == pytest.approx(predicted.sum() / 2)
    # Everybody is a shopper: what is left is predicted, less the ratio where there was an event.
    left = predicted - whole["predicted_to_observed"] * observed
    factor = np.exp(1.96 * np.sqrt((left**2).sum()) / predicted.sum())
    assert whole["low"] == pytest.approx(whole["predicted_to_observed"] / factor)
    assert whole["high"] == pytest.approx(whole["predicted_to_observed"] * factor)


def test_the_interval_of_a_ratio_holds_the_truth_nineteen_times_in_twenty():
    """Shoppers of twenty rows who click all of them or none: 200 bunches, not 4,000 events."""
    generator, hits = np.random.default_rng(0), 0
    predicted, who = np.full(4_000, 0.3), np.repeat(np.arange(200), 20)
    for _ in range(400):
        observed = (generator.random(200) < 0.3)[who].astype(float)
        (whole,) = metrics.reliability(predicted, observed, who, {})["all"]
        hits += whole["low"] <= 1 <= whole["high"]
    assert 366 <= hits <= 394


def test_the_worst_ratio_is_the_farthest_of_groups_with_enough_events():
    entries = [
        {"events": 200.0, "predicted_to_observed": 1.05},
        {"events": 150.0, "predicted_to_observed": 0.9},
        {"events": 3.0, "predicted_to_observed": 4.0},
    ]
    assert metrics.worst_ratio(entries) == 0.9
    assert np.isnan(metrics.worst_ratio(entries[2:]))
