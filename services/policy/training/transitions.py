"""Which decisions does a log hold, and what followed each?

A decision is a slot that a policy filled and a shopper examined. Shoppers examine slots top-down: a slot
is examined where it, or one below it, was in view. What followed is the next slot, where it was examined
too and nothing was clicked here; else the first slot of the session's next page; else the session's end.
Slots that nobody examined are no decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planogram.files import log as files
from services.policy import page, space
from services.policy.page import Array
from services.policy.training.logged import DecidedPage, DecidedPages
from services.policy.training.pages import TERMINAL
from services.policy.training.rewards import Rewards

PAGE_DISCOUNT = 0.97


@dataclass(frozen=True, slots=True)
class Transitions:
    """T decisions in order of session and time; D and E are the widths of state and action.

    The feasible actions of decision t are rows offsets[t] to offsets[t + 1] of `actions`.
    """

    states: Array
    """(T, D) float32."""
    actions: Array
    """(sum of A, E) float16: half the memory, and exact enough for what are logarithms and flags."""
    offsets: Array
    """(T + 1,)"""
    chosen: Array
    """(T,) index among the decision's feasible actions."""
    rewards: Array
    """(T,) float32, of what the shopper did in the slot."""
    following: Array
    """(T,) index of the next decision; TERMINAL where the session ended."""
    discounts: Array
    """(T,) float32: 1 within a page, the page discount to the next page, 0 at the end."""
    propensities: Array
    """(T,) probability with which the action was served."""
    times: Array
    """(T,) when the page was served, microseconds since 1970."""
    page_count: int
    skipped_count: int
    """Pages that hold no decision: no policy decided, nothing in view, not shown as planned, set aside."""

    def __len__(self) -> int:
        return len(self.states)

    def returns(self) -> Array:
        """(T,) discounted sums of rewards to the session's end: the Monte-Carlo targets."""
        result = self.rewards.astype(np.float64)
        # A decision's successor stands behind it, so one pass from the end sees it finished.
        for index in range(len(self) - 1, -1, -1):
            if self.following[index] != TERMINAL:
                result[index] += self.discounts[index] * result[self.following[index]]
        return result.astype(np.float32)


def read(
    folder: Path,
    rewards: Rewards,
    progress: Callable[[int, int], None] | None = None,
    page_discount: float = PAGE_DISCOUNT,
) -> Transitions:
    """The decisions of a log.

    Args:
        progress: called with pages read and pages in all.
        page_discount: what the next page counts, 0 to 1.

    Raises:
        planogram.files.log.LogFileError: for a file that cannot be read, or a log without decisions.
    """
    found = DecidedPages(folder, rewards, progress)
    builder = _Builder(page_discount)
    for decided in found:
        builder.add(decided)
    return builder.build(found.page_count, found.skipped_count)


class _Builder:
    """Collects decisions page by page, in order of time, and links them by session."""

    def __init__(self, page_discount: float) -> None:
        self._page_discount = page_discount
        self.states: list[Array] = []
        self._actions: list[Array] = []
        self._scalars: list[tuple[int, float, int, float, float, int]] = []
        # Decisions of each session that wait for its next page.
        self._waiting: dict[str, list[int]] = defaultdict(list)

    def add(self, decided: DecidedPage) -> None:
        session, exposure, facts, seen = decided.session, decided.exposure, decided.facts, decided.seen
        first = len(self.states)
        for waiting in self._waiting.pop(session, ()):
            self._link(waiting, first, self._page_discount)
        moment = files.micros(exposure.time)
        action_of = decided.action_of
        encoder, above = space.PageEncoder(facts), page.Progress(facts)
        for index, slot in enumerate(exposure.slots[: seen.lowest + 1]):
            try:
                choices = zip(slot.feasible.module_index, slot.feasible.template_index, strict=True)
                feasible = [action_of[choice] for choice in choices]
                action = action_of[slot.module_index, slot.template_index]
                place = feasible.index(action)
            except (KeyError, ValueError):
                raise files.LogFileError(
                    f"page {exposure.page_id}: slot {slot.slot_id}: feasible: want choices of the plan "
                    "request, the served one among them"
                ) from None
            self.states.append(encoder.state(above))
            described = encoder.actions(above, above.offer(), np.array(feasible))
            self._actions.append(described.astype(np.float16))
            here = len(self._scalars)
            self._scalars.append((place, seen.rewards[index], TERMINAL, 0.0, slot.propensity, moment))
            if index == seen.lowest or index in seen.clicked:
                self._waiting[session].append(here)
            else:
                self._link(here, here + 1, 1.0)
            rows = [item.plan_row for item in slot.items if item.plan_row >= 0]
            above.place(action, np.array(rows, np.int64))

    def build(self, page_count: int, skipped_count: int) -> Transitions:
        chosen, rewards, following, discounts, propensities, times = zip(*self._scalars, strict=True)
        lengths = [len(actions) for actions in self._actions]
        return Transitions(
            states=np.stack(self.states),
            actions=np.concatenate(self._actions),
            offsets=np.concatenate([[0], np.cumsum(lengths)]),
            chosen=np.array(chosen),
            rewards=np.array(rewards, np.float32),
            following=np.array(following),
            discounts=np.array(discounts, np.float32),
            propensities=np.array(propensities),
            times=np.array(times),
            page_count=page_count,
            skipped_count=skipped_count,
        )

    def _link(self, index: int, following: int, discount: float) -> None:
        place, reward, _, _, propensity, moment = self._scalars[index]
        self._scalars[index] = (place, reward, following, discount, propensity, moment)
