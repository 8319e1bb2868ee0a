"""Does the front page hold together: what is seen, what is hidden, and what a page is worth?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator import agreement, front, rollout, session, world
from simulator.front.sessions import begin
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


def test_a_shop_that_changes_is_another_one_after_half_of_a_log(columns, as_of):
    made = shop(columns, as_of, REGIMES["shift"])
    assert made.after is not None
    count = 8_192
    before, across, after = (
        front.play(made, front.Uniform(made.catalogue), count, 7, is_traced=True, part=part)
        for part in front.Part
    )
    half = count // 2
    assert np.array_equal(across.value[:half], before.value[:half])
    assert np.array_equal(across.value[half:], after.value[half:])
    assert not np.array_equal(before.value[half:], after.value[half:])
    # The same shoppers come; what pleases them has changed.
    is_first = [run.trace.observed.page_index == 0 for run in (before, after)]
    segments = [
        run.trace.observed.segment[first] for run, first in zip((before, after), is_first, strict=True)
    ]
    assert np.array_equal(*segments)
    assert np.abs(made.affinity - made.after.affinity).mean() > 0.1
    assert np.abs(made.bias - made.after.bias).mean() > 0.05
    assert np.array_equal(made.items, made.after.items)
    assert np.array_equal(made.scroll, made.after.scroll)


def test_the_border_of_a_change_is_where_the_regime_says(columns, as_of):
    made = shop(columns, as_of, replace(REGIMES["shift"], shift_at=0.25))
    parts = {
        part: front.play(made, front.Uniform(made.catalogue), 16_384, 7, part=part).value
        for part in front.Part
    }
    assert np.array_equal(parts[front.Part.ACROSS][:4_096], parts[front.Part.BEFORE][:4_096])
    assert np.array_equal(parts[front.Part.ACROSS][4_096:], parts[front.Part.AFTER][4_096:])


def test_a_shop_that_does_not_change_is_one_in_all_its_parts(columns, as_of):
    made = shop(columns, as_of)
    assert made.after is None
    runs = [front.play(made, front.Uniform(made.catalogue), 5_000, 7, part=part).value for part in front.Part]
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("seed", range(5))
def test_uniform_pages_are_clicked_bought_from_and_left_as_in_real_shops(columns, as_of, seed):
    made = shop(columns, as_of, FRONT, seed)
    run = front.play(made, front.Uniform(made.catalogue), 12_000, 1, is_traced=True)
    clicks, conversion, pages = figures(run)
    assert 0.15 < clicks < 0.35
    assert 0.005 < conversion < 0.05
    assert 3 < pages < 5


@pytest.mark.parametrize("seed", range(5))
def test_the_most_clicked_page_lifts_every_figure_as_far_as_documented(columns, as_of, seed):
    """One page for everybody, by true click probabilities: above the range of real shops in most worlds."""
    made = shop(columns, as_of, FRONT, seed)
    uniform = front.play(made, front.Uniform(made.catalogue), 12_000, 1, is_traced=True)
    run = front.play(made, MostClicked(made), 12_000, 1, is_traced=True)
    clicks, conversion, pages = figures(run)
    assert all(more > less for more, less in zip((clicks, conversion, pages), figures(uniform), strict=True))
    assert 0.30 < clicks < 0.60
    assert 0.02 < conversion < 0.08
    assert 4.2 < pages < 5.6


class MostClicked:
    """Shows everybody the shelves that are clicked most by shoppers who come, one of each module."""

    def __init__(self, made):
        visits = begin(made, 20_000, np.random.default_rng(0))
        actions = np.tile(np.arange(len(made.catalogue.module)), (20_000, 1))
        view = made.view(visits.observed.context, visits.state, actions)
        click = session.click_probability(made.world, visits.state, view).mean(0)
        order = np.argsort(-click)
        first = np.sort(np.unique(made.catalogue.module[order], return_index=True)[1])
        self._page = order[first[: front.SLOT_COUNT]]

    def decide(self, observed, random):
        placed = np.tile(self._page, (len(observed.rows), 1))
        return front.Decision(placed, np.ones(placed.shape))


def figures(run):
    """Clicked pages per page, share of sessions with a purchase, pages per session."""
    bought = np.bincount(run.trace.session, run.trace.acts.margin.sum(1), minlength=len(run.pages)) > 0
    return run.clicks.sum() / run.pages.sum(), bought.mean(), run.pages.mean()


@pytest.fixture(scope="module")
def rich(columns, as_of):
    return front.build(world.draw(columns, 4, as_of, FRONT), 1, 1, is_rich=True)


def test_rich_shops_have_two_more_modules_and_are_else_the_same(columns, as_of, rich):
    plain = front.build(world.draw(columns, 4, as_of, FRONT), 1, 1)
    count = len(plain.catalogue.module)
    assert rich.catalogue.module_ids == (*plain.catalogue.module_ids, "for-you", "recently-viewed")
    assert len(rich.catalogue.module) == count + 4
    assert rich.catalogue.history.tolist() == [0] * count + [1, 1, 2, 2]
    for name in ("bias", "family", "category", "items"):
        assert np.array_equal(getattr(rich, name)[:count], getattr(plain, name))
    assert np.array_equal(rich.affinity[:, :count], plain.affinity)
    assert rich.is_rich and not plain.is_rich


def test_what_depends_on_the_past_is_about_what_was_seen_of_it(rich):
    observed = front.Observed.begin(np.zeros(3, int), np.zeros(3, int), 6, 3)
    observed.recent_interest[1, [2, 5]] = 1.0, 3.0  # looked long into 5, then clicked 2
    observed.last_category[1] = 2
    observed.recent_interest[2, 4] = 1.0
    observed.last_category[2] = 4
    history = rich.catalogue.categories(observed)[:, -4:]
    assert history.tolist() == [[-1] * 4, [5, 5, 2, 2], [4] * 4]
    shown = rich.shelves(observed, np.tile(np.arange(len(rich.catalogue.module)), (3, 1)))
    assert np.array_equal(rich.category[shown], rich.catalogue.categories(observed))
    assert np.array_equal(shown[:, :-4], np.tile(np.arange(shown.shape[1] - 4), (3, 1)))
    items = rich.items[shown[1, -1]]
    assert (rich.world.items.category[items[items >= 0]] == 2).all()


def test_what_depends_on_the_past_pleases_those_who_have_one(rich):
    """Clicks once seen, by how often "for you" and its like were clicked before and after a first click."""
    trace = front.play(rich, front.Uniform(rich.catalogue), 20_000, 3, is_traced=True).trace
    is_history = rich.catalogue.history[trace.decision.placed] > 0
    has_past = (trace.observed.last_category >= 0)[:, None]
    rates = [
        trace.acts.is_clicked[is_history & trace.acts.is_examined & (has_past == known)].mean()
        for known in (False, True)
    ]
    others = [
        trace.acts.is_clicked[~is_history & trace.acts.is_examined & (has_past == known)].mean()
        for known in (False, True)
    ]
    assert rates[1] / rates[0] > 1.5 * others[1] / others[0]


def test_what_was_passed_is_counted_until_its_like_is_clicked():
    observed = front.Observed.begin(np.zeros(2, int), np.zeros(2, int), 3, 2)
    nothing = np.zeros(2, bool)

    def look(is_examined, is_clicked, category, family):
        is_examined, is_clicked = np.array(is_examined, bool), np.array(is_clicked, bool)
        acts = front.Acts(is_examined, is_clicked, is_clicked * 0.0, np.array(category), *[nothing] * 4)
        observed.note(
            acts, np.array(family), np.array([[0, 2, -1], [1, 1, 0]]), np.array([[0, 1, 1], [1, 1, 0]])
        )

    look([[1, 1, 1], [1, 1, 0]], [[0, 0, 0], [0, 0, 0]], [0, 0], [1, 1])
    assert observed.category_passes.tolist() == [[1, 0, 1], [0, 2, 0]]
    assert observed.family_passes.tolist() == [[1, 2], [0, 2]]
    look([[1, 1, 0], [1, 0, 0]], [[0, 1, 0], [0, 0, 0]], [2, 0], [1, 1])
    assert observed.category_passes.tolist() == [[1.75, 0, 0], [0, 2.5, 0]]
    assert observed.family_passes.tolist() == [[1.75, 0], [0, 2.5]]
