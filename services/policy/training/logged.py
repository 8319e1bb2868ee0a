"""Which pages of an event log did a policy decide and a shopper examine, and what was done there?

Shoppers examine slots top-down: a slot is examined where it, or one below it, was in view.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planogram.events.v1 import events_pb2
from planogram.files import log as files
from planogram.policy.v1 import policy_pb2
from services.common.errors import InvalidRequest
from services.policy import page
from services.policy.page import Facts
from services.policy.training.rewards import Rewards


@dataclass(frozen=True, slots=True)
class Seen:
    """What a shopper did on a page."""

    lowest: int
    """Lowest slot in view; -1 for none."""
    clicked: frozenset[int]
    rewards: tuple[float, ...]
    """By slot."""
    kinds: frozenset[tuple[int, str]]
    """Slots, and types of events that happened there."""


@dataclass(frozen=True, slots=True)
class DecidedPage:
    """A page that a policy decided, as it was planned, with what was done on it."""

    session: str
    exposure: events_pb2.Exposure
    facts: Facts
    seen: Seen

    @property
    def action_of(self) -> dict[tuple[int, int], int]:
        """Actions by module and template index."""
        shape = self.facts.shape
        pairs = zip(shape.module.tolist(), shape.template.tolist(), strict=True)
        return {pair: action for action, pair in enumerate(pairs)}


class DecidedPages:
    """Decided and examined pages in order of time.

    Attributes:
        page_count: pages read so far.
        skipped_count: those among them that hold no decision: no policy decided, nothing in view, not shown
            as planned, set aside.
    """

    def __init__(
        self, folder: Path, rewards: Rewards, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """
        Args:
            progress: called with pages read and pages in all.
        """
        self._folder, self._rewards, self._progress = folder, rewards, progress
        self.page_count = self.skipped_count = 0

    def __iter__(self) -> Iterator[DecidedPage]:
        """
        Raises:
            planogram.files.log.LogFileError: for a file that cannot be read, or a log without such pages.
        """
        folder = self._folder
        acts = acts_by_page(folder)
        set_aside = files.read_set_aside(folder)
        table = files.read_exposure_table(folder).select(["session_key", "page_id", "payload"])
        self.page_count = self.skipped_count = 0
        for session, page_id, payload in zip(*table.to_pydict().values(), strict=True):
            if self._progress is not None and self.page_count % 500 == 0:
                self._progress(self.page_count, table.num_rows)
            self.page_count += 1
            decided = None
            if page_id in acts and session not in set_aside.session_keys:
                decided = self._decided(session, page_id, payload, acts[page_id])
            if decided is None:
                self.skipped_count += 1
            else:
                yield decided
        if self.page_count == self.skipped_count:
            raise files.LogFileError(
                f"{folder}: none of {self.page_count} pages holds a decision that a shopper examined"
            )

    def _decided(self, session: str, page_id: str, payload: bytes, acts: list[Act]) -> DecidedPage | None:
        try:
            exposure = events_pb2.Exposure.FromString(payload)
        except Exception as error:  # protobuf's DecodeError is no public name in every runtime
            raise files.LogFileError(
                f"{self._folder}: exposure of page {page_id}: payload: {error}"
            ) from None
        seen = seen_on(exposure, acts, self._rewards)
        if (
            seen.lowest < 0
            or not exposure.plan_request
            or exposure.is_propensity_void
            or any(slot.module_index < 0 for slot in exposure.slots)
        ):
            return None
        try:
            facts = page.decode(policy_pb2.PlanPageRequest.FromString(exposure.plan_request))
        except InvalidRequest as error:
            raise files.LogFileError(f"page {page_id}: plan_request: {error}") from None
        return DecidedPage(session, exposure, facts, seen)


Act = tuple[str, str, int, int]
"""Type, slot_id, margin_micros and quantity of an event."""


_ENDS = frozenset({"CLICK", "HELPFUL"})
"""What a shopper looked for and found."""


def acts_by_page(folder: Path) -> dict[str, list[Act]]:
    """What was done in slots, by page."""
    names = ["page_id", "type", "slot_id", "margin_micros", "quantity"]
    events = files.read_counted_events(folder).select(names)
    acts: dict[str, list[Act]] = defaultdict(list)
    rows: Iterable[Any] = zip(*events.to_pydict().values(), strict=True)
    for page_id, kind, slot_id, margin, quantity in rows:
        if page_id and slot_id:
            acts[page_id].append((kind, slot_id, margin or 0, quantity or 0))
    return acts


def seen_on(exposure: events_pb2.Exposure, acts: list[Act], rewards: Rewards) -> Seen:
    """What these acts say about a page; that an answer helped ends it as a click does."""
    rewards = rewards.on(exposure.context.page_type)
    index_of = {slot.slot_id: index for index, slot in enumerate(exposure.slots)}
    lowest, kinds, worth = -1, set(), [0.0] * len(exposure.slots)
    for kind, slot_id, margin, quantity in acts:
        index = index_of.get(slot_id)
        if index is None:
            continue
        worth[index] += rewards.of_event(kind, margin, quantity)
        kinds.add((index, kind))
        if kind == "IMPRESSION" or kind in _ENDS:
            lowest = max(lowest, index)
    clicked = frozenset(slot for slot, kind in kinds if kind in _ENDS)
    return Seen(lowest, clicked, tuple(worth), frozenset(kinds))
