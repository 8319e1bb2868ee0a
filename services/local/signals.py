"""What may a signal do to a command that has started others?

The first of Ctrl-C, SIGTERM and SIGHUP ends the command by KeyboardInterrupt; none of them may come between
a process and the note of its pid, or cut the ending short.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """The command was told to end.

    Attributes:
        code: what it exits with: 128 and the signal's number, as shells have it.
    """

    def __init__(self, number: int) -> None:
        self.code = 128 + number
        super().__init__()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raises Interrupted in the block at the first signal; later ones do nothing.

    A signal that was ignored before, as nohup does with SIGHUP, stays ignored.
    """
    is_over = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal is_over
        if not is_over:
            is_over = True
            raise Interrupted(number)

    before = {
        number: signal.signal(number, interrupt)
        for number in ENDING
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def undisturbed(is_late: bool = False) -> Iterator[None]:
    """No signal ends the block; outside the main thread none would.

    Args:
        is_late: signals take effect after the block; otherwise they are forgotten.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted: list[int] = []
    # A handler of ours, not SIG_IGN: that would be inherited by what is started meanwhile.
    before = {
        number: signal.signal(number, lambda number, frame: noted.append(number))
        for number in ENDING
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if is_late and noted:
        signal.raise_signal(noted[0])


def raise_if_make_was_interrupted() -> None:
    """Ends a command of a Makefile whose make alone was told to end.

    GNU make passes SIGTERM on to its commands, but takes SIGINT for a terminal's, which reaches them by
    itself, and waits for them with the handler gone (`fatal_error_signal` in its commands.c).

    Raises:
        Interrupted: where the parent is a make that caught SIGINT.
    """
    if "MAKELEVEL" not in os.environ:
        return
    with contextlib.suppress(OSError, KeyError, ValueError):
        parent = Path(f"/proc/{os.getppid()}")
        if parent.joinpath("comm").read_text().strip() not in ("make", "gmake"):
            return
        lines = parent.joinpath("status").read_text().splitlines()
        masks = dict(line.split(":", 1) for line in lines if line.startswith("Sig"))
        # One that ignores it was started in the background (nohup, setsid) and never caught it.
        handled = int(masks["SigCgt"], 16) | int(masks["SigIgn"], 16)
        if not handled >> (signal.SIGINT - 1) & 1:
            raise Interrupted(signal.SIGINT)
