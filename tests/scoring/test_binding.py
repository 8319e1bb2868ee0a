"""Do runs over buffers that stay in place answer what plain ones do?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from services.common import artifacts, inference
from services.common.errors import Incompatible
from services.scoring import binding
from services.scoring.binding import ITEM_COUNTS, BoundBatchRunner, BoundRunner
from services.scoring.registry import MODEL_FILE, open_model
from services.scoring.training.twins import manifest_of

COUNTS = (200, 1, 50, 51, 0, 7, 200)


def requests(make):
    generator = np.random.default_rng(0)
    return [make.inputs(count, generator) for count in COUNTS]


def check_equal(found, wanted, tolerance=1e-6):
    for name in ("click_probability", "purchase_probability"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def bound(outcome):
    return open_model(outcome.artifact, "cpu", batch_size=4, launch="bound")


def test_a_bound_run_answers_what_a_plain_one_does(make, outcome, bound):
    assert isinstance(bound.runner, BoundRunner) and isinstance(bound.batch_runner, BoundBatchRunner)
    plain = open_model(outcome.artifact, "cpu")
    for arrays in requests(make):
        check_equal(bound.predict(arrays), plain.predict(arrays))


def test_a_bound_batch_answers_what_each_request_gets_alone(make, outcome, bound):
    """Six requests with items, four places: two runs."""
    plain = open_model(outcome.artifact, "cpu")
    asked = requests(make)
    for arrays, found in zip(asked, bound.predict_many(asked), strict=True):
        check_equal(found, plain.predict(arrays))


def test_answers_of_threads_that_share_buffers_stay_apart(make, bound):
    asked = requests(make)[:3] * 8
    wanted = [bound.predict(arrays) for arrays in asked]
    with ThreadPoolExecutor(4) as pool:
        for found, want in zip(pool.map(bound.predict, asked), wanted, strict=True):
            check_equal(found, want, 0)


def test_an_answer_outlives_the_runs_behind_it(make, bound):
    first, second = requests(make)[:2]
    found = bound.predict(first)
    kept = found.click_probability.copy()
    bound.predict(second)
    np.testing.assert_array_equal(found.click_probability, kept)


def test_the_largest_request_has_its_buffers(make, bound):
    arrays = make.inputs(ITEM_COUNTS[-1], np.random.default_rng(1))
    assert np.isfinite(bound.predict(arrays).click_probability).all()


def test_a_graph_whose_axes_bear_other_names_is_refused(outcome, tmp_path):
    model = onnx.load(outcome.artifact.file(MODEL_FILE))
    for value in (*model.graph.input, *model.graph.output):
        for length in value.type.tensor_type.shape.dim:
            if length.dim_param == "N":
                length.dim_param = "rows"
    del model.graph.value_info[:]
    (tmp_path / "source").mkdir()
    onnx.save(model, tmp_path / "source" / MODEL_FILE)
    renamed = artifacts.publish(tmp_path, "renamed-1", tmp_path / "source", manifest_of(outcome.artifact))
    open_model(renamed, "cpu")
    with pytest.raises(Incompatible, match="its free axes are named S and N"):
        open_model(renamed, "cpu", launch="bound")


@pytest.mark.gpu
@pytest.mark.parametrize("launch", ["bound", "captured"])
def test_buffers_and_cuda_graphs_answer_what_the_cpu_does(make, outcome, launch):
    if not inference.is_cuda_working():
        pytest.skip("needs a CUDA device")
    on_gpu = open_model(outcome.artifact, "cuda", batch_size=4, launch=launch)
    plain, asked = open_model(outcome.artifact, "cpu"), requests(make)
    for arrays, together in zip(asked, on_gpu.predict_many(asked), strict=True):
        for _ in range(3):  # the first is captured, the others are replayed
            check_equal(on_gpu.predict(arrays), plain.predict(arrays), 1e-4)
        check_equal(together, plain.predict(arrays), 1e-4)


def test_sizes_rise_to_the_most_that_a_request_may_have():
    assert list(binding.ITEM_COUNTS) == sorted(set(binding.ITEM_COUNTS))
    assert binding.ITEM_COUNTS[-1] == binding.MAX_ITEM_COUNT
