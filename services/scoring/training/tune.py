"""Which recipe suits a log?

Optuna (Akiba et al. 2019, arXiv:1907.10902) proposes, the held-out loss decides, and a trial that is behind
the median of the others at the same pass is given up. The pages kept for the metrics are never looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna

from services.scoring.training.architecture import Architecture, Encoder, Heads
from services.scoring.training.data import Examined
from services.scoring.training.learn import Watch, learn
from services.scoring.training.recipe import Recipe

HIDDEN_WIDTHS = {"32-16": (32, 16), "64-32": (64, 32), "128-64": (128, 64)}
_FULL_TRIALS = 3
"""Trials that run to their end before any is held against others."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best recipe.

    Attributes:
        valid_loss: of it; trial_count, pruned_count: of all, and of those given up.
    """

    recipe: Recipe
    valid_loss: float
    trial_count: int
    pruned_count: int


def search(
    train: Examined,
    valid: Examined,
    base: Recipe,
    trial_count: int,
    keep: Path | None = None,
    on_trial: Callable[[int, float | None], None] = lambda number, loss: None,
) -> Found:
    """Tries recipes.

    Args:
        base: what is not searched for, and the first that is tried.
        trial_count: in all, with those that were kept before.
        keep: SQLite file in which trials are kept and gone on from; None keeps nothing.
        on_trial: called with each trial's number and loss, None where it was given up.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if keep is not None:
        keep.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="click",
        storage=None if keep is None else f"sqlite:///{keep}",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=base.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_FULL_TRIALS, n_warmup_steps=1),
    )
    if not study.trials:
        study.enqueue_trial(_choices(base))

    def judge(trial: optuna.Trial) -> float:
        def watch(name: str, value: float, step: int) -> None:
            if name == "loss/valid":
                trial.report(value, step)
                if trial.should_prune():
                    raise optuna.TrialPruned

        return learn(train, valid, proposed(trial, base), Watch(scalar=watch)).valid_loss

    def tell(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        on_trial(trial.number, trial.value if trial.state is optuna.trial.TrialState.COMPLETE else None)

    study.optimize(judge, max(0, trial_count - _count(study)), callbacks=[tell])
    best = proposed(optuna.trial.FixedTrial(study.best_params), base)
    return Found(best, study.best_value, _count(study), _count(study, optuna.trial.TrialState.PRUNED))


def proposed(trial: optuna.trial.BaseTrial, base: Recipe) -> Recipe:
    """The recipe of a trial."""
    shape = dataclasses.replace(
        base.architecture,
        encoder=Encoder(trial.suggest_categorical("encoder", [str(name) for name in Encoder])),
        heads=Heads(trial.suggest_categorical("heads", [str(name) for name in Heads])),
        cross_count=trial.suggest_int("cross_count", 0, 3),
        hidden_widths=HIDDEN_WIDTHS[trial.suggest_categorical("hidden_widths", list(HIDDEN_WIDTHS))],
    )
    return dataclasses.replace(
        base,
        architecture=shape,
        learning_rate=trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-6, 1.0, log=True),
        averaging=trial.suggest_float("averaging", 0.0, 0.999),
        batch_size=trial.suggest_int("batch_size", 16, 1024, log=True),
    )


def _count(study: optuna.Study, *states: optuna.trial.TrialState) -> int:
    """Trials that ended, or those that ended so."""
    return sum(
        trial.state in states if states else trial.state.is_finished()
        for trial in study.get_trials(deepcopy=False)
    )


def _choices(recipe: Recipe) -> dict[str, object]:
    """A recipe in the words of `proposed`; what it cannot say is left to the sampler."""
    shape: Architecture = recipe.architecture
    widths = next((name for name, widths in HIDDEN_WIDTHS.items() if widths == shape.hidden_widths), None)
    said = {
        "encoder": str(shape.encoder),
        "heads": str(shape.heads),
        "cross_count": shape.cross_count,
        "learning_rate": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "averaging": recipe.averaging,
        "batch_size": recipe.batch_size,
    }
    return said if widths is None else {**said, "hidden_widths": widths}
