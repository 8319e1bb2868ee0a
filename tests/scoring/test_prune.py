"""Do the right units leave, and is what is left the same network without them?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from services.common import artifacts, cli
from services.common.artifacts import Artifact
from services.scoring.registry import BATCHED_FILE, MODEL_FILE, open_model
from services.scoring.signature import CURRENT, SPECS
from services.scoring.training import data, prune, twins, weights
from services.scoring.training.architecture import Architecture, Encoder, Heads
from services.scoring.training.model import ClickNetwork, ServedModel
from services.scoring.training.objective import Objective
from services.scoring.training.recipe import Recipe
from services.scoring.training.train import split

SHAPES = [Architecture(), Architecture(encoder=Encoder.GRU, heads=Heads.MMOE), Architecture(cross_count=0)]


def lively(shape):
    torch.manual_seed(0)
    objective = Objective(shape).eval()
    with torch.no_grad():
        for parameter in objective.network.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.1)
    return objective


def served(network, arrays):
    with torch.no_grad():
        found = ServedModel(network)(*(torch.from_numpy(arrays[spec.name]) for spec in SPECS))
    return np.stack([array.numpy() for array in found])


@pytest.fixture(autouse=True)
def few_batches(monkeypatch):
    monkeypatch.setattr(prune, "BATCH_COUNT", 2)


@pytest.fixture(scope="module")
def parts(log_folder):
    return split(data.read(log_folder))


@pytest.fixture(scope="module")
def small(outcome, log_folder, tmp_path_factory):
    return prune.prune(outcome.artifact, tmp_path_factory.mktemp("pruned"), log_folder, 0.4, epoch_count=1)


@pytest.mark.parametrize(
    "shape", SHAPES, ids=lambda shape: f"{shape.encoder}-{shape.heads}-{shape.cross_count}"
)
def test_what_leaves_is_as_if_it_were_held_at_zero(shape, make, parts):
    """The same units gated by 0 in the whole network answer what the narrow one does."""
    objective, arrays = lively(shape), make.inputs(30, np.random.default_rng(0))
    found = prune.importance(objective, parts[0], Recipe(architecture=shape))
    kept = {
        name: torch.sort(torch.randperm(len(values))[: len(values) // 2]).values
        for name, values in found.items()
    }
    with prune._gated(objective.network) as gates, torch.no_grad():
        for name, gate in gates.items():
            gate.mul_(0)
            gate[kept[name]] = 1
        # A column that is read as 0 adds nothing, whatever the cross layers' bias is.
        wanted = served(objective.network, arrays)
    prune.shrink(objective.network, kept)
    np.testing.assert_allclose(served(objective.network, arrays), wanted, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES[:2], ids=lambda shape: str(shape.heads))
def test_units_that_say_nothing_matter_least(shape, parts):
    objective = lively(shape)
    silent = {"item": [3, 40], "shopper": [5], "last": [1, 7]}
    with torch.no_grad():
        for perceptron in (one for _, one in prune._perceptrons(objective.network)):
            perceptron.rest[-1].weight[silent["last"]] = 0
            perceptron.rest[-1].bias[silent["last"]] = 0
            perceptron.first.item.weight[:, silent["item"]] = 0
            perceptron.first.shopper.weight[:, silent["shopper"]] = 0
        network = objective.network
        item_width = prune._item_width(network)
        columns = [*silent["item"], *(item_width + column for column in silent["shopper"])]
        network.first_cross.item.weight[:, silent["item"]] = 0
        network.first_cross.shopper.weight[:, silent["shopper"]] = 0
        for cross in network.crosses:
            cross.weight[:, columns] = 0
        for gate in getattr(network.heads, "gates", []):
            gate.item.weight[:, silent["item"]] = 0
            gate.shopper.weight[:, silent["shopper"]] = 0
        for head in (network.heads.click, network.heads.conversion):
            head.weight[:, columns] = 0
    found = prune.importance(objective, parts[0], Recipe(architecture=shape))
    for name, units in silent.items():
        assert float(found[name][units].max()) == pytest.approx(0, abs=1e-12)
        assert float(found[name].max()) > 1e-8


def test_a_pruned_version_is_near_its_origin_and_says_how_near(make, outcome, small):
    found = small.manifest["metrics"]
    assert small.version == f"{outcome.artifact.version}-pruned"
    assert (small.manifest["pruned_from"], small.manifest["pruned_share"]) == (outcome.artifact.version, 0.4)
    assert found["click_logloss"] <= 1.01 * found["whole_click_logloss"]
    assert found["whole_click_logloss"] == pytest.approx(outcome.metrics["click_logloss"], rel=1e-5)
    assert found["pruned_parameter_count"] < found["whole_parameter_count"]
    assert min(found["pruned_page_ms"], found["fp32_page_ms"]) > 0
    arrays = make.inputs(200, np.random.default_rng(0))
    plain, narrow = (open_model(one, "cpu").predict(arrays) for one in (outcome.artifact, small))
    assert 0 < np.abs(plain.click_probability - narrow.click_probability).max() < 0.2
    assert artifacts.current_version(small.path.parent) is None


def test_a_pruned_score_does_not_depend_on_the_other_items(make, small):
    model = open_model(small, "cpu", batch_size=4)
    arrays = make.inputs(60, np.random.default_rng(1))
    whole = model.predict(arrays).click_probability
    few = {
        spec.name: arrays[spec.name][[3, 17]] if spec.is_per_item else arrays[spec.name]
        for spec in CURRENT.specs
    }
    np.testing.assert_allclose(model.predict(few).click_probability, whole[[3, 17]], rtol=0, atol=1e-6)
    together = model.predict_many([few, arrays])
    np.testing.assert_allclose(together[1].click_probability, whole, rtol=0, atol=1e-6)


def test_both_graphs_of_a_pruned_version_are_smaller(outcome, small):
    for name in (MODEL_FILE, BATCHED_FILE):
        assert small.file(name).stat().st_size < outcome.artifact.file(name).stat().st_size


def test_a_version_that_loses_too_much_is_not_published(outcome, log_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(prune, "LARGEST_LOSS", -0.5)
    with pytest.raises(prune.PruningError, match="log loss grows by"):
        prune.prune(outcome.artifact, tmp_path, log_folder, 0.4, epoch_count=1)
    assert artifacts.versions(tmp_path) == []


def test_a_version_without_weights_is_refused(small, log_folder, tmp_path):
    with pytest.raises(weights.WeightsError, match="keep no weights"):
        prune.prune(small, tmp_path, log_folder, 0.4)


def test_weights_of_another_network_than_the_recipe_s_are_refused(outcome, tmp_path):
    manifest = dict(outcome.artifact.manifest)
    recipe = manifest["recipe"]
    manifest["recipe"] = {**recipe, "architecture": {**recipe["architecture"], "cross_count": 0}}
    with pytest.raises(weights.WeightsError, match="cross"):
        weights.load(Artifact(outcome.artifact.version, outcome.artifact.path, manifest))


def test_kept_weights_are_the_published_network(make, outcome):
    objective, recipe = weights.load(outcome.artifact)
    assert isinstance(objective.network, ClickNetwork) and recipe.epoch_count == 6
    arrays = make.inputs(50, np.random.default_rng(2))
    found = open_model(outcome.artifact, "cpu").predict(arrays).click_probability
    np.testing.assert_allclose(served(objective.network, arrays)[0], found, atol=1e-5)


def test_twins_are_held_against_the_first(outcome, small, parts):
    path, tower = outcome.artifact.file(MODEL_FILE), weights.load_tower(outcome.artifact)
    graphs = {"whole": path, "again": path, "pruned": small.file(MODEL_FILE)}
    towers = {"whole": tower, "again": tower, "pruned": weights.load_tower(small)}
    found = twins.compare(graphs, towers, parts[2])
    assert found["again"].largest_difference == found["whole"].largest_difference == 0
    assert found["pruned"].largest_difference > 0
    assert found["whole"].logloss == found["again"].logloss != found["pruned"].logloss
    for name, metrics in (("whole", outcome.metrics), ("pruned", small.manifest["metrics"])):
        # What training measured of the network and its tower, by the graph and the tower that were kept.
        assert found[name].logloss == pytest.approx(metrics["click_logloss"], rel=1e-4)
        assert found[name].gauc == pytest.approx(metrics["click_gauc"], abs=1e-4)
        ratio = metrics["click_predicted_to_observed"]
        assert found[name].predicted_to_observed == pytest.approx(ratio, rel=1e-4)


def test_versions_of_a_store_are_compared_by_a_command(outcome, log_folder):
    store, version = outcome.artifact.path.parent, outcome.artifact.version
    arguments = ["compare", "click", version, "--log", str(log_folder), "--models", str(store)]
    found = CliRunner().invoke(cli.application(), arguments, env={"COLUMNS": "200"})
    assert found.exit_code == 0, found.output
    for text in (version, f"{outcome.metrics['click_gauc']:.4f}", "predicted / observed"):
        assert text in found.output


def test_a_version_without_a_tower_is_not_compared(outcome):
    manifest = dict(outcome.artifact.manifest)
    manifest["files"] = {MODEL_FILE: manifest["files"][MODEL_FILE]}
    with pytest.raises(weights.WeightsError, match="have no tower"):
        weights.load_tower(Artifact(outcome.artifact.version, outcome.artifact.path, manifest))
