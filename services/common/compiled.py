"""How do loops over the items and choices of a page run as machine code?

A page is small and its search branches: numpy would spend its time on calls. What is compiled is kept beside
the source, or where that cannot be written in the user's cache (NUMBA_CACHE_DIR names another place), so that
a machine compiles once. It is renewed when any source of its folder changes: compiled functions name what is
of their own folder alone, functions and constants, and take all else as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function, compiled when arguments of new types are met; other threads run beside it.

    Indexes are not checked, and sums keep their order: the same input gives the same bits.
    """
    try:
        result = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it: each process compiles for itself
        result = njit(nogil=True)(function)
    else:
        # numba itself asks the function's own file alone, and keeps what was compiled of others with it.
        result._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)
    made: F = result
    return made


@lru_cache
def _stamp(folder: Path) -> tuple[tuple[str, float, int], ...]:
    """Name, time and size of the folder's sources."""
    found = ((path.name, path.stat()) for path in sorted(folder.glob("*.py")))
    return tuple((name, stat.st_mtime, stat.st_size) for name, stat in found)
