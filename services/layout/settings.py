"""What can be configured in the layout service?"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.settings import ServiceSettings


class LayoutSettings(ServiceSettings):
    """Settings of the layout service; each field is `PLANOGRAM_LAYOUT_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="PLANOGRAM_LAYOUT_")

    listen: str = "127.0.0.1:7070"
    """Address of the gRPC server, host:port; port 0 takes a free one."""
    feature_target: str = "127.0.0.1:7071"
    """Address of the feature service, or in-process."""
    scoring_target: str = "127.0.0.1:7072"
    """Address of the scoring service, or in-process."""
    policy_target: str = "127.0.0.1:7073"
    """Address of the policy service, or in-process."""
    config_path: Path = Path(__file__).parent / "config"
    """Folder of the YAML files: categories, modules, blueprints, rules, experiments. Changes are followed."""
    config_archive_path: Path | None = None
    """Folder where every configuration that served is kept, for receipts. Default: `configurations` beside
    LOG_PATH."""
    log_path: Path = Path("var/log/segments")
    """Folder of the event log; one SQLite file per process."""
    export_path: Path | None = None
    """Folder of exported logs, which learns at once who was forgotten. Default: `export` beside LOG_PATH."""
    last_good_path: Path = Path("var/layout/last-good")
    """Folder of the latest good candidates, for starting while the feature service is down."""
    shopper_key_path: Path = Path("var/keys/shopper.key")
    """Secret that user ids are hashed with; the feature service needs the same."""
    signing_key_path: Path = Path("var/keys/signing.key")
    """Secret of tracking tokens, cursors and seeds; all workers and replicas need the same."""
    default_deadline_ms: float = Field(250.0, ge=25, le=60_000)
    """Deadline of callers that send none."""
    token_ttl_s: float = Field(30 * 86_400.0, gt=0)
    """Time for which events may refer to a page."""
    exposure_queue_size: int = Field(10_000, ge=1)
    """Exposures that may wait for the disk; beyond it pages are marked as unlogged."""
    profile_wait_ms: float = Field(50.0, ge=0)
    """Time that RecordEvents waits for the shopper's profile to move, once the events are on disk."""

    @property
    def export_folder(self) -> Path:
        return self.export_path or self.log_path.parent / "export"

    @property
    def configuration_archive(self) -> Path:
        return self.config_archive_path or self.log_path.parent / "configurations"

    @property
    def promises_path(self) -> Path:
        """Folder of what promised items are worth more; shared by all workers."""
        return self.log_path.parent / "promises"
