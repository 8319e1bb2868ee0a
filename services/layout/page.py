"""What is sent to the backend, and what is logged, once every slot is decided?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from planogram.common.v1 import context_pb2, tensor_pb2
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2, token_pb2
from planogram.policy.v1 import policy_pb2
from services.layout import blueprint, wire
from services.layout.admission import PageRequest
from services.layout.blueprint import Module
from services.layout.ranking import Predictions, Ranked
from services.layout.reasons import reason
from services.layout.rules.auction import charges
from services.layout.tokens import MAX_CURSOR_BYTES, Signer, item_digest, joined
from services.layout.wire import Signable


@dataclass(frozen=True)
class Decided:
    """A page whose every slot is decided, with all that decided it."""

    request: PageRequest
    decisions: Sequence[policy_pb2.SlotDecision]
    ranked: Ranked
    predictions: Predictions | None
    session: context_pb2.SessionState
    plan_request: policy_pb2.PlanPageRequest | None
    exploration: policy_pb2.Exploration | None
    features: feature_pb2.FeatureSet | None
    versions: layout_pb2.Versions
    degraded: Sequence[layout_pb2.Degradation]
    key_epoch: str

    @property
    def item_ids(self) -> Sequence[str]:
        """The page's candidates, by row."""
        return self.ranked.candidates.ids

    @property
    def is_planned(self) -> bool:
        """True where a policy decided."""
        return bool(self.versions.policy)

    @cached_property
    def modules(self) -> Mapping[str, Module]:
        """What slots could hold, by module id."""
        every = (*self.request.blueprint.static_modules, *self.request.modules)
        return {module.module_id: module for module in every}

    @property
    def place_of(self) -> Mapping[str, int]:
        """The place among the ranked of each module that the planner could choose."""
        return self.ranked.programme.place_of

    @cached_property
    def charges(self) -> Sequence[Sequence[int]]:
        """What a click on each item of each slot costs its advertiser, in micros; 0 where it is no ad."""
        return [self._charges(decision) for decision in self.decisions]

    def _charges(self, decision: policy_pb2.SlotDecision) -> list[int]:
        place = self.place_of.get(decision.module_id)
        if place is None or not self.ranked.shelves[place].module.is_ad or self.predictions is None:
            return [0] * len(decision.rows)
        auction = self.ranked.auction
        return charges(
            decision.rows[:],
            self.ranked.shelves[place].rows,
            auction.bid_micros,
            self.predictions.click,
            auction.floor_micros,
        )


def head(page: Decided) -> layout_pb2.Page:
    """The page as the backend gets it, without its slots and cursor."""
    return layout_pb2.Page(
        page_id=page.request.page_id,
        experiment_arms=page.request.assignment.arms,
        versions=page.versions,
        degraded=page.degraded,
        rule_effects=page.ranked.effects.messages(),
        rule_conflicts=page.ranked.effects.conflicts,
    )


def slots(page: Decided, signer: Signer, first: int = 0, end: int | None = None) -> list[layout_pb2.Slot]:
    """The page's slots as the backend gets them, top-down.

    Args:
        first, end: places of those that are wanted; None goes to the last.
    """
    pins = {slot.slot_id: slot.pinned_module_id for slot in page.ranked.slots}
    shared = _token_of_page(page).SerializeToString()
    decisions, charges_micros = page.decisions[first:end], page.charges[first:end]
    signable = [
        _signable(page, decision, own_micros, signer, shared)
        for decision, own_micros in zip(decisions, charges_micros, strict=True)
    ]
    found = []
    for decision, tokens_and_items in zip(decisions, wire.signed(signable), strict=True):
        slot = _slot(page, decision, pins.get(decision.slot_id) == decision.module_id)
        slot.MergeFromString(tokens_and_items)
        found.append(slot)
    return found


def _signable(
    page: Decided,
    decision: policy_pb2.SlotDecision,
    charges_micros: Sequence[int],
    signer: Signer,
    shared: bytes,
) -> Signable:
    """A slot's token and items.

    Args:
        shared: what all tokens of the page have in common. Serialised messages may be concatenated, which
            merges them.
    """
    module = page.modules[decision.module_id]
    token = token_pb2.TrackingToken(
        slot_id=decision.slot_id,
        module_id=module.module_id,
        family=module.family,
        category=module.kind.about,
        propensity=decision.propensity,
    )
    item_ids = page.item_ids
    return Signable(
        stem=signer.stem("track", shared + token.SerializeToString()),
        item_ids=[item_ids[row] for row in decision.rows[:]],  # a list of its own is gone through faster
        charges_micros=charges_micros,
    )


def _slot(page: Decided, decision: policy_pb2.SlotDecision, is_pinned: bool) -> layout_pb2.Slot:
    """A slot without its token and items."""
    request, module = page.request, page.modules[decision.module_id]
    blueprints = request.configuration.blueprints
    return layout_pb2.Slot(
        slot_id=decision.slot_id,
        module_id=module.module_id,
        template_id=decision.template_id,
        title=_title(module, request.context, blueprints.category_names),
        reason=reason(module, decision, page.session, is_pinned, page.is_planned),
        propensity=decision.propensity,
        is_explored=decision.is_explored,
        is_ad=module.is_ad,
        family=module.family,
        column_count=blueprints.templates[decision.template_id].columns.get(request.context.device, 1),
        answer=_answer(module, request),
    )


def context_without_question(context: context_pb2.PageContext) -> context_pb2.PageContext:
    """The page view without what a shopper asked for help: the answers that match it say enough elsewhere."""
    if context.page_type != context_pb2.PAGE_TYPE_HELP or not context.query:
        return context
    known = context_pb2.PageContext()
    known.CopyFrom(context)
    known.ClearField("query")
    return known


def exposure(page: Decided) -> events_pb2.Exposure:
    """The page as it is logged: what was shown, and the inputs of everything that had a say."""
    request = page.request
    shown = list(dict.fromkeys(row for decision in page.decisions for row in decision.rows))
    scoring_rows = {row: place for place, row in enumerate(shown)} if page.features is not None else {}
    record = events_pb2.Exposure(
        page_id=request.page_id,
        request_id=request.request_id,
        shopper_key=request.shopper_key,
        session_key=request.session_key,
        key_epoch=page.key_epoch,
        context=context_without_question(request.context),
        slots=[
            _exposed_slot(page, decision, charges_micros, scoring_rows)
            for decision, charges_micros in zip(page.decisions, page.charges, strict=True)
        ],
        scoring_version=page.versions.scoring,
        policy_version=page.versions.policy,
        snapshot_version=page.versions.snapshot,
        blueprint_version=page.versions.blueprint,
        degraded=[f"{entry.upstream}: {entry.reason}" for entry in page.degraded],
        experiment_arms=request.assignment.arms,
        time=request.context.time,
    )
    if page.plan_request is not None:
        record.plan_request = page.plan_request.SerializeToString()
    if page.exploration is not None:
        record.exploration = page.exploration.SerializeToString()
    if page.features is not None:
        record.scoring_inputs.schema_fingerprint = page.features.schema_fingerprint
        for name, tensor in page.features.shopper_tensors.items():
            record.scoring_inputs.shopper_tensors[name].CopyFrom(tensor)
        for name, tensor in page.features.item_tensors.items():
            record.scoring_inputs.item_tensors[name].CopyFrom(_take(tensor, shown))
    return record


def _token_of_page(page: Decided) -> token_pb2.TrackingToken:
    return token_pb2.TrackingToken(
        issued_unix_s=page.request.issued_s,
        page_id=page.request.page_id,
        shopper_key=page.request.shopper_key,
        session_key=page.request.session_key,
        key_epoch=page.key_epoch,
        policy_version=page.versions.policy,
        scoring_version=page.versions.scoring,
    )


def _answer(module: Module, request: PageRequest) -> layout_pb2.Answer | None:
    if module.relevance is None:
        return None
    found, locale = request.configuration.answers.by_module_id[module.module_id], request.context.locale
    label = blueprint.text(found.action_labels, locale)
    return layout_pb2.Answer(
        answer_id=found.answer_id,
        text=blueprint.text(found.texts, locale),
        action_label=label,
        action_link=found.action_link if label else "",
        relevance=module.relevance,
        topic=found.topic,
    )


def _title(
    module: Module, context: context_pb2.PageContext, category_names: Mapping[str, blueprint.Names]
) -> str:
    title = blueprint.text(module.titles, context.locale)
    if "{" not in title:
        return title
    names = category_names.get(module.category, {})
    category = blueprint.text(names, context.locale) or module.category
    return title.replace("{category}", category).replace("{query}", context.query)


def cursor(page: Decided, signer: Signer) -> str:
    """Continues below this page; empty where at most ads with unseen items are left, or it is too long."""
    if not any(decision.rows for decision in page.decisions):
        return ""  # a static page says nothing of what was shown: a cursor from it would lead to itself
    request = page.request
    modules = request.shown_module_ids | {decision.module_id for decision in page.decisions}
    rows = {row for decision in page.decisions for row in decision.rows}
    left = [shelf for shelf in page.ranked.shelves if shelf.module.module_id not in modules]
    if not any(shelf.has_more(rows) for shelf in left if not shelf.module.is_ad):
        return ""
    digests = request.shown_item_digests | {item_digest(page.item_ids[row]) for row in rows}
    content = token_pb2.PageCursor(
        issued_unix_s=request.issued_s,
        blueprint=request.blueprint.name,
        module_ids=sorted(modules - {request.blueprint.filler_id}),
        item_digests=joined(digests),
    )
    signed = signer.sign("cursor", content.SerializeToString())
    return signed if len(signed) <= MAX_CURSOR_BYTES else ""


def _exposed_slot(
    page: Decided,
    decision: policy_pb2.SlotDecision,
    charges_micros: Sequence[int],
    scoring_rows: Mapping[int, int],
) -> events_pb2.ExposedSlot:
    module_index, template_index = _indexes(page, decision)
    expected, rows = page.predictions, decision.rows[:]
    click = expected.click[rows].tolist() if expected is not None else [0.0] * len(rows)
    purchase = expected.purchase[rows].tolist() if expected is not None else [0.0] * len(rows)
    return events_pb2.ExposedSlot(
        slot_id=decision.slot_id,
        module_id=decision.module_id,
        template_id=decision.template_id,
        family=page.modules[decision.module_id].family,
        items=[
            events_pb2.ExposedItem(
                item_id=page.item_ids[row],
                scoring_row=scoring_rows.get(row, -1),
                click_probability=click[place],
                purchase_probability=purchase[place],
                plan_row=row if page.plan_request is not None else -1,
                charge_micros=charges_micros[place],
            )
            for place, row in enumerate(rows)
        ],
        propensity=decision.propensity,
        q_value=decision.q_value,
        is_explored=decision.is_explored,
        module_index=module_index,
        template_index=template_index,
        feasible=decision.feasible,
    )


def _indexes(page: Decided, decision: policy_pb2.SlotDecision) -> tuple[int, int]:
    """The places of module and template in the planner's request; -1 where it was not asked."""
    place = page.place_of.get(decision.module_id)
    if page.plan_request is None or place is None:
        return -1, -1
    templates = page.ranked.shelves[place].module.templates
    return place, [template.template_id for template in templates].index(decision.template_id)


def _take(tensor: tensor_pb2.Tensor, rows: Sequence[int]) -> tensor_pb2.Tensor:
    """Some rows of a tensor, without decoding it."""
    count = tensor.shape[0]
    raw: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(tensor.data, np.uint8)
    taken = raw.reshape(count, -1)[rows] if rows else raw[:0]
    return tensor_pb2.Tensor(dtype=tensor.dtype, shape=[len(rows), *tensor.shape[1:]], data=taken.tobytes())
