"""Where are the weights of a published network, for training that goes on from it?

The graph that serves has no tower and no gradients; what was learned stands beside it as torch's own tensors.
Of a smaller twin the tower alone does.
"""

from __future__ import annotations

from pathlib import Path

import torch

from services.common.artifacts import Artifact
from services.scoring.training import recipe as recipes
from services.scoring.training.model import ClickNetwork
from services.scoring.training.notice import NoticeTower
from services.scoring.training.objective import Objective
from services.scoring.training.recipe import Recipe

WEIGHTS_FILE = "weights.pt"
TOWER_FILE = "tower.pt"


class WeightsError(Exception):
    """A version that cannot be gone on from."""


def keep(network: ClickNetwork, tower: NoticeTower, folder: Path) -> None:
    """Writes what `load` reads."""
    torch.save({"network": network.state_dict(), "tower": tower.state_dict()}, folder / WEIGHTS_FILE)


def keep_tower(tower: NoticeTower, folder: Path) -> None:
    """Writes what `load_tower` reads of a version without weights."""
    torch.save({"tower": tower.state_dict()}, folder / TOWER_FILE)


def has_tower(artifact: Artifact) -> bool:
    """False of a version that is older than towers that are kept."""
    return not {TOWER_FILE, WEIGHTS_FILE}.isdisjoint(artifact.manifest["files"])


def load_tower(artifact: Artifact) -> NoticeTower:
    """The tower that a version was trained with.

    Raises:
        WeightsError: where the version has none.
    """
    path, tower = artifact.file(TOWER_FILE), NoticeTower()
    if not has_tower(artifact):
        raise WeightsError(f"{path} is not there: versions of before it was kept have no tower")
    if TOWER_FILE not in artifact.manifest["files"]:
        path = artifact.file(WEIGHTS_FILE)
    try:
        tower.load_state_dict(torch.load(path, weights_only=True)["tower"])
    except Exception as error:  # torch.load raises what its readers do, with no base below Exception
        raise WeightsError(f"{path}: {type(error).__name__}: {error}") from None
    tower.eval()
    return tower


def load(artifact: Artifact) -> tuple[Objective, Recipe]:
    """The network and tower of a version, and the recipe that they were trained by.

    Raises:
        WeightsError: where the version has none, or they are of another network than its recipe's.
    """
    path = artifact.file(WEIGHTS_FILE)
    if WEIGHTS_FILE not in artifact.manifest["files"]:
        raise WeightsError(f"{path} is not there: int8 and pruned versions, and older ones, keep no weights")
    try:
        recipe = recipes.from_document(artifact.manifest["recipe"], f"{artifact.version}: recipe")
        objective = Objective(recipe.architecture)
        kept = torch.load(path, weights_only=True)
        objective.network.load_state_dict(kept["network"])
        objective.tower.load_state_dict(kept["tower"])
    except Exception as error:  # torch.load raises what its readers do, with no base below Exception
        raise WeightsError(f"{path}: {type(error).__name__}: {error}") from None
    return objective.eval(), recipe
