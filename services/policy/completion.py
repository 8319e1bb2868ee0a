"""What is each choice for the next slot of a cascade page worth, with the best page below it?

One page is searched for, and a choice is valued with what that page leaves below it: a choice that stands on
the page goes to the slot and its place is closed; for any other, the member that costs least makes room. So
the page's own first choice is worth what the whole page is. Once another choice was drawn, what is left of
the page is mended and goes on.

Symbols: A actions, s slots that are left, a feasible actions.
"""

from __future__ import annotations

import numpy as np

from services.policy import proving, search
from services.policy.page import Array, Offer, Progress
from services.policy.programme import Cascade
from services.policy.recount import Mask
from services.policy.search import Board
from services.policy.shape import Shape


class Known:
    """Values that do not depend on what stands above."""

    def __init__(self, values: Array) -> None:
        """
        Args:
            values: (A,) of the page's actions.
        """
        self.values = values

    def __call__(self, progress: Progress, offer: Offer, actions: Array) -> Array:
        """(a,) values of actions in the next slot."""
        return self.values[actions]


class Completion:
    """Values of choices on one page, whose cascade is known."""

    def __init__(self, shape: Shape, cascade: Cascade) -> None:
        """
        Args:
            cascade: (1, A) of the page's actions.
        """
        self.board = Board.of(shape, cascade)
        self._page = np.empty(0, np.int64)
        """(s,) what was to stand in the slots that were left when values were last asked for."""

    def __call__(self, progress: Progress, offer: Offer, actions: Array) -> Array:
        """(a,) values of actions in the next slot, all that follows included."""
        board = self.board
        slot = len(progress.actions)
        may_stand = progress.facts.shape.may_stand[slot:]
        if len(may_stand) == 1:
            return board.last[actions]
        is_enough, is_placed, is_crowded = offer.is_enough, progress.is_placed, offer.is_crowded
        if slot:
            self._page, values = search.gone_on(
                board, self._page, progress.actions[-1], may_stand, is_enough, is_placed, is_crowded, actions
            )
            return values
        left = search.left_for(may_stand, is_enough, board.module, is_placed, is_crowded, actions)
        self._page = proving.best_page(board, progress, left)
        return search.choice_values(board, self._page, left, actions)

    def proven_page(self, progress: Progress) -> Array:
        """(S,) the best page, before anything stands, where it is small enough to be proven; else empty."""
        may_stand = progress.facts.shape.may_stand
        if len(may_stand) == 1 or not proving.is_small(may_stand):
            return np.empty(0, np.int64)
        offer = progress.offer()
        actions = np.flatnonzero(offer.masks == Mask.NONE)
        return proving.best_page(
            self.board,
            progress,
            search.left_for(
                may_stand, offer.is_enough, self.board.module, progress.is_placed, offer.is_crowded, actions
            ),
        )
