"""What does the vectorised face write: exposures and events in the public form, and nothing else?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.files import log
from simulator import modules, rollout
from simulator.modules import BLUEPRINTS, PAGE_TYPES
from simulator.observation import Observation
from simulator.pages import POLICY_VERSION, PageWriter
from simulator.rollout import PageViews, Visitors
from simulator.shopper import DEVICES, Population
from simulator.tally import Tally
from simulator.vectorised import UniformLayout
from simulator.visit import GLANCE_S, LONG_LOOK_S, Eye, Noise, stamp
from simulator.world import World

BATCH = 1_024
"""Sessions at once; a file of each kind per batch."""

_EPOCH = "simulated"
_MOST_SLOTS = max(len(blueprint.slots) for blueprint in BLUEPRINTS)
_TYPES = [name.removeprefix("EVENT_TYPE_") for name, _ in events_pb2.EventType.items()]
_DAY_S = 86_400.0
_PAGES_PER_SESSION = 4.3


def write(
    folder: Path,
    hidden: World,
    population: Population,
    page_views: int,
    seed: int,
    end: datetime,
    days: float = 14.0,
    progress: Callable[[int], None] = lambda count: None,
    noise: Noise | None = None,
) -> Tally:
    """Writes the logs of a shop that lays out its pages uniformly at random.

    Args:
        page_views: sessions begin, a batch at a time, until so many pages were seen.
        end: sessions begin within `days` before it; late purchases and returns after it are cut off.
        progress: called with the number of pages so far.

    Returns:
        The tally of the human sessions.
    """
    layout = UniformLayout(hidden)
    random = np.random.default_rng([seed, 0x70])
    book = _Logbook(folder, hidden, population, layout, seed, end, noise or Noise())
    expected = page_views / _PAGES_PER_SESSION
    rows = []
    while book.page_count < page_views:
        missing = int((page_views - book.page_count) / _PAGES_PER_SESSION) + 1
        visitors = rollout.invite(population, min(BATCH, missing), random)
        turn = book.session_count + np.arange(len(visitors.kind)) + random.random(len(visitors.kind))
        share = turn / max(expected, 1)
        start_s = end.timestamp() - days * _DAY_S * (1 - np.minimum(share, 0.999))
        book.open(visitors, start_s)
        rows.append(rollout.run(hidden, visitors, layout, random, book.observe).rows)
        book.close()
        progress(book.page_count)
    return Tally(np.concatenate(rows))


class _Logbook:
    """Takes note of one batch after another."""

    def __init__(
        self,
        folder: Path,
        hidden: World,
        population: Population,
        layout: UniformLayout,
        seed: int,
        end: datetime,
        noise: Noise,
    ) -> None:
        self.page_count = 0
        self.session_count = 0
        self._folder = folder
        self._items = hidden.items
        self._margin_share = hidden.regime.margin_share
        self._traits = population.traits
        self._layout = layout
        self._writers = [PageWriter(offer, hidden.items) for offer in layout.offers]
        self._eye = Eye(hidden)
        self._random = np.random.default_rng([seed, 0x106])
        self._label = f"sim-{seed}"
        self._end_s = end.timestamp()
        self._noise = noise
        self._part = 0
        self._event_count = 0
        self._clicks = np.zeros((len(population.kind), len(hidden.items.categories)))
        self._words = _Words(layout, hidden.items.item_ids)

    def open(self, visitors: Visitors, start_s: np.ndarray) -> None:
        """Begins a batch of sessions."""
        traits = self._traits
        self._visitors = visitors
        self._now_s = start_s.copy()
        self._page_ids: list[str] = []
        self._exposures: list[tuple[float, str, str, str, bytes]] = []
        self._events: list[dict[str, np.ndarray]] = []
        self._queries: list[str] = [""]
        numbers = range(self.session_count, self.session_count + len(start_s))
        self.session_count += len(start_s)
        self._session_keys = [key("session", f"{self._label}-{number}") for number in numbers]
        # Those whom the shop does not know come back as somebody new.
        is_cold = traits.is_cold[visitors.shopper]
        self._shopper_keys = [
            key("shopper", f"guest-{self._label}-{number}" if cold else traits.user_ids[shopper])
            for number, cold, shopper in zip(numbers, is_cold, visitors.shopper, strict=True)
        ]
        self._seen = [
            Observation(traits.segment[shopper], None if cold else self._clicks[shopper].copy())
            for cold, shopper in zip(is_cold, visitors.shopper.tolist(), strict=True)
        ]

    def observe(self, views: PageViews) -> None:
        """Notes one page of every session that is still there."""
        first = len(self._page_ids)
        pages = np.arange(first, first + len(views.rows))
        start_s = self._now_s[views.rows].copy()
        names = range(self.page_count, self.page_count + len(pages))
        self._page_ids += [f"{self._label}-p{number}" for number in names]
        self._note_exposures(views, pages, start_s)
        self._now_s[views.rows] = self._note_events(views, pages, start_s)
        self.page_count += len(pages)

    def close(self) -> None:
        """Writes the batch."""
        part = f"{self._part:05d}"
        self._part += 1
        columns = list(zip(*self._exposures, strict=True))
        exposures = pa.table(
            {
                "page_id": pa.array(self._page_ids),
                "time": pa.array((np.array(columns[0]) * 1e6).round().astype(np.int64)).cast(
                    pa.timestamp("us", tz="UTC")
                ),
                "shopper_key": pa.array(columns[1]),
                "session_key": pa.array(columns[2]),
                "page_type": pa.array(columns[3]),
                "policy_version": pa.repeat(POLICY_VERSION, len(self._page_ids)),
                "scoring_version": pa.repeat("", len(self._page_ids)),
                "payload": pa.array(columns[4], pa.binary()),
            }
        )
        log.write(self._folder, "exposures", exposures, part)
        log.write(self._folder, "events", self._event_table(), part)
        human = ~self._visitors.is_bot
        for shopper, seen in zip(
            self._visitors.shopper[human].tolist(), np.array(self._seen, dtype=object)[human], strict=True
        ):
            for category, count in seen.category_clicks.items():
                self._clicks[shopper, self._items.categories.index(category)] += count

    def _note_exposures(self, views: PageViews, pages: np.ndarray, start_s: np.ndarray) -> None:
        context = self._layout.context_of(views.page_type, views.category)
        actions = (
            views.placed - np.array([offer.first_row for offer in self._layout.offers])[context][:, None]
        )
        seeds = self._random.integers(0, 2**62, len(pages))
        outcome = views.step.outcome
        for row, (session, page, number, page_type, category, subject, last) in enumerate(
            zip(
                views.rows.tolist(),
                pages.tolist(),
                context.tolist(),
                views.page_type.tolist(),
                views.category.tolist(),
                views.subject.tolist(),
                views.last.tolist(),
                strict=True,
            )
        ):
            own = events_pb2.Exposure(
                page_id=self._page_ids[page],
                request_id=self._page_ids[page],
                shopper_key=self._shopper_keys[session],
                session_key=self._session_keys[session],
                writer=self._label,
                sequence=self.page_count + row + 1,
            )
            stamp(own.time, float(start_s[row]))
            own.context.time.CopyFrom(own.time)
            self._describe(own.context, session, page, page_type, category, subject, float(start_s[row]))
            seen = self._seen[session]
            slot_count = len(self._layout.offers[number].is_allowed)
            payload = self._writers[number].exposure(
                own,
                seen.message(self._items.categories),
                DEVICES[self._visitors.device[session]],
                int(seeds[row]),
                actions[row, :slot_count].tolist(),
            )
            page_name = context_pb2.PageType.Name(PAGE_TYPES[page_type]).removeprefix("PAGE_TYPE_")
            self._exposures.append(
                (float(start_s[row]), own.shopper_key, own.session_key, page_name, payload)
            )
            placed = views.placed[row, : last + 1].tolist()
            shelves = self._layout.table.shelves
            item = int(views.item[row])
            seen.page_ended(
                [shelves[shelf] for shelf in placed],
                self._items.categories[self._items.category[item]] if item >= 0 else "",
                bool(outcome.is_clicked[row]),
                bool(outcome.is_dwelled[row]),
                bool(outcome.is_carted[row]),
                bool(outcome.is_bought[row]),
            )

    def _describe(
        self,
        context: context_pb2.PageContext,
        session: int,
        page: int,
        page_type: int,
        category: int,
        subject: int,
        at_s: float,
    ) -> None:
        """Sets what a page is about; a search is noted as an event of its own."""
        items = self._items
        if page_type == modules.CART and subject >= 0:
            context.cart_item_ids.append(items.item_ids[subject])
        if page_type not in (modules.PRODUCT, modules.SEARCH):
            return
        kind = int(self._visitors.kind[session])
        if page_type == modules.PRODUCT:
            item = subject if subject >= 0 else self._eye.wish(kind, category, self._random.random())
            context.item_id = items.item_ids[item]
            return
        wish = self._eye.wish(kind, category, self._random.random())
        context.query = self._eye.query_for(wish, self._random.random())
        self._queries.append(context.query)
        self._note(
            "SEARCH",
            np.array([-1]),
            np.array([session]),
            np.array([at_s - 0.01]),
            query=np.array([len(self._queries) - 1]),
        )

    def _note_events(self, views: PageViews, pages: np.ndarray, start_s: np.ndarray) -> np.ndarray:
        """Notes what was done on pages; the value is when each shopper was done."""
        random, noise, items = self._random, self._noise, self._items
        outcome, sessions = views.step.outcome, views.rows
        count = len(pages)
        first_s = start_s + 0.6 + random.random(count)

        row, slot = np.nonzero(np.arange(_MOST_SLOTS)[: views.placed.shape[1]] <= views.last[:, None])
        is_kept = random.random(len(row)) >= noise.lost_impressions
        row, slot = row[is_kept], slot[is_kept]
        pace_s = np.where(views.is_bot, 0.0, 2.2)
        self._note(
            "IMPRESSION",
            pages[row],
            sessions[row],
            first_s[row] + pace_s[row] * slot,
            shelf=views.placed[row, slot],
            place=self._place(views, row, slot),
        )
        now_s = first_s + pace_s * (views.last + 1)
        self._note_robots(views, pages, now_s)

        everything = np.arange(count)
        details = {
            "shelf": views.placed[everything, views.last],
            "place": self._place(views, everything, views.last),
        }

        def note(kind: str, who: np.ndarray, at_s: np.ndarray, **more: np.ndarray) -> None:
            fields = {name: values[who] for name, values in (*details.items(), *more.items())}
            self._note(kind, pages[who], sessions[who], at_s[who], **fields)

        is_human = ~views.is_bot
        is_dismissed = is_human & ~outcome.is_clicked & (random.random(count) < noise.dismissals)
        note("DISMISSAL", is_dismissed, now_s)
        details["item"] = views.item
        note("CLICK", outcome.is_clicked, now_s)
        length_s = np.exp(0.5 * random.standard_normal(count))
        length_s = length_s * np.where(outcome.is_dwelled, LONG_LOOK_S, GLANCE_S)
        now_s = now_s + length_s * outcome.is_clicked
        note("DWELL", outcome.is_dwelled, now_s, dwell_ms=(length_s * 1_000).astype(np.int64))
        ones = np.ones(count, np.int64)
        now_s = now_s + 3.0 * outcome.is_carted
        note("CART_ADD", outcome.is_carted, now_s, quantity=ones)
        now_s = now_s + (20 + 60 * random.random(count)) * outcome.is_bought
        is_late = random.random(count) < noise.late_purchases
        paid_s = now_s + noise.late_purchase_s * random.exponential(size=count) * is_late
        family = self._layout.table.family[details["shelf"]]
        note(
            "PURCHASE",
            outcome.is_bought,
            paid_s,
            quantity=ones,
            price_micros=items.price_micros[views.item],
            margin_micros=(items.margin_micros[views.item] * self._margin_share[family]).astype(np.int64),
        )
        arrived_s = paid_s + _DAY_S * (2 + 3 * random.random(count))
        is_returned = outcome.is_bought & (random.random(count) < noise.returns)
        note("RETURN", is_returned, arrived_s + _DAY_S * 4 * random.random(count), quantity=ones)
        is_rated = outcome.is_bought & ~is_returned & (random.random(count) < noise.ratings)
        stars = 1 + 4 * items.quality[views.item] + 0.7 * random.standard_normal(count)
        note("RATING", is_rated, arrived_s, rating=np.clip(stars.round(), 1, 5))
        return now_s + 1 + 4 * random.random(count)

    def _note_robots(self, views: PageViews, pages: np.ndarray, at_s: np.ndarray) -> None:
        """Robots click the first item of every slot."""
        row, slot = np.nonzero(views.is_bot[:, None] & (views.placed >= 0))
        shelf = views.placed[row, slot]
        self._note(
            "CLICK",
            pages[row],
            views.rows[row],
            at_s[row],
            shelf=shelf,
            place=self._place(views, row, slot),
            item=self._layout.table.items[shelf, 0],
        )

    def _place(self, views: PageViews, row: np.ndarray, slot: np.ndarray) -> np.ndarray:
        """Numbers that stand for page type and slot together."""
        return views.page_type[row] * _MOST_SLOTS + slot

    def _note(
        self, kind: str, page: np.ndarray, session: np.ndarray, at_s: np.ndarray, **fields: np.ndarray
    ) -> None:
        is_past = at_s <= self._end_s
        note = {"page": page, "session": session, "at_s": at_s, **fields}
        self._events.append(
            {
                "type": np.full(int(is_past.sum()), _TYPES.index(kind)),
                **{name: values[is_past] for name, values in note.items()},
            }
        )

    def _event_table(self) -> pa.Table:
        """The batch's events, and some of them twice."""

        def column(name: str, default: float) -> np.ndarray:
            return np.concatenate(
                [note.get(name, np.full(len(note["type"]), default)) for note in self._events]
            )

        def integer(name: str, default: int) -> np.ndarray:
            return column(name, default).astype(np.int64)

        count = sum(len(note["type"]) for note in self._events)
        number = np.arange(self._event_count + 1, self._event_count + count + 1)
        self._event_count += count
        words, session = self._words, integer("session", -1)
        shelf, page = integer("shelf", -1), integer("page", -1)
        time_us = (column("at_s", 0.0) * 1e6).round().astype(np.int64)
        prefix = pa.scalar(f"{self._label}-e")
        table = pa.table(
            {
                "event_id": pc.binary_join_element_wise(prefix, pa.array(number).cast(pa.string()), ""),
                "time": pa.array(time_us).cast(pa.timestamp("us", tz="UTC")),
                "shopper_key": pa.array(self._shopper_keys).take(pa.array(session)),
                "session_key": pa.array(self._session_keys).take(pa.array(session)),
                "key_epoch": pa.repeat(_EPOCH, count),
                "page_id": pa.array(["", *self._page_ids]).take(pa.array(page + 1)),
                "slot_id": words.slot_ids.take(pa.array(integer("place", -1) + 1)),
                "module_id": words.module_ids.take(pa.array(shelf + 1)),
                "family": words.families.take(pa.array(shelf + 1)),
                "category": words.categories.take(pa.array(shelf + 1)),
                "item_id": words.item_ids.take(pa.array(integer("item", -1) + 1)),
                "type": pa.array(_TYPES).take(pa.array(integer("type", 0))),
                "dwell_ms": pa.array(integer("dwell_ms", 0)),
                "quantity": pa.array(integer("quantity", 0)).cast(pa.int32()),
                "price_micros": pa.array(integer("price_micros", 0)),
                "margin_micros": pa.array(integer("margin_micros", 0)),
                "charge_micros": pa.repeat(pa.scalar(0, pa.int64()), count),
                "query": pa.array(self._queries).take(pa.array(integer("query", 0))),
                "rating": pa.array(column("rating", 0.0).astype(np.float32)),
                "writer": pa.repeat(self._label, count),
                "sequence": pa.array(number),
            }
        )
        again = np.flatnonzero(self._random.random(count) < self._noise.repeated_events)
        return pa.concat_tables([table, table.take(pa.array(again))])


class _Words:
    """Names by number, the empty one first."""

    def __init__(self, layout: UniformLayout, item_ids: Sequence[str]) -> None:
        places = [
            blueprint.slots[slot].slot_id if slot < len(blueprint.slots) else ""
            for blueprint in BLUEPRINTS
            for slot in range(_MOST_SLOTS)
        ]
        self.slot_ids = pa.array(["", *places])
        self.module_ids = pa.array(["", *(shelf.module_id for shelf in layout.table.shelves)])
        self.families = pa.array(["", *(shelf.family for shelf in layout.table.shelves)])
        self.categories = pa.array(["", *(shelf.category for shelf in layout.table.shelves)])
        self.item_ids = pa.array(["", *item_ids])


def key(kind: str, identifier: str) -> str:
    """What stands in for an id in the log: 32 hex digits."""
    return hashlib.sha256(f"{kind}\0{identifier}".encode()).hexdigest()[:32]
