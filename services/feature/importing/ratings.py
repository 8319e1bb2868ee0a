"""How do ratings become events?

A rating says what a shopper thought of an item, and nothing of what else was on the page: so it becomes a
RATING event, a good one a CLICK event as well, and no exposure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.common.pseudonyms import Pseudonyms
from services.feature.importing import rows
from services.feature.importing.mapping import RatingsMapping

FIELDS = (
    rows.Field("user", is_required=True, max_bytes=128, is_id=True),
    rows.Field("item", is_required=True, max_bytes=128, is_id=True),
    rows.Field("rating", "number", is_required=True),
    rows.Field("time", "time", is_required=True, is_event_time=True),
)

VISIT_LIMIT = 25
"""Clicks of a user and day that count as one visit. Ratings are often given in bulk, and the pipeline
takes more than 30 clicks a minute for a machine's."""

_US_PER_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Ratings:
    """Rows of planogram.files.log.EVENTS, and what they were made of."""

    events: Sequence[dict[str, Any]]
    rating_count: int
    click_count: int
    user_count: int
    item_ids: frozenset[str]


def read(path: Path, mapping: RatingsMapping, mapped_by: str, pseudonyms: Pseudonyms) -> Ratings:
    """The events of a CSV or Parquet file of ratings.

    Raises:
        ConfigurationError: naming file, row, field, what was found and what is wanted.
    """
    low, high = mapping.scale
    fields = [
        rows.Field("rating", "number", is_required=True, low=low, high=high)
        if field.name == "rating"
        else field
        for field in FIELDS
    ]
    values = rows.read(path, mapping, fields, mapped_by)
    columns = list(zip(*(values[field.name] for field in FIELDS), strict=True))
    keys = {user: pseudonyms.of("shopper", user) for user in values["user"]}
    clicks_of_day: Counter[tuple[str, int]] = Counter()
    events: list[dict[str, Any]] = []
    for row in sorted(range(len(columns)), key=lambda row: (columns[row][3], row)):
        user, item, found, time_us = columns[row]
        rating = 1 + 4 * (found - low) / (high - low)
        event = {
            "event_id": f"{mapping.name}-{row + 1}",
            "time": time_us,
            "shopper_key": keys[user],
            "session_key": "",
            "key_epoch": pseudonyms.epoch,
            "item_id": item,
            "type": "RATING",
            "rating": rating,
            "writer": f"import-{mapping.name}",
            "sequence": len(events) + 1,
        }
        events.append(event)
        if rating >= mapping.click_from:
            day = (user, time_us // _US_PER_DAY)
            visit = f"{user}\0{day[1]}\0{clicks_of_day[day] // VISIT_LIMIT}"
            clicks_of_day[day] += 1
            events.append(
                {
                    **event,
                    "event_id": f"{event['event_id']}-click",
                    "session_key": pseudonyms.of("session", visit),
                    "type": "CLICK",
                    "rating": 0.0,
                    "sequence": len(events) + 1,
                }
            )
    return Ratings(events, len(columns), clicks_of_day.total(), len(keys), frozenset(values["item"]))
