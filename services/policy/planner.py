"""Which module stands in which slot, in which template and with which items?

Slots are filled top-down, and a higher slot keeps an item: after each placement the items that are left
are counted again, and what falls below its minimum is masked. A choice is drawn among what is feasible
then, so the propensity of each is exact, given the slots above.

- A module stands once. A filler alone may stand again, and repeat items, where the slot could hold
  nothing else: a slot that allows a filler with enough rows can always be filled.
- A pin stands whatever its value; its module is kept for it unless a slot above could hold nothing
  else. A pin that cannot stand is ignored.
- Limits keep modules of a kind few and apart, with what is pinned below; pins and repeated fillers go over
  them.
- Where a slot below allows no filler, choices after which it could not be filled are masked. The search
  for a way to fill it has a limit of nodes; what it could not prove harmless is masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.compiled import compiled
from services.common.errors import Incompatible
from services.policy.exploration import Exploration, drawn
from services.policy.page import Array, Facts, Offer, Progress
from services.policy.recount import Mask

Values = Callable[[Progress, Offer, Array], Array]
"""Values of some actions in the next slot: (progress, offer, actions (a,)) to (a,)."""

SEARCH_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Choice:
    """What stands in one slot."""

    action: int
    rows: Array
    """Items shown, in order."""
    value: float
    propensity: float
    """Probability of the choice given the slots above."""
    is_explored: bool
    feasible: Array
    """(a,) actions that were possible."""
    feasible_values: Array
    """(a,)"""
    feasible_propensities: Array
    """(a,), sums to 1."""
    masked: Array
    """(M,) Mask of each module: of several reasons, that of the template that came furthest."""


def plan(facts: Facts, values: Values, exploration: Exploration, seed: int) -> list[Choice]:
    """Fills the slots.

    Raises:
        Incompatible: where a slot can hold nothing.
    """
    shape = facts.shape
    uniforms = np.random.default_rng(seed & 0xFFFF_FFFF_FFFF_FFFF).random(len(shape.slot_ids))
    progress, outlook = Progress(facts), Outlook(facts)
    choices = []
    for slot_id, uniform in zip(shape.slot_ids, uniforms.tolist(), strict=True):
        offer = progress.offer()
        masks = offer.masks
        outlook.mask_dead_ends(progress, offer, masks)
        feasible = np.flatnonzero(masks == Mask.NONE)
        if not len(feasible):
            raise Incompatible(
                f"slot {slot_id!r} can hold nothing: allow it a filler module with enough items"
            )
        worth = values(progress, offer, feasible)
        propensities, place, is_best = drawn(worth, exploration, shape.draw_rank[feasible], uniform)
        if place < 0:
            raise FloatingPointError("the policy answered NaN or infinity")
        action = int(feasible[place])
        rows = progress.rows_of(offer, action)
        choices.append(
            Choice(
                action=action,
                rows=rows,
                value=float(worth[place]),
                propensity=float(propensities[place]),
                is_explored=not is_best,
                feasible=feasible,
                feasible_values=worth,
                feasible_propensities=propensities,
                masked=_by_module(masks, shape.module, len(shape.module_ids)),
            )
        )
        progress.place(action, rows)
        outlook.follow(action)
    return choices


class Outlook:
    """Knows a way to fill the slots below, as long as one of them allows no filler."""

    def __init__(self, facts: Facts) -> None:
        hard = np.flatnonzero(~(facts.shape.allowed & facts.can_fill).any(axis=1))
        self._last_hard = int(hard[-1]) if len(hard) else -1
        self._nodes_left = SEARCH_LIMIT
        self._way: list[int] | None = None
        self._ways: dict[int, list[int]] = {}

    def mask_dead_ends(self, progress: Progress, offer: Offer, masks: Array) -> None:
        """Masks, in place, actions after which no way is known to fill the slots below."""
        index = len(progress.actions)
        if index >= self._last_hard:
            return
        if self._way is None:
            self._way = self._search(progress)
            if self._way is None:
                return  # no way at all: the slot that cannot be filled says so
        self._ways = {}
        for action in np.flatnonzero(masks == Mask.NONE).tolist():
            way = self._way_after(progress, offer, action, self._way)
            if way is None:
                masks[action] = Mask.RESERVED
            else:
                self._ways[action] = way

    def follow(self, action: int) -> None:
        """Tells what stands in the slot that was looked at last."""
        self._way = self._ways.get(action)

    def _way_after(
        self, progress: Progress, offer: Offer, action: int, way: Sequence[int]
    ) -> list[int] | None:
        """Actions for the slots below `action`, which stands in the next slot."""
        below = list(way[1:])
        if action == way[0]:
            return below
        after = progress.copy()
        after.place(action, progress.rows_of(offer, action))
        return below if _can_follow(after, below) else self._search(after)

    def _search(self, progress: Progress) -> list[int] | None:
        """Actions that fill the next slots, down to the last hard one; depth first."""
        index = len(progress.actions)
        if index > self._last_hard:
            return []
        if self._nodes_left == 0:
            return None
        self._nodes_left -= 1
        offer = progress.offer()
        for action in np.flatnonzero(offer.masks == Mask.NONE).tolist():
            after = progress.copy()
            after.place(action, progress.rows_of(offer, action))
            way = self._search(after)
            if way is not None:
                return [action, *way]
        return None


def _can_follow(progress: Progress, actions: Sequence[int]) -> bool:
    """Whether these actions can fill the next slots."""
    ahead = progress.copy()
    for action in actions:
        offer = ahead.offer()
        if offer.masks[action] != Mask.NONE:
            return False
        ahead.place(action, ahead.rows_of(offer, action))
    return True


@compiled
def _by_module(masks: Array, module: Array, module_count: int) -> Array:
    """(M,) NONE where one of the module's actions is feasible, else the largest Mask of them."""
    furthest = np.full(module_count, -1)
    for action in range(len(masks)):
        most = furthest[module[action]]
        furthest[module[action]] = 0 if masks[action] == 0 or most == 0 else max(most, masks[action])
    return furthest


def uniform_values(progress: Progress, offer: Offer, actions: Array) -> Array:
    """Equal values: exploration then draws uniformly among what is feasible."""
    del progress, offer
    return np.zeros(len(actions), np.float32)
