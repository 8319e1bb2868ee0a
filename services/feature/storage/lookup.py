"""How is one value had from Feast's online store by its place there, and nothing beside it?

Feast's `online_read` fetches and decodes every feature of an entity, and most of its time is Python's; a page
needs one feature of one shopper. What is stored stays Feast's, written by Feast, at Feast's own keys.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

Found = tuple[bytes, datetime]
"""The stored bytes of an entity's value, and the time of its row."""


class Places:
    """Feast's keys of entities: two names of as many bytes have keys that differ in the name alone."""

    def __init__(self, place_of: Callable[[str], bytes]) -> None:
        """
        Args:
            place_of: what Feast makes of a name, which takes it as long as the look-up.
        """
        self._place_of = place_of
        self._around: dict[int, tuple[bytes, bytes]] = {}

    def of(self, key: str) -> bytes:
        """Where an entity of this name, which is not empty, is in the online store."""
        name = key.encode()
        around = self._around.get(len(name))
        if around is None:
            stand_in = "~" * len(name)
            before, _, after = self._place_of(stand_in).rpartition(stand_in.encode())
            around = self._around[len(name)] = (before, after)
        return around[0] + name + around[1]


class SqliteLookup:
    """One feature of one view, in a table with a line for each entity and feature."""

    def __init__(self, connection: sqlite3.Connection, table: str, feature: str, places: Places) -> None:
        """
        Args:
            table: named by Feast's own definitions, never by a caller.
        """
        self._connection = connection
        # The plus takes the column's type away: sqlite3 would convert the time in Python, and slowly.
        self._query = f'SELECT value, +event_ts FROM "{table}" WHERE entity_key = ? AND feature_name = ?'  # noqa: S608
        self._feature = feature
        self._places = places

    def find(self, key: str) -> Found | None:
        """None where nothing is stored."""
        place = self._places.of(key)
        found = self._connection.execute(self._query, (place, self._feature)).fetchone()
        if found is None:
            return None
        # Feast writes seconds of UTC's clock as if it were the local one, and reads them alike.
        return found[0], datetime.fromtimestamp(found[1]).replace(tzinfo=UTC)


class RedisLookup:
    """One feature of one view, in a hash for each entity with a field for each feature and one for the time.

    On the event loop: to hand a read to a thread and be woken by it takes longer than Redis does.
    """

    def __init__(self, client: Any, fields: Sequence[str | bytes], places: Places) -> None:
        """
        Args:
            client: of `redis.asyncio`. fields: of the value, and of the time.
        """
        self._client = client
        self._fields = fields
        self._places = places

    async def find(self, key: str) -> Found | None:
        """None where nothing is stored."""
        value, stamp = await self._client.hmget(self._places.of(key), self._fields)
        if value is None or stamp is None:
            return None
        return value, Timestamp.FromString(stamp).ToDatetime(UTC)
