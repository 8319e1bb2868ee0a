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
    left = set(shown)
    following = [*shown[1:], next((row for row in ranked if row not in left), None)]
    found = []
    for row, other in zip(shown, following, strict=True):
        own = int(bid_micros[row])
        needed = 0.0
        if other is not None and click[row] > 0:
            needed = float(bid_micros[other]) * float(click[other]) / float(click[row])
        found.append(min(max(math.ceil(needed), floor), max(own, floor)))
    return found
