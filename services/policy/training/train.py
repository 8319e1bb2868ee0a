"""How does a log become a published policy?"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from services.common import artifacts
from services.common.training_output import Report, Scalar
from services.policy import space
from services.policy.page import Array
from services.policy.registry import CASCADE, CLICK_ORDER, MODEL_FILE, Q_VALUES
from services.policy.training import dqn, export, page_log, rewards, slateq, transitions
from services.policy.training.course import Course
from services.policy.training.judging import judge_pages, judge_slots
from services.policy.training.replay import EventReplay
from services.policy.training.rewards import Rewards

AnyRecipe = TypeVar("AnyRecipe", slateq.Recipe, dqn.Recipe)

HELD_OUT_SHARE = 0.1
_COMPARED_PAGE_COUNT = 100


class Learner(StrEnum):
    """What a policy is learned by."""

    SLATEQ = "slateq"
    """Cascade SlateQ: thinks in whole pages that shoppers go down slot by slot."""
    DDQN = "ddqn"
    """Dueling double DQN, slot by slot: asks nothing of how shoppers read a page."""
    SARSA = "sarsa"
    """The same network for the value of what is served already."""
    CQL = "cql"
    """DDQN that mistrusts what the log has not tried."""
    CLICK_ORDER = "click_order"
    """The click head of cascade SlateQ alone: the greedy ranking that many shops serve, as a yardstick."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What all learners are told.

    Attributes:
        step_count: most gradient steps; page_discount: what the next page counts, 0 to 1; None for the
            learner's own.
        checkpoint: file to keep the run in and to go on from; None keeps nothing.
    """

    step_count: int | None = None
    page_discount: float | None = None
    seed: int = 0
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training run made."""

    artifact: artifacts.Artifact
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Trained:
    """A network that can be written, and what it came from.

    Attributes:
        kind: how a policy is read from the graph.
        times: when what was read was served; learned: (n,) rows that were learned from.
        write: writes the graph, and says by how much it differs from the network.
    """

    kind: str
    recipe: slateq.Recipe | dqn.Recipe
    times: Array
    learned: Array
    metrics: dict[str, float]
    write: Callable[[Path], float]


def train(
    log: Path,
    models: Path,
    learner: Learner = Learner.SLATEQ,
    settings: Settings = Settings(),
    rewards_path: Path = rewards.DEFAULT,
    report: Report = lambda stage, done, total: None,
    scalar: Scalar = lambda name, value, step: None,
) -> Outcome:
    """Trains on a log and publishes to a store.

    Raises:
        planogram.files.log.LogFileError: for a log that cannot be read, or holds no decisions.
        ConfigurationError: for bad reward weights.
        CheckpointError: for a checkpoint of another run.
        ExportError: where the exported graph disagrees with the network; nothing is published then.
    """
    torch.set_num_threads(1)  # larger pools lose more in hand-over than these small layers gain
    weights = rewards.load(rewards_path)
    course = Course(scalar, checkpoint=settings.checkpoint)
    work = _slots if learner in _SLOT_RECIPES else _pages
    trained = work(log, weights, learner, settings, course, report)
    with tempfile.TemporaryDirectory() as folder:
        trained.metrics["export_difference"] = trained.write(Path(folder) / MODEL_FILE)
        manifest = _manifest(trained, learner, weights)
        artifact = artifacts.publish(models, _version(learner, manifest), Path(folder), manifest)
    report("publish", 1, 1)
    return Outcome(artifact, trained.metrics)


def click_order_of(cascade: artifacts.Artifact, models: Path) -> artifacts.Artifact:
    """Publishes the click order of a published cascade: the same network, so that the two differ in how pages
    are laid out and in nothing else.

    Raises:
        ValueError: where that is published already.
    """
    version = f"{Learner.CLICK_ORDER.value}-of-{cascade.version}"
    facts = {name: value for name, value in cascade.manifest.items() if name not in ("files", "published")}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(cascade.file(MODEL_FILE), folder)
        told = {"learner": Learner.CLICK_ORDER.value, "values": CLICK_ORDER}
        return artifacts.publish(models, version, Path(folder), {**facts, **told})


def split(times: Array) -> tuple[Array, Array]:
    """Rows to learn from, and the latest ones, held out."""
    is_late = times > np.quantile(times, 1 - HELD_OUT_SHARE)
    return np.flatnonzero(~is_late), np.flatnonzero(is_late)


def _pages(
    log: Path, weights: Rewards, learner: Learner, settings: Settings, course: Course, report: Report
) -> _Trained:
    """By cascade SlateQ, on whole pages; greedy click order reads one head of the same network."""
    data = page_log.read(log, weights, lambda done, total: report("read", done, total))
    report("read", data.page_count, data.page_count)
    learned, held_out = split(data.times)
    recipe = _recipe(slateq.Recipe(), settings)
    step_count = recipe.steps_for(len(learned))
    network = slateq.learn(data.pages, recipe, learned, _telling(report, step_count), course=course)
    report("learn", step_count, step_count)
    metrics = {
        "page_count": float(data.page_count),
        "skipped_page_count": float(data.skipped_count),
        "decision_count": float(data.pages.is_examined.sum()),
        **judge_pages(network, data.pages, held_out, recipe.page_discount),
    }

    def write(path: Path) -> float:
        export.export_cascade(network, path)
        some = np.linspace(0, len(data) - 1, min(len(data), _COMPARED_PAGE_COUNT)).astype(np.int64)
        states, actions = data.pages.states[some], data.pages.actions.of(some).actions
        return export.compare_cascade(network, path, states, actions)

    kind = CLICK_ORDER if learner is Learner.CLICK_ORDER else CASCADE
    return _Trained(kind, recipe, data.times, learned, metrics, write)


def _slots(
    log: Path, weights: Rewards, learner: Learner, settings: Settings, course: Course, report: Report
) -> _Trained:
    """By a Q-network, slot by slot."""
    recipe = _recipe(_SLOT_RECIPES[learner], settings)
    data = transitions.read(
        log, weights, lambda done, total: report("read", done, total), recipe.page_discount
    )
    report("read", data.page_count, data.page_count)
    learned, held_out = split(data.times)
    step_count = recipe.steps_for(len(learned))
    replay = EventReplay.of(data)
    network = dqn.learn(replay, recipe, learned, _telling(report, step_count), course=course)
    report("learn", step_count, step_count)
    metrics = {
        "page_count": float(data.page_count),
        "skipped_page_count": float(data.skipped_count),
        "decision_count": float(len(data)),
        **judge_slots(network, replay, held_out),
    }

    def write(path: Path) -> float:
        export.export(network, path)
        return export.compare(network, path, replay)

    return _Trained(Q_VALUES, recipe, data.times, learned, metrics, write)


_SLOT_RECIPES = {
    Learner.DDQN: dqn.Recipe(),
    Learner.SARSA: dqn.Recipe(bootstrap=dqn.Bootstrap.PLACED),
    Learner.CQL: dqn.Recipe(conservatism=0.1),
}


def _recipe(own: AnyRecipe, settings: Settings) -> AnyRecipe:
    told: dict[str, Any] = {
        "step_count": settings.step_count,
        "page_discount": settings.page_discount,
        "seed": settings.seed,
    }
    return dataclasses.replace(own, **{name: value for name, value in told.items() if value is not None})


def _telling(report: Report, step_count: int) -> Callable[[int, float], None]:
    def on_step(step: int, loss: float) -> None:
        if step % 25 == 0:
            report("learn", step, step_count)

    return on_step


def _manifest(trained: _Trained, learner: Learner, weights: Rewards) -> dict[str, Any]:
    times, learned = trained.times, trained.times[trained.learned]
    return {
        "kind": "policy",
        "learner": learner.value,
        "values": trained.kind,
        "space_fingerprint": space.FINGERPRINT,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "data_window": [_moment(times.min()), _moment(times.max())],
        # Evaluation asks for decisions that the policy has not seen: those after this.
        "learned_window": [_moment(learned.min()), _moment(learned.max())],
        "recipe": dataclasses.asdict(trained.recipe),
        "seed": trained.recipe.seed,
        "rewards": dataclasses.asdict(weights),
        "metrics": trained.metrics,
    }


def _moment(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="seconds")


def _version(learner: Learner, manifest: dict[str, Any]) -> str:
    """Time first, so that names sort; a digest behind it, so that two runs of a second differ."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:6]
    return f"{learner.value}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{digest}"
