"""How does a backend compose pages and report what shoppers do, from threads or from asyncio?"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import grpc

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.layout.v1 import layout_pb2, layout_pb2_grpc

COMPOSE_DEADLINE_S = 0.25
RECORD_DEADLINE_S = 2.0

# Retried by gRPC itself, within the deadline: a layout process that restarts costs no page.
_SERVICE_CONFIG = """{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [{"service": "planogram.layout.v1.LayoutService"}],
    "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.02s", "maxBackoff": "0.2s",
                    "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}
  }]
}"""
_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),
)


class LayoutError(Exception):
    """A call that was refused or did not end well.

    Attributes:
        code: the gRPC status; INVALID_ARGUMENT is a mistake of yours, and never worth a retry.
        details: what the service said; for INVALID_ARGUMENT the field, the value and the limit.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self.code, self.details = code, details
        super().__init__(f"{code.name}: {details}")


class LayoutClient:
    """Blocking client; one per process, safe to share among threads."""

    def __init__(
        self, target: str, token: str = "", credentials: grpc.ChannelCredentials | None = None
    ) -> None:
        """
        Args:
            target: host:port of the layout service; a DNS name is balanced over its addresses.
            token: caller token, where the service wants one.
            credentials: of `grpc.ssl_channel_credentials`; None is plaintext.
        """
        self._channel = (
            grpc.secure_channel(target, credentials, _OPTIONS)
            if credentials
            else grpc.insecure_channel(target, _OPTIONS)
        )
        self._stub = layout_pb2_grpc.LayoutServiceStub(self._channel)
        self._token = token

    def compose(
        self,
        request: layout_pb2.ComposePageRequest,
        deadline_s: float = COMPOSE_DEADLINE_S,
        request_id: str = "",
        default: layout_pb2.Page | None = None,
    ) -> layout_pb2.Page:
        """The page for one view.

        Args:
            deadline_s: 0.025 or more brings a full page.
            request_id: yours, to find the page in all logs; made where it is empty.
            default: what to return in place of raising when there is no answer in time.

        Raises:
            LayoutError: for a mistake in the request, and for every failure without a default.
        """
        metadata = _metadata(self._token, request_id)
        try:
            return self._stub.ComposePage(request, timeout=deadline_s, metadata=metadata).page  # type: ignore[no-any-return]
        except grpc.RpcError as error:
            return _default_or_raise(error, default)

    def compose_in_parts(
        self,
        request: layout_pb2.ComposePageRequest,
        first_slot_count: int = 2,
        deadline_s: float = COMPOSE_DEADLINE_S,
        request_id: str = "",
    ) -> Iterator[layout_pb2.Page]:
        """The same page: its first slots as soon as they are decided, then the rest.

        Raises:
            LayoutError: what came before may be shown.
        """
        question = layout_pb2.StreamPageRequest(page=request, first_slot_count=first_slot_count)
        metadata = _metadata(self._token, request_id)
        try:
            for part in self._stub.StreamPage(question, timeout=deadline_s, metadata=metadata):
                yield part.page
        except grpc.RpcError as error:
            raise _error(error) from None

    def record(
        self, events: Sequence[layout_pb2.ShopperEvent], deadline_s: float = RECORD_DEADLINE_S
    ) -> layout_pb2.RecordEventsResponse:
        """Stores what shoppers did; when it returns, the events are on disk.

        Raises:
            LayoutError: nothing was lost by calling again with the same events.
        """
        request = layout_pb2.RecordEventsRequest(events=events)
        try:
            return self._stub.RecordEvents(  # type: ignore[no-any-return]
                request, timeout=deadline_s, metadata=_metadata(self._token, "")
            )
        except grpc.RpcError as error:
            raise _error(error) from None

    def impressions(self, slots: Iterable[layout_pb2.Slot]) -> layout_pb2.RecordEventsResponse:
        """Reports slots that came into view."""
        return self.record([impression(slot) for slot in slots])

    def click(self, item: layout_pb2.Item) -> layout_pb2.RecordEventsResponse:
        """Reports a click on an item of a page."""
        return self.record([item_event(item, events_pb2.EVENT_TYPE_CLICK)])

    def explain(
        self, page_id: str, has_attributions: bool = False, has_shadow_prices: bool = False
    ) -> layout_pb2.ExplainPageResponse:
        """The receipt of a page; needs the admin role."""
        request = layout_pb2.ExplainPageRequest(
            page_id=page_id, has_attributions=has_attributions, has_shadow_prices=has_shadow_prices
        )
        try:
            return self._stub.ExplainPage(  # type: ignore[no-any-return]
                request, timeout=RECORD_DEADLINE_S, metadata=_metadata(self._token, "")
            )
        except grpc.RpcError as error:
            raise _error(error) from None

    def configuration(self) -> layout_pb2.GetConfigurationResponse:
        """The files in force, and their version; needs the admin role."""
        request = layout_pb2.GetConfigurationRequest()
        try:
            return self._stub.GetConfiguration(  # type: ignore[no-any-return]
                request, timeout=RECORD_DEADLINE_S, metadata=_metadata(self._token, "")
            )
        except grpc.RpcError as error:
            raise _error(error) from None

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> LayoutClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncLayoutClient:
    """Client for asyncio; one per process."""

    def __init__(
        self, target: str, token: str = "", credentials: grpc.ChannelCredentials | None = None
    ) -> None:
        """Arguments as for LayoutClient."""
        self._channel = (
            grpc.aio.secure_channel(target, credentials, _OPTIONS)
            if credentials
            else grpc.aio.insecure_channel(target, _OPTIONS)
        )
        self._stub = layout_pb2_grpc.LayoutServiceStub(self._channel)
        self._token = token

    async def compose(
        self,
        request: layout_pb2.ComposePageRequest,
        deadline_s: float = COMPOSE_DEADLINE_S,
        request_id: str = "",
        default: layout_pb2.Page | None = None,
    ) -> layout_pb2.Page:
        """As LayoutClient.compose."""
        metadata = _metadata(self._token, request_id)
        try:
            answer = await self._stub.ComposePage(request, timeout=deadline_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return _default_or_raise(error, default)
        return answer.page  # type: ignore[no-any-return]

    async def compose_in_parts(
        self,
        request: layout_pb2.ComposePageRequest,
        first_slot_count: int = 2,
        deadline_s: float = COMPOSE_DEADLINE_S,
        request_id: str = "",
    ) -> AsyncIterator[layout_pb2.Page]:
        """As LayoutClient.compose_in_parts."""
        question = layout_pb2.StreamPageRequest(page=request, first_slot_count=first_slot_count)
        metadata = _metadata(self._token, request_id)
        try:
            async for part in self._stub.StreamPage(question, timeout=deadline_s, metadata=metadata):
                yield part.page
        except grpc.aio.AioRpcError as error:
            raise _error(error) from None

    async def record(
        self, events: Sequence[layout_pb2.ShopperEvent], deadline_s: float = RECORD_DEADLINE_S
    ) -> layout_pb2.RecordEventsResponse:
        """As LayoutClient.record."""
        request = layout_pb2.RecordEventsRequest(events=events)
        try:
            return await self._stub.RecordEvents(  # type: ignore[no-any-return]
                request, timeout=deadline_s, metadata=_metadata(self._token, "")
            )
        except grpc.aio.AioRpcError as error:
            raise _error(error) from None

    async def impressions(self, slots: Iterable[layout_pb2.Slot]) -> layout_pb2.RecordEventsResponse:
        """As LayoutClient.impressions."""
        return await self.record([impression(slot) for slot in slots])

    async def click(self, item: layout_pb2.Item) -> layout_pb2.RecordEventsResponse:
        """As LayoutClient.click."""
        return await self.record([item_event(item, events_pb2.EVENT_TYPE_CLICK)])

    async def explain(
        self, page_id: str, has_attributions: bool = False, has_shadow_prices: bool = False
    ) -> layout_pb2.ExplainPageResponse:
        """As LayoutClient.explain."""
        request = layout_pb2.ExplainPageRequest(
            page_id=page_id, has_attributions=has_attributions, has_shadow_prices=has_shadow_prices
        )
        try:
            return await self._stub.ExplainPage(  # type: ignore[no-any-return]
                request, timeout=RECORD_DEADLINE_S, metadata=_metadata(self._token, "")
            )
        except grpc.aio.AioRpcError as error:
            raise _error(error) from None

    async def configuration(self) -> layout_pb2.GetConfigurationResponse:
        """As LayoutClient.configuration."""
        request = layout_pb2.GetConfigurationRequest()
        try:
            return await self._stub.GetConfiguration(  # type: ignore[no-any-return]
                request, timeout=RECORD_DEADLINE_S, metadata=_metadata(self._token, "")
            )
        except grpc.aio.AioRpcError as error:
            raise _error(error) from None

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> AsyncLayoutClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def impression(slot: layout_pb2.Slot) -> layout_pb2.ShopperEvent:
    """The event of a slot that came into view."""
    return slot_event(slot, events_pb2.EVENT_TYPE_IMPRESSION)


def slot_event(slot: layout_pb2.Slot, kind: events_pb2.EventType) -> layout_pb2.ShopperEvent:
    """An event about a slot of a page: that its answer helped, or that it was waved away."""
    return layout_pb2.ShopperEvent(event_id=uuid.uuid4().hex, type=kind, tracking_token=slot.tracking_token)


def item_event(item: layout_pb2.Item, kind: events_pb2.EventType, **fields: Any) -> layout_pb2.ShopperEvent:
    """An event about an item of a page; `fields` are those of ShopperEvent."""
    return layout_pb2.ShopperEvent(
        event_id=uuid.uuid4().hex, type=kind, tracking_token=item.tracking_token, **fields
    )


def default_page(title: str, item_ids: Sequence[str]) -> layout_pb2.Page:
    """A page of one shelf for `compose(default=...)`; it carries no tokens, so nothing is learned from it."""
    slot = layout_pb2.Slot(
        slot_id="default",
        module_id="default",
        template_id="carousel",
        title=title,
        items=[layout_pb2.Item(item_id=item_id) for item_id in item_ids],
        propensity=1.0,
    )
    return layout_pb2.Page(slots=[slot])


def person(user_id: str, session_id: str) -> context_pb2.Shopper:
    """A shopper who consented, for events that belong to no page."""
    return context_pb2.Shopper(user_id=user_id, session_id=session_id, consent=context_pb2.CONSENT_GRANTED)


def _metadata(token: str, request_id: str) -> tuple[tuple[str, str], ...]:
    authorization = (("authorization", f"Bearer {token}"),) if token else ()
    return (("x-request-id", request_id or uuid.uuid4().hex), *authorization)


def _error(error: Any) -> LayoutError:
    return LayoutError(error.code(), error.details() or "")


def _default_or_raise(error: Any, default: layout_pb2.Page | None) -> layout_pb2.Page:
    if default is None or error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        raise _error(error) from None
    return default
