from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from planogram.common.v1 import context_pb2
from services.common import artifacts, inference
from services.common.errors import Incompatible
from services.policy import page, planner, registry, space
from services.policy.exploration import Exploration, Mode
from services.policy.training import export, rewards, train, transitions
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import EventReplay
from tests.policy.test_space import ENCODING_2

pytestmark = pytest.mark.slow


def republish(outcome, store, version, **changes):
    manifest = {
        name: value
        for name, value in outcome.artifact.manifest.items()
        if name not in ("files", "published", "version")
    }
    source = store.parent / f"source-{version}"
    source.mkdir()
    shutil.copy(outcome.artifact.file(registry.MODEL_FILE), source)
    return artifacts.publish(store, version, source, {**manifest, **changes})


@pytest.fixture(params=["outcome", "cascade_outcome"])
def learned(request):
    """Policies of both kinds."""
    return request.getfixturevalue(request.param)


def test_the_policy_learns_what_shoppers_like(shop, learned):
    """Shoppers of this shop click deep modules in grids most: greedy first slots show them."""
    policy = registry.open_policy(learned.artifact)
    generator = np.random.default_rng(99)
    liked = 0
    for _ in range(60):
        request = shop.request(generator, {"pages": 1, "clicks": 0})
        facts = page.decode(request)
        choice = planner.plan(facts, policy.values(facts), Exploration(Mode.GREEDY, 0, 1), 0)[0]
        shape = facts.shape
        liked += (
            shape.template_ids[choice.action] == "grid"
            and shape.families[shape.module[choice.action]] == "deep"
        )
    assert liked > 45  # of 60, where uniform choice gives 10


def test_click_order_is_the_cascades_click_head_and_nothing_else(shop, cascade_outcome):
    models = cascade_outcome.artifact.path.parent
    artifact = train.click_order_of(cascade_outcome.artifact, models)
    policy = registry.open_policy(artifact)
    session = inference.open_session(artifact.file(registry.MODEL_FILE), "cpu")
    graph = registry.Graph(session, space.SERVED[space.FINGERPRINT])
    generator = np.random.default_rng(7)
    for _ in range(20):
        facts = page.decode(shop.request(generator, {"pages": 1, "clicks": 0}))
        state, actions, _ = space.describe(facts)
        click = registry.cascade_heads(graph, state, actions)[0]
        for choice in planner.plan(facts, policy.values(facts), Exploration(Mode.GREEDY, 0, 1), 0):
            assert choice.value == click[choice.action] == click[choice.feasible].max()


def test_click_order_can_be_trained_by_name(log_folder, tmp_path):
    outcome = train.train(log_folder, tmp_path, train.Learner.CLICK_ORDER, train.Settings(step_count=20))
    assert outcome.artifact.manifest["learner"] == outcome.artifact.manifest["values"] == registry.CLICK_ORDER
    assert registry.open_policy(outcome.artifact).version.startswith("click_order-")


def test_values_are_in_the_unit_of_returns(learned):
    """Q is of the best choices from there on, and the log's were uniform: above its returns, not far."""
    found = learned.metrics
    assert 0.8 < found["mean_q"] / found["mean_return"] < 3.0
    assert found["return_rmse"] < 1.3 * found["return_rmse_of_mean"]


def test_held_out_decisions_are_the_latest(log_folder):
    data = transitions.read(log_folder, rewards.load())
    early, late = train.split(data.times)
    assert len(early) + len(late) == len(data)
    assert data.times[early].max() < data.times[late].min()


def test_the_manifest_says_where_a_policy_comes_from(learned):
    manifest = json.loads((learned.artifact.path / artifacts.MANIFEST).read_text())
    assert manifest["space_fingerprint"] == space.FINGERPRINT
    assert manifest["rewards"]["click"] == rewards.load().click
    assert manifest["seed"] == 0 and len(manifest["data_window"]) == 2
    assert manifest["metrics"]["export_difference"] < export.TOLERANCE


def test_the_graph_says_what_the_network_says(log_folder, tmp_path):
    torch.manual_seed(1)
    data = transitions.read(log_folder, rewards.load())
    replay = EventReplay.of(data)
    network = QNetwork(len(space.STATE), len(space.ACTION))
    network.fit_scaling(
        torch.from_numpy(data.states), torch.from_numpy(data.actions).float(), torch.from_numpy(data.rewards)
    )
    path = tmp_path / registry.MODEL_FILE
    export.export(network, path)
    assert export.compare(network, path, replay) < export.TOLERANCE
    with torch.no_grad():
        network.value.bias += 0.01
    with pytest.raises(export.ExportError, match="differ"):
        export.compare(network, path, replay)


def test_a_policy_of_the_encoding_before_reads_its_own_columns(shop, tmp_path):
    encoding = space.SERVED[ENCODING_2]
    torch.manual_seed(2)
    network = QNetwork(encoding.state_count, encoding.action_count)
    source = tmp_path / "source"
    source.mkdir()
    export.export(network, source / registry.MODEL_FILE)
    manifest = {"space_fingerprint": ENCODING_2, "trained": "2026-01-01T00:00:00+00:00", "metrics": {}}
    policy = registry.open_policy(artifacts.publish(tmp_path / "store", "before", source, manifest))
    assert policy.space_fingerprint == ENCODING_2
    facts = page.decode(shop.request(np.random.default_rng(3), {"pages": 1, "clicks": 0}))
    facts.request.context.page_type = context_pb2.PAGE_TYPE_HELP  # what it has no column for
    facts.request.modules[0].relevance = 0.5
    state, actions, _ = space.describe(facts)
    read = (
        torch.from_numpy(state[: encoding.state_count]),
        torch.from_numpy(actions[:, : encoding.action_count]),
    )
    with torch.no_grad():
        wanted = network(read[0][None], read[1][None], torch.ones(1, len(actions), dtype=torch.bool))[0]
    for choice in planner.plan(facts, policy.values(facts), Exploration(Mode.GREEDY, 0, 1), 0)[:1]:
        assert choice.feasible_values == pytest.approx(wanted[choice.feasible].numpy(), abs=1e-5)


def test_a_policy_of_another_space_is_refused(outcome, tmp_path):
    artifact = republish(outcome, tmp_path / "store", "other", space_fingerprint="0" * 64)
    with pytest.raises(Incompatible, match="space_fingerprint"):
        registry.open_policy(artifact)


def test_a_bad_policy_leaves_the_old_one_serving(outcome, tmp_path):
    store = tmp_path / "store"
    republish(outcome, store, "good")
    policies = registry.open_registry(store)
    assert policies.current.version == "good"
    bad = republish(outcome, store, "bad")
    bad.file(registry.MODEL_FILE).write_bytes(b"no graph")
    assert not policies.refresh()
    assert policies.current.version == "good"
    republish(outcome, store, "next")
    assert policies.refresh()
    assert [policy.version for policy in policies.loaded] == ["next", "good", "uniform-0"]


def test_a_file_that_is_no_graph_is_refused(outcome, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / registry.MODEL_FILE).write_bytes(b"no graph")
    manifest = {
        name: value
        for name, value in outcome.artifact.manifest.items()
        if name not in ("files", "published", "version")
    }
    artifact = artifacts.publish(tmp_path / "store", "bad", source, manifest)
    with pytest.raises(Incompatible, match=r"model\.onnx"):
        registry.open_policy(artifact)


@pytest.mark.parametrize("learner", train.Learner)
def test_the_same_seed_trains_the_same_policy(shop, tmp_path, learner):
    folder = shop.write(tmp_path / "log", 120)
    settings = train.Settings(step_count=10)
    first, second = (train.train(folder, tmp_path / name, learner, settings) for name in ("a", "b"))
    assert first.metrics == second.metrics


@pytest.mark.parametrize("learner", [train.Learner.SLATEQ, train.Learner.DDQN])
def test_the_next_page_counts_what_the_recipe_says(shop, tmp_path, learner):
    """With nothing after the page, returns are those of pages alone."""
    folder = shop.write(tmp_path / "log", 120)
    near, far = (
        train.train(folder, tmp_path / name, learner, train.Settings(2, discount))
        for name, discount in (("near", 0.0), ("far", 1.0))
    )
    assert near.metrics["mean_return"] < far.metrics["mean_return"]
    assert far.artifact.manifest["recipe"]["page_discount"] == 1.0
