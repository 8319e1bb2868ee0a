"""How is a training run kept on disk, and gone on from?

A run that was killed and goes on from its checkpoint ends with the network of a run that was not, bit for
bit: all that changes from step to step is kept, and the state of the generator of batches where there is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch


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
        parts: by name.
        generator: of batches; None where those of a step follow from its number.
        recipe: says what is trained; a checkpoint of another is refused.
    """

    parts: Mapping[str, Stateful]
    generator: np.random.Generator | None
    recipe: object


def load(path: Path, progress: Progress) -> int:
    """The step to go on with, and everything as it was then.

    Raises:
        CheckpointError: for a file that is none, or of another recipe.
    """
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
    if progress.generator is not None:
        progress.generator.bit_generator.state = generator
    return step


def keep(path: Path, step: int, progress: Progress) -> None:
    """Writes what `load` reads; a run killed while it writes keeps the checkpoint before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    generator = None if progress.generator is None else progress.generator.bit_generator.state
    torch.save(
        {
            "step": step,
            "recipe": repr(progress.recipe),
            "parts": {name: part.state_dict() for name, part in progress.parts.items()},
            "generator": json.dumps(generator),
        },
        unfinished,
    )
    unfinished.replace(path)
