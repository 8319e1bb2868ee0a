"""Who may write a shopper's profile now?

SQLite lets an older row overwrite a newer one, so there one process writes all profiles; Redis has a lock
for each shopper.
"""

from __future__ import annotations

import fcntl
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from services.common.errors import Overloaded

_LOCK_MS = 5_000
_LOCK_WAIT_S = 2.0
_UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class WriterPlace:
    """The place of the one process that writes, by a lock on a file that ends with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """False where another process holds it."""
        if self._file is not None:
            return True
        file = self._path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def leave(self) -> None:
        """Lets another process take it."""
        if self._file is not None:
            self._file.close()
            self._file = None


class RedisLocks:
    """Locks of some names, taken together; Redis ends those of a process that died."""

    def __init__(self, client: Any, names: Sequence[str]) -> None:
        self._client = client
        self._names = names
        self._token = uuid.uuid4().hex
        self._held: list[str] = []

    def take(self) -> None:
        """
        Raises:
            Overloaded: where another process holds one of them for seconds; `release` frees the others.
        """
        give_up = time.monotonic() + _LOCK_WAIT_S
        missing = list(self._names)
        while missing:
            with self._client.pipeline(transaction=False) as pipe:
                for name in missing:
                    pipe.set(name, self._token, nx=True, px=_LOCK_MS)
                taken = pipe.execute()
            self._held += [name for name, is_taken in zip(missing, taken, strict=True) if is_taken]
            missing = [name for name, is_taken in zip(missing, taken, strict=True) if not is_taken]
            if missing:
                if time.monotonic() > give_up:
                    raise Overloaded(f"{len(missing)} profiles are locked by another process; retry later")
                time.sleep(0.002)

    def release(self) -> None:
        """Frees those that are held."""
        if not self._held:
            return
        with self._client.pipeline(transaction=False) as pipe:
            for name in self._held:
                pipe.eval(_UNLOCK, 1, name, self._token)
            pipe.execute()
        self._held.clear()
