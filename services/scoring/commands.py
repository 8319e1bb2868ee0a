"""Which verbs does the scoring service bring?"""

from __future__ import annotations

from pathlib import Path

import typer

from services.common.commands import group


def register(app: typer.Typer) -> None:
    """Adds `planogram train click` and `planogram quantise click`."""
    group(app, "train", "Train models on a log, and publish them.").command("click")(train_click)
    group(app, "quantise", "Publish models of 8 bits.").command("click")(quantise_click)


def train_click(
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    models: Path = typer.Option(Path("var/models/click"), help="Store to publish to."),  # noqa: B008
    epochs: int = typer.Option(8, min=1, help="Most passes over the data."),
    seed: int = typer.Option(0, help="Seed of weights and batches."),
    tensorboard: Path | None = typer.Option(None, help="Folder for TensorBoard curves."),  # noqa: B008
) -> None:
    """Trains the click and purchase model on a log and publishes it."""
    from planogram.files.log import LogFileError, read_set_aside
    from services.common.errors import ConfigurationError
    from services.common.training_output import curves, stages
    from services.scoring.training.learn import Recipe
    from services.scoring.training.train import train

    try:
        left_out = read_set_aside(log)
        with stages("click model", ("read", "learn", "publish")) as report, curves(tensorboard) as scalar:
            outcome = train(log, models, Recipe(epoch_count=epochs, seed=seed), report, scalar)
    except LogFileError as error:
        raise ConfigurationError(f"{log} cannot be learned from: {error}") from None
    found = outcome.metrics
    typer.echo(
        f"{outcome.artifact.version} is current in {models}: held-out click auc {found['click_auc']:.3f} "
        f"(popularity {found['popularity_click_auc']:.3f}), logloss {found['click_logloss']:.4f} "
        f"({found['popularity_click_logloss']:.4f}), ece {found['click_ece']:.4f}"
    )
    typer.echo(f"left out: {left_out}")


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

    named = version or artifacts.current_version(models)
    if named is None:
        raise ConfigurationError(f"--models: nothing is published in {models}")
    try:
        artifact = quantise(artifacts.load(models, named), models, log, current)
    except (LogFileError, QuantisationError, ValueError) as error:
        raise ConfigurationError(f"{named} cannot be quantised: {error}") from None
    found = artifact.manifest["metrics"]
    typer.echo(
        f"{artifact.version} {'is current' if current else 'stands beside'} in {models}: held-out click "
        f"logloss {found['int8_click_logloss']:.4f} (fp32 {found['fp32_click_logloss']:.4f}), "
        f"auc {found['int8_click_auc']:.4f} ({found['fp32_click_auc']:.4f}), largest difference "
        f"{found['int8_click_largest_difference']:.4f}, CPU of a page {found['int8_page_ms']:.3f} ms "
        f"({found['fp32_page_ms']:.3f})"
    )
