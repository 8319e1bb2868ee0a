"""Where are the weights of a published network, for training that goes on from it?

The graph that serves has no tower and no gradients; what was learned stands beside it as torch's own tensors.
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


class WeightsError(Exception):
    """A version that cannot be gone on from."""


def keep(network: ClickNetwork, tower: NoticeTower, folder: Path) -> None:
    """Writes what `load` reads."""
    torch.save({"network": network.state_dict(), "tower": tower.state_dict()}, folder / WEIGHTS_FILE)


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
