"""Which errors may core code raise, and what does each mean to the caller?"""

from __future__ import annotations


class ServiceError(Exception):
    """An error that the caller may see; `boundary` turns it into a status code."""

    @property
    def log_text(self) -> str:
        """What a log may hold of it: the message, without anything that a caller sent."""
        return str(self)


class InvalidRequest(ServiceError):
    """The caller's mistake: names the field, the value and the limit. Never retried."""

    def __init__(self, field: str, value: object, limit: str) -> None:
        self.field = field
        self._limit = limit
        super().__init__(f"{field}: got {short(value)}, want {limit}")

    @property
    def log_text(self) -> str:
        # The value may be the id of a shopper.
        return f"{self.field}: want {self._limit}"


class NotFound(ServiceError):
    """What was asked for does not exist; the caller uses its default."""


class NotReady(ServiceError):
    """A model or store is not loaded yet; the caller retries with backoff, then falls back."""


class Overloaded(ServiceError):
    """Load was shed; the caller does not retry at once."""


class Incompatible(ServiceError):
    """An artifact and a schema disagree; page the artifact's owner."""


class Forbidden(ServiceError):
    """The caller's role does not allow the call."""


class Unauthenticated(ServiceError):
    """The caller carries no token, or an unknown one."""


class DeadlineTooShort(ServiceError):
    """Less time was left than an answer needs."""


class ConfigurationError(Exception):
    """The process cannot start as configured; the message says what to change."""


def short(value: object, limit: int = 60) -> str:
    """A value as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
