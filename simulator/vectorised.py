"""How does the shop look to learning: modules decide, items are tabulated, choices are uniform?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator import shelves
from simulator.modules import BLUEPRINTS
from simulator.shelves import Context, Shelf, Table
from simulator.world import World


@dataclass(frozen=True, slots=True)
class Offer:
    """What a context can show: its modules, each in its templates, and its slots.

    Attributes:
        stocked: shelves by module and template.
        first_row: of its shelves in the table, which stand there in the same order.
        module_of, template_of: (A,) indexes of each action.
        is_allowed: (S, A) actions that a slot may take while nothing stands above.
        is_pinned: (S,) slots that hold one module whatever else there is.
    """

    context: Context
    stocked: list[list[Shelf]]
    first_row: int
    module_of: np.ndarray
    template_of: np.ndarray
    is_allowed: np.ndarray
    is_pinned: np.ndarray


class UniformLayout:
    """Draws each slot's module and template uniformly among those that are possible there."""

    def __init__(self, hidden: World) -> None:
        self._category_count = len(hidden.items.categories)
        self.offers: list[Offer] = []
        rows: list[Shelf] = []
        for context in shelves.contexts(hidden.items):
            offer = _offer(shelves.stock(hidden.items, context), context, len(rows))
            self.offers.append(offer)
            rows += [shelf for templates in offer.stocked for shelf in templates]
        self.table: Table = shelves.tabulate(hidden, rows)
        self._slot_count = max(len(offer.is_allowed) for offer in self.offers)

    def context_of(self, page_type: np.ndarray, category: np.ndarray) -> np.ndarray:
        """(B,) positions in `offers`."""
        return shelves.context_index(page_type, category, self._category_count)

    def lay_out(
        self, page_type: np.ndarray, category: np.ndarray, kind: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        """(B, S) rows of the table."""
        del kind
        context = self.context_of(page_type, category)
        draws = random.random((len(context), self._slot_count))
        placed = np.full(draws.shape, -1)
        for number in np.unique(context):
            rows = np.flatnonzero(context == number)
            offer = self.offers[number]
            actions = choose(offer, draws[rows])
            placed[rows[:, None], np.arange(actions.shape[1])] = offer.first_row + actions
        return placed


def choose(offer: Offer, draws: np.ndarray) -> np.ndarray:
    """(B, S) actions, uniform among those possible below what stands above.

    Args:
        draws: (B, S or more) uniform on [0, 1).
    """
    is_free = np.ones((len(draws), len(offer.module_of)), bool)
    chosen = np.empty((len(draws), len(offer.is_allowed)), np.int64)
    for slot, is_allowed in enumerate(offer.is_allowed):
        is_possible = is_free & is_allowed
        count = is_possible.cumsum(1)
        wanted = (draws[:, slot] * count[:, -1]).astype(np.int64)
        chosen[:, slot] = (count > wanted[:, None]).argmax(1)
        is_free &= offer.module_of != offer.module_of[chosen[:, slot]][:, None]
    return chosen


def _offer(stocked: list[list[Shelf]], context: Context, first_row: int) -> Offer:
    module_ids = [templates[0].module_id for templates in stocked]
    module_of = np.repeat(np.arange(len(stocked)), [len(templates) for templates in stocked])
    template_of = np.concatenate([np.arange(len(templates)) for templates in stocked])
    slots = BLUEPRINTS[context.page_type].slots
    pins = [module_ids.index(slot.pinned) if slot.pinned in module_ids else -1 for slot in slots]
    is_allowed = np.zeros((len(slots), len(module_of)), bool)
    for number, slot in enumerate(slots):
        if pins[number] >= 0:
            is_allowed[number] = module_of == pins[number]
        else:
            is_listed = np.array([not slot.allowed or name in slot.allowed for name in module_ids])
            is_allowed[number] = is_listed[module_of] & ~np.isin(module_of, pins)
    return Offer(context, stocked, first_row, module_of, template_of, is_allowed, np.array(pins) >= 0)
