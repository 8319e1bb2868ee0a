"""On which engines does the store run that the settings describe?"""

from __future__ import annotations

import importlib.util
from datetime import timedelta

from services.common.errors import ConfigurationError
from services.feature.settings import FeatureSettings
from services.feature.storage.store import Store


def open_store(settings: FeatureSettings) -> Store:
    """The store, online on SQLite or Redis, offline on DuckDB or Ray.

    Raises:
        ConfigurationError: where Ray is wanted and not installed.
    """
    offline: dict[str, str] = {"type": settings.offline_store}
    if settings.offline_store == "ray":
        if importlib.util.find_spec("ray") is None:
            raise ConfigurationError("OFFLINE_STORE: ray is not installed: pip install ray")
        offline["storage_path"] = str(settings.state_path.resolve() / "ray")
        if settings.ray_address:
            offline["ray_address"] = settings.ray_address
    ttl = timedelta(days=settings.profile_ttl_days)
    return Store(settings.state_path, settings.redis_url, ttl, offline)
