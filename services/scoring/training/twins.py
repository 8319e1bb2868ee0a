"""How do smaller twins of a click model compare with it, on the same held-out pages?

They are run as they are served. Losses are of clicks where items stood, by the tower that each was trained
with: without it, a model promises the click of a first place everywhere, and its loss is that of the promise.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.common import inference
from services.common.artifacts import Artifact
from services.scoring.scorer import GraphRunner
from services.scoring.training.data import PLACE_NAMES, Array, Examined
from services.scoring.training.export import page_arrays
from services.scoring.training.metrics import auc, grouped_auc, logloss
from services.scoring.training.notice import NoticeTower

LARGEST_LOSS = 0.01
"""Of log loss, relative; a twin that loses more is not published."""
MOST_PAGES = 2_000


@dataclass(frozen=True, slots=True)
class Twin:
    """One graph on the same pages as the others.

    Attributes:
        logloss, auc, gauc, predicted_to_observed: of clicks where items stood; gauc is the AUC by shopper.
        largest_difference, mean_difference: of a click probability as served, from the first graph's.
        page_ms: median processor time of a page, on one thread; size_bytes: of the file.
    """

    logloss: float
    auc: float
    gauc: float
    predicted_to_observed: float
    largest_difference: float
    mean_difference: float
    page_ms: float
    size_bytes: int


def compare(
    graphs: Mapping[str, Path], towers: Mapping[str, NoticeTower | None], test: Examined
) -> dict[str, Twin]:
    """Runs graphs for one shopper by turns, page by page; the first is what the others are held against.

    Args:
        towers: of the graphs, by the same names; one without is judged by what it serves.
    """
    count = min(test.page_count, MOST_PAGES)
    runs = {name: GraphRunner(inference.open_session(path, "cpu")) for name, path in graphs.items()}
    clicks: dict[str, list[Array]] = {name: [] for name in runs}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for page in range(count):
        arrays = page_arrays(test, page)
        for name, run in runs.items():
            began_s = time.thread_time()
            click, _ = run(arrays)
            seconds[name].append(time.thread_time() - began_s)
            clicks[name].append(click)
    seen = {name: np.concatenate(found) for name, found in clicks.items()}
    judged = test.pages(0, count)
    stood = {name: each * _noticed(towers[name], judged) for name, each in seen.items()}
    who, clicked = np.repeat(judged.who, np.diff(judged.offsets)), judged.click
    first = next(iter(seen.values()))
    return {
        name: Twin(
            logloss=logloss(stood[name], clicked),
            auc=auc(stood[name], clicked),
            gauc=grouped_auc(stood[name], clicked, who),
            predicted_to_observed=float(stood[name].sum() / max(clicked.sum(), 1.0)),
            largest_difference=float(np.abs(each - first).max()),
            mean_difference=float(np.abs(each - first).mean()),
            page_ms=1e3 * float(np.median(seconds[name])),
            size_bytes=graphs[name].stat().st_size,
        )
        for name, each in seen.items()
    }


def metrics(compared: Mapping[str, Twin]) -> dict[str, float]:
    """As a manifest keeps them, by the graphs' names; differences of all but the first."""
    found: dict[str, float] = {}
    for place, (name, twin) in enumerate(compared.items()):
        found |= {
            f"{name}_click_logloss": twin.logloss,
            f"{name}_click_auc": twin.auc,
            f"{name}_click_gauc": twin.gauc,
            f"{name}_click_predicted_to_observed": twin.predicted_to_observed,
            f"{name}_page_ms": twin.page_ms,
        }
        if place:
            found |= {
                f"{name}_click_largest_difference": twin.largest_difference,
                f"{name}_click_mean_difference": twin.mean_difference,
            }
    return found


def _noticed(tower: NoticeTower | None, data: Examined) -> Array:
    """(R,) by which factor a click is more or less likely for where the item stood."""
    if tower is None:
        return np.ones(len(data.click), np.float32)
    with torch.no_grad():
        places = {name: torch.from_numpy(getattr(data, name)) for name in PLACE_NAMES}
        factor: Array = tower(**places).exp().numpy()
    return factor


def manifest_of(source: Artifact) -> dict[str, Any]:
    """What a twin's manifest has in common with its origin's."""
    own = ("files", "published", "version")
    return {name: value for name, value in source.manifest.items() if name not in own}
