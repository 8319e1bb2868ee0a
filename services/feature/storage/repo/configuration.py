"""What is Feast told of the folder that it keeps, and how is what it keeps there opened?"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from feast.infra.provider import Provider, get_provider
from feast.repo_config import RepoConfig, load_repo_config

from services.common import erasure
from services.common.errors import ConfigurationError

PROJECT = "planogram"


def write_configuration(state_path: Path, redis_url: str, offline: Mapping[str, str]) -> RepoConfig:
    """Writes feature_store.yaml and answers what Feast reads from it.

    Args:
        redis_url: empty for SQLite.
        offline: Feast's configuration of the offline store.

    Raises:
        ConfigurationError: where the file cannot be written.
    """
    online = (
        f"{{type: redis, connection_string: {redis_url!r}}}"
        if redis_url
        else f"{{type: sqlite, path: {str(state_path / 'online.db')!r}}}"
    )
    text = (
        "# Written by the feature service; `feast -c <this folder> ui` reads it.\n"
        f"project: {PROJECT}\n"
        "provider: local\n"
        f"registry: {{path: {str(state_path / 'registry.db')!r}, cache_ttl_seconds: 0}}\n"
        f"online_store: {online}\n"
        f"offline_store: {json.dumps(dict(offline))}\n"
        "entity_key_serialization_version: 3\n"
    )
    path = state_path / "feature_store.yaml"
    try:
        if not path.is_file() or path.read_bytes() != text.encode():  # on a full disk the old one serves
            _replace(path, text)
    except OSError as error:
        raise ConfigurationError(f"STATE_PATH: {path}: {error.strerror}") from None
    return load_repo_config(state_path, path)


def _replace(path: Path, text: str) -> None:
    """Writes a file, whole or not at all."""
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staging.write_text(text)
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)


def open_provider(config: RepoConfig) -> Provider:
    """Feast's way to both of its stores, with a connection of its own to the online one."""
    provider = get_provider(config)
    if config.online_store.type == "sqlite":
        # The event log is the durable source, so a commit need not wait for the disk: a killed process
        # loses nothing, and a power cut only what the log still has.
        connection = provider.online_store._get_conn(config)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA busy_timeout=10000")
        erasure.overwrite_freed_space(connection)
    return provider
