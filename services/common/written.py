"""How does a method take its request, or give its answer, as bytes that it reads or writes itself?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError

from services.common.errors import InvalidRequest

M = TypeVar("M")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Written(Generic[M]):
    """A message in wire form."""

    parse: Callable[[bytes], M]
    """FromString of the message's class."""
    wire: bytes

    def message(self) -> M:
        """The message itself.

        Raises:
            InvalidRequest: for bytes that are none.
        """
        try:
            return self.parse(self.wire)
        except DecodeError:
            raise InvalidRequest(
                "the message cannot be read", f"{len(self.wire)} bytes", "the method's request as protobuf"
            ) from None


def takes_written(method: F) -> F:
    """Marks a method of a servicer that takes its request as Written."""
    method.takes_written = True  # type: ignore[attr-defined]
    return method


def as_taken(method: Callable[..., Any], request: Any) -> Any:
    """A request as a method takes it, Written or the message itself, whichever it came as.

    Raises:
        InvalidRequest: for bytes that are no message.
    """
    if getattr(method, "takes_written", False):
        return (
            request
            if isinstance(request, Written)
            else Written(type(request).FromString, request.SerializeToString())
        )
    return request.message() if isinstance(request, Written) else request
