"""How is a page of the vectorised face logged: which bytes make its exposure?

Serialised messages may be concatenated, which merges them. So all that a context's pages share is
serialised once, and a page costs what is its own: ids, time, session, choices.
"""

from __future__ import annotations

import struct
from functools import cached_property

import numpy as np

from planogram.common.v1 import choices_pb2, context_pb2, tensor_pb2
from planogram.events.v1 import events_pb2
from planogram.policy.v1 import policy_pb2
from simulator.modules import BLUEPRINTS, CONTEXT, MODULES, PAGE_TYPES, TEMPLATES
from simulator.shelves import Shelf
from simulator.vectorised import Offer
from simulator.world import Items

POLICY_VERSION = "uniform-0"
_FILLER = "popular"
_PLAN_REQUEST = events_pb2.Exposure.DESCRIPTOR.fields_by_name["plan_request"].number
_SLOTS = events_pb2.Exposure.DESCRIPTOR.fields_by_name["slots"].number
_FEASIBLE = events_pb2.ExposedSlot.DESCRIPTOR.fields_by_name["feasible"].number
_PROPENSITY = events_pb2.ExposedSlot.DESCRIPTOR.fields_by_name["propensity"].number
_FRESHNESS_DAYS = 30.0


class PageWriter:
    """Writes the exposures of one context."""

    def __init__(self, offer: Offer, items: Items) -> None:
        self._offer = offer
        self._items = items
        # Distinct, and each in one module only: N rows of the plan request.
        self._row_of = {
            item: row for row, item in enumerate(item for group in offer.stocked for item in _longest(group))
        }
        self._template_counts = [len(group) for group in offer.stocked]
        self._possible = [
            sorted(set(offer.module_of[is_allowed].tolist())) for is_allowed in offer.is_allowed
        ]
        self._placements: dict[tuple[int, int], bytes] = {}
        self._choices: dict[tuple[int, int], bytes] = {}

    def exposure(
        self,
        own: events_pb2.Exposure,
        session: context_pb2.SessionState,
        device: context_pb2.Device,
        seed: int,
        actions: list[int],
    ) -> bytes:
        """One page.

        Args:
            own: what is the page's own: ids, time, query, item.
            actions: of the offer, one per slot.
        """
        plan = policy_pb2.PlanPageRequest(
            session=session,
            context=context_pb2.PageContext(device=device, time=own.time),
            seed=seed,
        )
        own.context.device = device
        parts = [
            self._shared,
            own.SerializeToString(),
            _field(_PLAN_REQUEST, self._shared_plan + plan.SerializeToString(deterministic=True)),
        ]
        placed: set[int] = set()
        for slot, action in enumerate(actions):
            possible = [module for module in self._possible[slot] if module not in placed]
            count = sum(self._template_counts[module] for module in possible)
            feasible = b"".join([self._choices_of(module, count) for module in possible])
            chance = struct.pack("<Bd", _PROPENSITY << 3 | 1, 1 / count)
            parts.append(_field(_SLOTS, self._placement(slot, action) + chance + feasible))
            placed.add(int(self._offer.module_of[action]))
        return b"".join(parts)

    @cached_property
    def _shared(self) -> bytes:
        return events_pb2.Exposure(
            context=self._context(), policy_version=POLICY_VERSION, key_epoch="simulated"
        ).SerializeToString()

    @cached_property
    def _shared_plan(self) -> bytes:
        blueprint = BLUEPRINTS[self._offer.context.page_type]
        rows = list(self._row_of)
        items = self._items
        # What a shop that knows no more than ratings would expect of an item.
        click = 0.03 + 0.12 * items.quality[rows]
        return policy_pb2.PlanPageRequest(
            context=self._context(),
            items=policy_pb2.ItemPredictions(
                click_probability=_tensor(click),
                purchase_probability=_tensor(0.1 * click * ~items.is_article[rows]),
                margin=_tensor(items.margin_micros[rows] / 1e6),
                freshness=_tensor(np.exp(-items.age_days[rows] / _FRESHNESS_DAYS)),
            ),
            modules=[self._module(group) for group in self._offer.stocked],
            slots=[
                policy_pb2.Slot(
                    slot_id=slot.slot_id, allowed_module_ids=slot.allowed, pinned_module_id=slot.pinned
                )
                for slot in blueprint.slots
            ],
            exploration=policy_pb2.Exploration(mode=policy_pb2.EXPLORATION_MODE_EPSILON_GREEDY, epsilon=1.0),
        ).SerializeToString()

    def _context(self) -> context_pb2.PageContext:
        return context_pb2.PageContext(
            page_type=PAGE_TYPES[self._offer.context.page_type],
            locale="en",
            category=self._category_name(CONTEXT),
        )

    def _module(self, group: list[Shelf]) -> policy_pb2.Module:
        module = MODULES[group[0].module_id]
        return policy_pb2.Module(
            module_id=module.module_id,
            family=module.family,
            source=module.source,
            category=self._category_name(module.category),
            templates=[
                policy_pb2.Template(
                    template_id=shelf.template_id,
                    min_item_count=TEMPLATES[shelf.template_id].min_items,
                    max_item_count=TEMPLATES[shelf.template_id].max_items,
                )
                for shelf in group
            ],
            rows=[self._row_of[item] for item in _longest(group)],
            is_filler=module.module_id == _FILLER,
        )

    def _category_name(self, category: str) -> str:
        if category != CONTEXT:
            return category
        number = self._offer.context.category
        return self._items.categories[number] if number >= 0 else ""

    def _placement(self, slot: int, action: int) -> bytes:
        """An exposed slot but for its propensity and the other choices."""
        key = (slot, action)
        if key not in self._placements:
            module, template = int(self._offer.module_of[action]), int(self._offer.template_of[action])
            shelf = self._offer.stocked[module][template]
            self._placements[key] = events_pb2.ExposedSlot(
                slot_id=BLUEPRINTS[self._offer.context.page_type].slots[slot].slot_id,
                module_id=shelf.module_id,
                template_id=shelf.template_id,
                family=shelf.family,
                items=[
                    events_pb2.ExposedItem(
                        item_id=self._items.item_ids[item], scoring_row=-1, plan_row=self._row_of[item]
                    )
                    for item in shelf.items
                ],
                module_index=module,
                template_index=template,
            ).SerializeToString()
        return self._placements[key]

    def _choices_of(self, module: int, count: int) -> bytes:
        """A module's templates as feasible choices, each of probability 1 / count."""
        key = (module, count)
        if key not in self._choices:
            templates = range(self._template_counts[module])
            choices = choices_pb2.FeasibleChoices(
                module_index=[module] * len(templates),
                template_index=templates,
                propensity=[1 / count] * len(templates),
                q_value=[0.0] * len(templates),
            )
            self._choices[key] = _field(_FEASIBLE, choices.SerializeToString())
        return self._choices[key]


def _longest(group: list[Shelf]) -> tuple[int, ...]:
    """The items of a module, whatever the template."""
    return max((shelf.items for shelf in group), key=len)


def _tensor(values: np.ndarray) -> tensor_pb2.Tensor:
    data = np.ascontiguousarray(values, "<f4")
    return tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=[len(data)], data=data.tobytes())


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of the protobuf wire format."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
