"""Is a checkpoint gone on from only where it fits?"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from services.common.training_checkpoint import CheckpointError, Progress
from services.policy.training import slateq
from services.policy.training.course import Course
from services.policy.training.slateq import Recipe
from tests.policy.tiny_shop import shop_log

RECIPE = Recipe(step_count=6, batch_size=16)


@pytest.fixture(scope="module")
def log():
    torch.set_num_threads(1)
    return shop_log(100)


@pytest.fixture
def course(log, tmp_path):
    made = Course(checkpoint=tmp_path / "folder" / "run.pt", checkpoint_period=2)
    slateq.learn(log, RECIPE, course=made)
    return made


def test_a_run_that_ended_is_not_repeated(log, course):
    steps = []
    slateq.learn(log, RECIPE, None, lambda step, loss: steps.append(step), course=course)
    assert steps == []


def test_no_unfinished_file_stays(course):
    assert [path.name for path in course.checkpoint.parent.iterdir()] == ["run.pt"]


def test_a_checkpoint_of_another_recipe_is_refused(log, course):
    with pytest.raises(CheckpointError, match=r"recipe is Recipe.*seed=0.*this run's is Recipe.*seed=1"):
        slateq.learn(log, Recipe(step_count=6, batch_size=16, seed=1), course=course)


def test_a_checkpoint_of_another_network_is_refused(log, course):
    wider = slateq.CascadeNetwork(2, 3, 1, width=8)
    with pytest.raises(CheckpointError, match=r"(?s)run\.pt: parts: .*size mismatch"):
        slateq.learn(log, RECIPE, network=wider, course=course)


def test_a_file_that_is_no_checkpoint_is_refused(log, course):
    course.checkpoint.write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError, match=r"run\.pt: no checkpoint"):
        slateq.learn(log, RECIPE, course=course)


def test_without_a_file_a_run_begins_at_its_beginning(tmp_path):
    progress = Progress({}, np.random.default_rng(0), RECIPE)
    assert Course().begin(progress) == 0
    assert Course(checkpoint=tmp_path / "none.pt").begin(progress) == 0
