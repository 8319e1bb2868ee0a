"""Does the front page hold together: what is seen, what is hidden, and what a page is worth?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator import agreement, front, rollout, world
from simulator.regimes import ASSUMPTION_BREAKING, CONTROL, FRONT, REGIMES
from simulator.session import HiddenState
from simulator.tally import Tally
from simulator.vectorised import UniformLayout


def shop(columns, as_of, law=FRONT, seed=4):
    return front.build(world.draw(columns, seed, as_of, law), season_count=1, daypart_count=2)


def test_the_same_seed_repeats_every_page(columns, as_of):
    made = shop(columns, as_of)
    first, again = (front.play(made, front.Uniform(made.catalogue), 300, 7, is_traced=True) for _ in range(2))
    assert np.array_equal(first.value, again.value)
    assert np.array_equal(first.trace.decision.placed, again.trace.decision.placed)
    other = front.play(made, front.Uniform(made.catalogue), 300, 8)
    assert not np.array_equal(first.value, other.value)


def test_policies_share_their_shoppers(columns, as_of):
    made = shop(columns, as_of)

    class Fixed:
        def decide(self, observed, random):
            first = np.flatnonzero(np.diff(made.catalogue.module, prepend=-1))[: front.SLOT_COUNT]
            placed = np.tile(first, (len(observed.rows), 1))
            return front.Decision(placed, np.ones(placed.shape))

    one = front.play(made, front.Uniform(made.catalogue), 200, 3, is_traced=True).trace
    two = front.play(made, Fixed(), 200, 3, is_traced=True).trace
    for trace in (one, two):
        assert (trace.observed.page_index[trace.session == 0][0]) == 0
    is_first = [trace.observed.page_index == 0 for trace in (one, two)]
    assert np.array_equal(one.observed.segment[is_first[0]], two.observed.segment[is_first[1]])
    assert np.array_equal(one.observed.context[is_first[0]], two.observed.context[is_first[1]])


@pytest.mark.parametrize("name", sorted(REGIMES))
def test_no_module_stands_twice_and_propensities_are_those_of_the_draw(columns, as_of, name):
    made = shop(columns, as_of, REGIMES[name])
    trace = front.play(made, front.Uniform(made.catalogue), 300, 1, is_traced=True).trace
    placed = made.catalogue.module[trace.decision.placed]
    assert all(len(set(page)) == front.SLOT_COUNT for page in placed.tolist())
    counts = np.bincount(made.catalogue.module)
    left = len(made.catalogue.module) - np.cumsum(counts[placed], 1) + counts[placed]
    assert np.allclose(trace.decision.propensity, 1 / left)
    assert (trace.acts.is_clicked <= trace.acts.is_examined).all()
    assert trace.acts.is_over[np.flatnonzero(np.diff(trace.session, append=-1))].all()


def test_counters_are_what_was_done_before(columns, as_of):
    made = shop(columns, as_of)
    trace = front.play(made, front.Uniform(made.catalogue), 400, 2, is_traced=True).trace
    is_clicked = trace.acts.is_clicked.any(1)
    for number in range(60):
        rows = np.flatnonzero(trace.session == number)
        before = np.concatenate(([0], np.cumsum(is_clicked[rows])[:-1]))
        assert np.array_equal(trace.observed.category_clicks[rows].sum(1), before)
        assert np.array_equal(trace.observed.family_stops[rows].sum(1), np.arange(len(rows)) - before)
        assert np.array_equal(trace.observed.page_index[rows], np.arange(len(rows)))


def test_expected_margin_is_the_mean_of_what_is_bought(columns, as_of):
    made = shop(columns, as_of, CONTROL)  # buys often, so that few sessions tell
    run = front.play(made, front.Uniform(made.catalogue), 20_000, 5, is_traced=True)
    bought = np.bincount(run.trace.session, run.trace.acts.margin.sum(1), minlength=20_000)
    difference = bought - run.value
    assert abs(difference.mean()) < 3 * difference.std() / np.sqrt(len(difference))


@pytest.mark.parametrize("law", ASSUMPTION_BREAKING, ids=lambda law: law.name)
def test_assumption_breaking_shops_break_what_they_say(columns, as_of, law):
    made = shop(columns, as_of, law)
    trace = front.play(made, front.Uniform(made.catalogue), 4_000, 6, is_traced=True).trace
    slots = np.arange(front.SLOT_COUNT)
    lowest = np.where(trace.acts.is_examined, slots, -1).max(1)
    has_gap = (trace.acts.is_examined.sum(1) <= lowest).any()
    has_several = (trace.acts.is_clicked.sum(1) > 1).any()
    assert has_gap == (law.name in ("scanners", "browsing-model"))
    assert has_several == (law.name in ("several-clicks", "browsing-model"))


def test_a_shelf_below_another_of_its_category_is_clicked_less(columns, as_of):
    law = REGIMES["cannibalisation"]
    made, plain = shop(columns, as_of, law), shop(columns, as_of)
    catalogue = made.catalogue
    same = np.flatnonzero(catalogue.category == 0)[:2]
    zero = np.zeros(2, np.int64)
    state = HiddenState(zero, zero, zero, zero + 2, np.zeros((2, 3), np.int64))
    page = np.array([[same[0], same[1]], [same[1], same[0]]])
    context = np.zeros(2, np.int64)
    with_rivals = made.view(context, state, page).bias
    alone = plain.view(context, state, page).bias
    assert np.allclose(alone - with_rivals, [[0, law.cannibalisation]] * 2)


def test_front_pages_are_those_of_the_shop_of_five_page_types(columns, as_of):
    """The same laws in both vectorised faces: clicks and pages agree within 5 %, n = 20,000 sessions each."""
    hidden = world.draw(columns, 4, as_of, FRONT)
    hidden = replace(hidden, by_daypart=np.zeros_like(hidden.by_daypart))
    made = front.build(hidden, season_count=1, daypart_count=1)
    run = front.play(made, front.Uniform(made.catalogue), 20_000, 9)
    rows = np.stack((run.pages, run.clicks, run.clicks, run.clicks), 1)  # purchases are not compared
    random = np.random.default_rng(2)
    visitors = rollout.Visitors(
        shopper=np.arange(20_000),
        kind=random.choice(len(hidden.type_share), 20_000, p=hidden.type_share),
        device=random.choice(3, 20_000, p=front.DEVICE_SHARE),
        bot_pages=np.zeros(20_000, np.int64),
    )
    other = rollout.run(hidden, visitors, UniformLayout(hidden), random)
    for figure in agreement.compare(Tally(rows), Tally(other.rows)):
        assert figure.agrees or figure.figure == "purchases per session", str(figure)
