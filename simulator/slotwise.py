"""How does a shop look to an agent that fills one slot at a time, and knows what is public alone?

Shapes: B sessions, S slots, A actions, D columns of an observation.
"""

from __future__ import annotations

import numpy as np

from simulator.front import columns
from simulator.front.page import Luck, turn
from simulator.front.seen import DECAY, Observed
from simulator.front.sessions import MAX_PAGES, begin
from simulator.front.shop import DEVICE_COUNT, SEASON_COUNT, SLOT_COUNT, Front

_LAST_OUTCOMES = 4
_MOST_INTEREST, _MOST_STOPS, _MOST_PASSES = 3 / (1 - DECAY), 1 / (1 - DECAY), SLOT_COUNT / (1 - DECAY)
"""What a long look, or giving up, on every page comes to."""


class SlotShop:
    """B sessions in step: all of them fill the same slot at the same time.

    An observation has the columns of `public`, the slot to fill (S), the prefix of the page (A: 1 for the
    action in the top slot, less by 1 / S for each slot below, 0 where an action does not stand), and the
    mask (A: 1 where an action may stand). All lie between 0 and 1.

    Args:
        is_renewed: where a session ends, another one begins in its place within the same step.
    """

    def __init__(self, front: Front, session_count: int, is_renewed: bool) -> None:
        self._front, self._count, self._is_renewed = front, session_count, is_renewed
        self.session_count = session_count
        self.action_count = len(front.catalogue.module)
        self.reset(0)
        self.width = self._observation().shape[1]

    def reset(self, seed: int) -> np.ndarray:
        """(B, D) observations of new sessions; the same seed and actions bring the same sessions."""
        self._random = np.random.default_rng([self._front.world.seed, seed, 0x517])
        visits = begin(self._front, self._count, self._random)
        self._observed, self._state, self._is_scanner = visits.observed, visits.state, visits.is_scanner
        self._begin_page()
        return self._observation()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fills a slot of each page; pages are looked at once they are full.

        Args:
            actions: (B,); one that may not stand is replaced by the first that may, in the order of actions.

        Returns:
            (B, D) observations, (B,) margin of what was bought, (B,) true where the session ended.
        """
        everyone = np.arange(self._count)
        is_possible = self._is_free[everyone, actions]
        chosen = np.where(is_possible, actions, self._is_free.argmax(1))
        self._placed[:, self._slot] = chosen
        self._prefix[everyone, chosen] = 1 - self._slot / SLOT_COUNT
        module = self._front.catalogue.module
        self._is_free &= module != module[chosen][:, None]
        self._slot += 1
        reward, is_over = np.zeros(self._count), np.zeros(self._count, bool)
        if self._slot == SLOT_COUNT:
            reward, is_over = self._look()
            self._begin_page()
        return self._observation(), reward, is_over

    def _look(self) -> tuple[np.ndarray, np.ndarray]:
        """The pages are looked at: (B,) margin, (B,) true where the session ended."""
        luck = Luck.draw(self._count, self._random)
        done = turn(self._front, self._observed, self._state, self._placed, self._is_scanner, luck)
        self._observed.note(done.acts, done.family, done.shelf_category, done.shelf_family)
        self._state = done.state
        is_over = done.acts.is_over | (self._observed.page_index >= MAX_PAGES)
        ended = np.flatnonzero(is_over)
        if self._is_renewed and len(ended):
            visits = begin(self._front, len(ended), self._random)
            columns.put(self._observed, ended, visits.observed)
            columns.put(self._state, ended, visits.state)
            self._is_scanner[ended] = visits.is_scanner
            self._observed.rows = np.arange(self._count)
        return done.acts.margin.sum(1).astype(np.float64), is_over

    def _begin_page(self) -> None:
        self._slot = 0
        self._placed = np.zeros((self._count, SLOT_COUNT), np.int64)
        self._prefix = np.zeros((self._count, self.action_count), np.float32)
        self._is_free = np.ones((self._count, self.action_count), bool)
        self._public = public(self._front, self._observed)

    def _observation(self) -> np.ndarray:
        slot = np.zeros((self._count, SLOT_COUNT), np.float32)
        slot[:, self._slot] = 1
        return np.concatenate((self._public, slot, self._prefix, self._is_free), 1, dtype=np.float32)


def public(front: Front, observed: Observed) -> np.ndarray:
    """(B, columns) float32 of what a shop knows as a page begins, each between 0 and 1.

    One-hot segment (the last column for none), device, season; daypart; logarithms of counts of pages,
    carts, purchases and pages without click; one-hot last outcome and last category; whether it was a long
    look; logarithms of clicks and long looks by category, clicks and stops by family, recent interest by
    category and recent stops by family, shelves passed without a click by category and family.
    """
    context, most = observed.context, np.log1p(MAX_PAGES)
    counts = [observed.page_index, observed.cart_count, observed.purchase_count, observed.pages_without_click]
    parts = [
        _one_hot(observed.segment, len(front.world.type_share) + 1),
        _one_hot(front.device[context], DEVICE_COUNT),
        _one_hot(front.season[context], SEASON_COUNT),
        front.daypart[context][:, None],
        np.log1p(np.stack(counts, 1)) / most,
        _one_hot(observed.last_outcome, _LAST_OUTCOMES),
        _one_hot(observed.last_category, front.catalogue.category_count),
        observed.last_dwelled[:, None],
        np.log1p(observed.category_clicks) / most,
        np.log1p(observed.category_dwells) / most,
        np.log1p(observed.family_clicks) / most,
        np.log1p(observed.family_stops) / most,
        np.log1p(observed.recent_interest) / np.log1p(_MOST_INTEREST),
        np.log1p(observed.recent_stops) / np.log1p(_MOST_STOPS),
        np.log1p(observed.category_passes) / np.log1p(_MOST_PASSES),
        np.log1p(observed.family_passes) / np.log1p(_MOST_PASSES),
    ]
    return np.concatenate([np.asarray(part, np.float32) for part in parts], 1)


def _one_hot(index: np.ndarray, count: int) -> np.ndarray:
    """(B, count); all 0 for an index outside."""
    return index[:, None] == np.arange(count)
