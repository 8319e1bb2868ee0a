"""Is an int8 version near its origin, smaller, and refused where it is not near?"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from services.common import artifacts
from services.scoring.registry import BATCHED_FILE, MODEL_FILE, open_model
from services.scoring.signature import CURRENT
from services.scoring.training import quantise, weights


@pytest.fixture(scope="module")
def rounded(outcome, log_folder, tmp_path_factory):
    return quantise.quantise(outcome.artifact, tmp_path_factory.mktemp("int8"), log_folder)


def test_an_int8_version_is_near_its_origin_and_its_manifest_says_how_near(make, outcome, rounded):
    plain, small = open_model(outcome.artifact, "cpu"), open_model(rounded, "cpu", batch_size=16)
    arrays = make.inputs(200, np.random.default_rng(0))
    distance = np.abs(plain.predict(arrays).click_probability - small.predict(arrays).click_probability)
    assert 0 < distance.max() < 0.05
    found = rounded.manifest["metrics"]
    assert found["int8_click_logloss"] == pytest.approx(found["fp32_click_logloss"], rel=0.01)
    assert found["int8_click_auc"] == pytest.approx(found["fp32_click_auc"], abs=0.01)
    assert found["int8_click_mean_difference"] <= found["int8_click_largest_difference"] < 0.05
    assert found["click_auc"] == outcome.metrics["click_auc"]
    assert min(found["int8_page_ms"], found["fp32_page_ms"]) > 0


def test_heads_and_products_without_weights_stay_whole(outcome, rounded):
    model = onnx.load(outcome.artifact.file(MODEL_FILE))
    left = quantise.left_whole(model)
    assert left
    small = onnx.load(rounded.file(MODEL_FILE))
    names = {node.name: node.op_type for node in small.graph.node}
    assert all(names[name] in ("MatMul", "Gemm") for name in left)
    assert sum(kind in ("QLinearMatMul", "QGemm") for kind in names.values()) > 5


def test_an_int8_version_keeps_the_tower_of_its_origin(outcome, rounded):
    found, origin = (weights.load_tower(each).state_dict() for each in (rounded, outcome.artifact))
    assert found.keys() == origin.keys()
    assert all(torch.equal(found[name], origin[name]) for name in origin)


def test_a_version_from_before_towers_were_kept_can_be_rounded(outcome, log_folder, tmp_path):
    manifest = dict(outcome.artifact.manifest)
    manifest["files"] = {name: digest for name, digest in manifest["files"].items() if name.endswith("onnx")}
    old = artifacts.Artifact(outcome.artifact.version, outcome.artifact.path, manifest)
    found = quantise.quantise(old, tmp_path, log_folder)
    assert not weights.has_tower(found)
    assert found.manifest["metrics"]["int8_click_logloss"] > 0


def test_an_int8_version_stands_beside_and_is_smaller(outcome, rounded):
    assert rounded.version == f"{outcome.artifact.version}-int8"
    assert rounded.manifest["quantised_from"] == outcome.artifact.version
    assert artifacts.current_version(rounded.path.parent) is None
    for name in (MODEL_FILE, BATCHED_FILE):
        assert rounded.file(name).stat().st_size < outcome.artifact.file(name).stat().st_size


def test_an_int8_score_does_not_depend_on_the_other_items(make, rounded):
    model = open_model(rounded, "cpu", batch_size=16)
    arrays = make.inputs(60, np.random.default_rng(1))
    whole = model.predict(arrays).click_probability
    rows = [3, 17, 42]
    few = {
        spec.name: arrays[spec.name][rows] if spec.is_per_item else arrays[spec.name]
        for spec in CURRENT.specs
    }
    np.testing.assert_allclose(model.predict(few).click_probability, whole[rows], rtol=0, atol=1e-6)


def test_an_int8_batch_answers_nearly_what_each_request_gets_alone(make, rounded):
    """Two graphs add in different order, and now and then that decides a rounding."""
    model = open_model(rounded, "cpu", batch_size=16)
    generator = np.random.default_rng(1)
    requests = [make.inputs(count, generator) for count in (20, 13, 1)]
    for arrays, found in zip(requests, model.predict_many(requests), strict=True):
        alone = model.predict(arrays).click_probability
        np.testing.assert_allclose(found.click_probability, alone, rtol=0, atol=0.01)


def test_a_version_that_loses_too_much_is_not_published(outcome, log_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(quantise, "LARGEST_LOSS", -0.5)
    with pytest.raises(quantise.QuantisationError, match="log loss grows by"):
        quantise.quantise(outcome.artifact, tmp_path, log_folder)
    assert artifacts.versions(tmp_path) == []
