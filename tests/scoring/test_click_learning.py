"""Does a run end the same however it is run: stopped in between, by several processes, in fewer bits?"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from services.common import artifacts
from services.common.errors import ConfigurationError
from services.common.training_checkpoint import CheckpointError
from services.scoring import commands
from services.scoring.training import data, recipe, train, tune
from services.scoring.training.architecture import Architecture, Encoder, Heads
from services.scoring.training.learn import Watch, learn
from services.scoring.training.recipe import Precision, Recipe

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SHORT = Recipe(epoch_count=2, batch_size=32)


@pytest.fixture(scope="module")
def parts(make, tmp_path_factory):
    return train.split(data.read(make.log.write(tmp_path_factory.mktemp("log"), 240)))


def weights(trained):
    return torch.cat([value.reshape(-1).float() for value in trained.network.state_dict().values()])


def stopped_after(steps):
    def watch(done, total):
        if done == steps:
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("steps", [5, 9], ids=["within the first pass", "within the second"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(parts, tmp_path, steps):
    learned, valid, _ = parts
    curves = {"whole": [], "resumed": []}

    def curve(name):
        return lambda *point: curves[name].append(point)

    whole = learn(learned, valid, SHORT, Watch(scalar=curve("whole")))
    file = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        kept = Watch(curve("resumed"), stopped_after(steps), checkpoint=file, checkpoint_period=2)
        learn(learned, valid, SHORT, kept)
    begun = []
    going_on = Watch(curve("resumed"), lambda done, total: begun.append(done), file, 2)
    resumed = learn(learned, valid, SHORT, going_on)
    assert begun[0] == steps - (steps + 1) % 2
    assert torch.equal(weights(resumed), weights(whole))
    assert curves["resumed"] == curves["whole"]


def test_a_checkpoint_of_another_recipe_is_refused(parts, tmp_path):
    learned, valid, _ = parts
    file = tmp_path / "run.pt"
    learn(
        learned, valid, dataclasses.replace(SHORT, epoch_count=1), Watch(checkpoint=file, checkpoint_period=1)
    )
    with pytest.raises(CheckpointError, match=r"epoch_count=1.*this run's is .*epoch_count=2"):
        learn(learned, valid, SHORT, Watch(checkpoint=file))


def test_two_processes_train_the_model_of_one(make, tmp_path):
    log = make.log.write(tmp_path / "log", 160)
    written = tmp_path / "recipe.json"
    recipe.write(written, dataclasses.replace(SHORT, epoch_count=1))
    alone = train.train(log, tmp_path / "alone", recipe.read(written))
    # The dashes keep torchrun from taking --log for its own --log-dir.
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    command += ["services.common.cli", "train", "click", "--log", log, "--models", tmp_path / "team"]
    command += ["--recipe", written]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.count("is current in") == 1
    (version,) = artifacts.versions(tmp_path / "team")
    found = artifacts.load(tmp_path / "team", version).manifest["metrics"]
    for name in (
        "click_logloss",
        "click_auc",
        "click_gauc",
        "purchase_logloss",
        "click_predicted_to_observed",
    ):
        assert found[name] == pytest.approx(alone.metrics[name], rel=2e-3), name


def test_bfloat16_learns_about_the_same(parts):
    learned, valid, _ = parts
    full = learn(learned, valid, SHORT)
    mixed = learn(learned, valid, dataclasses.replace(SHORT, precision=Precision.MIXED))
    assert mixed.valid_loss == pytest.approx(full.valid_loss, rel=0.03)
    assert not torch.equal(weights(mixed), weights(full))
    assert {parameter.dtype for parameter in mixed.network.parameters()} == {torch.float32}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_learns_in_mixed_precision_what_the_cpu_learns(parts):
    from services.scoring.training.team import Team

    learned, valid, _ = parts
    assert Team().device.type == "cuda"
    on_gpu = learn(learned, valid, SHORT)
    assert np.isfinite(on_gpu.valid_loss) and next(on_gpu.network.parameters()).device.type == "cpu"


def test_a_tracker_hears_recipe_curves_and_metrics(make, tmp_path):
    said = []

    class Kept:
        def begin(self, recipe):
            said.append(("begin", recipe["architecture"]["encoder"]))

        def scalar(self, name, value, step):
            said.append((name, step))

        def end(self, version, metrics):
            said.append(("end", version, metrics["click_gauc"]))

    shape = Architecture(encoder=Encoder.MEAN)
    chosen = dataclasses.replace(SHORT, architecture=shape)
    outcome = train.train(make.log.write(tmp_path / "log", 120), tmp_path / "models", chosen, tracker=Kept())
    assert said[0] == ("begin", "mean")
    assert {("loss/train", 0), ("loss/valid", 1), ("learning_rate", 1)} < set(said)
    assert said[-1] == ("end", outcome.artifact.version, outcome.metrics["click_gauc"])
    calibration = outcome.artifact.manifest["calibration"]
    assert [entry["group"] for entry in calibration["decile"]] == list(range(10))
    assert sum(entry["rows"] for entry in calibration["segment"]) == outcome.metrics["test_item_count"]


def test_a_recipe_comes_back_from_its_file(tmp_path):
    chosen = Recipe(Architecture(encoder=Encoder.GRU, hidden_widths=(8, 4)), learning_rate=1e-3, averaging=0)
    recipe.write(tmp_path / "recipe.json", chosen)
    assert recipe.read(tmp_path / "recipe.json") == chosen


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"epochs": 3}, r"recipe\.json: epochs: no such field; want one of .*epoch_count"),
        ({"seed": "one"}, r"recipe\.json: seed: got 'one', want int"),
        ({"architecture": {"encoder": "lstm"}}, r"architecture: encoder: got 'lstm', want one of .*'gru'"),
        ({"architecture": {"hidden_widths": []}}, r"hidden_widths: got \[\], want widths such as"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_by_field(tmp_path, document, message):
    (tmp_path / "recipe.json").write_text(json.dumps(document))
    with pytest.raises(recipe.RecipeError, match=message):
        recipe.read(tmp_path / "recipe.json")


def test_rare_items_stay_unknown(parts):
    learned, valid, _ = parts
    counts = np.bincount(
        np.concatenate([learned.item["item_ids"][:, 0], learned.shopper["history_ids"][..., 0].reshape(-1)]),
        minlength=16384,
    )
    trained = learn(learned, valid, dataclasses.replace(SHORT, min_count=12))
    is_zero = (trained.network.item.weight == 0).all(1).numpy()
    np.testing.assert_array_equal(is_zero, counts < 12)
    assert 0 < is_zero.sum() < len(is_zero)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_search_goes_on_gives_up_the_hopeless_and_says_the_best(parts, tmp_path, monkeypatch):
    """Losses are dictated: those above 1 at the second pass are behind the median."""
    tried = []

    def dictated(learned, valid, chosen, watch):
        loss = [0.5, 0.4, 0.6, 5.0, 5.0, 0.3][len(tried)]
        tried.append(chosen)
        for epoch in range(3):
            watch.scalar("loss/valid", loss, epoch)
        return dataclasses.replace(_trained, valid_loss=loss)

    learned, valid, _ = parts
    _trained = learn(learned.pages(0, 40), valid, dataclasses.replace(SHORT, epoch_count=1))
    monkeypatch.setattr(tune, "learn", dictated)
    told = []
    tune.search(learned, valid, SHORT, 4, tmp_path / "trials.sqlite", lambda *trial: told.append(trial))
    assert tried[0] == SHORT
    assert told == [(0, 0.5), (1, 0.4), (2, 0.6), (3, None)]
    found = tune.search(learned, valid, SHORT, 6, tmp_path / "trials.sqlite")
    assert len(tried) == 6
    assert (found.valid_loss, found.trial_count, found.pruned_count) == (0.3, 6, 2)
    assert found.recipe == tried[5]


def test_a_search_trains_what_it_proposes(parts):
    learned, valid, _ = parts
    base = dataclasses.replace(SHORT, epoch_count=1)
    found = tune.search(learned.pages(0, 60), valid, base, 2)
    assert np.isfinite(found.valid_loss) and found.trial_count == 2


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"encoder": "lstm"}, r"architecture: encoder: got 'lstm', want one of \['attention', 'transformer'"),
        ({"heads": "three"}, r"architecture: heads: got 'three', want one of \['esmm', 'mmoe'\]"),
    ],
)
def test_an_option_that_no_recipe_has_is_named(chosen, message):
    with pytest.raises(ConfigurationError, match=message):
        commands._recipe(None, {"seed": 3}, chosen)


def test_options_overrule_the_recipe_of_a_file(tmp_path):
    written = dataclasses.replace(SHORT, architecture=Architecture(encoder=Encoder.CNN, cross_count=1))
    recipe.write(tmp_path / "recipe.json", written)
    found = commands._recipe(tmp_path / "recipe.json", {"seed": 3, "epoch_count": None}, {"heads": "mmoe"})
    shape = dataclasses.replace(written.architecture, heads=Heads.MMOE)
    assert found == dataclasses.replace(written, architecture=shape, seed=3)
