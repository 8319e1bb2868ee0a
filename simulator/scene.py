"""What does a run of the simulator play with: a world and its shoppers, for a catalogue and a seed?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from planogram.files import catalogue
from simulator import shopper, world
from simulator.shopper import Population
from simulator.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """A world and who lives in it."""

    world: World
    population: Population


def load(path: Path, seed: int, as_of: datetime, shopper_count: int = shopper.SHOPPER_COUNT) -> Scene:
    """The scene of a catalogue file; any shop's catalogue will do.

    Args:
        as_of: the day of the run; season and age of items follow from it.

    Raises:
        planogram.files.catalogue.CatalogueError: where the file cannot be used.
    """
    hidden = world.draw(world.read_items(catalogue.read(path), as_of), seed, as_of)
    return Scene(hidden, shopper.populate(hidden, seed, shopper_count))


def day(asked: datetime | None) -> datetime:
    """Midnight, UTC, at the beginning of the day asked for, or of today."""
    moment = datetime.now(UTC) if asked is None else asked.replace(tzinfo=UTC)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
