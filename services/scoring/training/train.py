"""How does a log become a published click model?"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from planogram.files.log import LogFileError
from services.common import artifacts
from services.common.training_output import Report
from services.scoring import signature
from services.scoring.registry import MODEL_FILE
from services.scoring.signature import CURRENT
from services.scoring.training import data, judging, weights
from services.scoring.training.calibrate import calibrate
from services.scoring.training.data import Examined
from services.scoring.training.export import compare, export
from services.scoring.training.learn import Trained, Watch, learn
from services.scoring.training.recipe import Recipe
from services.scoring.training.team import ALONE, Team
from services.scoring.training.tracker import UNTRACKED, Tracker

VALID_SHARE = 0.1
TEST_SHARE = 0.1
MIN_PAGE_COUNT = 50
THREAD_COUNT = 1
"""Two threads beside other work on two cores took ten times as long: they wait for each other spinning."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training run made."""

    artifact: artifacts.Artifact
    metrics: dict[str, float]


def train(
    log: Path,
    models: Path,
    recipe: Recipe | None = None,
    report: Report = lambda stage, done, total: None,
    tracker: Tracker = UNTRACKED,
    checkpoint: Path | None = None,
    team: Team = ALONE,
) -> Outcome:
    """Trains on a log and publishes to a store.

    The latest tenth of the pages is for the metrics, the tenth before it for early stopping and
    calibration.

    Args:
        checkpoint: file to keep the run in, and to go on from where it is there; None keeps nothing.
        team: the processes that train together; the first of them publishes.

    Raises:
        planogram.files.log.LogFileError: for a log that cannot be read.
        LogFileError: for a log without examined items, or with too few pages or no click.
        CheckpointError: where the checkpoint is of another recipe.
        ExportError: where the exported graph disagrees with the network; nothing is published then.
    """
    recipe = recipe or Recipe()
    torch.set_num_threads(THREAD_COUNT)
    examined = data.read(log, lambda done, total: report("read", done, total))
    report("read", examined.page_count, examined.page_count)
    learned, valid, _ = split(examined)
    if not learned.click.any():
        raise LogFileError(f"{log}: no click among {len(learned.click)} examined items to learn from")
    tracker.begin(dataclasses.asdict(recipe))
    watch = Watch(tracker.scalar, lambda done, total: report("learn", done, total), checkpoint)
    trained = learn(learned, valid, recipe, watch, team)
    report("learn", trained.epoch_count, trained.epoch_count)  # it may have stopped early
    outcome = team.of_first(lambda: _publish(trained, examined, recipe, models))
    tracker.end(outcome.artifact.version, outcome.metrics)
    report("publish", 1, 1)
    return outcome


def _publish(trained: Trained, examined: Examined, recipe: Recipe, models: Path) -> Outcome:
    learned, valid, test = split(examined)
    calibrate(trained.network, trained.tower, valid)
    predicted = judging.predict(trained.network, trained.tower, test)
    metrics = judging.measure(predicted, test)
    metrics |= {"epoch_count": float(trained.epoch_count), "train_item_count": float(len(learned.click))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILE
        export(trained.network, path)
        weights.keep(trained.network, trained.tower, Path(folder))
        metrics["export_difference"] = compare(trained.network, path, examined)
        manifest = _manifest(examined, learned, recipe, metrics)
        manifest["calibration"] = judging.calibration(predicted, test)
        return Outcome(artifacts.publish(models, _version(manifest), Path(folder), manifest), metrics)


def split(examined: Examined) -> tuple[Examined, Examined, Examined]:
    """Pages to learn from, to stop and calibrate by, and to measure on, in order of time.

    Raises:
        LogFileError: for too few pages.
    """
    count = examined.page_count
    if count < MIN_PAGE_COUNT:
        raise LogFileError(f"{count} pages with examined items, want {MIN_PAGE_COUNT} or more")
    first, second = int(count * (1 - VALID_SHARE - TEST_SHARE)), int(count * (1 - TEST_SHARE))
    return examined.pages(0, first), examined.pages(first, second), examined.pages(second, count)


def _manifest(
    examined: Examined, learned: Examined, recipe: Recipe, metrics: dict[str, float]
) -> dict[str, Any]:
    return {
        "kind": "click",
        "signature": signature.to_manifest(CURRENT),
        "schema_fingerprint": CURRENT.fingerprint,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
        "data_window": [_moment(examined.times.min()), _moment(examined.times.max())],
        "skipped_pages": dict(examined.skipped),
        "recipe": dataclasses.asdict(recipe),
        "seed": recipe.seed,
        "metrics": metrics,
        "baseline": {
            "item_numbers": _means(learned.item["item_numbers"]),
            "shopper_numbers": _means(learned.shopper["shopper_numbers"]),
            "category_affinity": _means(learned.shopper["category_affinity"]),
        },
    }


def _means(columns: Any) -> list[float]:
    return [round(float(value), 6) for value in columns.mean(axis=0)]


def _moment(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="seconds")


def _version(manifest: dict[str, Any]) -> str:
    """Time first, so that names sort; a digest behind it, so that two runs of a second differ."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:6]
    return f"click-{datetime.now(UTC):%Y%m%d-%H%M%S}-{digest}"
