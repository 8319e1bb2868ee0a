"""How does a log become a published policy?"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.common import artifacts
from services.common.training_output import Report, Scalar
from services.policy import space
from services.policy.registry import MODEL_FILE
from services.policy.training import dqn, rewards, transitions
from services.policy.training.dqn import Recipe
from services.policy.training.export import compare, export
from services.policy.training.qnet import QNetwork
from services.policy.training.replay import EventReplay
from services.policy.training.transitions import Transitions

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training run made."""

    artifact: artifacts.Artifact
    metrics: dict[str, float]


def train(
    log: Path,
    models: Path,
    recipe: Recipe | None = None,
    rewards_path: Path = rewards.DEFAULT,
    report: Report = lambda stage, done, total: None,
    scalar: Scalar = lambda name, value, step: None,
) -> Outcome:
    """Trains on a log and publishes to a store.

    Raises:
        planogram.files.log.LogFileError: for a log that cannot be read.
        ConfigurationError: for bad reward weights.
        ValueError: for a log without decisions.
        ExportError: where the exported graph disagrees with the network; nothing is published then.
    """
    recipe = recipe or Recipe()
    torch.set_num_threads(1)  # larger pools lose more in hand-over than these small layers gain
    weights = rewards.load(rewards_path)
    data = transitions.read(
        log, weights, lambda done, total: report("read", done, total), recipe.page_discount
    )
    report("read", data.page_count, data.page_count)
    learned, held_out = split(data)
    step_count = recipe.steps_for(len(learned))

    def on_step(step: int, loss: float) -> None:
        if step % 25 == 0:
            report("learn", step, step_count)
            scalar("loss", loss, step)

    network = dqn.learn(EventReplay.of(data), recipe, learned, on_step)
    report("learn", step_count, step_count)
    metrics = evaluate(network, data, held_out)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILE
        export(network, path)
        metrics["export_difference"] = compare(network, path, EventReplay.of(data))
        manifest = _manifest(data, recipe, weights, metrics, learned)
        artifact = artifacts.publish(models, _version(manifest), Path(folder), manifest)
    report("publish", 1, 1)
    return Outcome(artifact, metrics)


def split(data: Transitions) -> tuple[Any, Any]:
    """Decisions to learn from, and the latest ones, held out."""
    border = np.quantile(data.times, 1 - HELD_OUT_SHARE)
    is_late = data.times > border
    return np.flatnonzero(~is_late), np.flatnonzero(is_late)


def evaluate(network: QNetwork, data: Transitions, members: Any) -> dict[str, float]:
    """How well values of held-out choices agree with what followed.

    `return_correlation` is between Q of the served choice and the discounted reward that came; the
    log's own policy explored, so a perfect network would not reach 1.
    """
    if len(members) < 2:
        return {"decision_count": float(len(data))}
    replay = EventReplay.of(data)
    with torch.no_grad():
        found = dqn.placed_values(network, replay, torch.from_numpy(members))
    values = found.numpy().astype(np.float64)
    returns = replay.outcomes.returns[members].numpy().astype(np.float64)
    deviation = values.std() * returns.std()
    covariance = ((values - values.mean()) * (returns - returns.mean())).mean()
    return {
        "decision_count": float(len(data)),
        "page_count": float(data.page_count),
        "skipped_page_count": float(data.skipped_count),
        "held_out_count": float(len(members)),
        "mean_return": float(returns.mean()),
        "mean_q": float(values.mean()),
        "return_correlation": float(covariance / deviation) if deviation > 0 else 0.0,
        "return_rmse": float(np.sqrt(((values - returns) ** 2).mean())),
        "return_rmse_of_mean": float(returns.std()),
    }


def _manifest(
    data: Transitions, recipe: Recipe, weights: Any, metrics: dict[str, float], learned: Any
) -> dict[str, Any]:
    return {
        "kind": "policy",
        "learner": "dueling double DQN on cascade transitions",
        "space_fingerprint": space.FINGERPRINT,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "data_window": [_moment(data.times.min()), _moment(data.times.max())],
        # Evaluation asks for decisions that the policy has not seen: those after this.
        "learned_window": [_moment(data.times[learned].min()), _moment(data.times[learned].max())],
        "recipe": dataclasses.asdict(recipe),
        "seed": recipe.seed,
        "rewards": dataclasses.asdict(weights),
        "metrics": metrics,
    }


def _moment(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="seconds")


def _version(manifest: dict[str, Any]) -> str:
    """Time first, so that names sort; a digest behind it, so that two runs of a second differ."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:6]
    return f"dqn-{datetime.now(UTC):%Y%m%d-%H%M%S}-{digest}"
