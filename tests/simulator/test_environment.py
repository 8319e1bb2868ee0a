"""Any learner that speaks Gymnasium can lay out pages, and sees what is public alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import psutil
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from simulator import environment, front, world
from simulator.environment import FrontEnv, FrontVectorEnv
from simulator.regimes import FRONT
from simulator.slotwise import SlotShop

pytestmark = pytest.mark.slow

ROOT = Path(environment.__file__).parents[1]
PATH = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"}
COUNT = 43


@pytest.fixture(scope="module")
def one():
    env = gymnasium.make("simulator.environment:planogram/Front-v0")
    yield env
    env.close()


@pytest.fixture(scope="module")
def many():
    env = gymnasium.make_vec("simulator.environment:planogram/Front-v0", num_envs=128)
    yield env
    env.close()


@pytest.fixture
def shop(columns, as_of):
    made = front.build(world.draw(columns, 0, as_of, FRONT), 1, 2)
    return made, SlotShop(made, 4, True)


def test_the_environment_is_what_gymnasium_expects(one):
    check_env(one.unwrapped)
    assert one.action_space.n == COUNT


def test_six_slots_make_a_page_and_the_exit_ends_the_session(one):
    one.reset(seed=3)
    lengths, rewards = [], []
    for _ in range(150):
        length, is_over = 0, False
        while not is_over:
            _, reward, is_over, is_truncated, info = one.step(length % COUNT)
            length += 1
            rewards.append((length, reward))
            assert info == {} and not is_truncated
        lengths.append(length)
        one.reset()
    assert all(length % front.SLOT_COUNT == 0 for length in lengths)
    assert all(length % front.SLOT_COUNT == 0 for length, reward in rewards if reward)
    assert len(set(lengths)) > 3


def test_the_same_seed_and_actions_repeat_every_number(many):
    runs = []
    for seed in (5, 5, 6):
        random = np.random.default_rng(0)
        parts = [many.reset(seed=seed)[0]]
        for _ in range(40):
            parts += many.step(random.integers(COUNT, size=128))[:4]
        runs.append(b"".join(part.tobytes() for part in parts))
    assert runs[0] == runs[1] != runs[2]


def test_an_action_that_may_not_stand_gives_way_to_the_first_that_may(shop):
    made, slots = shop
    module = made.catalogue.module
    slots.reset(1)
    observation, *_ = slots.step(np.array([5, 0, 0, 3]))
    mask = observation[:, -len(module) :]
    assert np.array_equal(mask[0], module != module[5])
    observation, *_ = slots.step(np.array([5, 0, 1, 4]))  # the last: another template of the same module
    prefix = observation[:, -2 * len(module) : -len(module)]
    assert [np.flatnonzero(row).tolist() for row in prefix] == [[0, 5], [0, 1], [0, 1], [0, 3]]
    assert prefix[0, 5] == 1 and prefix[0, 0] == pytest.approx(5 / 6)


def test_where_a_session_ends_another_begins_in_the_same_step(many):
    assert many.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    many.reset(seed=1)
    ends = np.zeros(128, int)
    random = np.random.default_rng(1)
    for _ in range(20):
        for _ in range(front.SLOT_COUNT):
            observation, _, is_over, is_truncated, info = many.step(random.integers(COUNT, size=128))
        assert info == {} and not is_truncated.any()
        ends += is_over
        page_index = observation[:, PAGE_INDEX]
        assert (page_index[is_over] == 0).all()
        assert (page_index[~is_over] > 0).all()
    assert 128 * 20 / ends.sum() == pytest.approx(4.1, abs=0.4)  # pages a session
    assert many.observation_space.contains(observation)


PAGE_INDEX = 7 + 3 + 4 + 1


def test_rewards_are_those_of_the_vectorised_face(columns, as_of):
    """Uniform pages earn the same margin a session, within 4 standard errors, n = 20,000 and more."""
    made = front.build(world.draw(columns, 3, as_of, FRONT), 1, 2)
    slots = SlotShop(made, 2_000, True)
    random = np.random.default_rng(2)
    observation, earned, ends = slots.reset(2), 0.0, 0
    for _ in range(50 * front.SLOT_COUNT):
        mask = observation[:, -COUNT:]
        actions = (mask * random.random(mask.shape)).argmax(1)
        observation, reward, is_over = slots.step(actions)
        earned, ends = earned + reward.sum(), ends + is_over.sum()
    run = front.play(made, front.Uniform(made.catalogue), 20_000, 2, is_traced=True)
    margin = np.bincount(run.trace.session, run.trace.acts.margin.sum(1), minlength=20_000)
    error = margin.std() * np.sqrt(1 / ends + 1 / len(margin))
    assert abs(earned / ends - margin.mean()) < 4 * error


def test_nothing_of_the_shop_is_in_the_process_of_the_agent():
    script = """
import sys
import gymnasium
env = gymnasium.make("simulator.environment:planogram/Front-v0")
env.reset(seed=0)
print(sorted(name for name in sys.modules if name.startswith("simulator")))
env.close()
"""
    done = subprocess.run([sys.executable, "-c", script], env=PATH, capture_output=True, text=True)
    assert done.stdout.strip() == "['simulator', 'simulator.environment', 'simulator.regimes']", done.stderr


def test_the_child_ends_when_the_environment_is_closed():
    before = set(psutil.Process().children())
    env = FrontVectorEnv(num_envs=2)
    (child,) = set(psutil.Process().children()) - before
    env.close()
    env.close()
    assert not child.is_running()
    with pytest.raises(gymnasium.error.ClosedEnvironmentError):
        env.reset()


def test_the_child_ends_when_its_parent_is_killed():
    script = """
import psutil, time
from simulator.environment import FrontEnv
env = FrontEnv()
print(psutil.Process().children()[0].pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], env=PATH, stdout=subprocess.PIPE, text=True
    ) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    end_s = time.monotonic() + 20
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end_s, "the child outlives its parent"
        time.sleep(0.05)


def test_a_child_that_died_is_told_of():
    env = FrontEnv()
    env.reset(seed=0)
    env._shop._process.kill()
    env._shop._process.wait()
    with pytest.raises(RuntimeError, match="ended with status -9"):
        env.step(0)
    env.close()


def test_a_step_after_the_exit_is_refused(one):
    one.reset(seed=0)
    is_over = False
    while not is_over:
        _, _, is_over, _, _ = one.step(0)
    with pytest.raises(gymnasium.error.ResetNeeded):
        one.step(0)


def test_wrong_actions_and_arguments_are_named(many):
    for action in (COUNT, -1, 0.5):
        actions = np.append(np.zeros(127), action)
        with pytest.raises(ValueError, match=f"actions: got {float(action)}, want whole numbers of 0 to 42"):
            many.step(actions)
    with pytest.raises(ValueError, match=r"actions: got shape \(3,\), want \(128,\)"):
        many.step(np.zeros(3, int))
    for name, value in (("world", -1), ("season_count", 5), ("daypart_count", 0), ("regime", "no such")):
        with pytest.raises(ValueError, match=f"{name}: got"):
            FrontEnv(**{name: value})
    with pytest.raises(ValueError, match="num_envs: got 0"):
        FrontVectorEnv(num_envs=0)


def test_rich_shops_have_more_actions():
    env = FrontEnv(is_rich=True)
    assert env.action_space.n == COUNT + 4
    env.close()


def test_the_example_of_the_readme_runs(capsys):
    text = (ROOT / "simulator" / "README.md").read_text()
    example = re.search(r"```python\n(import gymnasium.*?)```", text, re.DOTALL).group(1)
    assert len([line for line in example.splitlines() if line]) <= 10
    exec(compile(example, "README.md", "exec"), {})
    assert "margin a session" in capsys.readouterr().out
