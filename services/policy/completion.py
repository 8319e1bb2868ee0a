"""What is each choice for the next slot of a cascade page worth, with the best page below it?

One page is searched for, and a choice is valued with what that page leaves below it: a choice that stands on
the page goes to the slot and its place is closed; for any other, the member that costs least makes room. So
the page's own first choice is worth what the whole page is, and a slot costs a few small matrices, however
many modules there are. Once another choice was drawn, what is left of the page is mended and goes on.

Symbols: A actions, s slots that are left, a feasible actions.
"""

from __future__ import annotations

import numpy as np

from services.policy.page import Array, Offer, Progress, Shape
from services.policy.programme import Cascade
from services.policy.search import GAIN, Board, best_page


class Completion:
    """Values of choices on one page, whose cascade is known."""

    def __init__(self, shape: Shape, cascade: Cascade) -> None:
        """
        Args:
            cascade: (1, A) of the page's actions.
        """
        self._board = Board(shape, cascade)
        self._page = np.empty(0, np.int64)
        """(s,) what was to stand in the slots that were left when values were last asked for."""

    def values(self, progress: Progress, offer: Offer, actions: Array) -> Array:
        """(a,) values of actions in the next slot, all that follows included."""
        board = self._board
        may_stand = board.left_for(progress, offer, actions)
        if progress.actions:
            page = self._rest(progress.actions[-1], may_stand)
        else:
            page = best_page(board, progress, may_stand)
        self._page = page
        if len(page) == 1:
            return board.last[actions]
        rests, place = self._rests(page, may_stand), self._place(page, actions)
        below = board.value(rests)
        is_short = (rests == board.empty).sum(1) > (page == board.empty).sum()
        if is_short.any():
            below[is_short] = board.value(rests[is_short], is_cut=True)
        below = np.where(place >= 0, below[place], below[board.rank(rests).argmax()])
        values = board.worth[actions] + board.passing[actions] * below
        # The page was searched for among all: what looks better overrates what is left below it.
        most = float(board.value(page[None])[0])
        result: Array = np.where(actions == page[0], most, np.minimum(values, most - GAIN * abs(most)))
        return result

    def _rest(self, placed: int, may_stand: Array) -> Array:
        """(s,) what is left of the page, mended, now that its first slot is taken."""
        page, board = self._page, self._board
        if placed == page[0] and may_stand[0, page[1]]:
            return page[1:]
        place = int(self._place(page, np.array([placed]))[0])
        rests = self._rests(page, np.concatenate((np.ones_like(may_stand[:1]), may_stand)))
        rest = rests[place if place >= 0 else int(board.rank(rests).argmax())]
        stands = may_stand[np.arange(len(rest)), rest]
        return board.climbed(np.where(stands, rest, board.empty), may_stand)

    def _rests(self, page: Array, may_stand: Array) -> Array:
        """(s, s - 1) what may stand below another choice for the first slot, by the member that makes room.

        Those above that member move down by one where they may stand there; else the first takes its place;
        else what suits best does.
        """
        board, places = self._board, np.arange(len(page))
        lower = places[1:]
        rests = np.where(lower <= places[:, None], page[lower - 1], page[lower])
        moves = np.append(True, np.logical_and.accumulate(may_stand[lower, page[lower - 1]]))
        for place in np.flatnonzero(~moves).tolist():
            rests[place] = page[1:]
            if may_stand[place, page[0]]:
                rests[place, place - 1] = page[0]
            else:
                rests[place, place - 1] = board.empty
                fits = may_stand[1:] & (board.module != board.module[page[place]])
                rests[place] = board.exchanged(rests[place], fits)[0]
        return rests

    def _place(self, page: Array, actions: Array) -> Array:
        """(a,) places on the page that hold the actions' modules; -1 where none does."""
        is_here = self._board.module[page][None, :] == self._board.module[actions][:, None]
        return np.where(is_here.any(1), is_here.argmax(1), -1)
