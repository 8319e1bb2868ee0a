"""How do loops over the items and choices of a page run as machine code?

A page is small and its search branches: numpy would spend its time on calls. What is compiled is kept beside
the source, or where that cannot be written in the user's cache (NUMBA_CACHE_DIR names another place), so that
a machine compiles once. A file of compiled functions calls no compiled function of another: what is kept is
renewed when the file of the function itself changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function, compiled when arguments of new types are met; other threads run beside it.

    Indexes are not checked, and sums keep their order: the same input gives the same bits.
    """
    try:
        result: F = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it: each process compiles for itself
        result = njit(nogil=True)(function)
    return result
