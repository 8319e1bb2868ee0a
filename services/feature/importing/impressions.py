"""How does a shop's log of what it showed become exposures and events?

Each row is a slot, whose modules are items: the decision that was logged is which item stands there, so
its logged propensity is kept as it is. A module of several items would need the sum of their propensities,
and a log tells only that of the item shown. A page offers at most 64 modules: of a larger pool it offers
the items shown and those that follow in the pool's order.

Rows of one page stand below each other on one exposure. Of a row that names no page it is not known what
stood before its position, so unknown items without an id hold those places, and the click model learns
where the item stood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from planogram.common.v1 import choices_pb2, context_pb2
from planogram.events.v1 import events_pb2
from planogram.files import log as files
from planogram.policy.v1 import policy_pb2
from services.common.errors import ConfigurationError
from services.common.pseudonyms import Pseudonyms
from services.common.tensors import to_tensor
from services.feature.importing.past import PastItems, PastShoppers
from services.feature.importing.shown import LoggedRows
from services.feature.items import schema
from services.feature.pipeline.statistics import Touches
from services.feature.shoppers.acts import CLICK, IMPRESSION, ShopperEvent
from services.feature.shoppers.known import session_message

MAX_MODULE_COUNT = 64
"""Modules that a plan request may hold."""

TEMPLATE = "banner"
"""The template that shows one item."""

_US_PER_HOUR = 3_600_000_000
_US_PER_DAY = 24 * _US_PER_HOUR
_CLICK_DELAY_US = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """One row as rows of planogram.files.log."""

    exposure: dict[str, Any]
    events: list[dict[str, Any]]


def pages(
    logs: Sequence[LoggedRows],
    items: pa.Table,
    pseudonyms: Pseudonyms,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Page]:
    """The pages of several files of one shop, in order of time over all of them.

    Args:
        items: the catalogue.
        progress: called with rows done and rows in all.

    Raises:
        ConfigurationError: for an item that is not in the catalogue, and two files of one name.
    """
    _check_names(logs)
    past = PastItems(items)
    history = _History.of(logs, past)
    shoppers = PastShoppers(past)
    makers = [_PageMaker(log, past, shoppers, pseudonyms) for log in logs]
    refresh_us = round(min(log.mapping.refresh_hours for log in logs) * _US_PER_HOUR)
    # By the first row of each page.
    order = sorted(
        (int(log.times_us[members].min()), source, page)
        for source, log in enumerate(logs)
        for page, members in enumerate(log.page_rows)
    )
    refreshed_us = -1
    for done, (time_us, source, page) in enumerate(order):
        if done % 500 == 0:
            progress(done, len(order))
        due_us = time_us // refresh_us * refresh_us
        if due_us != refreshed_us:
            refreshed_us = due_us
            past.refresh(*history.before(due_us), due_us)
            for maker in makers:
                maker.forget_offers()
        yield makers[source].page(logs[source].page_rows[page], time_us)
    progress(len(order), len(order))


@dataclass(frozen=True, slots=True)
class _History:
    """What all files show and say was clicked, in order of time."""

    shown: Touches
    is_clicked: NDArray[np.bool_]

    @classmethod
    def of(cls, logs: Sequence[LoggedRows], past: PastItems) -> _History:
        times = np.concatenate([log.times_us for log in logs])
        order = np.argsort(times, kind="stable")
        rows_of = np.concatenate([_places(log, past) for log in logs])[order]
        return cls(Touches(rows_of, times[order]), np.concatenate([log.clicked for log in logs])[order])

    def before(self, end_us: int) -> tuple[Touches, Touches]:
        """What was shown and clicked before a time."""
        end = int(np.searchsorted(self.shown.times_us, end_us))
        shown = Touches(self.shown.rows[:end], self.shown.times_us[:end])
        is_clicked = self.is_clicked[:end]
        return shown, Touches(shown.rows[is_clicked], shown.times_us[is_clicked])


def _check_names(logs: Sequence[LoggedRows]) -> None:
    paths: dict[str, Path] = {}
    for log in logs:
        name = log.mapping.name
        if name in paths:
            raise ConfigurationError(
                f"{log.path}: name: {name!r} is the name of {paths[name]} already; page ids would be the "
                "same: set `name` in the mapping, such as with a variable"
            )
        paths[name] = log.path


def _places(log: LoggedRows, past: PastItems) -> NDArray[np.int64]:
    for row, item_id in enumerate(log.item_ids):
        if item_id not in past.place:
            raise ConfigurationError(
                f"{log.path}: row {row + 1}: item: got {item_id!r}, want an item of the catalogue"
            )
    return np.array([past.place[item_id] for item_id in log.item_ids], np.int64)


@dataclass(frozen=True, slots=True)
class _Offer:
    """What stood to choice on a page: a part of the plan request, and its choices."""

    plan: bytes
    """Items, modules and slots, serialised; messages merge when their bytes are joined."""
    index_of: dict[str, int]
    choices: choices_pb2.FeasibleChoices


class _PageMaker:
    """Makes the pages of one file."""

    def __init__(
        self, log: LoggedRows, past: PastItems, shoppers: PastShoppers, pseudonyms: Pseudonyms
    ) -> None:
        self._log = log
        self._past = past
        self._shoppers = shoppers
        self._pseudonyms = pseudonyms
        self._offers: dict[tuple[tuple[str, ...], tuple[int, ...]], _Offer] = {}
        mapping = log.mapping
        self._context = context_pb2.PageContext(
            page_type=f"PAGE_TYPE_{mapping.page_type.upper()}",
            device=f"DEVICE_{mapping.device.upper()}",
            locale="en",
        )
        self._writer = f"import-{mapping.name}"
        self._pool_place = {item_id: place for place, item_id in enumerate(log.pool)}

    def forget_offers(self) -> None:
        """To be called when the statistics change."""
        self._offers.clear()

    def page(self, members: Sequence[int], time_us: int) -> Page:
        """The page of some rows; its shopper's profile has moved when this returns."""
        log, first = self._log, members[0]
        page_id = f"{log.mapping.name}-{min(members) + 1}"
        user = log.users[first]
        shopper_key = self._pseudonyms.of("shopper", user)
        visit = log.sessions[first] or (f"{user}\0{time_us // _US_PER_DAY}" if user else page_id)
        session_key = self._pseudonyms.of("session", visit)
        session, tensors = self._shoppers.encoded(
            shopper_key,
            session_key,
            log.segments[first],
            page_type=self._context.page_type,
            device=self._context.device,
            time_us=time_us,
        )
        context = context_pb2.PageContext()
        context.CopyFrom(self._context)
        context.time.FromMicroseconds(time_us)
        exposure = events_pb2.Exposure(
            page_id=page_id,
            request_id=page_id,
            time=context.time,
            shopper_key=shopper_key,
            # Of its own: no page follows another, so every episode ends with its page.
            session_key=self._pseudonyms.of("session", page_id),
            key_epoch=self._pseudonyms.epoch,
            context=context,
            slots=[self._slot(row, index) for index, row in enumerate(members)],
            scoring_inputs=self._scoring_inputs(members, tensors, time_us / 1e6),
            policy_version=log.mapping.policy,
            blueprint_version="import",
            writer=self._writer,
            sequence=min(members) + 1,
        )
        if log.propensities is not None:
            exposure.plan_request = self._decide(members, exposure, session_message(session))
        events = [event for row in members for event in self._events(row, page_id, shopper_key, session_key)]
        self._shoppers.apply(shopper_key, [_shopper_event(event) for event in events])
        return Page(files.exposure_row(exposure), events)

    def _slot(self, row: int, scoring_row: int) -> events_pb2.ExposedSlot:
        position, item_id = int(self._log.positions[row]), self._log.item_ids[row]
        unknown_count = 0 if self._log.names_page[row] else position - 1
        return events_pb2.ExposedSlot(
            slot_id=f"position-{position}",
            module_id=item_id,
            template_id=TEMPLATE,
            family=self._log.mapping.family,
            items=[
                *[events_pb2.ExposedItem(scoring_row=-1, plan_row=-1)] * unknown_count,
                events_pb2.ExposedItem(item_id=item_id, scoring_row=scoring_row, plan_row=-1),
            ],
            module_index=-1,
            template_index=-1,
        )

    def _decide(
        self, members: Sequence[int], exposure: events_pb2.Exposure, session: context_pb2.SessionState
    ) -> bytes:
        """Writes the logged decisions into the exposure's slots; answers the plan request."""
        assert self._log.propensities is not None
        offer = self._offer(members, exposure.time.seconds)
        for row, slot in zip(members, exposure.slots, strict=True):
            index = offer.index_of[self._log.item_ids[row]]
            slot.propensity = float(self._log.propensities[row])
            slot.module_index, slot.template_index = index, 0
            slot.items[-1].plan_row = index
            slot.feasible.CopyFrom(offer.choices)
            slot.feasible.propensity[index] = slot.propensity
        head = policy_pb2.PlanPageRequest(session=session, context=exposure.context)
        return head.SerializeToString() + offer.plan

    def _offer(self, members: Sequence[int], time_s: int) -> _Offer:
        pool = self._log.pool
        is_whole = len(pool) <= MAX_MODULE_COUNT
        shown = tuple(dict.fromkeys(self._log.item_ids[row] for row in members))
        positions = tuple(int(self._log.positions[row]) for row in members)
        key = (() if is_whole else shown, positions)
        if key not in self._offers:
            place = self._pool_place[shown[0]]
            following = [*pool[place:], *pool[:place]]
            offered = pool if is_whole else list(dict.fromkeys((*shown, *following)))[:MAX_MODULE_COUNT]
            self._offers[key] = self._made_offer(offered, positions, time_s)
        return self._offers[key]

    def _made_offer(self, item_ids: Sequence[str], positions: Sequence[int], time_s: int) -> _Offer:
        past = self._past
        rows_of = np.array([past.place[item_id] for item_id in item_ids], np.int64)
        plan = policy_pb2.PlanPageRequest(
            items=policy_pb2.ItemPredictions(
                click_probability=to_tensor(past.statistics.click_rate[rows_of]),
                purchase_probability=to_tensor(past.statistics.purchase_rate[rows_of]),
                margin=to_tensor(past.margin[rows_of]),
                freshness=to_tensor(past.freshness(rows_of, time_s)),
            ),
            modules=[
                policy_pb2.Module(
                    module_id=item_id,
                    family=self._log.mapping.family,
                    source="list",
                    category=past.categories[row],
                    templates=[policy_pb2.Template(template_id=TEMPLATE, min_item_count=1, max_item_count=1)],
                    rows=[index],
                )
                for index, (item_id, row) in enumerate(zip(item_ids, rows_of.tolist(), strict=True))
            ],
            slots=[policy_pb2.Slot(slot_id=f"position-{position}") for position in positions],
        )
        nothing = [0] * len(item_ids)
        choices = choices_pb2.FeasibleChoices(
            module_index=range(len(item_ids)), template_index=nothing, propensity=nothing, q_value=nothing
        )
        return _Offer(
            plan.SerializeToString(), {item_id: place for place, item_id in enumerate(item_ids)}, choices
        )

    def _scoring_inputs(
        self, members: Sequence[int], shopper: Mapping[str, NDArray[Any]], time_s: float
    ) -> events_pb2.ScoringInputs:
        places = np.array([self._past.place[self._log.item_ids[row]] for row in members])
        item = self._past.tensors(places, time_s)
        return events_pb2.ScoringInputs(
            schema_fingerprint=schema.FINGERPRINT,
            shopper_tensors={name: to_tensor(array) for name, array in shopper.items()},
            item_tensors={name: to_tensor(array) for name, array in item.items()},
        )

    def _events(self, row: int, page_id: str, shopper_key: str, session_key: str) -> list[dict[str, Any]]:
        log = self._log
        seen: dict[str, Any] = {
            "event_id": f"{log.mapping.name}-{row + 1}-seen",
            "time": int(log.times_us[row]),
            "shopper_key": shopper_key,
            "session_key": session_key,
            "key_epoch": self._pseudonyms.epoch,
            "page_id": page_id,
            "slot_id": f"position-{log.positions[row]}",
            "module_id": log.item_ids[row],
            "family": log.mapping.family,
            "category": self._past.categories[self._past.place[log.item_ids[row]]],
            "item_id": "",
            "type": "IMPRESSION",
            "writer": self._writer,
            "sequence": 2 * row + 1,
        }
        if not log.clicked[row]:
            return [seen]
        click = {
            **seen,
            "event_id": f"{log.mapping.name}-{row + 1}-click",
            "time": seen["time"] + _CLICK_DELAY_US,
            "item_id": log.item_ids[row],
            "type": "CLICK",
            "sequence": 2 * row + 2,
        }
        return [seen, click]


def _shopper_event(event: dict[str, Any]) -> ShopperEvent:
    return ShopperEvent(
        event["event_id"],
        event["time"],
        CLICK if event["type"] == "CLICK" else IMPRESSION,
        event["session_key"],
        event["page_id"],
        event["module_id"],
        event["family"],
        event["category"],
        event["item_id"],
        0.0,
        event["sequence"],
    )
