"""What does Stable-Baselines3's DQN learn by playing as many page views as the log has?

The algorithm is the library's as it stands, online in the environment of `simulator.slotwise`: a step fills a
slot, a page's last step brings its margin. Sessions of the test are never played. An action that may not
stand is replaced by the environment, so values need no mask while it learns; when pages are laid out, what
may not stand is left out. Settings were chosen on worlds 0 and 1 among rates of
3e-4 and 1e-3, 64 and 128 sessions in step, 1 and 3 gradient steps, discounts of 1 and .95, exploring for a
half and nine tenths of the time, and a target network renewed every 60, 250 and 1,000 steps. None was
steady from world to world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import VecEnv

from services.local.bench.policy.log import Log
from services.local.bench.policy.peers import placing
from services.local.bench.policy.peers.slot_view import SlotView
from simulator.front import SLOT_COUNT, Decision, Front, Observed
from simulator.slotwise import SlotShop

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        session_count: played in step.
        gradient_steps: for each slot that all of them filled.
        memory_size: decisions in the replay memory.
        exploring_share: of the decisions, until the share drawn at random has fallen from 1 to 0.05.
        renewal: slots filled by all from one copy into the target network to the next.
    """

    session_count: int = 128
    gradient_steps: int = 1
    batch_size: int = 512
    learning_rate: float = 1e-3
    discount: float = 1.0
    memory_size: int = 300_000
    exploring_share: float = 0.5
    renewal: int = 250
    widths: tuple[int, ...] = (64, 64)


class ShopEnvironment(VecEnv):
    """Many sessions in step, in the library's own form."""

    def __init__(self, front: Front, session_count: int) -> None:
        self._shop = SlotShop(front, session_count, is_renewed=True)
        box = Box(0.0, 1.0, (self._shop.width,), np.float32)
        super().__init__(session_count, box, Discrete(self._shop.action_count))

    def reset(self) -> Array:
        seed = self._seeds[0]
        return self._shop.reset(0 if seed is None else seed)

    def step_async(self, actions: Array) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Array, Array, Array, list[dict[str, Any]]]:
        observation, reward, is_over = self._shop.step(self._actions)
        return observation, reward.astype(np.float32), is_over, [{} for _ in is_over]

    def close(self) -> None:
        """Nothing is held."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError("sessions have no attributes of their own")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise NotImplementedError("sessions have no methods of their own")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


class OnlineDqn:
    """Fills each slot with the action of the highest value."""

    def __init__(self, front: Front, network: Any) -> None:
        self._front, self._network = front, network

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        view = SlotView(self._front, observed)

        def values(slot: int, placed: Array) -> Array:
            with torch.no_grad():
                result: Array = self._network(torch.from_numpy(view.before(slot, placed))).numpy()
            return result

        return placing.by_slot(len(observed.rows), self._front.catalogue.module, values)


def fit(log: Log, seed: int, recipe: Recipe = Recipe()) -> OnlineDqn:
    """A policy that was learned by playing; the log says how long, and no more."""
    torch.set_num_threads(1)
    environment = ShopEnvironment(log.shop, recipe.session_count)
    learner = DQN(
        "MlpPolicy",
        environment,
        learning_rate=recipe.learning_rate,
        buffer_size=recipe.memory_size,
        learning_starts=2 * SLOT_COUNT * recipe.session_count,
        batch_size=recipe.batch_size,
        gamma=recipe.discount,
        train_freq=1,
        gradient_steps=recipe.gradient_steps,
        target_update_interval=recipe.renewal * recipe.session_count,
        exploration_fraction=recipe.exploring_share,
        policy_kwargs={"net_arch": list(recipe.widths)},
        seed=seed,
        device="cpu",
    )
    learner.learn(len(log.pages) * SLOT_COUNT)
    learner.policy.set_training_mode(False)
    return OnlineDqn(log.shop, learner.q_net)
