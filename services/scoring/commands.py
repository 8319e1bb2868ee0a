"""Which verbs does the scoring service bring?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from services.common.commands import group

if TYPE_CHECKING:
    from services.scoring.training.recipe import Recipe


def register(app: typer.Typer) -> None:
    """Adds `planogram train click`, `tune click`, `quantise click`, `prune click` and `compare click`."""
    group(app, "train", "Train models on a log, and publish them.").command("click")(train_click)
    group(app, "tune", "Search for the recipe that suits a log.").command("click")(tune_click)
    group(app, "quantise", "Publish models of 8 bits.").command("click")(quantise_click)
    group(app, "prune", "Publish models with fewer units.").command("click")(prune_click)
    group(app, "compare", "Hold published models against each other.").command("click")(compare_click)


def train_click(
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    models: Path = typer.Option(Path("var/models/click"), help="Store to publish to."),  # noqa: B008
    recipe: Path | None = typer.Option(  # noqa: B008
        None, help="JSON of a recipe, such as `tune click` writes; the options below overrule it."
    ),
    encoder: str | None = typer.Option(None, help="attention, transformer, gru, cnn or mean."),
    heads: str | None = typer.Option(None, help="esmm or mmoe."),
    epochs: int | None = typer.Option(None, min=1, help="Most passes over the data."),
    seed: int | None = typer.Option(None, help="Seed of weights and batches."),
    precision: str | None = typer.Option(None, help="auto (mixed on a GPU), full or mixed."),
    checkpoint: Path | None = typer.Option(  # noqa: B008
        None, help="File to keep the run in, and to go on from after it was stopped."
    ),
    tensorboard: Path | None = typer.Option(None, help="Folder for TensorBoard curves."),  # noqa: B008
) -> None:
    """Trains the click and purchase model on a log and publishes it.

    With torchrun, several processes train one model:

    \b
      torchrun --standalone --nproc-per-node 2 -m -- services.common.cli train click
    """
    from planogram.files.log import LogFileError, read_set_aside
    from services.common.errors import ConfigurationError
    from services.common.training_checkpoint import CheckpointError
    from services.common.training_output import stages
    from services.scoring.training.team import team
    from services.scoring.training.tracker import tensorboard as tracking
    from services.scoring.training.train import train

    chosen = _recipe(
        recipe,
        {"epoch_count": epochs, "seed": seed, "precision": precision},
        {"encoder": encoder, "heads": heads},
    )
    try:
        left_out = read_set_aside(log)
        with (
            team() as members,
            stages("click model", ("read", "learn", "publish")) as report,
            tracking(tensorboard if members.is_first else None) as tracker,
        ):
            outcome = train(log, models, chosen, report, tracker, checkpoint, members)
            if not members.is_first:
                return
    except (CheckpointError, LogFileError) as error:
        raise ConfigurationError(f"{log} cannot be learned from: {error}") from None
    found = outcome.metrics
    typer.echo(
        f"{outcome.artifact.version} is current in {models}: held-out click auc {found['click_auc']:.3f} "
        f"(popularity {found['popularity_click_auc']:.3f}), by shopper {found['click_gauc']:.3f} "
        f"({found['popularity_click_gauc']:.3f}), logloss {found['click_logloss']:.4f} "
        f"({found['popularity_click_logloss']:.4f}), ece {found['click_ece']:.4f}"
    )
    _print_calibration(outcome.artifact.manifest["calibration"])
    typer.echo(f"left out: {left_out}")


def _print_calibration(calibration: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Predicted over observed clicks of the latest pages, group by group."""
    from rich.console import Console
    from rich.table import Table

    columns = ("predicted / observed clicks", "group", "clicks", "ratio", "95 %")
    table = Table(*columns, title="calibration on the latest tenth of the pages", title_justify="left")
    for kind, entries in calibration.items():
        for entry in entries:
            ratio, spread = "-", "-"
            if entry["events"]:
                ratio = f"{entry['predicted_to_observed']:.3f}"
                spread = f"{entry['low']:.2f} to {entry['high']:.2f}"
            name = "" if kind == "all" else f"{entry['group']:.0f}"
            table.add_row(kind, name, f"{entry['events']:.0f}", ratio, spread)
    Console().print(table)


def tune_click(
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    trials: int = typer.Option(20, min=1, help="Recipes to try, with those that were kept before."),
    recipe: Path | None = typer.Option(None, help="JSON of the recipe to begin with."),  # noqa: B008
    out: Path = typer.Option(Path("var/recipes/click.json"), help="Recipe to write."),  # noqa: B008
    keep: Path = typer.Option(  # noqa: B008
        Path("var/recipes/click.sqlite"), help="Trials; a search that was stopped goes on."
    ),
    epochs: int | None = typer.Option(None, min=1, help="Most passes over the data of each trial."),
    seed: int | None = typer.Option(None, help="Seed of weights, batches and proposals."),
) -> None:
    """Searches for a recipe by held-out loss, and writes it for `train click --recipe`.

    Trials that fall behind are given up. The latest tenth of the log is never looked at.
    """
    from planogram.files.log import LogFileError
    from services.common.errors import ConfigurationError
    from services.scoring.training import data, tune
    from services.scoring.training import recipe as recipes
    from services.scoring.training.train import split

    base = _recipe(recipe, {"epoch_count": epochs, "seed": seed}, {})
    try:
        learned, valid, _ = split(data.read(log))
    except LogFileError as error:
        raise ConfigurationError(f"{log} cannot be learned from: {error}") from None

    def tell(number: int, loss: float | None) -> None:
        typer.echo(f"trial {number}: {'given up' if loss is None else f'held-out loss {loss:.5f}'}")

    found = tune.search(learned, valid, base, trials, keep, tell)
    recipes.write(out, found.recipe)
    typer.echo(
        f"{out}: held-out loss {found.valid_loss:.5f}, the best of {found.trial_count} trials, of which "
        f"{found.pruned_count} were given up"
    )


def _recipe(path: Path | None, fields: dict[str, object], shape: dict[str, object]) -> Recipe:
    """The recipe of a file, or the default one, with what was asked for instead.

    Raises:
        ConfigurationError: names the field, its value and what it may be.
    """
    from dataclasses import asdict

    from services.common.errors import ConfigurationError
    from services.scoring.training import recipe as recipes

    try:
        document = asdict(recipes.Recipe() if path is None else recipes.read(path))
        document["architecture"] |= {name: value for name, value in shape.items() if value is not None}
        document |= {name: value for name, value in fields.items() if value is not None}
        return recipes.from_document(document)
    except recipes.RecipeError as error:
        raise ConfigurationError(str(error)) from None


def quantise_click(
    version: str = typer.Argument("", help="A published version; the current one if empty."),
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    models: Path = typer.Option(Path("var/models/click"), help="Store it is in, and goes to."),  # noqa: B008
    current: bool = typer.Option(False, help="Make the new version the current one."),
) -> None:
    """Publishes an int8 twin of a click model, with its loss and its time beside those of the original."""
    from planogram.files.log import LogFileError
    from services.common import artifacts
    from services.common.errors import ConfigurationError
    from services.scoring.training.quantise import QuantisationError, quantise
    from services.scoring.training.weights import WeightsError

    named = _named(version, models)
    try:
        artifact = quantise(artifacts.load(models, named), models, log, current)
    except (LogFileError, QuantisationError, WeightsError, ValueError) as error:
        raise ConfigurationError(f"{named} cannot be quantised: {error}") from None
    found = artifact.manifest["metrics"]
    typer.echo(
        f"{artifact.version} {'is current' if current else 'stands beside'} in {models}: held-out click "
        f"logloss {found['int8_click_logloss']:.4f} (fp32 {found['fp32_click_logloss']:.4f}), "
        f"auc {found['int8_click_auc']:.4f} ({found['fp32_click_auc']:.4f}), largest difference "
        f"{found['int8_click_largest_difference']:.4f}, CPU of a page {found['int8_page_ms']:.3f} ms "
        f"({found['fp32_page_ms']:.3f})"
    )


def prune_click(
    version: str = typer.Argument("", help="A published version; the current one if empty."),
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    models: Path = typer.Option(Path("var/models/click"), help="Store it is in, and goes to."),  # noqa: B008
    share: float = typer.Option(0.5, min=0.0, max=0.95, help="Of the units of each group that leave."),
    epochs: int = typer.Option(2, min=1, help="Most passes over the data for what is left to learn on."),
    current: bool = typer.Option(False, help="Make the new version the current one."),
) -> None:
    """Publishes a twin of a click model without the units that matter least, which has learned on."""
    from planogram.files.log import LogFileError
    from services.common import artifacts
    from services.common.errors import ConfigurationError
    from services.scoring.training.prune import PruningError, prune
    from services.scoring.training.weights import WeightsError

    named = _named(version, models)
    try:
        artifact = prune(artifacts.load(models, named), models, log, share, epochs, current)
    except (LogFileError, PruningError, WeightsError, ValueError) as error:
        raise ConfigurationError(f"{named} cannot be pruned: {error}") from None
    found = artifact.manifest["metrics"]
    typer.echo(
        f"{artifact.version} {'is current' if current else 'stands beside'} in {models}: held-out click "
        f"logloss where items stood {found['click_logloss']:.4f} (whole {found['whole_click_logloss']:.4f}), "
        f"{found['pruned_parameter_count']:,.0f} parameters ({found['whole_parameter_count']:,.0f}), "
        f"CPU of a page {found['pruned_page_ms']:.3f} ms ({found['fp32_page_ms']:.3f})"
    )


def compare_click(
    versions: list[str] = typer.Argument(help="Published versions; the first is the yardstick."),  # noqa: B008
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    models: Path = typer.Option(Path("var/models/click"), help="Store they are in."),  # noqa: B008
) -> None:
    """Prints losses, calibration where items stood, distance, time and size on the latest tenth of pages."""
    from rich.console import Console
    from rich.table import Table

    from planogram.files.log import LogFileError
    from services.common import artifacts
    from services.common.errors import ConfigurationError
    from services.scoring.registry import MODEL_FILE
    from services.scoring.training import data, twins, weights
    from services.scoring.training.train import split

    try:
        named = {version: artifacts.load(models, version) for version in versions}
        towers = {version: weights.load_tower(artifact) for version, artifact in named.items()}
        _, _, test = split(data.read(log))
    except weights.WeightsError as error:
        raise ConfigurationError(f"--models: {error}") from None
    except LogFileError as error:
        raise ConfigurationError(f"--log: {error}") from None
    graphs = {version: artifact.file(MODEL_FILE) for version, artifact in named.items()}
    headings = ("logloss", "AUC by shopper", "AUC", "predicted / observed", "largest difference")
    table = Table("version", *headings, "CPU of a page, ms", "kB")
    for version, twin in twins.compare(graphs, towers, test).items():
        cells = (f"{twin.logloss:.5f}", f"{twin.gauc:.4f}", f"{twin.auc:.4f}")
        ratio, distance = f"{twin.predicted_to_observed:.3f}", f"{twin.largest_difference:.4f}"
        size = f"{twin.size_bytes / 1e3:,.0f}"
        table.add_row(version, *cells, ratio, distance, f"{twin.page_ms:.3f}", size)
    Console().print(table)


def _named(version: str, models: Path) -> str:
    """A version, or the current one where none is named."""
    from services.common import artifacts
    from services.common.errors import ConfigurationError

    named = version or artifacts.current_version(models)
    if named is None:
        raise ConfigurationError(f"--models: nothing is published in {models}")
    return named
