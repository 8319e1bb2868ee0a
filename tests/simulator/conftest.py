"""The world that the simulator's tests share, and a shop that answers its shoppers from a script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
import numpy as np
import pyarrow as pa
import pytest

from planogram.layout.v1 import layout_pb2
from simulator import catalogue, world
from simulator.modules import BLUEPRINTS, PAGE_TYPES
from simulator.shelves import Shelf
from simulator.shopper import Population, populate
from simulator.vectorised import Offer, UniformLayout, choose
from simulator.world import Items, World

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)


class CallFailed(Exception):
    """A failed call, as an in-process transport raises it."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self.code = code


@dataclass
class ScriptedShop:
    """Answers pages with modules drawn uniformly from a layout's table, and keeps what it is told.

    A seam of the same shape as every transport: `call(method, request, timeout_s)`.
    """

    hidden: World
    layout: UniformLayout
    seed: int = 0
    failures: list[grpc.StatusCode] = field(default_factory=list)
    """Statuses with which the next calls fail."""
    is_keeping: bool = True
    requests: list[Any] = field(default_factory=list)
    events: list[layout_pb2.ShopperEvent] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        self._number = 0
        self._pages = [self._drawn(offer, random) for offer in self.layout.offers]
        self._contexts = {
            (PAGE_TYPES[offer.context.page_type], self._name(offer)): number
            for number, offer in enumerate(self.layout.offers)
        }

    async def call(self, method: str, request: Any, timeout_s: float) -> Any:
        self.calls[method] += 1
        if self.failures:
            raise CallFailed(self.failures.pop(0))
        if method == "RecordEvents":
            if self.is_keeping:
                self.events.extend(request.events)
            return layout_pb2.RecordEventsResponse(stored_count=len(request.events))
        if self.is_keeping:
            self.requests.append(request)
        return layout_pb2.ComposePageResponse(page=self._page(request))

    def _page(self, request: layout_pb2.ComposePageRequest) -> layout_pb2.Page:
        number = self._contexts[request.context.page_type, request.context.category]
        self._number += 1
        return layout_pb2.Page(page_id=f"page-{self._number}", slots=next(self._pages[number]))

    def _drawn(self, offer: Offer, random: np.random.Generator) -> Iterator[list[layout_pb2.Slot]]:
        """The slots of one page after another."""
        blueprint = BLUEPRINTS[offer.context.page_type].slots
        slots: dict[tuple[int, int], layout_pb2.Slot] = {}
        while True:
            for actions in choose(offer, random.random((1_000, len(blueprint)))).tolist():
                page = []
                for place, action in enumerate(actions):
                    if (place, action) not in slots:
                        slots[place, action] = self._slot(
                            blueprint[place].slot_id, self.layout.table.shelves[offer.first_row + action]
                        )
                    page.append(slots[place, action])
                yield page

    def _name(self, offer: Offer) -> str:
        category = offer.context.category
        return self.hidden.items.categories[category] if category >= 0 else ""

    def _slot(self, slot_id: str, shelf: Shelf) -> layout_pb2.Slot:
        item_ids = self.hidden.items.item_ids
        return layout_pb2.Slot(
            slot_id=slot_id,
            module_id=shelf.module_id,
            template_id=shelf.template_id,
            family=shelf.family,
            tracking_token=f"{slot_id}/{shelf.module_id}/{shelf.template_id}",
            items=[
                layout_pb2.Item(
                    item_id=item_ids[item], tracking_token=f"{slot_id}/{shelf.module_id}/{item_ids[item]}"
                )
                for item in shelf.items
            ],
        )


@pytest.fixture(scope="session")
def as_of() -> datetime:
    """The day of the tests."""
    return AS_OF


@pytest.fixture(scope="session")
def items() -> pa.Table:
    """The whole catalogue of seed 0."""
    return catalogue.make(0, AS_OF)


@pytest.fixture(scope="session")
def columns(items: pa.Table) -> Items:
    """What shoppers react to of it."""
    return world.read_items(items, AS_OF)


@pytest.fixture(scope="session")
def hidden(columns: Items) -> World:
    """The world of seed 0."""
    return world.draw(columns, 0, AS_OF)


@pytest.fixture(scope="session")
def population(hidden: World) -> Population:
    """Its shoppers."""
    return populate(hidden, 0)


@pytest.fixture(scope="session")
def layout(hidden: World) -> UniformLayout:
    """Its uniform policy."""
    return UniformLayout(hidden)


@pytest.fixture
def make_shop(hidden: World, layout: UniformLayout) -> Callable[..., ScriptedShop]:
    """Makes scripted shops."""
    return lambda **options: ScriptedShop(**{"hidden": hidden, "layout": layout, **options})
