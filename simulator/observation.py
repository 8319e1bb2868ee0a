"""What does a shop know of a visitor, from what it was told?

The counterpart of the hidden state: it is built from events alone, and is what a policy gets to see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from planogram.common.v1 import context_pb2
from simulator.front.seen import DECAY
from simulator.shelves import Shelf


@dataclass(slots=True)
class Observation:
    """One session so far, as a page that begins now sees it.

    Attributes:
        history: clicks by category in earlier sessions; None for a stranger.
        category_interests, family_recent_stops, category_passes, family_passes: with decay from page to page.
    """

    segment: str
    history: np.ndarray | None
    page_count: int = 0
    click_count: int = 0
    dwell_count: int = 0
    cart_count: int = 0
    purchase_count: int = 0
    event_count: int = 0
    pages_without_click: int = 0
    last_outcome: context_pb2.Outcome = context_pb2.OUTCOME_UNSPECIFIED
    category_clicks: Counter[str] = field(default_factory=Counter)
    category_dwells: Counter[str] = field(default_factory=Counter)
    family_clicks: Counter[str] = field(default_factory=Counter)
    family_stops: Counter[str] = field(default_factory=Counter)
    module_unclicked: Counter[str] = field(default_factory=Counter)
    category_interests: dict[str, float] = field(default_factory=dict)
    family_recent_stops: dict[str, float] = field(default_factory=dict)
    category_passes: dict[str, float] = field(default_factory=dict)
    family_passes: dict[str, float] = field(default_factory=dict)
    last_click_category: str = ""
    is_last_click_dwelled: bool = False

    def page_ended(
        self,
        shown: Sequence[Shelf],
        category: str,
        is_clicked: bool,
        is_dwelled: bool,
        is_carted: bool,
        is_bought: bool,
    ) -> None:
        """Takes note of one page.

        Args:
            shown: shelves of the slots that were in view, from the top.
            category: of the item that was clicked; empty without a click.
        """
        family = shown[-1].family
        self.page_count += 1
        self.event_count += len(shown) + is_clicked + is_dwelled + is_carted + is_bought
        recent = (
            self.category_interests,
            self.family_recent_stops,
            self.category_passes,
            self.family_passes,
        )
        for weights in recent:
            for name in weights:
                weights[name] *= DECAY
        for shelf in shown:
            _weigh(self.category_passes, shelf.category, 1.0)
            _weigh(self.family_passes, shelf.family, 1.0)
        if not is_clicked:
            self.module_unclicked.update(shelf.module_id for shelf in shown)
            self.family_stops[family] += 1
            _weigh(self.family_recent_stops, family, 1.0)
            self.pages_without_click += 1
            self.last_outcome = context_pb2.OUTCOME_STOP
            return
        self.module_unclicked.clear()
        self.pages_without_click = 0
        self.click_count += 1
        self.dwell_count += is_dwelled
        self.cart_count += is_carted
        self.purchase_count += is_bought
        self.category_clicks[category] += 1
        self.family_clicks[family] += 1
        _weigh(self.category_interests, category, 3.0 if is_dwelled else 1.0)
        self.category_passes.pop(category, None)
        self.family_passes.pop(family, None)
        self.last_click_category, self.is_last_click_dwelled = category, is_dwelled
        if is_dwelled:
            self.category_dwells[category] += 1
        self.last_outcome = context_pb2.OUTCOME_PURCHASE if is_bought else context_pb2.OUTCOME_CLICK

    def message(self, categories: tuple[str, ...]) -> context_pb2.SessionState:
        """The observation as a policy reads it."""
        clicks = np.zeros(len(categories)) if self.history is None else self.history.copy()
        for category, count in self.category_clicks.items():
            clicks[categories.index(category)] += count
        total = float(clicks.sum())
        before = 0 if self.history is None else int(self.history.sum())
        return context_pb2.SessionState(
            segment=self.segment,
            is_known=before + self.event_count > 0,
            page_index=self.page_count,
            click_count=self.click_count,
            dwell_count=self.dwell_count,
            cart_count=self.cart_count,
            purchase_count=self.purchase_count,
            pages_without_click=self.pages_without_click,
            last_outcome=self.last_outcome,
            category_click_counts=self.category_clicks,
            category_dwell_counts=self.category_dwells,
            family_click_counts=self.family_clicks,
            family_stop_counts=self.family_stops,
            module_unclicked_counts=self.module_unclicked,
            category_affinities={
                name: float(count) / total for name, count in zip(categories, clicks, strict=True) if count
            },
            lifetime_event_count=before + self.event_count,
            price_level=0.5,
            category_recent_interests=self.category_interests,
            family_recent_stops=self.family_recent_stops,
            category_passes=self.category_passes,
            family_passes=self.family_passes,
            last_click_category=self.last_click_category,
            is_last_click_dwelled=self.is_last_click_dwelled,
        )


def _weigh(weights: dict[str, float], name: str, weight: float) -> None:
    if name:
        weights[name] = weights.get(name, 0.0) + weight
