"""How is a page made again from its log: what the rules saw, packed when it was served and read later?"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import ranking_pb2
from planogram.policy.v1 import policy_pb2
from services.common.tensors import from_tensor, to_tensor
from services.layout import admission, planning, ranking
from services.layout.admission import PageRequest, PageView
from services.layout.configuration import Configuration
from services.layout.ranking import Predictions, Ranked
from services.layout.rules.document import Rules
from services.layout.tokens import digests_of, joined

_LEVEL = 1
"""Of zlib: a page of 300 candidates shrinks to a fifth; more effort gains little."""


def pack(
    request: PageRequest,
    gathered: feature_pb2.GatherPageResponse,
    expected: Predictions | None,
    promise_factors: Mapping[str, float],
    is_hurried: bool,
) -> ranking_pb2.RankingInputs:
    """What the rules saw of a page.

    Args:
        expected: the click model's predictions; None where it did not answer.
    """
    inputs = ranking_pb2.RankingInputs(
        blueprint=request.blueprint.name,
        caller_modules=request.caller_modules,
        slot_count=request.slot_count,
        is_continued=request.is_continued,
        shown_module_ids=sorted(request.shown_module_ids),
        shown_item_digests=joined(request.shown_item_digests),
        item_ids=gathered.item_ids,
        modules=gathered.modules,
        item_facts=gathered.item_facts,
        promise_factors=promise_factors,
        is_hurried=is_hurried,
        past=gathered.past,
        answers=[
            ranking_pb2.OfferedAnswer(
                answer_id=each.answer.answer_id, relevance=each.relevance, topic=each.topic
            )
            for each in request.offered
        ],
    )
    if expected is not None:
        inputs.click_probability.CopyFrom(to_tensor(expected.click))
        inputs.purchase_probability.CopyFrom(to_tensor(expected.purchase))
    return inputs


def deflate(inputs: ranking_pb2.RankingInputs) -> bytes:
    """As an exposure holds it; takes about half a millisecond, mostly without the interpreter's lock."""
    return zlib.compress(inputs.SerializeToString(), _LEVEL)


def inflate(content: bytes) -> ranking_pb2.RankingInputs | None:
    """What `deflate` made; None of anything else."""
    try:
        return ranking_pb2.RankingInputs.FromString(zlib.decompress(content)) if content else None
    except (zlib.error, DecodeError):
        return None


@dataclass(frozen=True, slots=True)
class Replay:
    """A logged page, ready to be ranked again under the rules of its time, or others."""

    view: PageView
    gathered: feature_pb2.GatherPageResponse
    expected: Predictions
    promise_factors: Mapping[str, float]
    is_hurried: bool
    logged: policy_pb2.PlanPageRequest

    @classmethod
    def of(cls, exposure: events_pb2.Exposure, configuration: Configuration) -> Replay | None:
        """From a page's log and the configuration of its time; None where the log does not hold enough."""
        inputs = inflate(exposure.ranking_inputs)
        blueprint = configuration.blueprints.by_name.get(inputs.blueprint) if inputs is not None else None
        if inputs is None or blueprint is None or not exposure.plan_request:
            return None
        logged = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
        context = exposure.context
        # As logged: an index of another version of its library may match otherwise.
        offered = configuration.answers.again(
            (each.answer_id, each.relevance, each.topic) for each in inputs.answers
        )
        modules = admission.modules_of(
            blueprint,
            inputs.caller_modules,
            context,
            configuration.blueprints,
            inputs.shown_module_ids,
            offered,
        )
        count = inputs.slot_count if inputs.HasField("slot_count") else None
        view = PageView(
            configuration=configuration,
            blueprint=blueprint,
            modules=modules,
            slots=admission.slots_of(blueprint, count, context, offered, inputs.is_continued),
            offered=offered,
            context=context,
            is_continued=inputs.is_continued,
            shown_item_digests=digests_of(inputs.shown_item_digests),
        )
        gathered = feature_pb2.GatherPageResponse(
            item_ids=inputs.item_ids,
            modules=inputs.modules,
            item_facts=inputs.item_facts,
            session=logged.session,
            past=inputs.past,
        )
        click = purchase = None
        if inputs.HasField("click_probability"):
            click = from_tensor(inputs.click_probability, "click_probability")
            purchase = from_tensor(inputs.purchase_probability, "purchase_probability")
        expected = ranking.predictions(inputs.item_facts, view.time_s, click, purchase)
        return cls(view, gathered, expected, dict(inputs.promise_factors), inputs.is_hurried, logged)

    def ranked(self, rules: Rules | None = None) -> Ranked:
        """Every module's items under the rules of the page's time, or under others."""
        view = self.view
        if rules is not None:
            view = replace(view, configuration=replace(view.configuration, rules=rules))
        return ranking.rank(view, self.gathered, self.expected, self.promise_factors, self.is_hurried)

    def plan_request(self, ranked: Ranked) -> policy_pb2.PlanPageRequest:
        """What the policy would be asked; of the log's request, what rules have no part in."""
        question = planning.request(self.view, self.gathered.session, ranked)
        if self.logged.HasField("exploration"):
            question.exploration.CopyFrom(self.logged.exploration)
        question.seed = self.logged.seed
        if self.logged.HasField("policy_version"):
            question.policy_version = self.logged.policy_version
        return question
