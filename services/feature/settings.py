"""What can be configured in the feature service?"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.settings import ServiceSettings
from services.feature.reviews.surge import RUN_LENGTH


class FeatureSettings(ServiceSettings):
    """Settings of the feature service; each field is `PLANOGRAM_FEATURE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="PLANOGRAM_FEATURE_")

    listen: str = "127.0.0.1:7071"
    """Address of the gRPC server, host:port; port 0 takes a free one."""
    state_path: Path = Path("var/feature")
    """Folder of all state: Feast's registry, sources and SQLite store, and the snapshots."""
    redis_url: str = ""
    """Redis of the online store as Feast writes it, such as "redis:6379,db=0"; empty means SQLite."""
    offline_store: Literal["duckdb", "ray"] = "duckdb"
    """Feast's engine for what is read from files: DuckDB in this process, or Ray (`pip install ray`)."""
    ray_address: str = ""
    """Ray cluster of the offline store, such as "ray://head:10001"; empty starts Ray on this machine."""
    catalogue_path: Path = Path("var/catalogue/items.parquet")
    """Items of the shop, .parquet or .csv; read by `planogram build-features`."""
    search_path: Path = Path(__file__).parent / "config" / "search.yaml"
    """Synonyms and language of the shop's search; read when a snapshot is built."""
    offers_path: Path = Path(__file__).parent / "config" / "offers.yaml"
    """Limits of price cuts; read by `planogram offers choose`."""
    log_path: Path = Path("var/log/export")
    """Folder of exported logs; read by `planogram build-features`, and may be missing."""
    shopper_key_path: Path = Path("var/keys/shopper.key")
    """Secret of the keyed hashes that stand for user ids; the layout service uses the same."""
    profile_ttl_days: float = Field(400.0, gt=0)
    """Age beyond which a profile is read as unknown."""
    profile_read_timeout_ms: float = Field(50.0, gt=0)
    """Time a page waits for the shopper's profile, and never more than half of its call's deadline."""
    reader_threads: int = Field(2, ge=1, le=16)
    """Threads that read profiles from SQLite, or connections to Redis that pages read them by."""
    max_waiting_reads: int = Field(128, ge=1)
    """Profile reads that wait or run beyond which pages are refused with RESOURCE_EXHAUSTED."""
    max_waiting_updates: int = Field(512, ge=1)
    """UpdateProfiles calls that wait or run beyond which new ones are refused with RESOURCE_EXHAUSTED."""
    applied_event_count: int = Field(1024, ge=1, le=16_384)
    """Event ids that a profile remembers, so that a repeated event is not counted twice."""
    refresh_interval_s: float = Field(1.0, gt=0, le=4.0)
    """How often a worker looks for a new snapshot and for items that other workers changed."""
    rebuild_interval_s: float = Field(0.0, ge=0)
    """How often a child process rebuilds the snapshot from Feast; 0 leaves it to others."""

    review_run_length: float = Field(RUN_LENGTH, ge=20, le=1e9)
    """Reviews of an item per false alarm of its bad ones, at least, on average."""

    @property
    def snapshots_path(self) -> Path:
        return self.state_path / "snapshots"
