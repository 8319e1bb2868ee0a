"""What is sent to the backend, and what is logged, once every slot is decided?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from planogram.common.v1 import context_pb2, tensor_pb2
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2, token_pb2
from planogram.policy.v1 import policy_pb2
from services.layout import blueprint, conditions, wire
from services.layout.admission import PageRequest
from services.layout.blueprint import Kind, Module, Template
from services.layout.ranking import Predictions, Ranked
from services.layout.reasons import reason
from services.layout.rules.auction import charges
from services.layout.tokens import MAX_CURSOR_BYTES, Signer, item_digest, joined
from services.layout.wire import Signable

_MAX_KEPT_COUNT = 4_096
"""Slots whose bytes are kept, of all configurations."""
_SLOT_PROPENSITY = layout_pb2.Slot.DESCRIPTOR.fields_by_name["propensity"].number
_TOKEN_PROPENSITY = token_pb2.TrackingToken.DESCRIPTOR.fields_by_name["propensity"].number


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
        ad_places = self.ranked.programme.ad_places if self.predictions is not None else {}
        return [
            self._charges(decision, ad_places[module_id])
            if (module_id := decision.module_id) in ad_places
            else [0] * len(decision.rows)
            for decision in self.decisions
        ]

    def _charges(self, decision: policy_pb2.SlotDecision, place: int) -> list[int]:
        assert self.predictions is not None
        auction = self.ranked.auction
        return charges(  # type: ignore[no-any-return]
            np.array(decision.rows[:], np.int64),
            self.ranked.rows.of(place),
            auction.bid_micros,
            self.predictions.click,
            auction.floor_micros,
        ).tolist()


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


def slots(page: Decided, signer: Signer, first: int = 0, end: int | None = None) -> bytes:
    """The bytes of a Page that holds the slots as the backend gets them, top-down.

    Args:
        first, end: places of those that are wanted; None goes to the last.
    """
    request, blueprints = page.request, page.request.configuration.blueprints
    device, language = request.context.device, conditions.language(request.context)
    session, is_planned, modules = page.session, page.is_planned, page.modules
    pins = {slot.slot_id: slot.pinned_module_id for slot in page.ranked.slots if slot.pinned_module_id}
    # What all tokens of the page have in common: serialised messages may be concatenated, which merges them.
    shared = _token_of_page(page).SerializeToString()
    # Titles may hold the query, and that is nobody else's.
    plain_of = _plain if request.context.query else _kept_plain
    found = []
    for decision, charges_micros in zip(page.decisions[first:end], page.charges[first:end], strict=True):
        slot_id, propensity = decision.slot_id, decision.propensity
        module, template = modules[decision.module_id], blueprints.templates[decision.template_id]
        slot, token_begin, token_end = plain_of(
            slot_id,
            module.kind,
            template,
            device,
            _title(module, request, language),
            reason(module, decision, session, pins.get(slot_id) == module.module_id, is_planned),
            decision.is_explored,
        )
        answer = b"" if module.relevance is None else _answer(module, request, module.relevance)
        found.append(
            Signable(
                plain=slot + wire.double(_SLOT_PROPENSITY, propensity) + answer,
                stem=shared + token_begin + wire.double(_TOKEN_PROPENSITY, propensity) + token_end,
                rows=decision.rows[:],  # a list of its own is gone through faster
                charges_micros=charges_micros,
            )
        )
    return wire.slots(found, signer.tracking, page.ranked.candidates)


def _plain(
    slot_id: str,
    kind: Kind,
    template: Template,
    device: int,
    title: str,
    reason: str,
    is_explored: bool,
) -> tuple[bytes, bytes, bytes]:
    """A Slot without propensity, answer, token and items; of its token what is ahead of that and behind."""
    slot = layout_pb2.Slot(
        slot_id=slot_id,
        module_id=kind.module_id,
        template_id=template.template_id,
        title=title,
        reason=reason,
        is_explored=is_explored,
        is_ad=kind.is_ad,
        family=kind.family,
        column_count=template.columns.get(device, 1),
    )
    begin = token_pb2.TrackingToken(slot_id=slot_id, module_id=kind.module_id, family=kind.family)
    end = token_pb2.TrackingToken(category=kind.about)
    return slot.SerializeToString(), begin.SerializeToString(), end.SerializeToString()


_kept_plain = lru_cache(_MAX_KEPT_COUNT)(_plain)
"""Many pages have the same ones."""


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


def _answer(module: Module, request: PageRequest, relevance: float) -> bytes:
    """A Slot with an answer alone."""
    found, locale = request.configuration.answers.by_module_id[module.module_id], request.context.locale
    label = blueprint.text(found.action_labels, locale)
    answer = layout_pb2.Answer(
        answer_id=found.answer_id,
        text=blueprint.text(found.texts, locale),
        action_label=label,
        action_link=found.action_link if label else "",
        relevance=relevance,
        topic=found.topic,
    )
    return layout_pb2.Slot(answer=answer).SerializeToString()


def _title(module: Module, request: PageRequest, language: str) -> str:
    title = blueprint.text_in(module.titles, language)
    if "{" not in title:
        return title
    names = request.configuration.blueprints.category_names.get(module.category, {})
    category = blueprint.text_in(names, language) or module.category
    return title.replace("{category}", category).replace("{query}", request.context.query)


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
    expected, rows, item_ids = page.predictions, decision.rows[:], page.item_ids
    click = expected.click[rows].tolist() if expected is not None else [0.0] * len(rows)
    purchase = expected.purchase[rows].tolist() if expected is not None else [0.0] * len(rows)
    return events_pb2.ExposedSlot(
        slot_id=decision.slot_id,
        module_id=decision.module_id,
        template_id=decision.template_id,
        family=page.modules[decision.module_id].family,
        items=[
            events_pb2.ExposedItem(
                item_id=item_ids[row],
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
