"""Why did a page look as it did? The receipt of a page, from its log."""

from __future__ import annotations

from dataclasses import replace

from planogram.events.v1 import events_pb2
from planogram.layout.v1 import layout_pb2
from planogram.policy.v1 import policy_pb2
from planogram.scoring.v1 import scoring_pb2
from services.common.client import UpstreamError
from services.common.errors import NotFound
from services.layout import ranking, upstreams
from services.layout.configuration import Configuration, LiveConfiguration
from services.layout.event_log import EventLog
from services.layout.ranking import Ranked
from services.layout.reasons import MASK_WORDS, reason
from services.layout.replay import Replay
from services.layout.rules.document import Rules
from services.layout.upstreams import Upstreams

RUNNERS_UP_COUNT = 5
ATTRIBUTION_COUNT = 5
MAX_EXPLAINED_ROWS = 20
REPLAY_TIMEOUT_S = 1.0
EXPLAIN_TIMEOUT_S = 5.0


async def receipt(
    request: layout_pb2.ExplainPageRequest,
    event_log: EventLog,
    services: Upstreams,
    configuration: LiveConfiguration,
) -> layout_pb2.ExplainPageResponse:
    """The receipt of a logged page: its rules and its plan are made again and held against what was shown.

    Raises:
        NotFound: where no log holds the page.
    """
    exposure = await event_log.find_exposure(request.page_id)
    if exposure is None:
        raise NotFound(f"page {request.page_id!r} is not in the log, or its shopper was forgotten")
    plan = policy_pb2.PlanPageRequest.FromString(exposure.plan_request) if exposure.plan_request else None
    in_force = configuration.of(exposure.blueprint_version)
    again = Replay.of(exposure, in_force) if in_force is not None else None
    ranked = again.ranked() if again is not None else None
    planned = await _plan(exposure, plan, services) if plan is not None else None
    if ranked is not None and planned is not None:
        ranking.note_plan(ranked, planned.slots)
    attributions = await _attributions(exposure, services) if request.has_attributions else {}
    displaced = _displaced(exposure, again) if again is not None else {}
    said, is_exact = _verdict(exposure, plan, in_force, again, ranked, planned)
    return layout_pb2.ExplainPageResponse(
        page_id=exposure.page_id,
        slots=[
            _slot_receipt(slot, plan, planned, in_force or configuration.current, attributions, displaced)
            for slot in exposure.slots
        ],
        versions=layout_pb2.Versions(
            scoring=exposure.scoring_version,
            policy=exposure.policy_version,
            snapshot=exposure.snapshot_version,
            blueprint=exposure.blueprint_version,
        ),
        degraded=exposure.degraded,
        time=exposure.time,
        is_replay_exact=is_exact,
        replay=said,
        rules=await _rules(request, exposure, again, ranked, services) if again and ranked else [],
        rule_conflicts=ranked.effects.conflicts if ranked is not None else [],
    )


async def _plan(
    exposure: events_pb2.Exposure, plan: policy_pb2.PlanPageRequest, services: Upstreams
) -> policy_pb2.PlanPageResponse | None:
    """The page planned again by the policy of its time; None where that is no longer there."""
    again = policy_pb2.PlanPageRequest()
    again.CopyFrom(plan)
    again.policy_version = exposure.policy_version
    if exposure.exploration:
        # What the request left to the service's settings, which may be others by now.
        again.exploration.ParseFromString(exposure.exploration)
    try:
        return await upstreams.plan(services.policy, again, REPLAY_TIMEOUT_S)
    except UpstreamError:
        return None


def _verdict(
    exposure: events_pb2.Exposure,
    plan: policy_pb2.PlanPageRequest | None,
    in_force: Configuration | None,
    again: Replay | None,
    ranked: Ranked | None,
    planned: policy_pb2.PlanPageResponse | None,
) -> tuple[str, bool]:
    """What the replay showed, in a sentence, and whether all of it was the same."""
    if plan is None:
        return "No policy decided this page; there is no plan to replay.", False
    if in_force is None:
        return (
            f"The configuration {exposure.blueprint_version} was not kept; only the plan was replayed.",
            False,
        )
    if again is None or ranked is None:
        return "The log does not hold what the rules saw; only the plan was replayed.", False
    if again.plan_request(ranked) != plan:
        return "The rules, applied again, give other modules or items than the log holds.", False
    if planned is None:
        return f"The rules give the same; policy {exposure.policy_version} is no longer there to plan.", False
    if not _is_same(exposure, planned):
        return "The rules give the same; the plan, made again, differs.", False
    return "Rules and plan, made again, give the same page.", True


def _is_same(exposure: events_pb2.Exposure, replay: policy_pb2.PlanPageResponse) -> bool:
    shown = [
        (
            slot.slot_id,
            slot.module_id,
            slot.template_id,
            slot.propensity,
            [item.plan_row for item in slot.items],
        )
        for slot in exposure.slots
    ]
    planned = [
        (slot.slot_id, slot.module_id, slot.template_id, slot.propensity, list(slot.rows))
        for slot in replay.slots
    ]
    return shown == planned


async def _rules(
    request: layout_pb2.ExplainPageRequest,
    exposure: events_pb2.Exposure,
    again: Replay,
    ranked: Ranked,
    services: Upstreams,
) -> list[layout_pb2.RuleReceipt]:
    """What each rule that bound did; where asked for, what the page would have been worth more without it."""
    found = [
        layout_pb2.RuleReceipt(rule=effect.rule, action=effect.action, count=effect.count)
        for effect in ranked.effects.messages()
    ]
    with_all = await _worth(exposure, again, ranked, services) if request.has_shadow_prices else None
    rules = again.view.configuration.rules
    for message in found if with_all is not None else ():
        without = await _worth(exposure, again, again.ranked(rules.without(message.rule)), services)
        if with_all is not None and without is not None:
            message.shadow_price = without - with_all
    return found


async def _worth(
    exposure: events_pb2.Exposure, again: Replay, ranked: Ranked, services: Upstreams
) -> float | None:
    """What the page is worth where it is laid out greedily; None where it cannot be planned."""
    question = again.plan_request(ranked)
    question.policy_version = exposure.policy_version
    question.exploration.Clear()
    question.exploration.mode = policy_pb2.EXPLORATION_MODE_GREEDY
    if not question.slots:
        return None
    try:
        planned = await upstreams.plan(services.policy, question, REPLAY_TIMEOUT_S)
    except UpstreamError:
        return None
    return float(planned.slots[0].q_value)


def _displaced(exposure: events_pb2.Exposure, again: Replay) -> dict[tuple[str, int], str]:
    """By slot and place: the item that would stand there without any rules, where it is another one."""
    plain = again.ranked(Rules(again.view.configuration.rules.value))
    rows_of = {shelf.module.module_id: shelf.rows for shelf in plain.shelves}
    found: dict[tuple[str, int], str] = {}
    above: set[str] = set()
    for slot in exposure.slots:
        names = [again.gathered.item_ids[row] for row in rows_of.get(slot.module_id, ())]
        without = [name for name in names if name not in above]
        for place, (item, other) in enumerate(zip(slot.items, without, strict=False)):
            if item.item_id != other:
                found[slot.slot_id, place] = other
        above.update(item.item_id for item in slot.items)
    return found


async def _attributions(
    exposure: events_pb2.Exposure, services: Upstreams
) -> dict[int, list[layout_pb2.Attribution]]:
    """By scoring row: why the first item of each slot has its score."""
    firsts = [slot.items[0].scoring_row for slot in exposure.slots if slot.items]
    rows = sorted({row for row in firsts if row >= 0})[:MAX_EXPLAINED_ROWS]
    if not rows:
        return {}
    inputs = exposure.scoring_inputs
    question = scoring_pb2.ExplainScoresRequest(
        inputs=scoring_pb2.ScoreItemsRequest(
            schema_fingerprint=inputs.schema_fingerprint,
            shopper_tensors=inputs.shopper_tensors,
            item_tensors=inputs.item_tensors,
            model_version=exposure.scoring_version or None,
        ),
        rows=rows,
    )
    try:
        answer = await services.scoring.upstream.call("ExplainScores", question, EXPLAIN_TIMEOUT_S)
    except UpstreamError:
        return {}
    return {
        item.row: [
            layout_pb2.Attribution(feature=entry.feature, value=entry.value)
            for entry in item.attributions[:ATTRIBUTION_COUNT]
        ]
        for item in answer.items
    }


def _slot_receipt(
    slot: events_pb2.ExposedSlot,
    plan: policy_pb2.PlanPageRequest | None,
    replay: policy_pb2.PlanPageResponse | None,
    in_force: Configuration,
    attributions: dict[int, list[layout_pb2.Attribution]],
    displaced: dict[tuple[str, int], str],
) -> layout_pb2.SlotReceipt:
    result = layout_pb2.SlotReceipt(
        slot_id=slot.slot_id,
        module_id=slot.module_id,
        template_id=slot.template_id,
        propensity=slot.propensity,
        q_value=slot.q_value,
        is_explored=slot.is_explored,
        items=[
            layout_pb2.ItemReceipt(
                item_id=item.item_id,
                click_probability=item.click_probability,
                purchase_probability=item.purchase_probability,
                attributions=attributions.get(item.scoring_row, []) if item.scoring_row >= 0 else [],
                displaced=displaced.get((slot.slot_id, place), ""),
                charge_micros=item.charge_micros,
            )
            for place, item in enumerate(slot.items)
        ],
    )
    if plan is None:
        result.reason = "No policy answered; the shop's usual order was used."
        return result
    decision = policy_pb2.SlotDecision(is_explored=slot.is_explored, feasible=slot.feasible)
    pins = {entry.slot_id: entry.pinned_module_id for entry in plan.slots}
    module = in_force.module(slot.module_id)
    if module is not None:
        if module.is_answer:
            module = replace(module, relevance=plan.modules[slot.module_index].relevance)
        is_pinned = pins.get(slot.slot_id) == slot.module_id
        result.reason = reason(module, decision, plan.session, is_pinned, is_planned=True)
    feasible = slot.feasible
    choices = zip(
        feasible.module_index, feasible.template_index, feasible.q_value, feasible.propensity, strict=True
    )
    others = [choice for choice in choices if choice[:2] != (slot.module_index, slot.template_index)]
    others.sort(key=lambda choice: -choice[2])
    for module_index, template_index, q_value, propensity in others[:RUNNERS_UP_COUNT]:
        other = plan.modules[module_index]
        result.runners_up.add(
            module_id=other.module_id,
            template_id=other.templates[template_index].template_id,
            q_value=q_value,
            propensity=propensity,
        )
    for planned in replay.slots if replay is not None else ():
        if planned.slot_id == slot.slot_id:
            for module_index, mask in zip(planned.masked.module_index, planned.masked.reason, strict=True):
                module_id = plan.modules[module_index].module_id
                result.masked.add(module_id=module_id, reason=MASK_WORDS.get(mask, "unknown"))
    return result
