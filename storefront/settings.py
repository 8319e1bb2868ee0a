"""What can be configured in the storefront?"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class StorefrontSettings(BaseSettings):
    """Settings of the storefront; each field is `PLANOGRAM_STOREFRONT_<FIELD>`."""

    model_config = SettingsConfigDict(
        env_prefix="PLANOGRAM_STOREFRONT_", frozen=True, use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Address to listen on. The storefront has no login: keep it on loopback."""
    port: int = 7080
    """Port to listen on."""
    layout_target: str = "127.0.0.1:7070"
    """Address of the layout service."""
    feature_target: str = "127.0.0.1:7071"
    """Address of the feature service, for the shopper's portrait; pages need it not."""
    token: SecretStr = SecretStr("")
    """Caller token; the portrait and the receipts need the admin role."""
    catalogue_path: Path = Path("var/catalogue/items.parquet")
    """Items of the shop."""
