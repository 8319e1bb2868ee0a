"""Where does Feast's online store keep an entity's row, and how is it had and deleted there?

Feast has no call that deletes an entity, and none that reads one value without the rest.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from feast import FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _redis_key, compute_table_id
from feast.infra.provider import Provider
from feast.repo_config import RepoConfig

from services.common import erasure
from services.feature.storage.lookup import Places, RedisLookup, SqliteLookup
from services.feature.storage.repo.values import entity_key_of


class SqliteRows:
    """Rows in a table for each view, with a line for each entity and feature; on one thread's connection."""

    def __init__(self, provider: Provider, config: RepoConfig) -> None:
        self._config = config
        self._connection = provider.online_store._get_conn(config)
        self._lookups: dict[tuple[str, str], SqliteLookup] = {}

    def lookup(self, view: FeatureView, feature: str) -> SqliteLookup:
        """Of one feature, made once."""
        if (view.name, feature) not in self._lookups:
            places = Places(partial(self._place_of, view))
            self._lookups[view.name, feature] = SqliteLookup(
                self._connection, self._table_of(view), feature, places
            )
        return self._lookups[view.name, feature]

    def delete(self, view: FeatureView, key: str) -> bool:
        """Deletes an entity's row to the last byte; false where none was."""
        connection, place = self._connection, self._place_of(view, key)
        connection.execute("PRAGMA secure_delete = ON")
        with connection:
            # The name comes from our definitions, never from a caller.
            cursor = connection.execute(
                f'DELETE FROM "{self._table_of(view)}" WHERE entity_key = ?',  # noqa: S608
                (place,),
            )
        erasure.overwrite_freed_space(connection)
        erasure.erase(connection, Path(self._config.online_store.path), [key])
        return bool(cursor.rowcount)

    def _place_of(self, view: FeatureView, key: str) -> bytes:
        version = self._config.entity_key_serialization_version
        return bytes(serialize_entity_key(entity_key_of(view, key), version))

    def _table_of(self, view: FeatureView) -> str:
        is_versioned = self._config.registry.enable_online_feature_view_versioning
        return str(compute_table_id(self._config.project, view, is_versioned))


class RedisRows:
    """Rows in a hash for each entity, with a field for each feature."""

    def __init__(self, provider: Provider, config: RepoConfig) -> None:
        self._config = config
        self._online: Any = provider.online_store
        self._lookups: dict[tuple[str, str], RedisLookup] = {}

    @property
    def client(self) -> Any:
        """The blocking connection to Redis."""
        return self._online._get_client(self._config.online_store)

    async def lookup(self, view: FeatureView, feature: str) -> RedisLookup:
        """Of one feature, made once, on the event loop that asks first."""
        if (view.name, feature) not in self._lookups:
            self._lookups[view.name, feature] = RedisLookup(
                await self._online._get_client_async(self._config.online_store),
                self._online._generate_hset_keys_for_features(view, [feature])[1],
                Places(partial(self._place_of, view)),
            )
        return self._lookups[view.name, feature]

    def delete(self, view: FeatureView, key: str) -> bool:
        """Deletes an entity's row; false where none was."""
        return bool(self.client.delete(self._place_of(view, key)))

    async def disconnect(self) -> None:
        """Lets go of the event loop's connections."""
        if self._online._client_async is not None:
            await self._online._client_async.aclose()

    def _place_of(self, view: FeatureView, key: str) -> bytes:
        version = self._config.entity_key_serialization_version
        entity_key = entity_key_of(view, key)
        return bytes(_redis_key(self._config.project, entity_key, entity_key_serialization_version=version))
