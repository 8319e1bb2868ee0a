from __future__ import annotations

import asyncio
import json
import shutil

import numpy as np
import pytest
import structlog

from services.common import artifacts
from services.common.errors import Incompatible, NotFound
from services.common.watching import MODEL_REFUSED
from services.scoring import registry, signature
from services.scoring.signature import CURRENT


@pytest.fixture
def store(tmp_path):
    return tmp_path / "click"


def publish(store, outcome, version, **changes):
    """Publishes the trained model again, under another name and with changes to its manifest."""
    manifest = {
        name: value
        for name, value in outcome.artifact.manifest.items()
        if name not in ("files", "published", "version")
    }
    source = store.parent / f"source-{version}"
    source.mkdir()
    shutil.copy(outcome.artifact.file(registry.MODEL_FILE), source)
    return artifacts.publish(store, version, source, {**manifest, **changes})


def test_popularity_serves_until_a_model_is_published(store, outcome):
    models = registry.open_registry(store, "cpu")
    assert models.current.version == "popularity-0"
    publish(store, outcome, "one")
    assert models.refresh()
    assert models.current.version == "one"
    assert models.current.metrics["click_auc"] == outcome.metrics["click_auc"]
    assert not models.refresh()


def test_the_version_before_stays_loaded(store, outcome):
    publish(store, outcome, "one")
    models = registry.open_registry(store, "cpu")
    publish(store, outcome, "two")
    models.refresh()
    assert [model.version for model in models.loaded] == ["two", "one", "popularity-0"]
    assert models.get("one").version == "one"
    with pytest.raises(NotFound, match="three"):
        models.get("three")


def test_a_roll_back_swaps_the_model(store, outcome):
    for version in ("one", "two"):
        publish(store, outcome, version)
    models = registry.open_registry(store, "cpu")
    artifacts.point(store, "one")
    models.refresh()
    assert models.current.version == "one"


def damage(artifact):
    with artifact.file(registry.MODEL_FILE).open("r+b") as file:
        file.seek(100)
        file.write(b"damage")


def test_a_damaged_artifact_is_refused_while_the_old_one_serves(store, outcome):
    publish(store, outcome, "good")
    models = registry.open_registry(store, "cpu")
    damage(publish(store, outcome, "bad"))
    with structlog.testing.capture_logs() as logs:
        models._log = structlog.get_logger()
        for _ in range(3):
            assert not models.refresh()
    assert models.current.version == "good"
    refused = [entry for entry in logs if entry["event"] == MODEL_REFUSED]
    assert len(refused) == 1 and "sha256" in refused[0]["problem"]
    publish(store, outcome, "mended")
    assert models.refresh() and models.current.version == "mended"


def test_a_start_with_a_bad_current_version_serves_the_newest_good_one(store, outcome):
    publish(store, outcome, "good")
    damage(publish(store, outcome, "bad"))
    assert registry.open_registry(store, "cpu").current.version == "good"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schema_fingerprint": "0" * 64}, "schema_fingerprint"),
        ({"signature": {}}, "manifest: KeyError"),
        ({"trained": "yesterday"}, "manifest: ValueError"),
        ({"metrics": None}, "manifest: AttributeError"),
    ],
)
def test_an_artifact_that_disagrees_with_itself_is_refused(store, outcome, changes, problem):
    artifact = publish(store, outcome, "bad", **changes)
    with pytest.raises(Incompatible, match=problem):
        registry.open_model(artifact, "cpu")


def test_a_graph_that_does_not_follow_its_signature_is_refused(store, outcome):
    document = json.loads(json.dumps(signature.to_manifest(CURRENT)))
    document["inputs"][1]["shape"] = [-1, 11]
    document["inputs"][1]["columns"].append("extra")
    changed = signature.from_manifest(document)
    artifact = publish(store, outcome, "bad", signature=document, schema_fingerprint=changed.fingerprint)
    with pytest.raises(Incompatible, match="item_numbers: the graph reads"):
        registry.open_model(artifact, "cpu")


async def test_a_watcher_swaps_when_the_pointer_moves(store, outcome, make):
    models = registry.open_registry(store, "cpu")
    async with models.watched(0.02):
        publish(store, outcome, "one")
        async with asyncio.timeout(5):
            while models.current.version != "one":
                await asyncio.sleep(0.01)
    arrays = make.inputs(2, np.random.default_rng(0))
    assert models.current.predict(arrays).click_probability.shape == (2,)


def test_graphs_are_prepared_for_one_item_up_to_the_largest_request():
    alone, batched = registry.ranges(CURRENT), registry.ranges(CURRENT, 32)
    assert alone["item_ids"] == ((1, 4), (200, 4), (signature.MAX_ITEM_COUNT, 4))
    assert alone["history_ids"] == ((50, 4),) * 3
    assert batched["item_ids"] == ((1, 1, 4), (32, 200, 4), (32, signature.MAX_ITEM_COUNT, 4))
    assert batched["shopper_numbers"] == ((1, 8), (32, 8), (32, 8))
