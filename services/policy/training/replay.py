"""How does a slot-wise learner read logged decisions, whatever log they come from?

A decision is a slot that a policy filled and a shopper examined. Two implementations of one protocol: the
decisions of an event log, described in memory as they were read, and those of whole pages, described when
they are asked for (a hundred thousand pages with every feasible action of every slot fit no memory).

Symbols: T decisions, B decisions of a batch, A actions, G signals, D and E widths of state and action.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from services.policy.training.pages import TERMINAL, Array, Pages
from services.policy.training.qnet import mean_action
from services.policy.training.transitions import Transitions

_CHUNK = 4_096
"""Decisions whose feasible actions are described at once."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What followed each decision.

    Attributes:
        rewards: (T,) float32, of what the shopper did in the slot.
        following: (T,) index of the next decision; TERMINAL where the session ended.
        discounts: (T,) float32: 1 within a page, the page discount to the next page, 0 at the end.
        returns: (T,) float32 discounted sums of rewards to the session's end.
        signals: (T, G) float32: whether the slot was clicked; whether the shopper went on where not; what
            the click was followed by where so. NaN where nothing can be told; no column where the log tells
            none.
    """

    rewards: Tensor
    following: Tensor
    discounts: Tensor
    returns: Tensor
    signals: Tensor


@dataclass(frozen=True, slots=True)
class Feasible:
    """What could have been placed.

    Attributes:
        actions: (B, A, E), padded; allowed: (B, A) false for padding and for what may not stand.
        centres: (B, E) mean of those allowed.
    """

    actions: Tensor
    allowed: Tensor
    centres: Tensor


class Replay(Protocol):
    """T logged decisions in order of session and time."""

    @property
    def outcomes(self) -> Outcomes: ...

    def __len__(self) -> int: ...

    def states(self, decisions: Tensor) -> Tensor:
        """(B, D) of some decisions."""
        ...

    def placed(self, decisions: Tensor) -> Tensor:
        """(B, E) description of the action that was placed."""
        ...

    def centres(self, decisions: Tensor) -> Tensor:
        """(B, E) mean description of what was feasible."""
        ...

    def feasible(self, decisions: Tensor) -> Feasible:
        """All that was feasible, what was placed among it."""
        ...

    def place(self, decisions: Tensor) -> Tensor:
        """(B,) index among `feasible` of the action that was placed."""
        ...


@dataclass(frozen=True, slots=True)
class EventReplay:
    """The decisions of an event log; all they could have been lies in memory."""

    outcomes: Outcomes
    offsets: Tensor
    """(T + 1,) rows of `_actions`."""
    _states: Tensor
    _actions: Tensor
    _centres: Tensor
    _chosen: Tensor

    @classmethod
    def of(cls, transitions: Transitions) -> EventReplay:
        # reduceat sums each decision's rows; every decision has at least one.
        counts = np.diff(transitions.offsets)
        sums = np.add.reduceat(transitions.actions, transitions.offsets[:-1], axis=0, dtype=np.float32)
        return cls(
            outcomes=Outcomes(
                rewards=torch.from_numpy(transitions.rewards),
                following=torch.from_numpy(transitions.following),
                discounts=torch.from_numpy(transitions.discounts),
                returns=torch.from_numpy(transitions.returns()),
                signals=torch.zeros(len(transitions), 0),
            ),
            offsets=torch.from_numpy(transitions.offsets),
            _states=torch.from_numpy(transitions.states),
            _actions=torch.from_numpy(transitions.actions),
            _centres=torch.from_numpy(sums / counts[:, None].astype(np.float32)),
            _chosen=torch.from_numpy(transitions.chosen),
        )

    def __len__(self) -> int:
        return len(self._states)

    def states(self, decisions: Tensor) -> Tensor:
        return self._states[decisions]

    def placed(self, decisions: Tensor) -> Tensor:
        return self._actions[self.offsets[decisions] + self._chosen[decisions]].float()

    def centres(self, decisions: Tensor) -> Tensor:
        return self._centres[decisions]

    def feasible(self, decisions: Tensor) -> Feasible:
        first, last = self.offsets[decisions], self.offsets[decisions + 1]
        place = torch.arange(int((last - first).max()))
        allowed = place < (last - first).unsqueeze(1)
        rows = (first.unsqueeze(1) + place).clamp_max(len(self._actions) - 1)
        return Feasible(self._actions[rows].float(), allowed, self._centres[decisions])

    def place(self, decisions: Tensor) -> Tensor:
        return self._chosen[decisions]


@dataclass(frozen=True, slots=True)
class PageReplay:
    """The decisions of whole pages, by the cascade: a page's slots down to the one in which it ended.

    A slot leads to the next one; that in which the page ended, by its last click or by giving up, leads to
    the session's next page. What stands below is dropped, and what it earned counts where the page ended.
    """

    outcomes: Outcomes
    _pages: Pages
    _page: Array
    _slot: Array
    _centres: Tensor
    """Every decision is learned from several times, so what costs a description of all is kept."""

    @classmethod
    def of(cls, pages: Pages, page_discount: float) -> PageReplay:
        """Decisions of pages.

        Args:
            page_discount: what the next page counts, 0 to 1.
        """
        end, is_click = pages.ends()
        first = np.concatenate([[0], np.cumsum(end + 1)])
        page = np.repeat(np.arange(len(pages)), end + 1)
        slot = np.arange(len(page)) - first[page]
        is_end = slot == end[page]
        stray = np.where(np.arange(pages.reward.shape[1]) > end[:, None], pages.reward, 0.0).sum(1)
        rewards = pages.reward[page, slot] + np.where(is_end, stray[page], 0.0)
        leads_to = np.append(first[:-1], TERMINAL)[pages.following]  # TERMINAL is its own index
        following = np.where(is_end, leads_to[page], np.arange(1, len(page) + 1))
        after = page_discount * np.where(
            pages.following != TERMINAL, pages.returns(page_discount)[pages.following], 0.0
        )
        # From a slot on: its page's rewards from there down, and the pages after.
        sums = np.append(np.cumsum(rewards[::-1])[::-1], 0.0)
        returns = sums[:-1] - sums[first[page + 1]] + after[page]
        is_clicked = pages.is_clicked[page, slot]
        # Whether a shopper would have gone on below the last slot, nobody can see.
        is_open = ~is_clicked & (slot < pages.slot_count[page] - 1)
        goes_on = np.where(is_open, ~is_end, np.nan)
        followed = np.where((is_end & is_click[page])[:, None], pages.signals[page], np.nan)
        return cls(
            outcomes=Outcomes(
                rewards=torch.from_numpy(rewards.astype(np.float32)),
                following=torch.from_numpy(following),
                discounts=torch.from_numpy(
                    np.where(following == TERMINAL, 0.0, np.where(is_end, page_discount, 1.0)).astype(
                        np.float32
                    )
                ),
                returns=torch.from_numpy(returns.astype(np.float32)),
                signals=torch.from_numpy(np.column_stack((is_clicked, goes_on, followed)).astype(np.float32)),
            ),
            _pages=pages,
            _page=page,
            _slot=slot,
            _centres=_centres(pages, page, slot),
        )

    def __len__(self) -> int:
        return len(self._page)

    def states(self, decisions: Tensor) -> Tensor:
        page, slot = self._at(decisions)
        first = self._pages.actions.chosen(page, self._pages.placed[page, 0])
        above = np.zeros_like(first)
        for place in range(int(slot.max(initial=0))):
            below = np.flatnonzero(slot > place)
            placed = self._pages.placed[page[below], place]
            above[below] += self._pages.actions.chosen(page[below], placed)
        left = self._pages.slot_count[page] - slot - 1
        return torch.from_numpy(slot_states(self._pages.states[page], slot, left, above))

    def placed(self, decisions: Tensor) -> Tensor:
        page, slot = self._at(decisions)
        return torch.from_numpy(self._pages.actions.chosen(page, self._pages.placed[page, slot]))

    def centres(self, decisions: Tensor) -> Tensor:
        return self._centres[decisions]

    def feasible(self, decisions: Tensor) -> Feasible:
        actions, allowed = _free(self._pages, *self._at(decisions))
        return Feasible(actions, allowed, self._centres[decisions])

    def place(self, decisions: Tensor) -> Tensor:
        page, slot = self._at(decisions)
        return torch.from_numpy(self._pages.placed[page, slot])

    def _at(self, decisions: Tensor) -> tuple[Array, Array]:
        rows = decisions.numpy()
        return self._page[rows], self._slot[rows]


def _free(pages: Pages, page: Array, slot: Array) -> tuple[Tensor, Tensor]:
    """Descriptions (B, A, E) of what pages offer, and (B, A) what of it stands in no slot above."""
    described = pages.actions.of(page)
    is_free = described.is_allowed.copy()
    for place in range(int(slot.max(initial=0))):
        below = np.flatnonzero(slot > place)
        module = described.module[below, pages.placed[page[below], place]]
        is_free[below] &= described.module[below] != module[:, None]
    return torch.from_numpy(described.actions), torch.from_numpy(is_free)


def _centres(pages: Pages, page: Array, slot: Array) -> Tensor:
    """(T, E) mean descriptions of what was feasible."""
    starts = range(0, len(page), _CHUNK)
    parts = (_free(pages, page[start : start + _CHUNK], slot[start : start + _CHUNK]) for start in starts)
    return torch.cat([mean_action(actions, allowed) for actions, allowed in parts])


def slot_states(states: Array, slot: Array, left: Array, above: Array) -> Array:
    """(B, D + 2 + E) float32 states of slots: the page's, the slot, and what stands above it.

    Args:
        states: (B, D) of pages.
        slot: (B,) index; left: (B,) slots below it.
        above: (B, E) sum of descriptions of what stands above.
    """
    return np.concatenate((states, slot[:, None], left[:, None], above), 1, dtype=np.float32)
