"""Which whole pages does an event log hold, as learners that think in pages read them?

A page is described as it began: the session and the page view, and every action with the items it would show
if it stood on top. What ran out below others, the learner does not see; the planner counts again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planogram.files import log as files
from services.policy import space
from services.policy.page import Array
from services.policy.training.logged import DecidedPage, DecidedPages, Seen
from services.policy.training.pages import TERMINAL, Described, Pages
from services.policy.training.rewards import Rewards

SIGNALS = ("DWELL", "CART_ADD", "PURCHASE")
"""Events that a click may be followed by, and that say more of it than its reward."""


@dataclass(frozen=True, slots=True)
class PageLog:
    """The pages of a log.

    Attributes:
        pages: in order of time.
        times: (P,) when each was served, microseconds since 1970.
        page_count: pages that the log holds; skipped_count: those that hold no decision.
    """

    pages: Pages
    times: Array
    page_count: int
    skipped_count: int

    def __len__(self) -> int:
        return len(self.times)


class LoggedActions:
    """Descriptions of what could have stood on logged pages, half as wide as when they are read."""

    def __init__(self, actions: list[Array], modules: list[Array], is_allowed: list[Array]) -> None:
        """
        Args:
            actions: (A, E) of each page; modules, is_allowed: (A,) likewise.
        """
        self._offsets = np.concatenate(([0], np.cumsum([len(rows) for rows in actions])))
        self._actions = np.concatenate(actions).astype(np.float16)
        self._module = np.concatenate(modules)
        self._is_allowed = np.concatenate(is_allowed)

    def of(self, pages: Array) -> Described:
        first, count = self._offsets[pages], np.diff(self._offsets)[pages]
        place = np.arange(count.max())
        is_real = place < count[:, None]
        rows = np.where(is_real, first[:, None] + place, 0)
        return Described(
            self._actions[rows].astype(np.float32),
            # Padding takes the page's own first module, so that it makes no new one.
            np.where(is_real, self._module[rows], self._module[first][:, None]),
            is_real & self._is_allowed[rows],
        )

    def chosen(self, pages: Array, actions: Array) -> Array:
        described: Array = self._actions[self._offsets[pages] + actions].astype(np.float32)
        return described


def read(folder: Path, rewards: Rewards, progress: Callable[[int, int], None] | None = None) -> PageLog:
    """The pages of a log that a policy decided and a shopper examined.

    Args:
        progress: called with pages read and pages in all.

    Raises:
        planogram.files.log.LogFileError: for a file that cannot be read, or a log without such pages.
    """
    found = DecidedPages(folder, rewards, progress)
    states: list[Array] = []
    actions: list[Array] = []
    modules: list[Array] = []
    is_allowed: list[Array] = []
    times: list[int] = []
    placed: list[list[int]] = []
    propensities: list[list[float]] = []
    seen: list[Seen] = []
    following: list[int] = []
    last_of: dict[str, int] = {}
    for decided in found:
        session, exposure, facts = decided.session, decided.exposure, decided.facts
        here = len(states)
        if session in last_of:
            following[last_of[session]] = here
        last_of[session] = here
        following.append(TERMINAL)
        state, described, allowed = space.describe(facts)
        states.append(state)
        actions.append(described.astype(np.float16))
        modules.append(facts.shape.module)
        is_allowed.append(allowed)
        placed.append(_placed(decided))
        propensities.append([slot.propensity for slot in exposure.slots])
        seen.append(decided.seen)
        times.append(files.micros(exposure.time))
    pages = Pages(
        states=np.stack(states),
        actions=LoggedActions(actions, modules, is_allowed),
        slot_count=np.array([len(slots) for slots in placed]),
        placed=_padded(placed, np.int64),
        propensity=_padded(propensities, np.float64, 1.0),
        is_examined=_padded(
            [[slot <= acts.lowest for slot in range(len(acts.rewards))] for acts in seen], bool
        ),
        is_clicked=_padded(
            [[slot in acts.clicked for slot in range(len(acts.rewards))] for acts in seen], bool
        ),
        reward=_padded([acts.rewards for acts in seen], np.float32),
        signals=np.array([_signals(acts) for acts in seen], np.float32),
        following=np.array(following),
    )
    return PageLog(pages, np.array(times), found.page_count, found.skipped_count)


def _placed(decided: DecidedPage) -> list[int]:
    action_of = decided.action_of
    try:
        return [action_of[slot.module_index, slot.template_index] for slot in decided.exposure.slots]
    except KeyError as error:
        raise files.LogFileError(
            f"page {decided.exposure.page_id}: slots: {error} is no module and template of the plan request"
        ) from None


def _signals(acts: Seen) -> list[bool]:
    """What followed the click that ended the page."""
    last = max(acts.clicked, default=-1)
    return [(last, kind) in acts.kinds for kind in SIGNALS]


def _padded(rows: Sequence[Sequence[float]], dtype: type, nothing: float = 0) -> Array:
    result: Array = np.full((len(rows), max(map(len, rows))), nothing, dtype)
    for row, values in zip(result, rows, strict=True):
        row[: len(values)] = values
    return result
