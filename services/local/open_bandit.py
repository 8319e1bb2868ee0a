"""What do real logs make of this system? The Open Bandit Dataset, from its package to a page.

The logs of a fashion shop's experiment lie inside the obp package, 10,000 rows for each of two policies
and three campaigns (Saito et al. 2021, arXiv:2008.07146). They are imported as any shop's would be.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from planogram import client
from planogram.files import catalogue
from planogram.layout.v1 import layout_pb2
from services.common import artifacts, pseudonyms
from services.common.errors import ConfigurationError
from services.feature.importing import impressions, items, mapping, shown
from services.feature.importing.support import Support, support
from services.feature.importing.writing import write_pages
from services.local.state import State as Shop
from services.local.supervisor import clean_environment

PACKAGE = "obp==0.4.1"
POLICIES = ("random", "bts")
CAMPAIGNS = ("all", "men", "women")
CLICK_EPOCH_COUNT = 4
"""Most passes of the click model; early stopping ends training sooner on so few clicks."""

_INSIDE = "obp/dataset/obd/"
_MAPPINGS = Path(mapping.__file__).parent / "mappings"
_PAGE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the imported logs hold, and a page that was composed after learning from them."""

    files: Sequence[Support]
    page: layout_pb2.Page
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class State(Shop):
    """Where everything lies, apart from a shop that may run beside."""

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def settings(self) -> dict[str, str]:
        """Settings under which the services work on this state and its own categories."""
        return {**self.variables, "PLANOGRAM_LAYOUT_CONFIG_PATH": str(self.config)}


def run(root: Path, console: Console, wheel: Path | None = None) -> Outcome:
    """From the package to a page.

    Args:
        root: folder of all state.
        wheel: the package's file, where it is at hand; fetched otherwise.

    Raises:
        ConfigurationError: naming what could not be fetched, read or run.
    """
    state = State(root)
    seconds: dict[str, float] = {}
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:

        @contextmanager
        def stage(name: str) -> Iterator[Callable[[int, int], None]]:
            task, begun = bars.add_task(name, total=None), time.monotonic()
            yield lambda done, total: bars.update(task, completed=done, total=total)
            seconds[name] = time.monotonic() - begun
            bars.update(task, completed=1, total=1)

        with stage(f"fetch {PACKAGE}"):
            fetch(state.files, wheel)
        with stage("import 160 items, 60,000 rows") as advance:
            found = import_files(state, advance)
        with stage("build features"):
            _planogram(state, [("build-features",)])
        with stage("train click model and bandit"):
            _planogram(
                state,
                [
                    (
                        *("train", "click", "--epochs", str(CLICK_EPOCH_COUNT)),
                        *("--log", str(state.log), "--models", str(state.click_models)),
                    ),
                    ("train", "policy", "--log", str(state.log), "--models", str(state.policy_models)),
                ],
            )
        with stage("compose a page"), _environment(state.settings):
            page = asyncio.run(_compose())
    return Outcome(found, page, seconds)


def fetch(out: Path, wheel: Path | None = None) -> None:
    """Unpacks the package's CSV files into a folder; nothing of it is installed or run.

    Raises:
        ConfigurationError: where it cannot be had, or holds other files than it should.
    """
    wanted = [
        f"{policy}/{campaign}/{name}.csv"
        for policy in POLICIES
        for campaign in CAMPAIGNS
        for name in (campaign, "item_context")
    ]
    if all((out / name).is_file() for name in wanted):
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".fetch-") as scratch:
        path = wheel or _download(Path(scratch))
        staging = Path(scratch, "files")
        try:
            with zipfile.ZipFile(path) as archive:
                for name in wanted:
                    target = staging / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(_INSIDE + name))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ConfigurationError(f"{path}: {error}; want the wheel of {PACKAGE}") from None
        if out.is_dir():
            shutil.rmtree(out)
        staging.replace(out)


def import_files(state: State, progress: Callable[[int, int], None]) -> list[Support]:
    """Items, log and configuration of this system's own, made of the unpacked files."""
    found = [_catalogue(state.files, campaign) for campaign in CAMPAIGNS]
    joined = items.joined(found, state.files)
    catalogue.write(state.catalogue, joined.items)
    items.write_configuration(state.config, items.shipped_configuration(), joined.largest_categories)
    logs = [_log(state.files, policy, campaign) for policy in POLICIES for campaign in CAMPAIGNS]
    secret = pseudonyms.load(state.key)
    write_pages(state.log, "open-bandit", impressions.pages(logs, joined.items, secret, progress))
    return [support(log) for log in logs]


def print_outcome(console: Console, state: State, outcome: Outcome) -> None:
    """Prints counts, models, the page, and what the numbers are good for."""
    from services.feature.importing.commands import print_support
    from services.layout.terminal import print_page, titles_of

    print_support(console, outcome.files)
    _print_models(console, state)
    print_page(console, outcome.page, titles_of(state.catalogue, outcome.page))
    clicks = [each.click_count for each in outcome.files]
    console.print(
        f"{min(clicks)} to {max(clicks)} clicks a file show that the importer, the trainers and the composer "
        "fit together. They are too few to tell good items from bad ones, and single pages without sessions "
        "say nothing about reinforcement learning: services/feature/importing/README.md.\n"
        f"All state is in {state.root}. {sum(outcome.seconds.values()):.0f} s: "
        + ", ".join(f"{name} {seconds:.0f}" for name, seconds in outcome.seconds.items()),
        highlight=False,
    )


def _print_models(console: Console, state: State) -> None:
    click, policy = (
        artifacts.load(store, artifacts.current_version(store) or "").manifest["metrics"]
        for store in (state.click_models, state.policy_models)
    )
    table = Table(
        "held out, the latest tenth", "learned", "baseline", title="What was learned", title_justify="left"
    )
    table.add_row(
        f"click AUC, {click['test_click_count']:.0f} clicks among {click['test_item_count']:,.0f} rows",
        f"{click['click_auc']:.3f} ± {1.96 * _auc_error(click):.3f}",
        f"{click['popularity_click_auc']:.3f} popularity",
    )
    table.add_row(
        "click logloss",
        f"{click['click_logloss']:.4f}",
        f"{click['popularity_click_logloss']:.4f} popularity",
    )
    table.add_row(
        f"bandit: RMSE of the reward, {policy['held_out_count']:,.0f} decisions",
        f"{policy['return_rmse']:.5f}",
        f"{policy['return_rmse_of_mean']:.5f} its mean",
    )
    table.add_row(
        "bandit: correlation of value and reward", f"{policy['return_correlation']:.3f}", "0 chance"
    )
    console.print(table)


def _auc_error(metrics: Mapping[str, float]) -> float:
    """Standard error of the click model's AUC (Hanley, McNeil 1982, with their exponential model)."""
    auc, positives = metrics["click_auc"], metrics["test_click_count"]
    negatives = metrics["test_item_count"] - positives
    if not positives or not negatives:
        return math.inf
    both_positive, both_negative = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (
        auc * (1 - auc)
        + (positives - 1) * (both_positive - auc**2)
        + (negatives - 1) * (both_negative - auc**2)
    ) / (positives * negatives)
    return math.sqrt(variance)


def _catalogue(files: Path, campaign: str) -> items.Catalogue:
    path = _MAPPINGS / "open-bandit-catalogue.yaml"
    chosen = mapping.load(path, mapping.CatalogueMapping, {"campaign": campaign, "title": campaign.title()})
    # The item features of the two policies' folders are hashed differently; these are of the first.
    return items.read(files / POLICIES[0] / campaign / "item_context.csv", chosen, str(path))


def _log(files: Path, policy: str, campaign: str) -> shown.LoggedRows:
    path = _MAPPINGS / "open-bandit-log.yaml"
    chosen = mapping.load(path, mapping.LogMapping, {"campaign": campaign, "policy": policy})
    return shown.read(files / policy / campaign / f"{campaign}.csv", chosen, str(path))


def _download(folder: Path) -> Path:
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary", ":all:", "--dest", str(folder), PACKAGE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    found = sorted(folder.glob("*.whl"))
    if done.returncode or not found:
        reason = (done.stderr.strip().splitlines() or ["no file came"])[-1]
        raise ConfigurationError(
            f"`pip download --no-deps {PACKAGE}` failed: {reason}; with the wheel at hand, name it: --wheel"
        )
    return found[0]


def _planogram(state: State, commands: Sequence[tuple[str, ...]]) -> None:
    """Runs `planogram` commands on this state, at once; what they print is shown where one fails."""
    folder = state.run
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**clean_environment(), **state.settings}
    paths = [folder / f"{'-'.join(command[:2])}.log" for command in commands]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command, path in zip(commands, paths, strict=True):
            with path.open("wb") as log:
                processes.append(
                    subprocess.Popen(  # noqa: S603
                        [sys.executable, "-m", "services.common.cli", *command],
                        env=environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        codes = [process.wait() for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
                process.wait()
    for command, path, code in zip(commands, paths, codes, strict=True):
        if code:
            raise ConfigurationError(f"`planogram {' '.join(command)}` failed:\n{path.read_text().rstrip()}")


async def _compose() -> layout_pb2.Page:
    # Importing it opens Feast, which reads the environment.
    from services.local.in_process import open_upstream

    async with open_upstream() as upstream:
        answer: layout_pb2.ComposePageResponse = await upstream.call(
            "ComposePage", client.home(user_id="", session_id="open-bandit"), _PAGE_TIMEOUT_S
        )
    return answer.page


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """The process's environment with these variables in it."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
