"""The two faces of the shop are one shop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from planogram.layout.v1 import layout_pb2
from simulator import agreement, modules, rollout, shelves, world
from simulator.agreement import ObservedLayout, compare, hold_together, rolled
from simulator.browsing import browse, mind_of
from simulator.modules import BLUEPRINTS, PAGE_TYPES
from simulator.rollout import Visitors
from simulator.scene import Scene
from simulator.shopper import Population, populate
from simulator.tally import Tally
from simulator.traffic import Traffic
from simulator.vectorised import UniformLayout
from simulator.world import Items, World

END_S = 1_780_272_000.0


class SameDraws:
    """A layout that draws each session's pages from a stream of their own, and the shop that serves it."""

    def __init__(self, hidden: World, layout: UniformLayout) -> None:
        self.table = layout.table
        self.visitors: dict[str, str] = {}
        self._layout = layout
        self._categories = hidden.items.categories
        self._item_ids = hidden.items.item_ids
        self._streams: dict[str, np.random.Generator] = {}

    def begin(self, session_id: str) -> None:
        """From here on the pages of one session."""
        self._streams["now"] = np.random.default_rng(list(session_id.encode()))

    def lay_out(self, page_type: Any, category: Any, kind: Any, random: Any) -> np.ndarray:
        rows = self._layout.lay_out(page_type, category, kind, self._streams["now"])
        return rows[:, rows[0] >= 0]  # one session at a time: no padding

    async def call(self, method: str, request: Any, timeout_s: float) -> Any:
        if method == "RecordEvents":
            return layout_pb2.RecordEventsResponse()
        session_id = request.shopper.session_id
        if session_id not in self.visitors:
            self.visitors[session_id] = request.shopper.user_id
            self.begin(session_id)
        page_type = PAGE_TYPES.index(request.context.page_type)
        category = request.context.category
        number = self._categories.index(category) if category else -1
        rows = self.lay_out(np.array([page_type]), np.array([number]), np.zeros(1, int), None)[0]
        names = BLUEPRINTS[page_type].slots
        slots = [
            self._slot(name.slot_id, self.table.shelves[row]) for name, row in zip(names, rows, strict=True)
        ]
        return layout_pb2.ComposePageResponse(page=layout_pb2.Page(slots=slots))

    def _slot(self, slot_id: str, shelf: shelves.Shelf) -> layout_pb2.Slot:
        return layout_pb2.Slot(
            slot_id=slot_id,
            module_id=shelf.module_id,
            template_id=shelf.template_id,
            family=shelf.family,
            items=[layout_pb2.Item(item_id=self._item_ids[item]) for item in shelf.items],
        )


async def test_on_the_same_pages_and_with_the_same_luck_both_faces_do_the_same(
    hidden: World, population: Population, layout: UniformLayout
) -> None:
    """Paired: about 550 sessions, every figure of each of them equal."""
    shop = SameDraws(hidden, layout)
    nobody = np.zeros_like(population.traits.is_cold)
    known = replace(population.traits, is_cold=nobody, is_bot=nobody)
    traffic = Traffic(page_views=2_500, seed=8, end_unix_s=END_S, label="pair", concurrency=1)
    report = await browse(shop, hidden, replace(population, traits=known), traffic)
    session_count = report.tally.session_count
    assert session_count > 400
    for number in range(session_count):
        shopper = np.array([known.user_ids.index(shop.visitors[f"pair-{number}"])])
        alone = Visitors(shopper, population.kind[shopper], known.device[shopper], np.zeros(1, int))
        shop.begin(f"pair-{number}")
        tally = rollout.run(hidden, alone, shop, mind_of(traffic.seed, number))
        assert report.tally.rows[number] == pytest.approx(tally.rows[0], rel=1e-9)
    assert report.tally.rows[:, 2].sum() > 0


@pytest.mark.slow
async def test_both_faces_agree_within_five_percent_on_independent_sessions(
    columns: Items, as_of: datetime, make_shop: Callable[..., Any]
) -> None:
    """Unpaired: about 23,000 sessions of face one (100,000 pages) against 300,000 of face two.

    In world 12, because purchases are spread over sessions more evenly there than in others, and so
    fewer sessions show as much.
    """
    hidden = world.draw(columns, 12, as_of)
    population, layout = populate(hidden, 12), UniformLayout(hidden)
    shop = make_shop(hidden=hidden, layout=layout, is_keeping=False)
    traffic = Traffic(page_views=100_000, seed=1, end_unix_s=END_S, concurrency=8)
    report = await browse(shop, hidden, population, traffic)
    for comparison in compare(report.tally, rolled(hidden, population, layout, 300_000, 2)):
        assert comparison.agrees, str(comparison)


async def test_a_real_shop_s_pages_are_observed_through_the_contract_and_played_by_face_two(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    traffic = Traffic(page_views=8_000, seed=5, end_unix_s=END_S, concurrency=8)
    comparisons = await hold_together(make_shop(is_keeping=False), Scene(hidden, population), traffic, 40_000)
    by_figure = {comparison.figure: comparison for comparison in comparisons}
    # Too few sessions to show 5 %; a real disagreement would still stand out.
    for figure in ("click rate per page", "pages per session"):
        assert by_figure[figure].first == pytest.approx(by_figure[figure].second, rel=0.08)


def test_a_shop_that_differs_is_found_out(
    hidden: World, population: Population, layout: UniformLayout
) -> None:
    table = layout.table
    louder = UniformLayout(hidden)
    louder.table = replace(table, bias=table.bias + 0.15)
    first = rolled(hidden, population, layout, 60_000, 1)
    second = rolled(hidden, population, louder, 60_000, 2)
    assert not compare(first, second)[0].agrees


def test_too_few_sessions_never_show_agreement(
    hidden: World, population: Population, layout: UniformLayout
) -> None:
    tally = rolled(hidden, population, layout, 400, 1)
    assert not any(comparison.agrees for comparison in compare(tally, tally))


def test_expected_purchases_have_the_mean_of_purchases(
    hidden: World, population: Population, layout: UniformLayout
) -> None:
    rows = rolled(hidden, population, layout, 150_000, 7).rows
    difference = rows[:, 2] - rows[:, 3]
    error = difference.std() / np.sqrt(len(rows))
    assert abs(difference.mean()) < 3 * error
    assert rows[:, 3].std() < 0.75 * rows[:, 2].std()


def test_an_interval_covers_the_truth_nine_times_in_ten() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        tallies = []
        for _ in range(2):
            pages = random.integers(1, 8, 800).astype(float)
            clicks = random.binomial(pages.astype(int), 0.25).astype(float)
            sales = random.exponential(0.03, 800)
            tallies.append(Tally(np.stack([pages, clicks, sales, sales], 1)))
        comparison = compare(*tallies)[0]
        covered += comparison.low <= 1 <= comparison.high
    assert 0.86 < covered / 400 < 0.94


def test_a_comparison_says_what_was_found() -> None:
    comparison = agreement.Comparison("pages per session", 4.0, 4.1, 1_000, 2_000, 0.96, 0.99, 0.05)
    assert str(comparison) == (
        "pages per session: 4.0000 (n = 1,000) against 4.1000 (n = 2,000), ratio 0.976, 90 % interval "
        "0.960 to 0.990: agree within 5%"
    )


def test_observed_pages_are_played_as_they_were_seen(hidden: World) -> None:
    shelf = [shelves.Shelf(f"m{number}", "grid", "deep", (number,)) for number in range(3)]
    home = shelves.Context(modules.HOME, -1)
    played = ObservedLayout(
        hidden, {(home, 0): [(shelf[0], shelf[1]), (shelf[2],)], (home, 1): [(shelf[2],)]}
    )

    def pages_of(kind: int) -> set[tuple[int, ...]]:
        random = np.random.default_rng(0)
        placed = played.lay_out(np.zeros(500, int), np.full(500, -1), np.full(500, kind), random)
        return {tuple(row) for row in placed.tolist()}

    assert pages_of(0) == {(0, 1), (2, -1)}
    assert pages_of(1) == {(2, -1)}
    assert pages_of(5) == {(0, 1), (2, -1)}  # saw none of its own
    with pytest.raises(ValueError, match="no page was seen of context 1"):
        played.lay_out(np.array([modules.CART]), np.array([-1]), np.array([0]), np.random.default_rng(0))
