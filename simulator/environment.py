"""How does any learner that speaks Gymnasium lay out front pages, slot by slot?

`gymnasium.make("simulator.environment:planogram/Front-v0")` plays one session at a time;
`gymnasium.make_vec` with the same id plays many, in one child process. The shop runs in that child: two
pipes with observations, rewards and ends are all that leads there, and `info` is empty. Shapes: B sessions,
A actions, D columns of an observation, which `simulator.slotwise.SlotShop` lists; its last A are the mask.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from simulator.regimes import REGIMES

Array = np.ndarray[Any, Any]

ID = "planogram/Front-v0"
_LIMITS = {"world": (0, 2**31 - 1), "season_count": (1, 4), "daypart_count": (1, 2), "num_envs": (1, 65_536)}
_CLOSE_S = 5.0


class FrontEnv(gymnasium.Env[Array, np.int64]):
    """One session: a step fills one slot, the sixth shows the page, and the shopper's exit terminates.

    The reward of a page's last step is the margin of what was bought on it, of other steps 0. An action that
    may not stand, because its module stands above, is replaced by the first that may, in the order of
    actions; the mask in the observation is 0 for it. Nothing is ever truncated.

    Args:
        world: seed of the shop; 0 to 9 are for tuning, 100 to 119 for reports.
        regime: by which laws shoppers click and change: a name in `simulator.regimes.REGIMES`.
        season_count, daypart_count: contexts of the shop.
        is_rich: adds modules that depend on the shopper's past.

    Raises:
        ValueError: for an argument outside its limits.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - Gymnasium's name, and never written

    def __init__(
        self,
        world: int = 0,
        regime: str = "base",
        season_count: int = 1,
        daypart_count: int = 2,
        is_rich: bool = False,
    ) -> None:
        self._shop = _Shop(1, False, world, regime, season_count, daypart_count, is_rich)
        self.observation_space = self._shop.observation_space
        self.action_space = self._shop.action_space
        self._is_going = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        observation = self._shop.reset(int(self.np_random.integers(2**31)))
        self._is_going = True
        return observation[0], {}

    def step(self, action: np.int64) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        if not self._is_going:
            raise gymnasium.error.ResetNeeded("step: the session is over, want reset first")
        observation, reward, is_over = self._shop.step(np.array([action]))
        self._is_going = not is_over[0]
        return observation[0], float(reward[0]), bool(is_over[0]), False, {}

    def close(self) -> None:
        self._shop.close()


class FrontVectorEnv(VectorEnv[Array, Array, Array]):
    """Many sessions in one child process, in step; otherwise as FrontEnv.

    Autoreset is SAME_STEP: where a session ends, the observation is the first of the session that follows.
    The last one of the session that ended is not given: it had no further page to decide on, and nothing
    bootstraps from the end of a session.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 64,
        world: int = 0,
        regime: str = "base",
        season_count: int = 1,
        daypart_count: int = 2,
        is_rich: bool = False,
    ) -> None:
        self._shop = _Shop(num_envs, True, world, regime, season_count, daypart_count, is_rich)
        self.num_envs = num_envs
        self.single_observation_space = self._shop.observation_space
        self.single_action_space = self._shop.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        return self._shop.reset(int(self.np_random.integers(2**31))), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        observation, reward, is_over = self._shop.step(np.asarray(actions))
        return observation, reward, is_over, np.zeros(self.num_envs, bool), {}

    def close_extras(self, **kwargs: Any) -> None:
        self._shop.close()


class _Shop:
    """The parent's end of the pipes."""

    def __init__(
        self,
        num_envs: int,
        is_renewed: bool,
        world: int,
        regime: str,
        season_count: int,
        daypart_count: int,
        is_rich: bool,
    ) -> None:
        counts = {
            "world": world,
            "season_count": season_count,
            "daypart_count": daypart_count,
            "num_envs": num_envs,
        }
        for name, value in counts.items():
            low, high = _LIMITS[name]
            if not low <= value <= high:
                raise ValueError(f"{name}: got {value}, want {low} to {high}")
        if regime not in REGIMES:
            raise ValueError(f"regime: got {regime!r}, want one of {sorted(REGIMES)}")
        settings = {
            "session_count": num_envs,
            "is_renewed": is_renewed,
            "world": world,
            "regime": regime,
            "season_count": season_count,
            "daypart_count": daypart_count,
            "is_rich": is_rich,
        }
        # The child finds what the parent finds.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "simulator.environment_process", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._finish = weakref.finalize(self, _end, self._process)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._questions, self._answers = self._process.stdin, self._process.stdout
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the shop's process ended with status {self._process.wait()} as it began")
        sizes = json.loads(line)
        self._count, self._width = num_envs, sizes["width"]
        self.observation_space = Box(0.0, 1.0, (self._width,), np.float32)
        self.action_space = Discrete(sizes["action_count"])

    def reset(self, seed: int) -> Array:
        """(B, D) first observations."""
        self._ask(b"r" + np.int64(seed).tobytes())
        return self._observations()

    def step(self, actions: Array) -> tuple[Array, Array, Array]:
        """(B, D) observations, (B,) rewards, (B,) ends."""
        limit = self.action_space.n
        chosen = actions.astype(np.int64)
        if chosen.shape != (self._count,):
            raise ValueError(f"actions: got shape {chosen.shape}, want ({self._count},)")
        is_wrong = (chosen < 0) | (chosen >= limit) | (chosen != actions)
        if is_wrong.any():
            raise ValueError(f"actions: got {actions[is_wrong][0]}, want whole numbers of 0 to {limit - 1}")
        self._ask(b"s" + chosen.tobytes())
        observation = self._observations()
        reward = np.frombuffer(self._read(8 * self._count), np.float64)
        is_over = np.frombuffer(self._read(self._count), bool)
        return observation, reward, is_over

    def close(self) -> None:
        """Ends the child; may be called again."""
        self._finish()

    def _ask(self, question: bytes) -> None:
        if not self._finish.alive:
            raise gymnasium.error.ClosedEnvironmentError("the environment is closed")
        try:
            self._questions.write(question)
            self._questions.flush()
        except BrokenPipeError:
            raise RuntimeError(f"the shop's process ended with status {self._process.wait()}") from None

    def _observations(self) -> Array:
        data = self._read(4 * self._count * self._width)
        return np.frombuffer(data, np.float32).reshape(self._count, self._width)

    def _read(self, size_bytes: int) -> bytearray:
        data = bytearray(size_bytes)
        if self._answers.readinto(data) < size_bytes:
            raise RuntimeError(f"the shop's process ended with status {self._process.wait()}")
        return data


def _end(process: subprocess.Popen[bytes]) -> None:
    """Closes the pipes, upon which the child ends."""
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        try:
            pipe.close()
        except BrokenPipeError:
            continue  # the child ended by itself
    try:
        process.wait(_CLOSE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


gymnasium.register(
    ID,
    entry_point="simulator.environment:FrontEnv",
    vector_entry_point="simulator.environment:FrontVectorEnv",
)
