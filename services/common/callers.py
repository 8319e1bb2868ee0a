"""Who is calling, and what may they do?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import yaml

from services.common.errors import ConfigurationError, Forbidden, Unauthenticated

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Role(IntEnum):
    """Each role may do what the ones before it may."""

    PUBLIC = 1
    """Compose pages and record events."""
    INTERNAL = 2
    """Service to service."""
    ADMIN = 3
    """Explain, forget, read profiles, override versions."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token belongs to."""

    name: str
    role: Role


ANONYMOUS_ADMIN = Caller("anonymous", Role.ADMIN)


class Callers:
    """The known tokens. None at all makes every caller admin."""

    def __init__(self, by_digest: Mapping[str, Caller] | None = None) -> None:
        self._by_digest = by_digest

    @property
    def is_open(self) -> bool:
        return self._by_digest is None

    def identify(self, authorization: str | None) -> Caller:
        """The caller behind an `authorization: Bearer <token>` value.

        Raises:
            Unauthenticated: where tokens are configured and this is none of them.
        """
        if self._by_digest is None:
            return ANONYMOUS_ADMIN
        scheme, _, token = (authorization or "").partition(" ")
        caller = self._by_digest.get(digest(token)) if scheme.lower() == "bearer" else None
        if caller is None:
            raise Unauthenticated("send metadata 'authorization: Bearer <token>' with a known token")
        return caller


def require(caller: Caller, role: Role) -> None:
    """Raises Forbidden where the caller's role is below `role`."""
    if caller.role < role:
        raise Forbidden(f"role {role.name.lower()} is needed; {caller.name} is {caller.role.name.lower()}")


def digest(token: str) -> str:
    """What the tokens file keeps in place of a token: its SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def load(path: Path | None) -> Callers:
    """Reads a YAML list of {name, role, sha256}; no path makes every caller admin.

    Raises:
        ConfigurationError: naming the file and the entry.
    """
    if path is None:
        return Callers()
    try:
        entries = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, LookupError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{path}: want a list of {{name, role, sha256}}")
    by_digest: dict[str, Caller] = {}
    for index, entry in enumerate(entries):
        where = f"{path}: entry {index + 1}"
        if not isinstance(entry, dict) or set(entry) != {"name", "role", "sha256"}:
            raise ConfigurationError(f"{where}: want exactly the keys name, role, sha256")
        role, sha256 = str(entry["role"]).upper(), str(entry["sha256"]).lower()
        if role not in Role.__members__:
            raise ConfigurationError(f"{where}: role: got {entry['role']!r}, want public, internal or admin")
        if not _SHA256.fullmatch(sha256):
            raise ConfigurationError(f"{where}: sha256: want 64 hex digits")
        if sha256 in by_digest:
            raise ConfigurationError(f"{where}: sha256: the token of {by_digest[sha256].name!r} already")
        by_digest[sha256] = Caller(str(entry["name"]), Role[role])
    return Callers(by_digest)
