"""Which arm of each experiment is a shopper in, and what does the arm change?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, model_validator

from services.common import yaml_file
from services.common.yaml_file import Document


class Arm(Document):
    """One variant; empty versions mean the current ones."""

    name: str = Field(min_length=1, max_length=64)
    share: float = Field(gt=0, le=1)
    scoring_version: str = ""
    policy_version: str = ""
    is_greedy: bool = False


class Experiment(Document):
    """A split of all shoppers among arms."""

    name: str = Field(min_length=1, max_length=64)
    arms: tuple[Arm, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Experiment:
        total = sum(arm.share for arm in self.arms)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"shares of the arms sum to {total:g}, want 1")
        return self

    def arm_of(self, unit: str) -> Arm:
        """The arm of a unit: stable, and independent between experiments."""
        point = int.from_bytes(hashlib.sha256(f"{self.name}\0{unit}".encode()).digest()[:8], "big") / 2**64
        for arm in self.arms:
            point -= arm.share
            if point < 0:
                return arm
        return self.arms[-1]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the experiments decided for one page."""

    arms: dict[str, str]
    scoring_version: str = ""
    policy_version: str = ""
    is_greedy: bool = False


class Experiments(Document):
    """The content of experiments.yaml."""

    experiments: tuple[Experiment, ...] = ()

    def assign(self, unit: str) -> Assignment:
        """The arms of a unit, an experiment's salted id of the shopper; none for an empty unit."""
        if not unit or not self.experiments:
            return Assignment({})
        chosen = {experiment.name: experiment.arm_of(unit) for experiment in self.experiments}
        arms = list(chosen.values())
        return Assignment(
            arms={name: arm.name for name, arm in chosen.items()},
            scoring_version=next((arm.scoring_version for arm in arms if arm.scoring_version), ""),
            policy_version=next((arm.policy_version for arm in arms if arm.policy_version), ""),
            is_greedy=any(arm.is_greedy for arm in arms),
        )


def load(folder: Path) -> Experiments:
    """Reads experiments.yaml."""
    return yaml_file.read(folder / "experiments.yaml", Experiments)
