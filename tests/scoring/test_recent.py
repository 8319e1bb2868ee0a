"""Are new versions run on what was really asked, before they serve?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from services.common import artifacts
from services.common.errors import Incompatible
from services.scoring import registry, signature
from services.scoring.recent import Recent
from services.scoring.scorer import GraphRunner
from services.scoring.signature import CURRENT


def test_the_sample_is_bounded_and_forgets():
    kept = Recent(size=4)
    for number in range(4_000):
        kept.offer("a", {"number": np.array([number])})
    numbers = [int(arrays["number"][0]) for arrays in kept.of("a")]
    assert len(numbers) == 4
    assert min(numbers) > 1_000


def test_the_sample_is_told_apart_by_schema_and_holds_no_message(make):
    arrays = make.inputs(3, np.random.default_rng(0))
    wire = signature.decode(CURRENT, make.request(arrays).shopper_tensors, make.request(arrays).item_tensors)
    kept = Recent()
    kept.offer(CURRENT.fingerprint, wire)
    kept.offer("another", {})
    (found,) = kept.of(CURRENT.fingerprint)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.owndata and found[name].flags.writeable


def test_a_new_version_runs_on_recent_requests_before_it_serves(make, outcome, monkeypatch):
    ran = []

    class Watched(GraphRunner):
        def __call__(self, arrays):
            ran.append(len(arrays["item_ids"]))
            return super().__call__(arrays)

    monkeypatch.setattr(registry, "GraphRunner", Watched)
    kept = Recent()
    kept.offer(CURRENT.fingerprint, make.inputs(43, np.random.default_rng(0)))
    kept.offer("another", {})
    registry.open_model(outcome.artifact, "cpu", recent=kept)
    assert ran[: len(registry._WARM_UP_COUNTS) + 1] == [*registry._WARM_UP_COUNTS, 43]
    assert ran.count(43) == 1


def test_a_version_that_fails_on_a_recent_request_is_refused(make, outcome, monkeypatch):
    """Zeros do it no harm; a real page does."""

    class Picky(GraphRunner):
        def __call__(self, arrays):
            click, purchase = super().__call__(arrays)
            return (click * np.nan, purchase) if arrays["item_ids"].any() else (click, purchase)

    monkeypatch.setattr(registry, "GraphRunner", Picky)
    kept = Recent()
    assert registry.open_model(outcome.artifact, "cpu", recent=kept)
    kept.offer(CURRENT.fingerprint, make.inputs(5, np.random.default_rng(0)))
    with pytest.raises(Incompatible, match="NaN"):
        registry.open_model(outcome.artifact, "cpu", recent=kept)


def test_a_batched_graph_of_another_shape_is_refused(outcome, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    one = outcome.artifact.file(registry.MODEL_FILE).read_bytes()
    (source / registry.MODEL_FILE).write_bytes(one)
    (source / registry.BATCHED_FILE).write_bytes(one)
    manifest = json.loads(json.dumps(dict(outcome.artifact.manifest)))
    artifact = artifacts.publish(tmp_path / "store", "bad", source, manifest)
    assert registry.open_model(artifact, "cpu").version == "bad"
    with pytest.raises(Incompatible, match=r"batched\.onnx: item_ids: the graph reads"):
        registry.open_model(artifact, "cpu", batch_size=16)
