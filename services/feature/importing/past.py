"""What was known of items and shoppers when a row was logged?

Models learn from features as they were, and an imported log brings none: they are made again, row by row
in order of time, by the code that serves. A row sees statistics of earlier rows alone, and the profile of
its shopper as earlier rows left it. Vectors are those of an item's words: who clicks what together is
known at the end of a log only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.feature.items import schema
from services.feature.items.derived import discount_of, encode_vocabulary, price_levels, relative_price_of
from services.feature.items.generation import KINDS
from services.feature.pipeline.briefs import item_briefs
from services.feature.pipeline.statistics import NO_TOUCHES, Statistics, Touches, item_statistics
from services.feature.pipeline.vectors import item_vectors
from services.feature.shoppers.acts import ShopperEvent
from services.feature.shoppers.known import Known, known_in
from services.feature.shoppers.profile import Profile, SessionView, apply_events, view

_FRESHNESS_SCALE_S = 30 * 86_400.0


class PastItems:
    """Encoded items of a catalogue, with the statistics of a moment."""

    def __init__(self, items: pa.Table) -> None:
        self._texts: dict[str, list[str]] = {
            name: items.column(name).to_pylist()
            for name in ("item_id", "title", "category", "brand", "kind", "description")
        }
        self._price = items.column("price_micros").to_numpy()
        self._quality = items.column("quality").to_numpy()
        self._bid = items.column("bid_micros").to_numpy()
        names, codes = encode_vocabulary(self._texts["category"])
        kind = np.array([KINDS[text] for text in self._texts["kind"]], np.int8)
        log_median, _ = price_levels(self._price, kind, codes, len(names))
        self._relative_price = relative_price_of(self._price, codes, log_median)
        list_price = np.maximum(items.column("list_price_micros").to_numpy(), self._price)
        self._discount = discount_of(self._price, list_price)
        self.first_seen_s: NDArray[np.int64] = (
            items.column("first_seen").cast(pa.int64()).to_numpy() // 1_000_000
        )
        self.margin = (items.column("margin_micros").to_numpy() / 1e6).astype(np.float32)
        self.categories: Sequence[str] = self._texts["category"]
        self.place = {item_id: row for row, item_id in enumerate(self._texts["item_id"])}
        self.briefs = item_briefs(items)
        words = {name: self._texts[name] for name in ("title", "category", "brand", "description")}
        self.vectors = item_vectors(words, {})
        self.statistics: Statistics
        self.refresh(NO_TOUCHES, NO_TOUCHES, 0)

    def refresh(self, shown: Touches, clicked: Touches, now_us: int) -> None:
        """Takes the statistics of what happened until now; an import knows of no purchases."""
        found = self.statistics = item_statistics(self._quality, shown, clicked, NO_TOUCHES, now_us)
        items = schema.ItemRows(
            item_ids=self._texts["item_id"],
            categories=self._texts["category"],
            brands=self._texts["brand"],
            kinds=self._texts["kind"],
            price_micros=self._price,
            relative_price=self._relative_price,
            discount=self._discount,
            quality=self._quality,
            impression_count=found.impression_count,
            click_rate=found.click_rate,
            purchase_rate=found.purchase_rate,
            trend=found.trend,
            bid_micros=self._bid,
        )
        self._tensors = schema.encode_items(items)

    def tensors(self, rows: NDArray[np.int64], now_s: float) -> dict[str, NDArray[Any]]:
        """The item tensors of some items, as the click model wants them."""
        tensors = {name: array[rows] for name, array in self._tensors.items()}
        schema.add_age(tensors, self.first_seen_s[rows], now_s)
        return tensors | {"item_vector": self.vectors[rows]}

    def freshness(self, rows: NDArray[np.int64], now_s: float) -> NDArray[np.float32]:
        """exp(-age / 30 days), as plan requests carry it."""
        age_s = np.maximum(now_s - self.first_seen_s[rows], 0)
        found: NDArray[np.float32] = np.exp(-age_s / _FRESHNESS_SCALE_S).astype(np.float32)
        return found

    def taste(self, known: Known) -> NDArray[np.float32]:
        """The shopper vector of what somebody did lately."""
        rows = np.array([self.place.get(item_id, -1) for item_id in known.recent_item_ids], np.int32)
        return schema.taste(known.events, self.vectors, rows)[0]


class PastShoppers:
    """Profiles as the events so far made them."""

    def __init__(self, items: PastItems) -> None:
        self._items = items
        self._profiles: dict[str, Profile] = defaultdict(Profile)

    def encoded(
        self, shopper_key: str, session_key: str, segment: str, *, page_type: int, device: int, time_us: int
    ) -> tuple[SessionView, Mapping[str, NDArray[Any]]]:
        """The session and the shopper tensors of a page that begins now.

        Args:
            shopper_key: empty for a stranger.
            segment: of the row; empty for the profile's own.
        """
        profile = self._profiles.get(shopper_key) if shopper_key else None
        session = view(profile, session_key)
        if segment:
            session = replace(session, segment=segment)
        known = known_in(session_key, session, profile)
        tensors = schema.encode_shopper(
            known,
            known.standing(session_key),
            self._items.taste(known),
            page_type=page_type,
            device=device,
            now=datetime.fromtimestamp(time_us / 1e6, UTC),
        )
        return session, tensors

    def apply(self, shopper_key: str, events: Sequence[ShopperEvent]) -> None:
        """Moves a shopper's profile; a stranger has none."""
        if shopper_key:
            apply_events(self._profiles[shopper_key], b"", events, self._items.briefs.get, 1)
