"""How do FeatureService's messages become questions to the core, and its answers messages?"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from services.common import log
from services.common.errors import Incompatible, InvalidRequest, NotFound
from services.common.executor import BoundedExecutor
from services.common.pseudonyms import Pseudonyms
from services.common.written import Written
from services.feature import checks
from services.feature.columns import ITEM_FEATURES, SHOPPER_FEATURES, Value, default_like
from services.feature.items import schema
from services.feature.items.live import ItemChange, LiveItems
from services.feature.items.schema import Encoding
from services.feature.pages import answer
from services.feature.pages.candidates import ModuleQuery
from services.feature.pages.gathering import PageQuery, gather
from services.feature.reviews.pulse import ReviewPulse, in_words
from services.feature.shoppers.acts import REVIEW, ShopperEvent
from services.feature.shoppers.known import Known, session_message
from services.feature.shoppers.portrait import portrait
from services.feature.shoppers.profile import Profile, recently_viewed, view
from services.feature.shoppers.reading import ProfileReader
from services.feature.shoppers.updating import Counts, ProfileUpdater, profile_of
from services.feature.storage.store import PROFILE, Row, Store


class FeatureServicer:
    """FeatureService over a store, the items that serve and the updater of profiles."""

    def __init__(
        self,
        *,
        store: Store,
        items: LiveItems,
        updater: ProfileUpdater,
        pulse: ReviewPulse,
        readers: BoundedExecutor,
        writer: BoundedExecutor,
        pseudonyms: Pseudonyms,
        read_timeout_s: float,
    ) -> None:
        self._store = store
        self._items = items
        self._updater = updater
        self._pulse = pulse
        self._readers = readers
        self._profiles = ProfileReader(store, readers)
        self._writer = writer
        self._pseudonyms = pseudonyms
        self._read_timeout_s = read_timeout_s

    async def GatherPage(
        self, request: feature_pb2.GatherPageRequest, context: Any
    ) -> Written[feature_pb2.GatherPageResponse]:
        modules = checks.check_page(request)
        encodings = served_encodings(tuple(request.schema_fingerprints))
        now = checks.page_time(request.context)
        known, is_stale = await self._profile_for_page(request.shopper, now, self._patience_s(context))
        generation = self._items.current
        gathered = gather(generation, known, self._page_query(request, modules, now, encodings))
        log.annotate(snapshot=generation.version, items=len(gathered.rows), stale_profile=is_stale)
        # What is common to pages was written before.
        own = generation.facts.describe(gathered.rows[len(gathered.common.rows) :])
        parts: list[Any] = [gathered.common.described, own, *gathered.modules]
        for fingerprint, features in gathered.features.items():
            parts += answer.feature_set(fingerprint, features.shopper, features.item)
        purchased, dismissed = gathered.past
        rest = feature_pb2.GatherPageResponse(
            past={
                "purchased_rows": purchased.keys(),
                "purchased_unix_s": purchased.values(),
                "dismissed_rows": dismissed.keys(),
                "dismissed_unix_s": dismissed.values(),
            },
            snapshot_version=generation.version,
            snapshot_age_s=max(time.time() - generation.built_s, 0.0),
            is_profile_stale=is_stale,
        )
        parts += (answer.session(gathered.session), rest.SerializeToString())
        return Written(feature_pb2.GatherPageResponse.FromString, b"".join(parts))

    async def GetFeatures(
        self, request: feature_pb2.GetFeaturesRequest, context: Any
    ) -> feature_pb2.GetFeaturesResponse:
        if request.entity == feature_pb2.ENTITY_ITEM:
            checks.check_features(request, tuple(ITEM_FEATURES))
            return self._item_features(request)
        if request.entity == feature_pb2.ENTITY_SHOPPER:
            checks.check_features(request, tuple(SHOPPER_FEATURES))
            return await self._shopper_features(request)
        raise InvalidRequest("entity", request.entity, "ENTITY_SHOPPER or ENTITY_ITEM")

    async def GetProfile(
        self, request: feature_pb2.GetProfileRequest, context: Any
    ) -> feature_pb2.GetProfileResponse:
        checks.check_user(request.user_id)
        key = self._pseudonyms.of("shopper", request.user_id)
        profile = profile_of((await self._read([key]))[0])
        if profile is None:
            raise NotFound("no profile is stored for this user_id")
        response = feature_pb2.GetProfileResponse(
            session=session_message(view(profile, profile.session.key)),
            recent_item_ids=recently_viewed(profile),
        )
        response.updated.FromMicroseconds(profile.updated_us)
        for line in portrait(profile):
            response.lines.add(
                subject=line.subject, text=line.text, value=line.value, evidence_count=line.evidence_count
            )
        return response

    async def UpdateProfiles(
        self, request: feature_pb2.UpdateProfilesRequest, context: Any
    ) -> feature_pb2.UpdateProfilesResponse:
        checks.check_events(request.events)
        by_shopper: dict[str, list[ShopperEvent]] = defaultdict(list)
        reviews, ignored = [], 0
        for event in request.events:
            if event.type == REVIEW:
                reviews.append(event)  # of the item, whoever wrote it: no part of a profile
            elif event.shopper_key:
                by_shopper[event.shopper_key].append(shopper_event(event))
            else:
                ignored += 1
        counts = await self._updater.update(by_shopper) if by_shopper else Counts()
        taken = await self._pulse.take(reviews)  # texts take longer to read, and no profile waits for that
        log.annotate(applied=counts.applied, duplicates=counts.duplicate, reviews=taken.counted)
        return feature_pb2.UpdateProfilesResponse(
            applied_count=counts.applied,
            duplicate_count=counts.duplicate + taken.duplicate,
            ignored_count=ignored + counts.ignored + taken.ignored,
            review_count=taken.counted,
        )

    async def UpdateItems(
        self, request: feature_pb2.UpdateItemsRequest, context: Any
    ) -> feature_pb2.UpdateItemsResponse:
        checks.check_items(request.items)
        changes = [
            ItemChange(
                item.item_id,
                item.price_micros if item.HasField("price_micros") else None,
                item.stock if item.HasField("stock") else None,
                item.is_active if item.HasField("is_active") else None,
                item.is_under_review if item.HasField("is_under_review") else None,
            )
            for item in request.items
        ]
        applied = await self._writer.submit(self._items.update, changes, time.time_ns() // 1_000)
        return feature_pb2.UpdateItemsResponse(
            applied_count=applied.count,
            unknown_item_ids=applied.unknown_ids,
            snapshot_version=applied.version,
        )

    async def ListReviewAlarms(
        self, request: feature_pb2.ListReviewAlarmsRequest, context: Any
    ) -> feature_pb2.ListReviewAlarmsResponse:
        response = feature_pb2.ListReviewAlarmsResponse()
        for alarm in await self._pulse.alarms():
            surge = alarm.surge
            added = response.alarms.add(
                item_id=alarm.item_id,
                bad_count=surge.bad_count,
                review_count=surge.review_count,
                usual_share=surge.usual_share,
                text=in_words(surge),
            )
            added.raised.FromMicroseconds(surge.raised_us)
            added.since.FromMicroseconds(surge.since_us)
        return response

    async def ForgetShopper(
        self, request: feature_pb2.ForgetShopperRequest, context: Any
    ) -> feature_pb2.ForgetShopperResponse:
        checks.check_user(request.user_id)
        was_present = False
        for key in self._pseudonyms.of_every_epoch("shopper", request.user_id):
            was_present |= await self._updater.forget(key)
        return feature_pb2.ForgetShopperResponse(was_present=was_present)

    def _patience_s(self, context: Any) -> float:
        """How long to wait for a profile: half of the call's time at most, so that an answer is in time."""
        remaining_s = context.time_remaining()
        return self._read_timeout_s if remaining_s is None else min(self._read_timeout_s, remaining_s / 2)

    async def _profile_for_page(
        self, shopper: context_pb2.Shopper, now: datetime, patience_s: float
    ) -> tuple[Known | None, bool]:
        """What is known, where consent allows one; and whether reading it failed or took too long."""
        if shopper.consent != context_pb2.CONSENT_GRANTED or not shopper.user_id:
            return None, False
        return await self._profiles.read(self._pseudonyms.of("shopper", shopper.user_id), now, patience_s)

    async def _read(self, keys: Sequence[str]) -> Sequence[Row | None]:
        return await self._readers.submit(self._store.read, PROFILE, keys, datetime.now(UTC))

    def _page_query(
        self,
        request: feature_pb2.GatherPageRequest,
        modules: Sequence[ModuleQuery],
        now: datetime,
        encodings: Sequence[Encoding],
    ) -> PageQuery:
        page = request.context
        return PageQuery(
            session_key=self._pseudonyms.of("session", request.shopper.session_id),
            page_type=page.page_type,
            device=page.device,
            now=now,
            modules=modules,
            query=page.query,
            item_id=page.item_id,
            cart_item_ids=page.cart_item_ids,
            encodings=encodings,
        )

    def _item_features(self, request: feature_pb2.GetFeaturesRequest) -> feature_pb2.GetFeaturesResponse:
        generation = self._items.current
        names = list(request.features) or list(ITEM_FEATURES)
        response = feature_pb2.GetFeaturesResponse(features=names)
        for item_id, row in zip(request.ids, generation.rows_of(request.ids).tolist(), strict=True):
            values = (
                [ITEM_FEATURES[name](generation, max(row, 0)) for name in names] if generation.count else []
            )
            _add_row(response, item_id, row >= 0, values)
        return response

    async def _shopper_features(
        self, request: feature_pb2.GetFeaturesRequest
    ) -> feature_pb2.GetFeaturesResponse:
        names = list(request.features) or list(SHOPPER_FEATURES)
        response = feature_pb2.GetFeaturesResponse(features=names)
        keys = [self._pseudonyms.of("shopper", user_id) for user_id in request.ids]
        for user_id, row in zip(request.ids, await self._read(keys), strict=True):
            profile = profile_of(row)
            values = [SHOPPER_FEATURES[name](profile or Profile()) for name in names]
            _add_row(response, user_id, profile is not None, values)
        return response


@lru_cache(maxsize=64)
def served_encodings(wanted: Sequence[str]) -> tuple[Encoding, ...]:
    """The wanted encodings that are served, in the order wanted.

    Raises:
        Incompatible: where some are wanted and none is served.
    """
    served = {encoding.fingerprint: encoding for encoding in schema.SERVED}
    found = [served[fingerprint] for fingerprint in dict.fromkeys(wanted) if fingerprint in served]
    if wanted and not found:
        raise Incompatible(
            f"schema_fingerprints: none of {', '.join(wanted)} is served; served: {', '.join(served)}"
        )
    return tuple(found)


def shopper_event(event: events_pb2.Event) -> ShopperEvent:
    """What a profile needs to know of a wire event."""
    return ShopperEvent(
        event.event_id,
        event.time.ToMicroseconds(),
        event.type,
        event.session_key,
        event.page_id,
        event.module_id,
        event.family,
        event.category,
        event.item_id,
        event.rating,
        event.sequence,
    )


def _add_row(
    response: feature_pb2.GetFeaturesResponse, identifier: str, is_present: bool, values: Sequence[Value]
) -> None:
    row = response.rows.add(id=identifier, is_present=is_present)
    for value in values:
        shown = value if is_present else default_like(value)
        row.values.append(_feature_value(shown, like=value))


def _feature_value(value: Value, like: Value) -> feature_pb2.FeatureValue:
    if isinstance(value, str):
        return feature_pb2.FeatureValue(text=value)
    if isinstance(value, int):
        return feature_pb2.FeatureValue(integer=value)
    if isinstance(value, float):
        return feature_pb2.FeatureValue(number=value)
    # An empty list of texts and one of numbers look alike; `like` says which it is.
    if any(isinstance(one, str) for one in (*value, *(like if isinstance(like, list) else ()))):
        return feature_pb2.FeatureValue(texts=feature_pb2.TextList(values=[str(one) for one in value]))
    return feature_pb2.FeatureValue(numbers=feature_pb2.NumberList(values=[float(one) for one in value]))
