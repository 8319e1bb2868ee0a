"""What does a click on an ad cost? As little as would have kept its place: the second price."""

from __future__ import annotations

import numpy as np

from services.common.compiled import compiled
from services.layout.columns import Array


@compiled
def charges(shown: Array, ranked: Array, bid_micros: Array, click: Array, floor: float) -> Array:
    """(S,) int64 of each item shown, in order: micros for a click, from the floor to its own bid.

    An ad pays what makes its bid x probability equal to that of the next: the next shown, and for the last
    the best of the module that is not shown. Where there is none, or it bids nothing, the floor is paid.

    Args:
        shown: (S,) rows in the order of the page.
        ranked: rows of the module in its order; those shown are among them.
        bid_micros, click: (N,) bids for a click, and probabilities of one, by row.
        floor: least price of a click, micros.
    """
    found = np.empty(len(shown), np.int64)
    for place in range(len(shown)):
        row, after = shown[place], -1
        if place + 1 < len(shown):
            after = shown[place + 1]
        else:
            for left in ranked:
                if not (shown == left).any():
                    after = left
                    break
        needed = 0.0
        if after >= 0 and click[row] > 0:
            needed = bid_micros[after] * np.float64(click[after]) / np.float64(click[row])
        found[place] = min(max(np.ceil(needed), floor), max(np.floor(bid_micros[row]), floor))
    return found


def warm_up() -> None:
    """Compiles it."""
    rows = np.zeros(1, np.int64)
    for click in (np.ones(1, np.float32), np.frombuffer(bytes(4), np.float32)):  # one's own, or a message's
        charges(rows, rows, np.ones(1), click, 0.0)
