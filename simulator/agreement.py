"""Do the two faces of the shop behave alike?

An equivalence test, not a test for difference: two faces agree on a figure where the whole confidence
interval of their ratio lies within the margin, so that too few sessions can only fail it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planogram.layout.v1 import layout_pb2
from simulator import rollout, shelves
from simulator.browsing import browse
from simulator.connection import Upstream
from simulator.scene import Scene
from simulator.shelves import Context, Shelf, Table
from simulator.shopper import Population
from simulator.tally import COLUMNS, Tally
from simulator.traffic import Traffic
from simulator.world import World

MARGIN = 0.05
_Z = 1.645
"""Half-width in standard errors: two one-sided tests at 5 % each (Schuirmann 1987)."""
_BATCH = 4_096
_KEPT_PAGES = 500
"""Pages kept per context and type, of those that were seen: more would only take memory."""

FIGURES = {
    "click rate per page": ("clicked_pages", "pages"),
    "purchases per session": ("expected_purchases", None),
    "pages per session": ("pages", None),
}
"""Sum of one column over the sum of another, or over sessions."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of two faces.

    Attributes:
        low, high: 90 % confidence interval of first / second.
    """

    figure: str
    first: float
    second: float
    first_sessions: int
    second_sessions: int
    low: float
    high: float
    margin: float

    @property
    def agrees(self) -> bool:
        """True where the interval lies within the margin around 1."""
        return self.low >= 1 - self.margin and self.high <= 1 + self.margin

    def __str__(self) -> str:
        return (
            f"{self.figure}: {self.first:.4f} (n = {self.first_sessions:,}) against {self.second:.4f} "
            f"(n = {self.second_sessions:,}), ratio {self.first / self.second:.3f}, 90 % interval "
            f"{self.low:.3f} to {self.high:.3f}: {'agree' if self.agrees else 'not shown to agree'} "
            f"within {self.margin:.0%}"
        )


def compare(first: Tally, second: Tally, margin: float = MARGIN) -> list[Comparison]:
    """The figures of two faces side by side.

    Purchases are compared by the probabilities with which pages were going to sell: the mean is that of
    purchases, and the noise of what was clicked and bought is gone.
    """
    comparisons = []
    for figure, (above, below) in FIGURES.items():
        mean, error = _ratio(first, above, below)
        other, other_error = _ratio(second, above, below)
        spread = _Z * math.hypot(error / mean, other_error / other)
        middle = math.log(mean / other)
        comparisons.append(
            Comparison(
                figure,
                mean,
                other,
                first.session_count,
                second.session_count,
                math.exp(middle - spread),
                math.exp(middle + spread),
                margin,
            )
        )
    return comparisons


def rolled(
    hidden: World, population: Population, layout: rollout.Layout, session_count: int, seed: int
) -> Tally:
    """The tally of face two: so many sessions on the pages of a layout."""
    random = np.random.default_rng([seed, 0xA6])
    rows = []
    for begun in range(0, session_count, _BATCH):
        visitors = rollout.invite(population, min(_BATCH, session_count - begun), random)
        rows.append(rollout.run(hidden, visitors, layout, random).rows)
    return Tally(np.concatenate(rows))


async def hold_together(
    upstream: Upstream, scene: Scene, traffic: Traffic, session_count: int = 100_000
) -> list[Comparison]:
    """Face one on a real shop against face two on the pages that face one saw there.

    The shop's policy must not depend on what a shopper did in the session, as the uniform one does not:
    face two plays pages at random, among those of the context that shoppers of the same type saw.

    Args:
        traffic: of face one; some 100,000 page views show an agreement within 5 %.
        session_count: of face two.
    """
    # Who refuses consent gets pages of another kind: without exploration.
    everyone = np.ones_like(scene.population.traits.has_consent)
    population = replace(scene.population, traits=replace(scene.population.traits, has_consent=everyone))
    pages: dict[tuple[Context, int], list[tuple[Shelf, ...]]] = {}
    seen_counts: Counter[tuple[Context, int]] = Counter()
    random = np.random.default_rng([traffic.seed, 0x3E5])

    def witness(kind: int, page_type: int, category: int, page: layout_pb2.Page) -> None:
        cell = (Context(page_type, category), kind)
        kept = pages.setdefault(cell, [])
        seen_counts[cell] += 1
        place = int(random.integers(seen_counts[cell]))
        if len(kept) < _KEPT_PAGES:
            kept.append(_shelves(scene.world, page))
        elif place < _KEPT_PAGES:  # a fair sample of all (reservoir sampling, Vitter 1985)
            kept[place] = _shelves(scene.world, page)

    report = await browse(upstream, scene.world, population, traffic, witness=witness)
    second = rolled(scene.world, population, ObservedLayout(scene.world, pages), session_count, traffic.seed)
    return compare(report.tally, second)


class ObservedLayout:
    """Lays out pages that were seen before, drawn at random among those of the context and type.

    Args:
        pages: by context and type of shopper. Where a type saw none, those of all types serve.
    """

    def __init__(
        self, hidden: World, pages: Mapping[tuple[Context, int], Sequence[tuple[Shelf, ...]]]
    ) -> None:
        self._category_count = len(hidden.items.categories)
        self._type_count = len(hidden.utility)
        rows: dict[Shelf, int] = {}
        width = max(len(page) for seen in pages.values() for page in seen)
        self._pages: list[np.ndarray] = []
        for context in shelves.contexts(hidden.items):
            by_type = [pages.get((context, kind), ()) for kind in range(self._type_count)]
            of_all = [page for seen in by_type for page in seen]
            for seen in by_type:
                numbers = [
                    [rows.setdefault(shelf, len(rows)) for shelf in page] + [-1] * (width - len(page))
                    for page in (seen or of_all)
                ]
                self._pages.append(np.array(numbers, np.int64).reshape(-1, width))
        self.table: Table = shelves.tabulate(hidden, list(rows))

    def lay_out(
        self, page_type: np.ndarray, category: np.ndarray, kind: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        """(B, S) rows of the table."""
        cell = shelves.context_index(page_type, category, self._category_count) * self._type_count + kind
        draws = random.random(len(cell))
        placed = np.empty((len(cell), self._pages[0].shape[1]), np.int64)
        for number in np.unique(cell):
            rows = np.flatnonzero(cell == number)
            seen = self._pages[number]
            if not len(seen):
                raise ValueError(f"no page was seen of context {number // self._type_count}: browse longer")
            placed[rows] = seen[(draws[rows] * len(seen)).astype(np.int64)]
        return placed


def _shelves(hidden: World, page: layout_pb2.Page) -> tuple[Shelf, ...]:
    index = hidden.items.index
    return tuple(
        Shelf(
            slot.module_id,
            slot.template_id,
            slot.family,
            tuple(index[item.item_id] for item in slot.items if item.item_id in index),
        )
        for slot in page.slots
    )


def _ratio(tally: Tally, above: str, below: str | None) -> tuple[float, float]:
    """A ratio of sums over sessions and its standard error, by the delta method."""
    top = tally.rows[:, COLUMNS.index(above)]
    bottom = np.ones(len(top)) if below is None else tally.rows[:, COLUMNS.index(below)]
    mean = float(top.sum() / bottom.sum())
    spread = float((top - mean * bottom).std(ddof=1))
    return mean, spread / (math.sqrt(len(top)) * float(bottom.mean()))
