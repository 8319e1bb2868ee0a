"""What can be configured in the storefront?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_NAME = re.compile(r"[a-z0-9._-]+")


def _apart(given: Any) -> Any:
    """What commas stand between in the environment."""
    return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given


def _names(given: frozenset[str]) -> frozenset[str]:
    for name in given:
        if not _NAME.fullmatch(name.lower()):
            raise ValueError(f"got {name!r}, want a name such as shop.example, without scheme and port")
    return frozenset(name.lower().rstrip(".") for name in given)


class StorefrontSettings(BaseSettings):
    """Settings of the storefront; each field is `PLANOGRAM_STOREFRONT_<FIELD>`."""

    model_config = SettingsConfigDict(
        env_prefix="PLANOGRAM_STOREFRONT_", frozen=True, use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Address to listen on. The storefront has no login: keep it on loopback."""
    port: int = 7080
    """Port to listen on."""
    allowed_hosts: Annotated[frozenset[str], NoDecode, BeforeValidator(_apart), AfterValidator(_names)] = (
        frozenset()
    )
    """Names under which it answers, beside `localhost` and HOST, with commas between."""
    layout_target: str = "127.0.0.1:7070"
    """Address of the layout service."""
    feature_target: str = "127.0.0.1:7071"
    """Address of the feature service, for the shopper's portrait; pages need it not."""
    token: SecretStr = SecretStr("")
    """Caller token; the portrait and the receipts need the admin role."""
    catalogue_path: Path = Path("var/catalogue/items.parquet")
    """Items of the shop."""

    @property
    def names(self) -> frozenset[str]:
        """All names under which it answers; it does so by any IP address as well."""
        return self.allowed_hosts | {"localhost", self.host.lower()}
