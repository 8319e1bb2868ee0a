"""What does a click on an ad cost? As little as would have kept its place: the second price."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.layout.columns import Array


def charges(
    shown: Sequence[int], ranked: Sequence[int], bid_micros: Array, click: Array, floor: int
) -> list[int]:
    """Of each item shown, in order: micros for a click, from the floor to its own bid.

    An ad pays what makes its bid x probability equal to that of the next: the next shown, and for the last
    the best of the module that is not shown. Where there is none, or it bids nothing, the floor is paid.

    Args:
        shown: rows in the order of the page.
        ranked: rows of the module in its order; those shown are among them.
        bid_micros, click: (N,) bids for a click, and probabilities of one, by row.
        floor: least price of a click, micros.
    """
    # The last is followed by the best that is not shown.
    left = next((row for row in ranked if row not in shown), None)
    rows = [*shown] if left is None else [*shown, left]
    bids, clicks = bid_micros[rows].tolist(), click[rows].tolist()
    found = []
    for place in range(len(shown)):
        needed = 0.0
        if place + 1 < len(rows) and clicks[place] > 0:
            needed = bids[place + 1] * clicks[place + 1] / clicks[place]
        found.append(min(max(math.ceil(needed), floor), max(int(bids[place]), floor)))
    return found
