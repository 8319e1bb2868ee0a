from __future__ import annotations

import numpy as np
import pytest

from services.scoring import explain
from services.scoring.registry import open_model
from services.scoring.scorer import ClickModel
from services.scoring.signature import CURRENT

BASELINE = {"item_numbers": tuple(0.1 * place for place in range(10))}


def model_of(click):
    return ClickModel(
        "known-1", CURRENT, "cpu", lambda arrays: (click(arrays), 0.1 * click(arrays)), baseline=BASELINE
    )


def of(explanation):
    return dict(explanation.attributions)


def test_an_additive_model_is_attributed_exactly(make):
    """The Shapley value of a term that stands alone is its change from the baseline."""

    def click(arrays):
        numbers, shopper = arrays["item_numbers"], arrays["shopper_numbers"]
        return 0.4 + 0.02 * numbers[:, 2] - 0.05 * numbers[:, 3] + 0.01 * shopper[1]

    arrays = make.inputs(4, np.random.default_rng(1))
    explanations = explain.explain(model_of(click), arrays, (3, 0), 8)
    assert [found.row for found in explanations] == [3, 0]
    for found in explanations:
        numbers = arrays["item_numbers"][found.row]
        want = {
            "item_numbers.discount": 0.02 * (numbers[2] - 0.2),
            "item_numbers.quality": -0.05 * (numbers[3] - 0.3),
            "shopper_numbers.log_clicks": 0.01 * arrays["shopper_numbers"][1],
        }
        assert of(found).keys() == want.keys()
        for name, value in want.items():
            assert of(found)[name] == pytest.approx(value, abs=1e-6)
        assert found.baseline == pytest.approx(0.4 + 0.02 * 0.2 - 0.05 * 0.3, abs=1e-6)


def test_an_interaction_is_shared_equally(make):
    """Of a product of two features, each is credited with half: 0.2 x 0.5 from a baseline of 0 x 0."""

    def click(arrays):
        return 0.1 + arrays["item_numbers"][:, 0] * arrays["item_vector"][:, 0]

    model = ClickModel("known-2", CURRENT, "cpu", lambda arrays: (click(arrays), 0 * click(arrays)))
    arrays = make.inputs(1, np.random.default_rng(1))
    arrays["item_numbers"][0, 0], arrays["item_vector"][0, 0] = 0.2, 0.5
    (found,) = explain.explain(model, arrays, (0,), 2)
    assert of(found) == pytest.approx({"item_numbers.log_price": 0.05, "item_vector": 0.05}, abs=1e-6)


def test_attributions_of_a_trained_model_sum_to_the_score(make, outcome):
    model = open_model(outcome.artifact, "cpu")
    arrays = make.inputs(6, np.random.default_rng(2))
    scores = model.predict(arrays).click_probability
    for found in explain.explain(model, arrays, range(6), 4):
        total = found.baseline + sum(value for _, value in found.attributions)
        assert total == pytest.approx(found.click_probability, rel=0.01)
        assert found.click_probability == pytest.approx(scores[found.row], rel=1e-4)
        strengths = [abs(value) for _, value in found.attributions]
        assert strengths == sorted(strengths, reverse=True)


def test_every_column_is_a_feature_and_a_sequence_is_one():
    names = [feature.name for feature in explain.features_of(CURRENT)]
    assert len(names) == len(set(names)) == 4 + 10 + 1 + 1 + 1 + 8 + 1 + 1 + 5
    assert {"item_ids.brand", "history_ids", "context_ids.device", "shopper_vector"} <= set(names)
