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

import numpy as np
import torch

from planogram.files.log import LogFileError
from services.common import artifacts
from services.common.training_output import Report, Scalar
from services.scoring import signature
from services.scoring.registry import MODEL_FILE
from services.scoring.scorer import POPULARITY
from services.scoring.signature import CURRENT
from services.scoring.training import data
from services.scoring.training.calibrate import calibrate
from services.scoring.training.data import Examined
from services.scoring.training.export import compare, export
from services.scoring.training.learn import Recipe, batches, learn
from services.scoring.training.metrics import evaluate
from services.scoring.training.model import ClickNetwork, NoticeTower

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
    scalar: Scalar = lambda name, value, step: None,
) -> Outcome:
    """Trains on a log and publishes to a store.

    The latest tenth of the pages is for the metrics, the tenth before it for early stopping and
    calibration.

    Raises:
        planogram.files.log.LogFileError: for a log that cannot be read.
        LogFileError: for a log without examined items, or with too few pages or no click.
        ExportError: where the exported graph disagrees with the network; nothing is published then.
    """
    recipe = recipe or Recipe()
    torch.set_num_threads(THREAD_COUNT)
    examined = data.read(log, lambda done, total: report("read", done, total))
    report("read", examined.page_count, examined.page_count)
    learned, valid, test = split(examined)
    if not learned.click.any():
        raise LogFileError(f"{log}: no click among {len(learned.click)} examined items to learn from")

    def on_epoch(epoch: int, loss: float, held_out: float) -> None:
        scalar("loss/train", loss, epoch)
        scalar("loss/valid", held_out, epoch)

    trained = learn(learned, valid, recipe, on_epoch, lambda done, total: report("learn", done, total))
    report("learn", trained.epoch_count, trained.epoch_count)  # it may have stopped early
    calibrate(trained.network, trained.tower, valid)
    metrics = measure(trained.network, trained.tower, test)
    metrics |= {"epoch_count": float(trained.epoch_count), "train_item_count": float(len(learned.click))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILE
        export(trained.network, path)
        metrics["export_difference"] = compare(trained.network, path, examined)
        manifest = _manifest(examined, learned, recipe, metrics)
        artifact = artifacts.publish(models, _version(manifest), Path(folder), manifest)
    report("publish", 1, 1)
    return Outcome(artifact, metrics)


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


def measure(network: ClickNetwork, tower: NoticeTower, test: Examined) -> dict[str, float]:
    """Metrics on held-out pages, with the popularity baseline beside.

    Clicks are predicted where the items stood, so the notice tower has its say here: what is served
    instead is the chance at the first place of the first slot.
    """
    clicks, purchases, weights = [], [], []
    for batch in batches(test):
        with torch.no_grad():
            logits = network.calibrated(network(batch.inputs))
            click = tower(batch.slot, batch.place, batch.device).exp() * torch.sigmoid(logits.click)
            purchase = click * torch.sigmoid(logits.conversion)
        is_item = batch.weight > 0
        clicks.append(click[is_item].numpy())
        purchases.append(purchase[is_item].numpy())
        weights.append(is_item.numpy().sum())
    popular = POPULARITY.predict(test.item)
    found = evaluate(np.concatenate(clicks), test.click)
    baseline = evaluate(popular.click_probability, test.click)
    bought = evaluate(np.concatenate(purchases), test.purchase)
    return {
        **{f"click_{name}": value for name, value in found.items()},
        **{f"popularity_click_{name}": value for name, value in baseline.items()},
        **{f"purchase_{name}": value for name, value in bought.items()},
        "popularity_purchase_auc": evaluate(popular.purchase_probability, test.purchase)["auc"],
        "test_item_count": float(len(test.click)),
        "test_click_count": float(test.click.sum()),
        "test_purchase_count": float(test.purchase.sum()),
    }


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
