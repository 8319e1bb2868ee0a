"""What is the policy asked about a page whose modules are ranked?"""

from __future__ import annotations

from planogram.common.v1 import context_pb2
from planogram.policy.v1 import policy_pb2
from services.common.tensors import to_tensor
from services.layout import fallback
from services.layout.admission import PageView
from services.layout.ranking import Ranked, Shelf


def request(view: PageView, session: context_pb2.SessionState, ranked: Ranked) -> policy_pb2.PlanPageRequest:
    """The page's facts for the policy; queries and ids, which it does not read, are left out."""
    expected = ranked.predictions
    items = policy_pb2.ItemPredictions(
        click_probability=to_tensor(expected.click),
        purchase_probability=to_tensor(expected.purchase),
        margin=to_tensor(expected.margin),
        freshness=to_tensor(expected.freshness),
    )
    limits = []
    if ranked.groups is not None:
        items.group_id.CopyFrom(to_tensor(ranked.groups.group_id))
        limits = [
            policy_pb2.GroupLimit(group_id=group, max_item_count=limit)
            for group, limit in ranked.groups.limits.items()
        ]
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
        items=items,
        modules=[_plan_module(shelf, view.is_filler(shelf.module)) for shelf in ranked.shelves],
        slots=[
            policy_pb2.Slot(
                slot_id=slot.slot_id,
                allowed_module_ids=slot.allowed_module_ids,
                allowed_template_ids=slot.allowed_template_ids,
                pinned_module_id=slot.pinned_module_id,
            )
            for slot in ranked.slots
        ],
        group_limits=limits,
        module_limits=ranked.limits.values(),
    )
    if not any(shelf.can_stand() for shelf in ranked.shelves if view.is_filler(shelf.module)):
        fallback.leave_out_unfillable(question)
    return question


def _plan_module(shelf: Shelf, is_filler: bool) -> policy_pb2.Module:
    module = shelf.module
    return policy_pb2.Module(
        module_id=module.module_id,
        family=module.family,
        source=module.source_name,
        category=module.category,
        templates=[
            policy_pb2.Template(
                template_id=template.template_id,
                min_item_count=template.min_item_count,
                max_item_count=template.max_item_count,
            )
            for template in module.templates
        ],
        rows=shelf.rows.tolist(),
        is_filler=is_filler,
        relevance=module.relevance,
    )
