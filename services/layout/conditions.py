"""When does something that a merchandiser wrote hold: on which pages, for whom, and at what time?"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from planogram.common.v1 import context_pb2
from services.common.yaml_file import Document

PAGE_TYPES = {
    name.removeprefix("PAGE_TYPE_").lower(): getattr(context_pb2, name)
    for name in context_pb2.PageType.keys()[1:]
}
DEVICES = {
    name.removeprefix("DEVICE_").lower(): getattr(context_pb2, name) for name in context_pb2.Device.keys()[1:]
}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOUR = timedelta(hours=1)

Language = Annotated[str, Field(pattern=r"^[a-z]{2,8}$")]
Market = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,35}$")]


class When(Document):
    """Holds where all that is given holds; what is empty always does.

    Times are read in `time_zone` where they do not name one; `until` is no longer in it. Hours run from the
    first to below the second, over midnight where the first is larger.
    """

    page_types: tuple[Literal[tuple(PAGE_TYPES)], ...] = ()  # type: ignore[valid-type]
    devices: tuple[Literal[tuple(DEVICES)], ...] = ()  # type: ignore[valid-type]
    languages: tuple[Language, ...] = ()
    markets: tuple[Market, ...] = ()
    segments: tuple[str, ...] = ()
    from_: datetime | None = Field(None, alias="from")
    until: datetime | None = None
    weekdays: tuple[Literal[_WEEKDAYS], ...] = ()  # type: ignore[valid-type]
    hours: tuple[Annotated[int, Field(ge=0, le=24)], Annotated[int, Field(ge=0, le=24)]] | None = None
    time_zone: str = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError('no such time zone; want a name such as "Europe/Berlin"') from None
        return name

    @model_validator(mode="after")
    def _is_ever(self) -> When:
        start, end = self._instant(self.from_), self._instant(self.until)
        if start is not None and end is not None and start >= end:
            raise ValueError(f"from {start} is not before until {end}")
        return self

    @cached_property
    def is_always(self) -> bool:
        """True where nothing is asked of a page view."""
        return all(getattr(self, name) in ((), None) for name in When.model_fields if name != "time_zone")

    def holds(self, context: context_pb2.PageContext, segment: str | None) -> bool:
        """Whether it holds for a page view.

        Args:
            segment: the shopper's; None where it is not known yet, and any may be.
        """
        return self.is_always or (
            (not self.page_types or context.page_type in self._page_types)
            and (not self.devices or context.device in {DEVICES[name] for name in self.devices})
            and (not self.languages or language(context) in self.languages)
            and (not self.markets or market(context) in self.markets)
            and (not self.segments or segment is None or segment in self.segments)
            and self._is_time(context.time.seconds)
        )

    @property
    def _page_types(self) -> frozenset[int]:
        return frozenset(PAGE_TYPES[name] for name in self.page_types)

    def _is_time(self, unix_s: int) -> bool:
        start, end = self._instant(self.from_), self._instant(self.until)
        if start is not None and unix_s < start.timestamp():
            return False
        if end is not None and unix_s >= end.timestamp():
            return False
        if not self.weekdays and self.hours is None:
            return True
        local = datetime.fromtimestamp(unix_s, ZoneInfo(self.time_zone))
        if self.hours is not None:
            first, last = self.hours
            if not (first <= local.hour < last if first <= last else not last <= local.hour < first):
                return False
            if first > last > local.hour:
                local -= 24 * _HOUR  # the night belongs to the day on which it began
        return not self.weekdays or _WEEKDAYS[local.weekday()] in self.weekdays

    def _instant(self, time: datetime | None) -> datetime | None:
        return (
            time if time is None or time.tzinfo is not None else time.replace(tzinfo=ZoneInfo(self.time_zone))
        )


ALWAYS = When.model_validate({})


def language(context: context_pb2.PageContext) -> str:
    """The language of the page view's locale, such as "de"."""
    return context.locale.partition("-")[0].lower()


def market(context: context_pb2.PageContext) -> str:
    """The page view's market; the region of its locale, such as "at", where it names none."""
    if context.market:
        return context.market
    parts = context.locale.split("-")[1:]
    return next((part.lower() for part in parts if len(part) == 2 or (len(part) == 3 and part.isdigit())), "")
