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
from enum import IntEnum
from functools import lru_cache

import numpy as np

from services.common.compiled import compiled
from services.common.errors import Incompatible
from services.policy.exploration import Exploration, draw, probabilities
from services.policy.page import Array, Facts, Offer, Progress, Shape

Values = Callable[[Progress, Offer, Array], Array]
"""Values of some actions in the next slot: (progress, offer, actions (a,)) to (a,)."""

SEARCH_LIMIT = 2_000


class Mask(IntEnum):
    """Why an action is not feasible, by how far it came; 0 is feasible."""

    NONE = 0
    NOT_ALLOWED = 1
    PLACED = 2
    TOO_FEW_ITEMS = 3
    PINNED = 4
    RESERVED = 5
    CROWDED = 6


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
    uniforms = np.random.default_rng(seed & 0xFFFF_FFFF_FFFF_FFFF).random(len(facts.shape.slots))
    progress = Progress(facts)
    outlook = Outlook(facts)
    choices = []
    for index, slot in enumerate(facts.shape.slots):
        offer = progress.offer()
        masks = slot_masks(progress, offer, index)
        outlook.mask_dead_ends(progress, offer, masks)
        feasible = np.flatnonzero(masks == 0)
        if not len(feasible):
            raise Incompatible(
                f"slot {slot.slot_id!r} can hold nothing: allow it a filler module with enough items"
            )
        worth = values(progress, offer, feasible)
        if not np.isfinite(worth).all():
            raise FloatingPointError("the policy answered NaN or infinity")
        propensities = probabilities(worth, exploration)
        place = draw(propensities, facts.shape.draw_rank[feasible], uniforms[index])
        action = int(feasible[place])
        rows = progress.rows_of(offer, action)
        choices.append(
            Choice(
                action=action,
                rows=rows,
                value=float(worth[place]),
                propensity=float(propensities[place]),
                is_explored=bool(worth[place] < worth.max()),
                feasible=feasible,
                feasible_values=worth,
                feasible_propensities=propensities,
                masked=_by_module(masks, facts.shape.module, len(facts.shape.module_ids)),
            )
        )
        progress.place(action, rows)
        outlook.follow(action)
    return choices


def slot_masks(progress: Progress, offer: Offer, index: int) -> Array:
    """(A,) Mask of each action in slot `index`, what lies below looked at for pins alone."""
    shape = progress.facts.shape
    slot = shape.slots[index]
    return _masks(
        slot.allowed,
        slot.pinned,
        slot.kept,
        shape.is_filler,
        shape.module,
        progress.is_placed,
        offer.is_enough,
        offer.is_crowded,
    )


@compiled
def _masks(
    allowed: Array,
    pinned: Array,
    kept: Array,
    is_filler: Array,
    module: Array,
    is_placed: Array,
    is_enough: Array,
    is_crowded: Array,
) -> Array:
    """(A,) Mask of each action, by what is said of each, and of its module (M,); is_crowded: (s, M)."""
    # From what should stand here, a pin, to what may stand rather than nothing.
    claims = np.full(len(allowed), 4)
    for action in range(len(allowed)):
        if allowed[action] and is_enough[action]:
            is_free = not is_placed[module[action]]
            if pinned[action] and (is_free or is_filler[action]):
                claims[action] = 0
            elif is_free and not kept[action] and not is_crowded[0, module[action]]:
                claims[action] = 1
            elif is_filler[action]:
                claims[action] = 2
            elif is_free and not is_crowded[0, module[action]]:
                claims[action] = 3
    best = claims.min()
    masks = np.empty(len(allowed), np.int64)
    for action in range(len(allowed)):
        if not allowed[action]:
            masks[action] = Mask.NOT_ALLOWED
        elif claims[action] == best and best < 4:
            masks[action] = Mask.NONE
        elif is_placed[module[action]]:
            masks[action] = Mask.PLACED
        elif not is_enough[action]:
            masks[action] = Mask.TOO_FEW_ITEMS
        elif best == 0:
            masks[action] = Mask.PINNED
        else:
            masks[action] = Mask.CROWDED if is_crowded[0, module[action]] else Mask.RESERVED
    return masks


class Outlook:
    """Knows a way to fill the slots below, as long as one of them allows no filler."""

    def __init__(self, facts: Facts) -> None:
        hard = np.flatnonzero(~(_allowed(facts.shape) & facts.can_fill).any(axis=1))
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
        for action in np.flatnonzero(slot_masks(progress, offer, index) == Mask.NONE).tolist():
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
        if slot_masks(ahead, offer, len(ahead.actions))[action] != Mask.NONE:
            return False
        ahead.place(action, ahead.rows_of(offer, action))
    return True


@lru_cache(maxsize=1_024)
def _allowed(shape: Shape) -> Array:
    """(S, A) true where an action may stand in a slot."""
    return np.array([slot.allowed for slot in shape.slots])


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
