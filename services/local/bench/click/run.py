"""Who predicts clicks best on one log, with the same pages to learn from and to be judged on?

One result per entrant and seed is kept on disk, so that a run that was stopped goes on.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.local.bench import entering, harness
from services.local.bench.click import entrants as taking_part
from services.local.bench.click import table
from services.local.bench.click.case import PAGE_ITEM_COUNT, Answer, Array, Case
from services.local.bench.click.entrants import OWN, Entrant
from services.scoring.training import data, judging, metrics, train
from services.scoring.training.recipe import Recipe

FOLDER = Path("reports/bench-click/runs")


@dataclass(frozen=True, slots=True)
class Run:
    """What one entrant said with one seed, and what that is worth.

    Attributes:
        setting: log and recipe, in words; results of others are made again.
        figures: by name, as `judge` makes them.
        loss_of_who, auc_of_who, rows_of_who: (U,) of each shopper of the test pages: the mean logloss, the
            AUC, nan where there is none, and the rows.
    """

    entrant: str
    seed: int
    setting: str
    figures: dict[str, float]
    loss_of_who: Array
    auc_of_who: Array
    rows_of_who: Array


def run(
    log: Path,
    seed_count: int,
    names: Sequence[str],
    command: str,
    folder: Path = FOLDER,
    say: Callable[[str], None] = print,
) -> list[harness.Row]:
    """Fits what has no result yet, and reports all.

    Args:
        names: of entrants; all where empty. Our own always takes part.

    Raises:
        planogram.files.log.LogFileError: for a log that cannot be learned from.
        ConfigurationError: for a name that nobody has, or a package that is not there.
    """
    torch.set_num_threads(1)
    chosen = entering.named(taking_part.ENTRANTS, OWN, names)
    entering.check_installed(chosen, "bench-click")
    case = Case(*train.split(data.read(log)))
    setting = describe(case)
    say(setting)
    runs = []
    for seed in range(seed_count):
        for entrant in chosen:
            if seed and not entrant.is_seeded:
                continue
            path = _path(folder, entrant, seed)
            found = _read(path)
            if found is None or found.setting != setting:
                found = fit(entrant, case, seed, setting)
                _write(path, found)
                say(f"seed {seed}, {entrant.name}: " + table.in_words(found.figures))
            runs.append(found)
    return table.report(runs, OWN, "click", command)


def describe(case: Case) -> str:
    """The case in words: sizes, clicks, a digest of the labels, and the recipe of our own."""
    parts = [
        f"{len(part.click):,} items of {part.page_count:,} pages with {part.click.sum():,.0f} clicks"
        for part in (case.learned, case.valid, case.test)
    ]
    digest = hashlib.sha256(case.learned.click.tobytes() + case.test.click.tobytes()).hexdigest()[:8]
    return (
        f"learned from {parts[0]}; stopped and calibrated by {parts[1]}; judged on {parts[2]} "
        f"(log {digest}; {Recipe()})"
    )


def fit(entrant: Entrant, case: Case, seed: int, setting: str) -> Run:
    """Lets one entrant learn, and judges it."""
    begun, busy = time.perf_counter(), time.process_time()
    answer = entrant.fit(case, seed)
    figures = judge(answer, case)
    figures |= {"fit_s": time.perf_counter() - begun, "fit_cpu_s": time.process_time() - busy}
    return Run(entrant.name, seed, setting, figures, *by_shopper(answer, case))


def judge(answer: Answer, case: Case) -> dict[str, float]:
    """All figures of the table, of clicks unless the name says otherwise."""
    test = case.test
    who = np.repeat(test.who, np.diff(test.offsets))
    threshold = metrics.best_threshold(answer.valid, case.valid.click)
    found = metrics.evaluate(answer.test, test.click)
    calibration = judging.calibration(judging.Predicted(answer.test, answer.test), test)
    found |= {
        "worst_decile": metrics.worst_ratio(calibration["decile"]),
        "worst_segment": metrics.worst_ratio(calibration["segment"]),
        "gauc": metrics.grouped_auc(answer.test, test.click, who),
        "f1": metrics.f1(answer.test, test.click, threshold),
        "parameters": float(answer.parameter_count),
        "page_ms": answer.page_ms,
    }
    if answer.purchase is not None:
        bought = metrics.evaluate(answer.purchase, test.purchase)
        found |= {f"purchase_{name}": bought[name] for name in ("auc", "logloss", "predicted_to_observed")}
    return found


def by_shopper(answer: Answer, case: Case) -> tuple[Array, Array, Array]:
    """Loss, AUC and rows of each shopper."""
    who = np.repeat(case.test.who, np.diff(case.test.offsets))
    observed, found = case.test.click, []
    for number in np.unique(who):
        rows = np.flatnonzero(who == number)
        clicks, said = observed[rows], answer.test[rows]
        has_both = 0 < clicks.sum() < len(rows)
        auc = metrics.auc(said, clicks) if has_both else np.nan
        found.append((metrics.logloss(said, clicks), auc, len(rows)))
    loss, auc, count = np.array(found).T
    return loss, auc, count


def _path(folder: Path, entrant: Entrant, seed: int) -> Path:
    slug = re.sub(r"[^a-z0-9]+", "-", entrant.name.lower()).strip("-")
    return folder / f"{slug}-{seed}.json"


def _write(path: Path, found: Run) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "entrant": found.entrant,
        "seed": found.seed,
        "setting": found.setting,
        "page_item_count": PAGE_ITEM_COUNT,
        "figures": found.figures,
        "by_shopper": {
            "loss": found.loss_of_who.tolist(),
            "auc": [None if np.isnan(value) else value for value in found.auc_of_who.tolist()],
            "rows": found.rows_of_who.tolist(),
        },
    }
    path.write_text(json.dumps(document) + "\n")


def _read(path: Path) -> Run | None:
    """A result that was kept; None where there is none."""
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    by_shopper = kept["by_shopper"]
    return Run(
        kept["entrant"],
        kept["seed"],
        kept["setting"],
        kept["figures"],
        np.array(by_shopper["loss"]),
        np.array(by_shopper["auc"], dtype=float),
        np.array(by_shopper["rows"]),
    )
