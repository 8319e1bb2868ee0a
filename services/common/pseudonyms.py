"""What stands in for an id outside the services that may know it?"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from services.common.errors import ConfigurationError

MIN_SECRET_BYTES = 16


class Pseudonyms:
    """Keyed hashes of ids under one epoch's secret."""

    def __init__(self, secret: bytes, epoch: str) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ConfigurationError(
                f"the pseudonym secret has {len(secret)} bytes, want {MIN_SECRET_BYTES} or more"
            )
        self._secret = secret
        self.epoch = epoch

    def of(self, kind: str, identifier: str) -> str:
        """32 hex digits for an id of a kind; empty for an empty id."""
        if not identifier:
            return ""
        message = f"{kind}\0{identifier}".encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()[:32]


def load(path: Path) -> Pseudonyms:
    """The pseudonyms of the current epoch, whose secret the file holds; makes one where there is none."""
    secret = load_secret(path)
    return Pseudonyms(secret, hashlib.sha256(secret).hexdigest()[:8])


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
