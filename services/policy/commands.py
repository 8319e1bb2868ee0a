"""Which verbs does the policy service bring?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import typer

from services.common.commands import group


def register(app: typer.Typer) -> None:
    """Adds `planogram train policy`, `planogram evaluate policy` and `planogram evaluate canary`."""
    group(app, "train", "Train models on a log, and publish them.").command("policy")(train_policy)
    evaluate = group(app, "evaluate", "Judge models by a log, before they serve everyone.")
    evaluate.command("policy")(evaluate_policy)
    evaluate.command("canary")(evaluate_canary)


def train_policy(
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    models: Path = typer.Option(Path("var/models/policy"), help="Store to publish to."),  # noqa: B008
    rewards: Path | None = typer.Option(  # noqa: B008
        None, help="YAML of reward weights. Default: the service's config/rewards.yaml."
    ),
    learner: str = typer.Option(
        "slateq", help="slateq, ddqn, sarsa, cql or click_order; the service's README compares."
    ),
    steps: int | None = typer.Option(None, min=1, help="Most gradient steps. Default: the learner's."),
    page_discount: float | None = typer.Option(
        None,
        min=0.0,
        max=1.0,
        help="What the next page counts; 0 sees one page alone. Default: the learner's.",
    ),
    seed: int = typer.Option(0, help="Seed of weights and batches."),
    checkpoint: Path | None = typer.Option(  # noqa: B008
        None, help="File to keep the run in, and to go on from after it was stopped."
    ),
    tensorboard: Path | None = typer.Option(None, help="Folder for TensorBoard curves."),  # noqa: B008
) -> None:
    """Trains a policy on a log and publishes it."""
    from planogram.files.log import LogFileError, read_set_aside
    from services.common.errors import ConfigurationError
    from services.common.training_checkpoint import CheckpointError
    from services.common.training_output import curves, stages
    from services.policy.training.export import ExportError
    from services.policy.training.rewards import DEFAULT
    from services.policy.training.train import Learner, Settings, train

    if learner not in list(Learner):
        raise ConfigurationError(f"--learner: got {learner!r}, want one of {[str(name) for name in Learner]}")
    settings = Settings(steps, page_discount, seed, checkpoint)
    try:
        left_out = read_set_aside(log)
        with stages("policy", ("read", "learn", "publish")) as report, curves(tensorboard) as scalar:
            outcome = train(log, models, Learner(learner), settings, rewards or DEFAULT, report, scalar)
    except CheckpointError as error:
        raise ConfigurationError(str(error)) from None
    except (LogFileError, ExportError) as error:
        raise ConfigurationError(f"{log} cannot be learned from: {error}") from None
    found = outcome.metrics
    typer.echo(
        f"{outcome.artifact.version} is current in {models}: {found['decision_count']:,.0f} decisions of "
        f"{found['page_count']:,.0f} pages, held-out mean return {found['mean_return']:.3f}, "
        f"mean Q {found['mean_q']:.3f}, correlation {found['return_correlation']:.3f}"
    )
    typer.echo(f"left out: {left_out}")


def evaluate_policy(
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    models: Path = typer.Option(Path("var/models/policy"), help="Store of the candidate."),  # noqa: B008
    version: str | None = typer.Option(None, help="A published version. Default: the current one."),
    rewards: Path | None = typer.Option(  # noqa: B008
        None, help="YAML of reward weights. Default: the service's config/rewards.yaml."
    ),
    mode: str = typer.Option("softmax", help="How it would draw: greedy, epsilon_greedy or softmax."),
    epsilon: float = typer.Option(0.02, min=0.0, max=1.0, help="Its share of uniform choice."),
    temperature: float = typer.Option(0.2, min=0.01, max=100.0, help="Its temperature of softmax."),
    incumbent: str | None = typer.Option(
        None, help="Count only sessions that this version served, where the log has several."
    ),
    blending: str = typer.Option(
        "auto", help="How it is blended into what was served: geometric, mixture, or what has more support."
    ),
    page_discount: float = typer.Option(
        1.0, min=0.0, max=1.0, help="What a reward is worth that comes one page later."
    ),
    report: Path = typer.Option(Path("reports/policy-evaluation.html"), help="Report to write."),  # noqa: B008
    decision: Path = typer.Option(Path("reports/policy-decision.yaml"), help="Decision to write."),  # noqa: B008
) -> None:
    """Estimates what a policy would have earned on a log, and says whether it may go to a canary."""
    from services.common import artifacts
    from services.common.errors import ConfigurationError, NotFound
    from services.common.training_output import stages
    from services.policy.evaluation import gate
    from services.policy.evaluation.blending import Blending
    from services.policy.evaluation.evaluate import evaluate, learned_until
    from services.policy.evaluation.report import write
    from services.policy.exploration import Exploration, Mode
    from services.policy.registry import open_policy
    from services.policy.training.rewards import DEFAULT, load

    blendings: dict[str, Blending | None] = {"auto": None} | {entry.value: entry for entry in Blending}
    if blending not in blendings:
        raise ConfigurationError(f"--blending: got {blending!r}, want one of {sorted(blendings)}")
    modes = {entry.value: entry for entry in Mode}
    if mode not in modes:
        raise ConfigurationError(f"--mode: got {mode!r}, want one of {sorted(modes)}")
    name = version or artifacts.current_version(models)
    if name is None:
        raise NotFound(f"{models}: nothing is published there; train a policy first")
    artifact = artifacts.load(models, name)
    candidate = open_policy(artifact)
    limits = gate.Limits()
    with stages("evaluation", ("read", "fit", "estimate")) as progress:
        found = evaluate(
            log,
            candidate,
            Exploration(modes[mode], epsilon, temperature),
            load(rewards or DEFAULT),
            page_discount,
            learned_until(artifact),
            limits,
            blendings[blending],
            incumbent,
            report=progress,
        )
    write(found, limits, report)
    gate.write(found.decision, decision)
    for reason in found.decision.reasons:
        typer.echo(reason)
    typer.echo(f"{name}: {found.decision.verdict.value}; see {report} and {decision}")


def evaluate_canary(
    incumbent: str = typer.Option(..., help="Version that most shoppers meet."),
    candidate: str = typer.Option(..., help="Version that the canary shows."),
    share: float = typer.Option(..., help="Probability with which a shopper meets the candidate now."),
    since: datetime | None = typer.Option(  # noqa: B008
        None, help="When this share began, UTC. Default, of the first: with the log."
    ),
    log: Path = typer.Option(Path("var/log/export"), help="Folder of the exported log."),  # noqa: B008
    rewards: Path | None = typer.Option(  # noqa: B008
        None, help="YAML of reward weights. Default: the service's config/rewards.yaml."
    ),
    latency_p99_ms: float | None = typer.Option(None, min=0.0, help="Of the candidate's pages."),
    error_share: float | None = typer.Option(None, min=0.0, max=1.0, help="Of the candidate's pages."),
    state: Path = typer.Option(  # noqa: B008
        Path("reports/policy-canary.yaml"), help="Where the canary stands; read where it exists, and written."
    ),
) -> None:
    """Says of a canary whether to hold, go on, promote or kill, by a log's pages of both versions.

    Look as often as you like: bounds hold at any time. Shoppers must have been drawn with --share, by an
    experiment for example, whatever they are like.
    """
    from datetime import UTC

    from services.common.errors import ConfigurationError
    from services.policy.evaluation import arms, canary, looks
    from services.policy.training.rewards import DEFAULT, load

    plan = canary.Plan()
    if share not in plan.shares:
        raise ConfigurationError(f"--share: got {share:g}, want one of {plan.shares}")
    if incumbent == candidate:
        raise ConfigurationError(f"--candidate: got {candidate!r}, which is the incumbent")
    begun = None if since is None else since.replace(tzinfo=UTC)
    before = looks.load(state)
    if before is not None and (before.incumbent, before.candidate) != (incumbent, candidate):
        raise ConfigurationError(
            f"{state} is of {before.candidate} against {before.incumbent}; name another file with --state"
        )
    course = (
        looks.begin(incumbent, candidate, share, begun, plan)
        if before is None
        else before.continued(share, begun, plan)
    )
    found = arms.read(log, incumbent, candidate, load(rewards or DEFAULT), course.stages[0].since)
    readings = {
        name: value
        for name, value in (
            ("latency_p99_ms", latency_p99_ms),
            ("error_share", error_share),
            ("top_module_exposure_share", found.top_module_exposure_share),
        )
        if value is not None
    }
    now = looks.look(course, found, plan, readings)
    looks.write(course, now, found, plan, {"log": str(log), "readings": readings}, state)
    for reason in now.reasons:
        typer.echo(reason)
    typer.echo(
        f"{candidate}: {now.verdict.value}, serve {canary.share(now, plan):.0%} of shoppers; see {state}"
    )
