"""How does a method answer with bytes that are its message already?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Written(Generic[M]):
    """A message in wire form, of a method that writes its answer itself."""

    kind: type[M]
    wire: bytes

    def message(self) -> M:
        """The message, for callers without a wire."""
        kind: Any = self.kind
        message: M = kind.FromString(self.wire)
        return message
