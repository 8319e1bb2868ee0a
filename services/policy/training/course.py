"""What does a training run leave behind as it goes: curves to look at, and checkpoints to go on from?

A run that was killed and goes on from its checkpoint ends with the network of a run that was not, bit for
bit: weights, averages, moments, the learning rate and the state of the generator of batches are all kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from services.common.training_output import Scalar


class CheckpointError(ValueError):
    """A checkpoint that cannot be gone on from."""


class Stateful(Protocol):
    """A network, an optimiser or a schedule."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state_dict: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: what changes from step to step.

    Attributes:
        parts: by name; generator: of batches.
        recipe: says what is trained; a checkpoint of another is refused.
    """

    parts: Mapping[str, Stateful]
    generator: np.random.Generator
    recipe: object


@dataclass(frozen=True, slots=True)
class Course:
    """How a run is watched and kept.

    Attributes:
        scalar: takes the curves: loss, gradient norm, mean value and learning rate.
        curve_period, checkpoint_period: steps from one to the next.
        checkpoint: file to keep the run in, and to go on from where it is there; None keeps nothing.
    """

    scalar: Scalar | None = None
    curve_period: int = 25
    checkpoint: Path | None = None
    checkpoint_period: int = 250

    def begin(self, progress: Progress) -> int:
        """The step to go on with: 0, or the one after the checkpoint, with everything as it was then.

        Raises:
            CheckpointError: for a file that is none, or of another recipe.
        """
        path = self.checkpoint
        if path is None or not path.exists():
            return 0
        try:
            kept = torch.load(path, weights_only=True)
            recipe, step = kept["recipe"], int(kept["step"])
            states, generator = kept["parts"], json.loads(kept["generator"])
        except Exception as error:  # torch.load raises what its readers do, with no base below Exception
            raise CheckpointError(f"{path}: no checkpoint: {type(error).__name__}: {error}") from None
        if recipe != repr(progress.recipe):
            raise CheckpointError(f"{path}: recipe is {recipe}, this run's is {progress.recipe!r}")
        try:
            for name, part in progress.parts.items():
                part.load_state_dict(states[name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{path}: parts: {error}") from None
        progress.generator.bit_generator.state = generator
        return step

    def after(
        self, step: int, progress: Progress, loss: Tensor, gradient_norm: Tensor, value: Tensor
    ) -> None:
        """Draws and keeps what is due after a step.

        Args:
            value: (B,) of the batch, in units of the values' scale.
        """
        if self.scalar is not None and step % self.curve_period == 0:
            self.scalar("loss", float(loss.detach()), step)
            self.scalar("gradient_norm", float(gradient_norm), step)
            self.scalar("value_mean", float(value.detach().mean()), step)
            rate = progress.parts["optimiser"].state_dict()["param_groups"][0]["lr"]
            self.scalar("learning_rate", float(rate), step)
        if self.checkpoint is not None and (step + 1) % self.checkpoint_period == 0:
            _keep(self.checkpoint, step + 1, progress)


UNWATCHED = Course()


def _keep(path: Path, step: int, progress: Progress) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    torch.save(
        {
            "step": step,
            "recipe": repr(progress.recipe),
            "parts": {name: part.state_dict() for name, part in progress.parts.items()},
            "generator": json.dumps(progress.generator.bit_generator.state),
        },
        unfinished,
    )
    unfinished.replace(path)  # a run killed while it writes keeps the checkpoint before
