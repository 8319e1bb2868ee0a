"""How do learners see the vectorised shop: which numbers describe its pages and what could stand on them?

The counterpart of `services.policy.space` for the simulator's front pages. It reads what is public alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.policy.training.pages import TERMINAL, Described, Pages
from simulator.front import SLOT_COUNT, Catalogue, Front, Observed, Trace
from simulator.modules import FAMILIES, HISTORY_MODULES, SOURCES, TEMPLATES

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns observations into states and actions."""

    front: Front

    @property
    def catalogue(self) -> Catalogue:
        return self.front.catalogue

    def states(self, observed: Observed) -> Array:
        """(B, D) float32."""
        front = self.front
        type_count = len(front.world.type_share)
        columns = [
            _one_hot(observed.segment, type_count),
            _one_hot(front.device[observed.context], 3),
            _one_hot(front.season[observed.context], 4),
            front.daypart[observed.context][:, None],
            np.log1p(observed.page_index)[:, None],
            np.log1p(observed.cart_count)[:, None],
            np.log1p(observed.purchase_count)[:, None],
            np.log1p(observed.pages_without_click)[:, None],
            _one_hot(observed.last_outcome - 1, 3),
            _one_hot(observed.last_category, self.catalogue.category_count),
            (observed.last_dwelled & (observed.last_category >= 0))[:, None],
            np.log1p(observed.category_clicks),
            np.log1p(observed.category_dwells),
            np.log1p(observed.family_clicks),
            np.log1p(observed.family_stops),
            np.log1p(observed.recent_interest),
            np.log1p(observed.recent_stops),
            np.log1p(observed.category_passes),
            np.log1p(observed.family_passes),
            np.log1p(observed.category_clicks.sum(1) - observed.category_dwells.sum(1))[:, None],
        ]
        return np.concatenate([np.asarray(column, np.float32) for column in columns], 1)

    def fixed(self) -> Array:
        """(A, columns) float32 of what never changes about actions."""
        catalogue = self.catalogue
        return np.concatenate(
            [
                _one_hot(catalogue.family, len(FAMILIES)),
                _one_hot(catalogue.template, len(TEMPLATES)),
                _one_hot(catalogue.source, len(SOURCES) + len(HISTORY_MODULES) * self.front.is_rich),
                _one_hot(catalogue.category, catalogue.category_count),
                (catalogue.category >= 0)[:, None],
            ],
            1,
        ).astype(np.float32)

    def by_category(self, observed: Observed) -> Array:
        """(B, C + 1, columns) float32 of what was done with each category; the last is no category."""
        clicks, dwells = observed.category_clicks, observed.category_dwells
        total = np.maximum((clicks + dwells).sum(1, keepdims=True), 1)
        is_last = _one_hot(observed.last_category, clicks.shape[1])
        parts = [
            np.log1p(clicks),
            np.log1p(dwells),
            (clicks + dwells) / total,
            np.log1p(observed.recent_interest),
            np.log1p(observed.category_passes),
            is_last,
            is_last * observed.last_dwelled[:, None],
            np.log1p(np.maximum(clicks - dwells, 0)),
        ]
        stacked = np.stack(parts, 2).astype(np.float32)
        return np.concatenate((stacked, np.zeros_like(stacked[:, :1])), 1)

    def by_family(self, observed: Observed) -> Array:
        """(B, F, columns) float32."""
        parts = [
            np.log1p(observed.family_clicks),
            np.log1p(observed.family_stops),
            np.log1p(observed.recent_stops),
            np.log1p(observed.family_passes),
        ]
        return np.stack(parts, 2).astype(np.float32)


class FrontActions:
    """Describes the actions of front pages when they are asked for."""

    def __init__(self, encoder: Encoder, observed: Observed) -> None:
        self._fixed, self._module = encoder.fixed(), encoder.catalogue.module
        self._category, self._family = encoder.catalogue.categories(observed), encoder.catalogue.family
        self._by_category, self._by_family = encoder.by_category(observed), encoder.by_family(observed)

    def of(self, pages: Array) -> Described:
        by_category = self._by_category[pages[:, None], self._category[pages]]
        by_family = self._by_family[pages][:, self._family]
        fixed = np.broadcast_to(self._fixed, (len(pages), *self._fixed.shape))
        shape = (len(pages), len(self._module))
        return Described(
            np.concatenate((fixed, by_category, by_family), 2),
            np.broadcast_to(self._module, shape),
            np.ones(shape, bool),
        )

    def chosen(self, pages: Array, actions: Array) -> Array:
        return np.concatenate(
            (
                self._fixed[actions],
                self._by_category[pages, self._category[pages, actions]],
                self._by_family[pages, self._family[actions]],
            ),
            1,
        )


def pages_of(encoder: Encoder, trace: Trace) -> Pages:
    """Logged pages as learners read them."""
    count = len(trace.session)
    following = np.where(trace.acts.is_over, TERMINAL, np.arange(1, count + 1))
    return Pages(
        states=encoder.states(trace.observed),
        actions=FrontActions(encoder, trace.observed),
        slot_count=np.full(count, SLOT_COUNT),
        placed=trace.decision.placed,
        propensity=trace.decision.propensity,
        is_examined=trace.acts.is_examined,
        is_clicked=trace.acts.is_clicked,
        reward=trace.acts.margin,
        signals=np.stack((trace.acts.is_dwelled, trace.acts.is_carted, trace.acts.is_bought), 1),
        following=following,
    )


def _one_hot(index: Array, count: int) -> Array:
    """(B, count) float32; all 0 for an index outside."""
    result: Array = (index[:, None] == np.arange(count)).astype(np.float32)
    return result
