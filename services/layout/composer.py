"""How does a page come about? `Composer.compose` is the drawing of the system, read top to bottom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2, ranking_pb2
from planogram.policy.v1 import policy_pb2
from services.common import log
from services.common.callers import Caller
from services.common.client import UpstreamError
from services.layout import fallback, metrics, page, planning, previews, ranking, replay, upstreams
from services.layout.admission import Admission, PageRequest
from services.layout.configuration import LiveConfiguration
from services.layout.deadline import Deadline
from services.layout.event_log import EventLog
from services.layout.fallback import LastGood
from services.layout.promises import Promises
from services.layout.quality import Quality
from services.layout.ranking import Predictions, Ranked
from services.layout.repeats import Repeats
from services.layout.rules import discretion
from services.layout.upstreams import ModelDirectory, Upstreams

_Fallback = layout_pb2.Fallback


@dataclass(slots=True)
class Progress:
    """What became of one page so far: versions behind it, and what did not answer."""

    deadline: Deadline
    versions: layout_pb2.Versions
    quality: float = 1.0
    """Share of the candidates that it asks for."""
    is_hurried: bool = False
    """True where costly stages are left out."""
    is_cut_short: bool = False
    """True where a service did not answer in time."""
    wanted: Mapping[str, str] = field(default_factory=dict)
    """Encodings that click models read, the best first, each with its model's version."""
    degraded: list[layout_pb2.Degradation] = field(default_factory=list)

    def degrade(self, error: UpstreamError, instead: layout_pb2.Fallback) -> None:
        """Notes that an upstream did not answer, and what the page used instead."""
        self.degraded.append(
            layout_pb2.Degradation(upstream=error.upstream, reason=error.reason, fallback=instead)
        )
        self.is_cut_short |= error.is_late
        metrics.DEGRADED_PAGES.labels(error.upstream, _Fallback.Name(instead)).inc()


@dataclass(frozen=True, slots=True)
class Screen:
    """Where the first slots of a page go before the rest is made."""

    slot_count: int
    send: Callable[[layout_pb2.Page], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes pages out of three services, a configuration and a log."""

    configuration: LiveConfiguration
    admission: Admission
    services: Upstreams
    models: ModelDirectory
    last_good: LastGood
    event_log: EventLog
    promises: Promises
    quality: Quality = field(default_factory=Quality)
    repeats: Repeats = field(default_factory=Repeats)

    async def compose(
        self,
        message: layout_pb2.ComposePageRequest,
        request_id: str,
        caller: Caller,
        remaining_s: float,
        screen: Screen | None = None,
    ) -> layout_pb2.Page:
        """One page view, from the backend's question to its answer.

        Args:
            screen: takes the first slots as soon as they are decided.

        Raises:
            ServiceError: for what is the caller's mistake; failures of other services never raise.
        """
        deadline = Deadline.after(remaining_s)
        configuration = await previews.configuration_for(
            message.overrides.configuration, caller, self.configuration
        )
        progress = Progress(
            deadline,
            layout_pb2.Versions(blueprint=configuration.version),
            quality=self.quality.factor,
            is_hurried=self.quality.is_hurried,
        )
        request = self.admission.admit(message, request_id, caller, configuration)
        if request.is_preview:
            return await self._compose(request, progress, screen)
        return await self.repeats.page(request.page_id, lambda: self._compose(request, progress, screen))

    async def _compose(
        self, request: PageRequest, progress: Progress, screen: Screen | None
    ) -> layout_pb2.Page:
        progress.wanted = self.models.wanted(request.scoring_version)
        gathered = await self._gather(request, progress)
        expected = await self._score(request, gathered, progress)
        promise_factors = self.promises.factors
        ranked = ranking.rank(request, gathered, expected, promise_factors, progress.is_hurried)
        decided = await self._plan(request, gathered, ranked, progress)
        answered = await self._answer(decided, progress, screen)
        if request.is_preview:
            answered.is_exposure_unlogged = True
            return answered
        # The click model's own predictions; what stood in for them follows from the candidates.
        scored = expected if progress.versions.scoring else None
        inputs = replay.pack(request, gathered, scored, promise_factors, progress.is_hurried)
        self._record(decided, answered, inputs)
        self.quality.note(progress.deadline, progress.is_cut_short)
        return answered

    async def _gather(self, request: PageRequest, progress: Progress) -> feature_pb2.GatherPageResponse:
        """Candidates, features and session; an earlier page's candidates where there is no answer."""
        try:
            response = await upstreams.gather(
                self.services.feature,
                lambda: self._gather_question(request, progress),
                progress.deadline.timeout_s("gather"),
            )
        except UpstreamError as error:
            kept = self.last_good.find(request)
            instead = _Fallback.FALLBACK_STATIC_PAGE if kept is None else _Fallback.FALLBACK_CACHED_CANDIDATES
            progress.degrade(error, instead)
            response = kept or feature_pb2.GatherPageResponse()
        else:
            if not request.is_preview:
                self.last_good.keep(request, response)
        sensitive = request.configuration.rules.sensitive(request.context)
        if sensitive:
            known = request.configuration.blueprints.by_name.values()
            every = (module for blueprint in known for module in blueprint.modules)
            discretion.withhold(response, sensitive, request.modules, every)
        progress.versions.snapshot = response.snapshot_version
        return response

    def _gather_question(self, request: PageRequest, progress: Progress) -> feature_pb2.GatherPageRequest:
        leading = request.configuration.rules.leading(request.context)
        return feature_pb2.GatherPageRequest(
            shopper=request.shopper,
            context=page.context_without_question(request.context),
            modules=[
                feature_pb2.ModuleRequest(
                    module_id=module.module_id,
                    source=module.source,
                    limit=self.quality.candidate_count(module.candidate_count, module.largest_count),
                    category=module.category,
                    item_ids=module.item_ids or leading.get(module.module_id, ()),
                )
                for module in request.modules
            ],
            schema_fingerprints=progress.wanted,
        )

    async def _score(
        self, request: PageRequest, gathered: feature_pb2.GatherPageResponse, progress: Progress
    ) -> Predictions:
        """What the click model expects of every candidate; popularity where there is no answer."""
        click = purchase = None
        if gathered.item_ids:
            try:
                features = upstreams.features_for_scoring(
                    gathered, progress.wanted, is_answer=not progress.degraded
                )
                # By name: another version, of another encoding, may become current at any moment.
                scores = await upstreams.score(
                    self.services.scoring,
                    features,
                    len(gathered.item_ids),
                    progress.wanted[features.schema_fingerprint],
                    progress.deadline.timeout_s("score"),
                )
                click, purchase = scores.click, scores.purchase
                progress.versions.scoring = scores.model_version
            except UpstreamError as error:
                progress.degrade(error, _Fallback.FALLBACK_POPULAR_ORDER)
                self.models.refresh()
        return ranking.predictions(gathered.item_facts, request.time_s, click, purchase)

    async def _plan(
        self,
        request: PageRequest,
        gathered: feature_pb2.GatherPageResponse,
        ranked: Ranked,
        progress: Progress,
    ) -> page.Decided:
        """A module, a template and items for every slot; the shop's own order where there is no answer."""
        # Where nothing can stand, there is nothing to ask.
        question = self._plan_question(request, gathered, ranked) if ranked.slots else None
        decisions: list[policy_pb2.SlotDecision] = []
        exploration = None
        if question is not None and question.slots:
            try:
                response = await upstreams.plan(
                    self.services.policy, question, progress.deadline.timeout_s("plan")
                )
                decisions, exploration = list(response.slots), response.exploration
                progress.versions.policy = response.policy_version
            except UpstreamError as error:
                progress.degrade(error, _Fallback.FALLBACK_EDITORIAL_ORDER)
                decisions = fallback.editorial_plan(question)
        ranking.note_plan(ranked, decisions)
        is_static = not decisions
        # Below the last module that can stand is the end, unless feature did not answer at all.
        is_end = is_static and request.is_continued and not progress.degraded
        features = gathered.feature_sets[0] if gathered.feature_sets and not is_static else None
        return page.Decided(
            request=request,
            decisions=fallback.static_plan(request) if is_static and not is_end else decisions,
            ranked=ranked,
            predictions=None if is_static else ranked.predictions,
            session=gathered.session,
            plan_request=question if progress.versions.policy else None,
            exploration=exploration,
            features=features,
            versions=progress.versions,
            degraded=progress.degraded,
            key_epoch=self.admission.pseudonyms.epoch,
        )

    def _plan_question(
        self, request: PageRequest, gathered: feature_pb2.GatherPageResponse, ranked: Ranked
    ) -> policy_pb2.PlanPageRequest:
        question = planning.request(request, gathered.session, ranked)
        question.seed = request.seed
        if request.policy_version:
            question.policy_version = request.policy_version
        if request.is_greedy:
            question.exploration.mode = policy_pb2.EXPLORATION_MODE_GREEDY
        return question

    async def _answer(
        self, decided: page.Decided, progress: Progress, screen: Screen | None
    ) -> layout_pb2.Page:
        """The page as the backend gets it; its first screen before the rest is made."""
        answered = page.head(decided)
        answered.quality = progress.quality
        signer, done_count = self.admission.signer, 0
        if screen is not None:
            done_count = screen.slot_count
            first = layout_pb2.Page()
            first.CopyFrom(answered)
            slots = page.slots(decided, signer, end=done_count)
            first.MergeFromString(slots)
            await screen.send(first)
            answered.MergeFromString(slots)
        answered.MergeFromString(page.slots(decided, signer, first=done_count))
        answered.cursor = page.cursor(decided, signer)
        return answered

    def _record(
        self, decided: page.Decided, answered: layout_pb2.Page, inputs: ranking_pb2.RankingInputs
    ) -> None:
        """Logs the exposure without waiting for the disk."""
        answered.is_exposure_unlogged = not self.event_log.offer(
            page.exposure(decided), lambda: replay.deflate(inputs)
        )
        log.annotate(
            page_id=answered.page_id,
            scoring=answered.versions.scoring,
            policy=answered.versions.policy,
            degraded=[f"{entry.upstream}: {entry.reason}" for entry in answered.degraded],
        )
        for effect in answered.rule_effects:
            metrics.RULE_EFFECTS.labels(effect.rule, effect.action).inc()
        for conflict in answered.rule_conflicts:
            metrics.RULE_CONFLICTS.labels(conflict.rules[0] if conflict.rules else "").inc()
            log.annotate(rule_conflict=conflict.problem)
        if answered.is_exposure_unlogged:
            metrics.UNLOGGED_EXPOSURES.inc()
