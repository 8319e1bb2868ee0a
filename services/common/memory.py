"""What is done with a process's memory once everything is loaded?"""

from __future__ import annotations

import contextlib
import ctypes
import gc


def settle() -> None:
    """Does at once, before the first call, what would hold up a later one.

    A full collection over what was loaded takes hundreds of milliseconds, and it never dies. And whenever
    10,000 messages were freed, protobuf hands what is free to the system (malloc_trim of glibc, in
    protobuf's python/protobuf.c): the first time after a start that is all that loading has left, 25 ms of a
    page's time where it was 100 MB.
    """
    gc.collect()
    gc.freeze()
    with contextlib.suppress(AttributeError):  # other C libraries have no such call, and get none
        ctypes.CDLL(None).malloc_trim(0)
