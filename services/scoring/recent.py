"""Which requests came of late? What a new version is run on before it serves.

A uniform sample of all requests since the start (Vitter 1985, "Random sampling with a reservoir",
algorithm R) would grow old; here each sampled request replaces a random one, so that the sample forgets.
Only arrays are kept: no user, no session, no item by its name, and nothing leaves the process.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from services.scoring.scorer import Arrays

SIZE = 32
"""Requests kept."""
_SHARE = 0.02
"""Of requests sampled once the sample is full."""
_SEED = 0


class Recent:
    """A sample of requests, by the fingerprint of their schema; written from one thread, read from any."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._kept: list[tuple[str, Arrays]] = []
        self._random = random.Random(_SEED)

    def offer(self, fingerprint: str, arrays: Arrays) -> None:
        """Keeps a request, or does not; costs next to nothing where it does not."""
        if len(self._kept) < self._size:
            self._kept.append((fingerprint, _copied(arrays)))
        elif self._random.random() < _SHARE:
            self._kept[self._random.randrange(self._size)] = (fingerprint, _copied(arrays))

    def of(self, fingerprint: str) -> Sequence[Arrays]:
        """The sampled requests of one schema."""
        return [arrays for kept, arrays in list(self._kept) if kept == fingerprint]


def _copied(arrays: Arrays) -> Arrays:
    """The arrays themselves, without the messages whose bytes they lie over."""
    return {name: np.array(array) for name, array in arrays.items()}
