"""How do the calls of the layout service reach its core?"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2
from services.common import boundary, log
from services.common.client import UpstreamError
from services.common.errors import DeadlineTooShort, InvalidRequest, NotReady
from services.layout import admission, events, receipts
from services.layout.composer import Composer, Screen
from services.layout.event_log import EventLog
from services.layout.relay import Relay

MIN_DEADLINE_S = 0.004
FIRST_SLOT_COUNT = 2
FORGET_TIMEOUT_S = 30.0
"""Feature looks through its whole store for what is left."""


@dataclass(frozen=True, slots=True)
class LayoutServicer:
    """Serves planogram.layout.v1.LayoutService."""

    composer: Composer
    relay: Relay
    default_deadline_s: float
    profile_wait_s: float
    export_folder: Path

    async def ComposePage(
        self, request: layout_pb2.ComposePageRequest, context: Any
    ) -> layout_pb2.ComposePageResponse:
        return layout_pb2.ComposePageResponse(page=await self._page(request, context, None))

    async def StreamPage(self, request: layout_pb2.StreamPageRequest, context: Any) -> None:
        count = request.first_slot_count if request.HasField("first_slot_count") else FIRST_SLOT_COUNT
        if not 1 <= count <= admission.MAX_SLOTS:
            raise InvalidRequest("first_slot_count", count, f"1 to {admission.MAX_SLOTS}")
        sent = 0

        async def send(page: layout_pb2.Page) -> None:
            nonlocal sent
            sent = len(page.slots)
            await context.write(layout_pb2.StreamPageResponse(page=page))

        page = await self._page(request.page, context, Screen(count, send))
        rest = layout_pb2.StreamPageResponse(page=page, is_last=True)
        del rest.page.slots[:sent]
        await context.write(rest)

    async def _page(
        self, request: layout_pb2.ComposePageRequest, context: Any, screen: Screen | None
    ) -> layout_pb2.Page:
        remaining_s = context.time_remaining()
        if remaining_s is None:
            remaining_s = self.default_deadline_s
        if remaining_s < MIN_DEADLINE_S:
            raise DeadlineTooShort(
                f"deadline: {1e3 * remaining_s:.1f} ms were left, want {1e3 * MIN_DEADLINE_S:.0f} ms "
                "or more; 25 ms bring a full page"
            )
        return await self.composer.compose(
            request, boundary.request_id(), boundary.caller(), remaining_s, screen
        )

    async def RecordEvents(
        self, request: layout_pb2.RecordEventsRequest, context: Any
    ) -> layout_pb2.RecordEventsResponse:
        admitted = self.composer.admission
        accepted = events.accept(
            request, admitted.signer, admitted.pseudonyms, time.time(), admitted.token_ttl_s
        )
        stored = await self.composer.event_log.append(accepted)
        log.annotate(stored=stored.stored_count, duplicates=stored.duplicate_count)
        if stored.stored_count:
            self.relay.wake()
            if any(event.shopper_key for event in accepted):
                await self.relay.wait_for(stored.last_sequence, self.profile_wait_s)
        return layout_pb2.RecordEventsResponse(
            stored_count=stored.stored_count, duplicate_count=stored.duplicate_count
        )

    async def ForgetShopper(
        self, request: layout_pb2.ForgetShopperRequest, context: Any
    ) -> layout_pb2.ForgetShopperResponse:
        admission.check_text("user_id", request.user_id, 1, 128)
        # The log first: what is left in it could bring a deleted profile back.
        keys = self.composer.admission.pseudonyms.of_every_epoch("shopper", request.user_id)
        # What is logged may be ahead of the clock by as much as its caller's clock may be.
        until_us = round((time.time() + admission.MAX_AHEAD_S) * 1e6)
        event_log = self.composer.event_log
        self.composer.repeats.clear()  # pages name no shopper that could be looked for, but their tokens do
        deleted = await event_log.forget(keys, until_us)
        await asyncio.to_thread(_forget_in_exports, event_log, self.export_folder)
        question = feature_pb2.ForgetShopperRequest(user_id=request.user_id)
        try:
            await self.composer.services.feature.upstream.call("ForgetShopper", question, FORGET_TIMEOUT_S)
        except UpstreamError as error:
            raise NotReady(
                f"the log is clean, the profile is not: feature: {error.reason}; call again"
            ) from None
        return layout_pb2.ForgetShopperResponse(deleted_count=deleted)

    async def ExplainPage(
        self, request: layout_pb2.ExplainPageRequest, context: Any
    ) -> layout_pb2.ExplainPageResponse:
        admission.check_text("page_id", request.page_id, 1, 64)
        return await receipts.receipt(
            request, self.composer.event_log, self.composer.services, self.composer.configuration
        )

    async def GetConfiguration(
        self, request: layout_pb2.GetConfigurationRequest, context: Any
    ) -> layout_pb2.GetConfigurationResponse:
        live = self.composer.configuration
        version = live.current.version
        files = await asyncio.to_thread(live.files, version)
        return layout_pb2.GetConfigurationResponse(version=version, files=files)


def _forget_in_exports(event_log: EventLog, folder: Path) -> None:
    from planogram.files.log import LogFileError  # pyarrow takes a second to import; few calls need it
    from services.layout.export import forget_in

    try:
        forget_in(event_log.folder, folder, f"layout-{event_log.path.stem}")
    except (OSError, LogFileError) as error:
        raise NotReady(f"the log is clean, its exports are not: {error}; call again") from None
