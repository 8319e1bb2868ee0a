"""How does a page that is being laid out look in the terms of the slot-wise environment?"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator import slotwise
from simulator.front import SLOT_COUNT, Front, Observed

Array = np.ndarray[Any, Any]


class SlotView:
    """Observations of B sessions as `simulator.slotwise.SlotShop` gives them to those who learn in it."""

    def __init__(self, front: Front, observed: Observed) -> None:
        self._public, self._module = slotwise.public(front, observed), front.catalogue.module

    def before(self, slot: int, placed: Array) -> Array:
        """(B, D) float32 as a slot is to be filled, of pages (B, S) of which those above it are."""
        count = len(self._public)
        everyone = np.arange(count)
        prefix = np.zeros((count, len(self._module)), np.float32)
        is_free = np.ones((count, len(self._module)), bool)
        for upper in range(slot):
            prefix[everyone, placed[:, upper]] = 1 - upper / SLOT_COUNT
            is_free &= self._module != self._module[placed[:, upper]][:, None]
        in_slot = np.zeros((count, SLOT_COUNT), np.float32)
        in_slot[:, slot] = 1
        return np.concatenate((self._public, in_slot, prefix, is_free), 1, dtype=np.float32)
