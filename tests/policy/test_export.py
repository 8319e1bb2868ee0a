"""Does a graph say by value what its network says, for networks of every signature?"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from services.common import inference
from services.policy.training import export
from services.policy.training.slateq import HEADS, CascadeNetwork


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    made = CascadeNetwork(5, 4, 2)
    made.fit_scaling(torch.randn(50, 5) * 3 + 1, torch.randn(50, 4) - 2, torch.randn(50) * 7)
    return made


@pytest.fixture(scope="module")
def path(network, tmp_path_factory):
    found = tmp_path_factory.mktemp("cascade") / "model.onnx"
    export.export_cascade(network, found)
    return found


def pages(count, width):
    random = np.random.default_rng(count)
    return (
        random.normal(size=(count, 5)).astype(np.float32),
        random.normal(size=(count, width, 4)).astype(np.float32),
    )


def test_all_four_heads_of_a_cascade_are_those_of_its_graph(network, path):
    assert export.compare_cascade(network, path, *pages(40, 30)) < export.TOLERANCE


def test_names_and_shapes_are_those_that_serving_asks_for(network, path):
    session = inference.open_session(path, "cpu")
    assert [given.name for given in session.get_inputs()] == ["state", "actions"]
    assert [told.name for told in session.get_outputs()] == list(HEADS)
    for count, width in ((1, 1), (2, 60)):
        states, actions = pages(count, width)
        found = session.run(HEADS, {"state": states, "actions": actions})
        for told, wanted in zip(found, network.answer(states, actions), strict=True):
            assert told.shape == (count, width)
            np.testing.assert_allclose(told, wanted, atol=1e-4)


@pytest.mark.parametrize("head", range(4))
def test_a_head_that_differs_is_told(network, path, head):
    other = CascadeNetwork(5, 4, 2)
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        other.heads.bias[head] += 0.01
    with pytest.raises(export.ExportError, match="differ"):
        export.compare_cascade(other, path, *pages(40, 30))


def test_too_few_actions_tell_nothing(network, path):
    with pytest.raises(export.ExportError, match="only 999 actions to compare, want 1000"):
        export.compare_cascade(network, path, *pages(27, 37))


def test_a_graph_that_masks_other_actions_is_told():
    masked, open_ = np.array([[-np.inf, 1.0]]), np.array([[0.0, 1.0]])
    assert export._difference(masked, masked) == 0
    assert export._difference(open_, masked) == export._difference(masked, open_) == np.inf
