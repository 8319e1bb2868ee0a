"""Which verbs does the policy service bring?"""

from __future__ import annotations

from pathlib import Path

import typer

from services.common.commands import group


def register(app: typer.Typer) -> None:
    """Adds `planogram train policy`."""
    group(app, "train", "Train models on a log, and publish them.").command("policy")(train_policy)


def train_policy(
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    models: Path = typer.Option(Path("var/models/policy"), help="Store to publish to."),  # noqa: B008
    rewards: Path | None = typer.Option(  # noqa: B008
        None, help="YAML of reward weights. Default: the service's config/rewards.yaml."
    ),
    steps: int = typer.Option(2_500, min=1, help="Most gradient steps."),
    seed: int = typer.Option(0, help="Seed of weights and batches."),
    tensorboard: Path | None = typer.Option(None, help="Folder for TensorBoard curves."),  # noqa: B008
) -> None:
    """Trains the Q-network on a log and publishes it."""
    from planogram.files.log import read_set_aside
    from services.common.training_output import curves, stages
    from services.policy.training.dqn import Recipe
    from services.policy.training.rewards import DEFAULT
    from services.policy.training.train import train

    left_out = read_set_aside(log)
    with stages("policy", ("read", "learn", "publish")) as report, curves(tensorboard) as scalar:
        outcome = train(log, models, Recipe(step_count=steps, seed=seed), rewards or DEFAULT, report, scalar)
    found = outcome.metrics
    typer.echo(
        f"{outcome.artifact.version} is current in {models}: {found['decision_count']:,.0f} decisions of "
        f"{found['page_count']:,.0f} pages, held-out mean return {found['mean_return']:.3f}, "
        f"mean Q {found['mean_q']:.3f}, correlation {found['return_correlation']:.3f}"
    )
    typer.echo(f"left out: {left_out}")
