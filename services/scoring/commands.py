"""Which verbs does the scoring service bring?"""

from __future__ import annotations

from pathlib import Path

import typer

from services.common.commands import group


def register(app: typer.Typer) -> None:
    """Adds `planogram train click`."""
    group(app, "train", "Train models on a log, and publish them.").command("click")(train_click)


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
