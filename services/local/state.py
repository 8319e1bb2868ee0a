"""Where does everything lie that one shop on this machine knows?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class State:
    """The files of one shop, below one folder."""

    root: Path

    @property
    def run(self) -> Path:
        """Pid files and logs of what runs."""
        return self.root / "run"

    @property
    def catalogue(self) -> Path:
        return self.root / "catalogue" / "items.parquet"

    @property
    def feature(self) -> Path:
        return self.root / "feature"

    @property
    def segments(self) -> Path:
        """The event log as layout writes it."""
        return self.root / "log" / "segments"

    @property
    def log(self) -> Path:
        """The event log as Parquet."""
        return self.root / "log" / "export"

    @property
    def key(self) -> Path:
        return self.root / "keys" / "shopper.key"

    @property
    def click_models(self) -> Path:
        return self.root / "models" / "click"

    @property
    def policy_models(self) -> Path:
        return self.root / "models" / "policy"

    @property
    def variables(self) -> dict[str, str]:
        """Settings under which the services and the storefront work on this state."""
        return {
            "PLANOGRAM_FEATURE_STATE_PATH": str(self.feature),
            "PLANOGRAM_FEATURE_CATALOGUE_PATH": str(self.catalogue),
            "PLANOGRAM_FEATURE_LOG_PATH": str(self.log),
            "PLANOGRAM_FEATURE_SHOPPER_KEY_PATH": str(self.key),
            "PLANOGRAM_SCORING_MODELS_PATH": str(self.click_models),
            "PLANOGRAM_SCORING_ENGINE_CACHE_PATH": str(self.root / "cache" / "tensorrt"),
            "PLANOGRAM_POLICY_MODELS_PATH": str(self.policy_models),
            "PLANOGRAM_LAYOUT_LOG_PATH": str(self.segments),
            "PLANOGRAM_LAYOUT_LAST_GOOD_PATH": str(self.root / "layout" / "last-good"),
            "PLANOGRAM_LAYOUT_SHOPPER_KEY_PATH": str(self.key),
            "PLANOGRAM_LAYOUT_SIGNING_KEY_PATH": str(self.root / "keys" / "signing.key"),
            "PLANOGRAM_STOREFRONT_CATALOGUE_PATH": str(self.catalogue),
        }
