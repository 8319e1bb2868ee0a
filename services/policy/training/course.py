"""What does a training run leave behind as it goes: curves to look at, and checkpoints to go on from?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from services.common import training_checkpoint
from services.common.training_checkpoint import Progress
from services.common.training_output import Scalar


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
        if self.checkpoint is None or not self.checkpoint.exists():
            return 0
        return training_checkpoint.load(self.checkpoint, progress)

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
            training_checkpoint.keep(self.checkpoint, step + 1, progress)


UNWATCHED = Course()
