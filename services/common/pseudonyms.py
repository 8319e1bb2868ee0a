"""What stands in for an id outside the services that may know it?"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from services.common.errors import ConfigurationError

MIN_SECRET_BYTES = 16


class Pseudonyms:
    """Keyed hashes of ids under one epoch's secret, and those of earlier epochs that are still kept."""

    def __init__(self, secret: bytes, epoch: str, earlier: Sequence[Pseudonyms] = ()) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ConfigurationError(
                f"the pseudonym secret has {len(secret)} bytes, want {MIN_SECRET_BYTES} or more"
            )
        self._mac = hmac.new(secret, digestmod="sha256")  # the secret is hashed once
        self.epoch = epoch
        self._earlier = tuple(earlier)

    def of(self, kind: str, identifier: str) -> str:
        """32 hex digits for an id of a kind; empty for an empty id."""
        if not identifier:
            return ""
        mac = self._mac.copy()
        mac.update(f"{kind}\0{identifier}".encode())
        return mac.hexdigest()[:32]

    def of_every_epoch(self, kind: str, identifier: str) -> tuple[str, ...]:
        """What `of` gives, and what it gave in earlier epochs, for deleting all that is kept of an id."""
        return tuple(epoch.of(kind, identifier) for epoch in (self, *self._earlier))


def load(path: Path) -> Pseudonyms:
    """The pseudonyms of the current epoch, whose secret the file holds; makes one where there is none.

    A new epoch begins where the file is moved into the folder `<name>.earlier` beside it: "shopper.earlier"
    for "shopper.key". It stays there until the last log of its epoch has expired.
    """
    earlier = sorted(path.with_suffix(".earlier").glob("*.key"))
    return _of_secret(load_secret(path), [_of_secret(load_secret(old)) for old in earlier])


def _of_secret(secret: bytes, earlier: Sequence[Pseudonyms] = ()) -> Pseudonyms:
    return Pseudonyms(secret, hashlib.sha256(secret).hexdigest()[:8], earlier)


def load_secret(path: Path) -> bytes:
    """The secret that a file holds; makes one with mode 600 where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        try:
            os.link(staging, path)  # fails where another process was first, whose secret then counts
        except FileExistsError:
            pass
        finally:
            staging.unlink()
    secret = path.read_text().strip().encode()
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(
            f"{path}: the secret has {len(secret)} bytes, want {MIN_SECRET_BYTES} or more"
        )
    return secret
