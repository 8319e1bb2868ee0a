"""Which entities, feature views, feature services and push sources does the Feast repository hold?

The modules of this folder speak to Feast itself; all others speak to store.py, which imports it light.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import Array, Bool, Bytes, FeastType, Float32, Int64, String

TIMESTAMP = "event_timestamp"
ITEM_KEY = "item_id"
SHOPPER_KEY = "shopper_key"

ITEM_TTL = timedelta(days=3650)
"""Items leave with the catalogue, not with age; the bound is there so that one rule checks all rows."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything that `feast apply` registers."""

    entities: tuple[Entity, ...]
    views: tuple[FeatureView, ...]
    services: tuple[FeatureService, ...]
    pushes: tuple[PushSource, ...]


def define(offline: Path, profile_ttl: timedelta) -> Definitions:
    """The repository over Parquet files in a folder."""
    item = Entity(name="item", join_keys=[ITEM_KEY], value_type=ValueType.STRING)
    shopper = Entity(name="shopper", join_keys=[SHOPPER_KEY], value_type=ValueType.STRING)

    attributes = _view(
        "item_attributes",
        item,
        offline,
        ITEM_TTL,
        {
            "title": String,
            "kind": String,
            "category": String,
            "brand": String,
            "seller": String,
            "list_price_micros": Int64,
            "cost_micros": Int64,
            "age_rating": Int64,
            "bid_micros": Int64,
            "quality": Float32,
            "first_seen_unix_s": Int64,
        },
    )
    offer_features: dict[str, FeastType] = {
        "price_micros": Int64,
        "stock": Int64,
        "is_active": Bool,
        "changed_us": Int64,
    }
    # Whole rows are pushed: Feast's push of some columns of a view fails.
    push = PushSource(name="item_offer_push", batch_source=_source("item_offer", offline))
    offer = FeatureView(
        name="item_offer",
        entities=[item],
        ttl=ITEM_TTL,
        schema=_fields(item, offer_features),
        source=push,
    )
    statistics = _view(
        "item_statistics",
        item,
        offline,
        ITEM_TTL,
        {
            "impression_count": Float32,
            "click_rate": Float32,
            "purchase_rate": Float32,
            "recent_clicks": Float32,
            "recent_purchases": Float32,
            "trend": Float32,
            "vector": Array(Float32),
        },
    )
    companions = _view(
        "item_companions",
        item,
        offline,
        ITEM_TTL,
        {"companions": Array(String), "lifts": Array(Float32)},
    )
    # Two features and no more: SQLite stores a row per feature and commits are what updates cost.
    profile = _view(
        "shopper_profile", shopper, offline, profile_ttl, {"state": Bytes, "applied_event_ids": Bytes}
    )
    return Definitions(
        entities=(item, shopper),
        views=(attributes, offer, statistics, companions, profile),
        services=(
            FeatureService(name="page_items", features=[attributes, offer, statistics, companions]),
            FeatureService(name="page_shopper", features=[profile]),
        ),
        pushes=(push,),
    )


def _view(
    name: str, entity: Entity, offline: Path, ttl: timedelta, features: dict[str, FeastType]
) -> FeatureView:
    return FeatureView(
        name=name,
        entities=[entity],
        ttl=ttl,
        schema=_fields(entity, features),
        source=_source(name, offline),
    )


def _source(name: str, offline: Path) -> FileSource:
    return FileSource(name=f"{name}_source", path=str(offline / f"{name}.parquet"), timestamp_field=TIMESTAMP)


def _fields(entity: Entity, features: dict[str, FeastType]) -> list[Field]:
    key = Field(name=entity.join_key, dtype=String)
    return [key, *(Field(name=name, dtype=dtype) for name, dtype in features.items())]
