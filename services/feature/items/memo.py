"""What is made once and kept, as long as there is room?"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Memo:
    """What depends on nothing but the generation and a key, made when it is first asked for."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._made: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for the key; beyond the limit it is made each time."""
        found: T | None = self._made.get(key)
        if found is None:
            found = make()
            if len(self._made) < self._limit:
                self._made[key] = found
        return found
