"""How does a shopper leave everything that the feature service and its pipeline keep?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from planogram.files import forgetting as files
from planogram.files.log import shopper_digest
from services.feature.storage.journal import Journal
from services.feature.storage.store import PROFILE, Store

_EVER_US = 2**62


def forget(store: Store, journal: Journal, key: str, until_us: int) -> bool:
    """Deletes a shopper's profile, and what the pipeline set aside of them; false where no profile was.

    Args:
        until_us: events up to here, in microseconds since 1970, are never read again.

    Raises:
        NotReady: where the store does not answer; call again.
    """
    # First noted, so that a crash in between leaves nothing that a build or a late event brings back.
    journal.forget(key, until_us)
    with store.locked([key]):
        was_present = store.delete(PROFILE, key)
    _purge_rejected(store, [shopper_digest(key)])
    return was_present


def forget_meanwhile(
    store: Store, journal: Journal, keys: Sequence[str], before: Mapping[str, int], *, is_online: bool
) -> None:
    """Deletes those whom the service was told to forget while a build had their events in hand.

    Args:
        keys: whose profiles the build wrote.
        before: tombstones when it read the log.
        is_online: whether it wrote them online, too.
    """
    since = {
        digest: time_us for digest, time_us in journal.tombstones().items() if before.get(digest) != time_us
    }
    for key in keys if since else ():
        if shopper_digest(key) in since:
            store.delete(PROFILE, key, is_online=is_online)
    _purge_rejected(store, since)


def rejected_path(store: Store) -> Path:
    """Where the pipeline writes the events that it sets aside."""
    return store.state_path / "rejected.parquet"


def _purge_rejected(store: Store, digests: Iterable[str]) -> None:
    # Whenever they are said to have happened: an impossible time is a reason to be set aside.
    files.purge_file(rejected_path(store), dict.fromkeys(digests, _EVER_US))
