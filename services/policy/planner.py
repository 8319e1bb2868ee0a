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

from services.common.errors import Incompatible
from services.policy.completion import Completion, Known
from services.policy.exploration import Exploration, Law, drawn, law_of
from services.policy.filling import NOT_FINITE, NOTHING, filled
from services.policy.page import Array, Facts, Offer, Progress
from services.policy.recount import Mask, by_module
from services.policy.search import NO_BOARD

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
    uniforms = np.random.default_rng(seed & 0xFFFF_FFFF_FFFF_FFFF).random(len(facts.shape.slot_ids))
    law, outlook = law_of(exploration), Outlook(facts)
    if isinstance(values, Known | Completion) and not outlook.is_needed:
        return _at_once(facts, values, law, uniforms)
    return _slot_by_slot(facts, values, law, uniforms, outlook)


def _at_once(facts: Facts, values: Known | Completion, law: Law, uniforms: Array) -> list[Choice]:
    shape, progress = facts.shape, Progress(facts)
    if isinstance(values, Known):
        known, board, page = values.values.astype(np.float64), NO_BOARD, np.empty(0, np.int64)
    else:
        known, board, page = np.empty(0), values.board, values.proven_page(progress)
    found = filled(
        progress.given, progress.taken, known, board, shape.may_stand, page, law, shape.draw_rank, uniforms
    )
    columns = (found.action, found.row_count, found.value, found.propensity, found.is_best)
    counts = found.feasible_count.tolist()
    choices = []
    for slot, (action, row_count, value, propensity, is_best) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        if action == NOTHING:
            raise _nothing(shape.slot_ids[slot])
        if action == NOT_FINITE:
            raise _not_finite()
        count = counts[slot]
        choices.append(
            Choice(
                action=action,
                rows=found.rows[slot, :row_count],
                value=value,
                propensity=propensity,
                is_explored=not is_best,
                feasible=found.feasible[slot, :count],
                feasible_values=found.feasible_value[slot, :count],
                feasible_propensities=found.feasible_propensity[slot, :count],
                masked=found.masked[slot],
            )
        )
    return choices


def _slot_by_slot(facts: Facts, values: Values, law: Law, uniforms: Array, outlook: Outlook) -> list[Choice]:
    shape, progress = facts.shape, Progress(facts)
    choices = []
    for slot_id, uniform in zip(shape.slot_ids, uniforms.tolist(), strict=True):
        offer = progress.offer()
        outlook.mask_dead_ends(progress, offer, offer.masks)
        feasible = np.flatnonzero(offer.masks == Mask.NONE)
        if not len(feasible):
            raise _nothing(slot_id)
        worth = values(progress, offer, feasible)
        propensities, place, is_best = drawn(worth, law, shape.draw_rank[feasible], uniform)
        if place < 0:
            raise _not_finite()
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
                masked=by_module(offer.masks, shape.module, len(shape.module_ids)),
            )
        )
        progress.place(action, rows)
        outlook.follow(action)
    return choices


def _nothing(slot_id: str) -> Incompatible:
    return Incompatible(f"slot {slot_id!r} can hold nothing: allow it a filler module with enough items")


def _not_finite() -> FloatingPointError:
    return FloatingPointError("the policy answered NaN or infinity")


class Outlook:
    """Knows a way to fill the slots below, as long as one of them allows no filler."""

    def __init__(self, facts: Facts) -> None:
        hard = np.flatnonzero(~(facts.shape.allowed & facts.can_fill).any(axis=1))
        self._last_hard = int(hard[-1]) if len(hard) else -1
        self._nodes_left = SEARCH_LIMIT
        self._way: list[int] | None = None
        self._ways: dict[int, list[int]] = {}

    @property
    def is_needed(self) -> bool:
        """Whether a choice may be one after which a slot below cannot be filled."""
        return self._last_hard > 0

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
