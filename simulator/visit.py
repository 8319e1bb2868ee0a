"""How does one shopper see a page, and what do they report of it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.layout.v1 import layout_pb2
from simulator import assortment, choice, modules, world
from simulator.choice import Walk
from simulator.modules import FAMILIES
from simulator.session import HiddenState, Outcome, View
from simulator.world import Pull, World

_Type = events_pb2.EventType
_ZIPF = 1.1
LONG_LOOK_S, GLANCE_S = 25.0, 4.0
"""Medians."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What goes wrong, or happens later, on the way from shopper to log. Shares, unless said otherwise."""

    lost_impressions: float = 0.02
    repeated_events: float = 0.003
    late_purchases: float = 0.3
    late_purchase_s: float = 6 * 3600.0
    """Mean of an exponential."""
    returns: float = 0.08
    ratings: float = 0.2
    dismissals: float = 0.02


@dataclass(frozen=True, slots=True)
class Seen:
    """A page as one shopper sees it.

    Attributes:
        view: with B = 1.
        items: (S, L) indexes into the catalogue of what is in view; N is nothing.
        share: (S, L) of a slot's clicks that each item gets.
    """

    view: View
    items: np.ndarray
    share: np.ndarray


class Eye:
    """Looks at pages; keeps what it has learned about shelves and items."""

    def __init__(self, hidden: World) -> None:
        self.world = hidden
        items = hidden.items
        self._index = items.index
        self._utility = np.pad(hidden.utility, ((0, 0), (0, 1)))
        self._category = np.append(items.category, -1)
        self._conversion = np.append(hidden.conversion, 0.0)
        self._pulls: dict[tuple[str, str, str], tuple[Pull, int]] = {}
        self._nothing = len(items.item_ids)
        self._wishes = _wishes(hidden)

    def see(self, page: layout_pb2.Page, state: HiddenState, device: int) -> Seen:
        """The slots of a page in the eyes of one shopper (a state with B = 1)."""
        pulls = [self._pull(slot) for slot in page.slots]
        rows = [
            [
                self._index.get(item.item_id, self._nothing)
                for item in slot.items[: world.visible_count(slot.template_id, device)]
            ]
            for slot in page.slots
        ]
        width = max(1, *map(len, rows))
        items = np.array([row + [self._nothing] * (width - len(row)) for row in rows])
        affinity, share = choice.weigh(self._utility[state.kind[0], items], items != self._nothing)
        on_target = share * (self._category[items] == state.target[0])
        view = View(
            bias=np.array([[pull.bias for pull, _ in pulls]]),
            scroll=np.array([[pull.scroll[device] for pull, _ in pulls]]),
            affinity=affinity[None],
            target_share=on_target.sum(1)[None],
            target_conversion=(on_target * self._conversion[items]).sum(1)[None],
            family=np.array([[family for _, family in pulls]]),
            is_present=np.ones((1, len(rows)), bool),
        )
        return Seen(view, items, share)

    def wish(self, kind: int, category: int, draw: float) -> int:
        """An item of a category that shoppers of a type come for: popular ones by Zipf's law, to taste."""
        items, cumulative = self._wishes[kind][category]
        return int(
            items[np.searchsorted(cumulative, draw * cumulative[-1], side="right").clip(0, len(items) - 1)]
        )

    def query_for(self, item: int, draw: float) -> str:
        """What a shopper who wants an item types into the search box."""
        known = _KINDS.get(self.world.items.subcategories[self.world.items.subcategory[item]])
        if known:
            return known[int(draw * len(known))]
        return " ".join(self.world.items.titles[item].split()[:2]).strip(",")

    def _pull(self, slot: layout_pb2.Slot) -> tuple[Pull, int]:
        key = (slot.module_id, slot.template_id, slot.family)
        if key not in self._pulls:
            family = FAMILIES.index(slot.family) if slot.family in FAMILIES else modules.DISCOVERY
            self._pulls[key] = (world.pull(self.world, *key), family)
        return self._pulls[key]


class Diary:
    """Notes what one shopper does, as events that a shop can take.

    Args:
        pace: seconds of the shop's clock for a second of the shopper's.
    """

    def __init__(
        self,
        shopper: context_pb2.Shopper,
        label: str,
        noise: Noise,
        random: np.random.Generator,
        hidden: World,
        pace: float,
    ) -> None:
        self._shopper = shopper
        self._label = label
        self._noise = noise
        self._random = random
        self._items = hidden.items
        self._margin_share = hidden.regime.margin_share
        self._pace = pace
        self._count = 0
        self._pages: list[layout_pb2.ShopperEvent] = []
        self._repeated: list[layout_pb2.ShopperEvent] = []
        self.late: list[tuple[float, layout_pb2.ShopperEvent]] = []
        """What happens after the visit: time and event."""
        self.lost_count = 0
        self.repeated_count = 0

    def search(self, query: str, at_s: float) -> None:
        """The shopper sent a search."""
        event = self._note(_Type.EVENT_TYPE_SEARCH, at_s, "")
        event.shopper.CopyFrom(self._shopper)
        event.query = query

    def page(
        self, page: layout_pb2.Page, walk: Walk, place: int, item: int, outcome: Outcome, start_s: float
    ) -> float:
        """The shopper looked at a page; the value is the time at which they were done with it.

        Args:
            walk, outcome: with B = 1.
            place, item: position in the slot, and catalogue index, of what was clicked.
        """
        last, clicked = int(walk.last[0]), int(walk.clicked[0])
        luck = self._random.random(last + 9)
        at_s = start_s + self._pace * (0.6 + luck[0])
        for slot in page.slots[: last + 1]:
            self._impression(slot, at_s)
            at_s += self._pace * 2.2
        if clicked == choice.NO_SLOT:
            if luck[1] < self._noise.dismissals:
                self._note(_Type.EVENT_TYPE_DISMISSAL, at_s, page.slots[last].tracking_token)
            return at_s + self._pace * (1 + 6 * luck[2])
        token = page.slots[clicked].items[place].tracking_token
        self._note(_Type.EVENT_TYPE_CLICK, at_s, token)
        # A look has a log-normal length; long looks are what a shop can tell from a glance.
        seconds = (25.0 if outcome.is_dwelled[0] else 4.0) * float(
            np.exp(0.5 * self._random.standard_normal())
        )
        at_s += self._pace * seconds
        if outcome.is_dwelled[0]:
            self._note(_Type.EVENT_TYPE_DWELL, at_s, token).dwell_ms = int(seconds * 1_000)
        if outcome.is_carted[0]:
            at_s += self._pace * 3
            self._note(_Type.EVENT_TYPE_CART_ADD, at_s, token).quantity = 1
        if outcome.is_bought[0]:
            family = page.slots[clicked].family
            at_s += self._pace * (20 + 60 * luck[3])
            self._purchase(token, item, family, at_s, luck[4:9])
        return at_s + self._pace * (1 + 3 * luck[2])

    def help(self, page: layout_pb2.Page, walk: Walk, vain: Sequence[int], start_s: float) -> float:
        """The shopper looked for an answer; the value is the time at which they were done with the page.

        Args:
            walk: with B = 1; what helped is what it clicked.
            vain: slots whose answers are waved away.
        """
        last, helped = int(walk.last[0]), int(walk.clicked[0])
        at_s = start_s + self._pace * (0.6 + float(self._random.random()))
        for place, slot in enumerate(page.slots[: last + 1]):
            self._impression(slot, at_s)
            at_s += self._pace * 6
            if place in vain:
                self._note(_Type.EVENT_TYPE_DISMISSAL, at_s, slot.tracking_token)
        if helped != choice.NO_SLOT:
            self._note(_Type.EVENT_TYPE_HELPFUL, at_s, page.slots[helped].tracking_token)
        return at_s + self._pace * (1 + 6 * float(self._random.random()))

    def crawl(self, page: layout_pb2.Page, at_s: float) -> None:
        """A robot took a page: everything seen at once, the first item of every shelf clicked."""
        for slot in page.slots:
            self._impression(slot, at_s)
            if slot.items:
                self._note(_Type.EVENT_TYPE_CLICK, at_s + 0.05 * self._pace, slot.items[0].tracking_token)

    def tear_out(self, is_last: bool = False) -> list[layout_pb2.ShopperEvent]:
        """What was noted since the last time, and some of what was sent before, again."""
        events = [*self._repeated, *self._pages]
        is_again = self._random.random(len(self._pages)) < self._noise.repeated_events
        self._repeated = [event for event, again in zip(self._pages, is_again, strict=True) if again]
        self._pages = []
        self.repeated_count += len(self._repeated)
        if is_last:
            events += self._repeated
            self._repeated = []
        return events

    def _impression(self, slot: layout_pb2.Slot, at_s: float) -> None:
        if self._random.random() < self._noise.lost_impressions:
            self.lost_count += 1
        else:
            self._note(_Type.EVENT_TYPE_IMPRESSION, at_s, slot.tracking_token)

    def _purchase(self, token: str, item: int, family: str, at_s: float, luck: np.ndarray) -> None:
        if luck[0] < self._noise.late_purchases:
            paid_s = at_s + self._noise.late_purchase_s * float(self._random.exponential())
            bought = self._later(_Type.EVENT_TYPE_PURCHASE, paid_s, token)
        else:
            paid_s = at_s
            bought = self._note(_Type.EVENT_TYPE_PURCHASE, at_s, token)
        share = self._margin_share[FAMILIES.index(family)] if family in FAMILIES else 1.0
        bought.quantity = 1
        bought.price_micros = int(self._items.price_micros[item])
        bought.margin_micros = int(self._items.margin_micros[item] * share)
        arrived_s = paid_s + 86_400 * (2 + 3 * luck[1])
        if luck[2] < self._noise.returns:
            self._later(_Type.EVENT_TYPE_RETURN, arrived_s + 86_400 * 4 * luck[3], token).quantity = 1
        elif luck[4] < self._noise.ratings:
            stars = 1 + 4 * self._items.quality[item] + 0.7 * self._random.standard_normal()
            self._later(_Type.EVENT_TYPE_RATING, arrived_s, token).rating = float(np.clip(round(stars), 1, 5))

    def _note(self, kind: events_pb2.EventType, at_s: float, token: str) -> layout_pb2.ShopperEvent:
        event = self._event(kind, at_s, token)
        self._pages.append(event)
        return event

    def _later(self, kind: events_pb2.EventType, at_s: float, token: str) -> layout_pb2.ShopperEvent:
        event = self._event(kind, at_s, token)
        self.late.append((at_s, event))
        return event

    def _event(self, kind: events_pb2.EventType, at_s: float, token: str) -> layout_pb2.ShopperEvent:
        self._count += 1
        event = layout_pb2.ShopperEvent(
            event_id=f"{self._label}-{self._count}", type=kind, tracking_token=token
        )
        stamp(event.time, at_s)
        return event


def stamp(time: object, at_s: float) -> None:
    """Sets a Timestamp message to seconds since 1970, to the microsecond."""
    micros = round(at_s * 1e6)
    time.seconds, time.nanos = micros // 1_000_000, micros % 1_000_000 * 1_000  # type: ignore[attr-defined]


_KINDS = {subcategory.id: subcategory.kinds for subcategory in assortment.SUBCATEGORIES}


def _wishes(hidden: World) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Per type and category, products and the cumulative weight with which they are wished for."""
    items = hidden.items
    appeal = hidden.utility.mean(0)
    wishes = []
    for utility in hidden.utility:
        row = []
        for category in range(len(items.categories)):
            members = np.flatnonzero((items.category == category) & items.is_sellable & ~items.is_article)
            ranks = np.empty(len(members))
            ranks[np.argsort(-appeal[members], kind="stable")] = np.arange(1, len(members) + 1)
            row.append((members, np.cumsum(np.exp(utility[members]) / ranks**_ZIPF)))
        wishes.append(row)
    return wishes
