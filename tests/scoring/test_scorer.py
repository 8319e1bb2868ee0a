from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common import artifacts
from services.scoring import registry, signature
from services.scoring.scorer import POPULARITY, ClickModel
from services.scoring.signature import CURRENT, MAX_ITEM_COUNT


@pytest.fixture(scope="module")
def trained(outcome):
    return registry.open_model(outcome.artifact, "cpu")


@pytest.fixture(scope="module", params=["popularity", "trained"])
def model(request, trained):
    return POPULARITY if request.param == "popularity" else trained


@settings(max_examples=25, deadline=None)
@given(count=st.integers(0, 60), seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1, 100, 1e6]))
def test_answers_are_probabilities_whatever_the_numbers(make, model, count, seed, scale):
    arrays = make.inputs(count, np.random.default_rng(seed))
    for name in ("item_numbers", "history_numbers", "shopper_numbers", "item_vector"):
        arrays[name] = (scale * arrays[name]).astype(np.float32)
    found = model.predict(arrays)
    assert found.click_probability.shape == found.purchase_probability.shape == (count,)
    assert found.click_probability.dtype == found.purchase_probability.dtype == np.float32
    for probability in (found.click_probability, found.purchase_probability):
        assert np.isfinite(probability).all()
        assert ((probability >= 0) & (probability <= 1)).all()
    assert (found.purchase_probability <= found.click_probability).all()


@settings(max_examples=25, deadline=None)
@given(data=st.data(), count=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_an_items_score_does_not_depend_on_the_others(make, model, data, count, seed):
    arrays = make.inputs(count, np.random.default_rng(seed))
    rows = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=60))
    taken = {
        spec.name: arrays[spec.name][rows] if spec.is_per_item else arrays[spec.name]
        for spec in CURRENT.specs
    }
    whole, some = model.predict(arrays), model.predict(taken)
    np.testing.assert_allclose(some.click_probability, whole.click_probability[rows], rtol=2e-5, atol=1e-7)
    np.testing.assert_allclose(
        some.purchase_probability, whole.purchase_probability[rows], rtol=2e-5, atol=1e-7
    )


def test_the_largest_request_is_answered(make, model):
    arrays = make.inputs(MAX_ITEM_COUNT, np.random.default_rng(0))
    assert model.predict(arrays).click_probability.shape == (MAX_ITEM_COUNT,)


def test_popularity_answers_the_smoothed_rates():
    arrays = signature.zeros(CURRENT, 3)
    arrays["item_numbers"][:, 6] = [0.1, 0.2, 0.3]
    arrays["item_numbers"][:, 7] = [0.01, 0.5, 0.0]  # a purchase rate above the click rate is cut
    found = POPULARITY.predict(arrays)
    np.testing.assert_allclose(found.click_probability, [0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found.purchase_probability, [0.01, 0.2, 0.0], rtol=1e-6)


def test_a_model_that_answers_nan_is_caught():
    broken = ClickModel(
        "nan-1", CURRENT, "cpu", lambda arrays: (np.full(2, np.nan, np.float32), np.zeros(2, np.float32))
    )
    with pytest.raises(FloatingPointError, match="nan-1"):
        broken.predict(signature.zeros(CURRENT, 2))


def test_a_trained_model_uses_every_input(make, trained):
    generator = np.random.default_rng(5)
    first, second = make.inputs(30, generator), make.inputs(30, generator)
    first["history_ids"][0] = [1, 2, 3, 2]  # an empty history would hide history_numbers
    before = trained.predict(first).click_probability
    for spec in CURRENT.specs:
        changed = {**first, spec.name: second[spec.name]}
        assert not np.allclose(trained.predict(changed).click_probability, before, rtol=1e-6), spec.name


def test_what_was_published_is_what_the_manifest_says(outcome):
    artifact = artifacts.load(outcome.artifact.path.parent, outcome.artifact.version)
    assert signature.from_manifest(artifact.manifest["signature"]) == CURRENT
    assert artifact.manifest["schema_fingerprint"] == CURRENT.fingerprint
    assert artifact.manifest["seed"] == 0
    assert len(artifact.manifest["data_window"]) == 2
