"""What is the policy asked about a page whose modules are ranked?"""

from __future__ import annotations

from functools import lru_cache

from planogram.common.v1 import context_pb2
from planogram.policy.v1 import policy_pb2
from services.common.tensors import fill
from services.layout import fallback, wire
from services.layout.admission import PageView
from services.layout.blueprint import Kind, Slot
from services.layout.ranking import Ranked
from services.layout.wire import Pieces, pieces

_MAX_KEPT_COUNT = 512
"""Slots, and lists of modules, whose bytes are kept, of all configurations."""


def request(view: PageView, session: context_pb2.SessionState, ranked: Ranked) -> policy_pb2.PlanPageRequest:
    """The page's facts for the policy; queries and ids, which it does not read, are left out."""
    expected = ranked.predictions
    given = view.context
    question = policy_pb2.PlanPageRequest(
        session=session,
        context=context_pb2.PageContext(
            page_type=given.page_type,
            device=given.device,
            locale=given.locale,
            time=given.time,
            category=given.category,
        ),
        module_limits=ranked.limits.values(),
    )
    items = question.items
    fill(items.click_probability, expected.click)
    fill(items.purchase_probability, expected.purchase)
    fill(items.margin, expected.margin)
    fill(items.freshness, expected.freshness)
    if ranked.groups is not None:
        fill(items.group_id, ranked.groups.group_id)
        question.MergeFromString(wire.group_limits(ranked.groups.most))
    slots = b"".join(map(_slot, ranked.slots))
    plain = _modules(ranked.programme.modules, view.blueprint.filler_id)
    question.MergeFromString(slots + wire.modules(plain, ranked.rows))
    for module, shelf in zip(question.modules, ranked.shelves, strict=True) if view.offered else ():
        if shelf.module.relevance is not None:
            module.relevance = shelf.module.relevance
    filler = ranked.programme.place_of.get(view.blueprint.filler_id)
    if filler is None or not ranked.shelves[filler].can_stand():
        fallback.leave_out_unfillable(question)
    return question


def _slot(slot: Slot) -> bytes:
    # Not by the slot itself: what it is worth as a key takes longer to find out than all of this.
    return _slot_of(slot.slot_id, slot.allowed_module_ids, slot.allowed_template_ids, slot.pinned_module_id)


@lru_cache(_MAX_KEPT_COUNT)
def _slot_of(
    slot_id: str,
    allowed_module_ids: tuple[str, ...],
    allowed_template_ids: tuple[str, ...],
    pinned_module_id: str,
) -> bytes:
    """A request with this slot alone, as bytes: messages that are concatenated are merged."""
    slot = policy_pb2.Slot(
        slot_id=slot_id,
        allowed_module_ids=allowed_module_ids,
        allowed_template_ids=allowed_template_ids,
        pinned_module_id=pinned_module_id,
    )
    return policy_pb2.PlanPageRequest(slots=[slot]).SerializeToString()


@lru_cache(_MAX_KEPT_COUNT)
def _modules(kinds: tuple[Kind, ...], filler_id: str) -> Pieces:
    """The modules without their items, as bytes: they are the same for many pages."""
    return pieces(
        [
            policy_pb2.Module(
                module_id=kind.module_id,
                family=kind.family,
                source=kind.source_name,
                category=kind.about,
                templates=[
                    policy_pb2.Template(
                        template_id=template.template_id,
                        min_item_count=template.min_item_count,
                        max_item_count=template.max_item_count,
                    )
                    for template in kind.templates
                ],
                is_filler=kind.module_id == filler_id,
            ).SerializeToString()
            for kind in kinds
        ]
    )
