"""How is Feast imported without what it would drag in and leave behind?"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def light_import() -> Iterator[None]:
    """Imports feast without torch, and leaves no variable behind that child processes would inherit.

    Feast imports torch for image features wherever it is installed, which costs seconds and a quarter of
    a gigabyte, and it points prometheus_client of every child at a folder of its own.
    """
    names = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR")
    before = {name: os.environ[name] for name in names if name in os.environ}
    hide = "torch" not in sys.modules
    if hide:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hide:
            del sys.modules["torch"]
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)
