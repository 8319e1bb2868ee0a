"""Who is told how a training run goes?

Anything with three methods: TensorBoard comes along, and another tracker is a few lines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from services.common.training_output import curves


class Tracker(Protocol):
    """Keeps the record of one run."""

    def begin(self, recipe: Mapping[str, Any]) -> None:
        """Takes the recipe, nested as `dataclasses.asdict` makes it, before the first step."""
        ...

    def scalar(self, name: str, value: float, step: int) -> None:
        """Takes one point of a curve: loss/train, loss/valid or learning_rate, by pass."""
        ...

    def end(self, version: str, metrics: Mapping[str, float]) -> None:
        """Takes the name of what was published, and its metrics."""
        ...


class Untracked:
    """Keeps nothing."""

    def begin(self, recipe: Mapping[str, Any]) -> None:
        pass

    def scalar(self, name: str, value: float, step: int) -> None:
        pass

    def end(self, version: str, metrics: Mapping[str, float]) -> None:
        pass


UNTRACKED = Untracked()


class TensorBoard(Untracked):
    """Writes curves, and the metrics as single points."""

    def __init__(self, write: Any) -> None:
        self._write = write

    def scalar(self, name: str, value: float, step: int) -> None:
        self._write(name, value, step)

    def end(self, version: str, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._write(f"held_out/{name}", value, 0)


@contextlib.contextmanager
def tensorboard(folder: Path | None) -> Iterator[Tracker]:
    """A tracker that writes to a folder; without one, nothing."""
    with curves(folder) as write:
        yield TensorBoard(write)
