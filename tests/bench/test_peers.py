"""Do the peers of the policy benchmark learn what they say, and lay out pages that may be shown?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.local.bench.policy import log, sizes
from services.local.bench.policy.peers import (
    ccb,
    decisions,
    editorial,
    immediate,
    linucb,
    placing,
    popularity,
    thompson,
)
from services.local.bench.policy.peers.slot_view import SlotView
from services.policy.training.pages import TERMINAL, Pages
from simulator import catalogue, front, world
from simulator.front import SLOT_COUNT
from simulator.slotwise import SlotShop

SIZE = replace(
    sizes.QUICK, log_sessions=800, test_sessions=400, recipe=replace(sizes.QUICK.recipe, step_count=40)
)


@pytest.fixture(scope="module")
def gathered():
    items = world.read_items(catalogue.make(0, sizes.DAY), sizes.DAY)
    return log.gather(log.build_shop(items, 0, "base", SIZE), SIZE)


def some_pages(placed, examined, clicked, reward, following):
    placed = np.array(placed)
    slots = np.arange(placed.shape[1])
    return Pages(
        states=np.zeros((len(placed), 1), np.float32),
        actions=None,
        slot_count=np.full(len(placed), placed.shape[1]),
        placed=placed,
        propensity=np.ones(placed.shape),
        is_examined=slots < np.array(examined)[:, None],
        is_clicked=slots == np.array(clicked)[:, None],
        reward=np.array(reward),
        signals=np.zeros((len(placed), 0)),
        following=np.array(following),
    )


# A session of two pages of three slots: a click on the second slot, then a purchase on the first.
TWO_PAGES = some_pages(
    placed=[[4, 2, 0], [1, 3, 5]],
    examined=[2, 1],
    clicked=[1, 0],
    reward=[[0, 0, 0], [0.6, 0, 0]],
    following=[1, TERMINAL],
)


def test_a_click_leads_from_its_slot_to_the_next_page():
    steps = decisions.down_the_cascade(TWO_PAGES)
    assert steps.action.tolist() == [4, 2, 1]
    assert list(zip(steps.next_page, steps.next_slot, strict=True))[:2] == [(0, 1), (1, 0)]
    assert steps.reward.tolist() == pytest.approx([0, 0, 0.6])
    assert steps.is_over.tolist() == [False, False, True]


def test_page_ends_take_all_slots_and_bring_the_page_s_reward_at_the_last():
    steps = decisions.to_the_page_end(TWO_PAGES)
    assert steps.action.tolist() == [4, 2, 0, 1, 3, 5]
    assert list(zip(steps.next_page, steps.next_slot, strict=True))[:3] == [(0, 1), (0, 2), (1, 0)]
    assert steps.reward.tolist() == pytest.approx([0, 0, 0, 0, 0, 0.6])
    assert steps.is_over.tolist() == [False] * 5 + [True]


def test_a_decision_is_described_by_state_slot_and_what_stands_above():
    states = decisions.SlotStates(np.array([1.0]), np.array([2.0]), np.array([0, 0, 1, 2]))
    placed = np.array([[2, 0, 3, 0, 0, 0]])
    (found,) = states.describe(np.array([[5.0]], np.float32), np.array([2]), placed)
    assert found.dtype == np.float32
    assert found.tolist() == [2.0, *(0, 0, 1, 0, 0, 0), *(1, 1, 0)]


def test_the_best_free_action_takes_each_slot_and_keeps_its_other_templates_out():
    module = np.array([0, 0, 1, 2, 3, 4, 5, 6])
    score = np.array([[9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]])
    assert placing.by_score(score, module).placed.tolist() == [[0, 2, 3, 4, 5, 6]]


def test_popularity_weighs_clicks_by_inverse_propensity(gathered):
    count = len(gathered.encoder.catalogue.module)
    pages = gathered.pages
    rate = popularity.fit(gathered, 0).rate
    action = int(pages.placed[0, 0])
    shown = (pages.placed == action) & pages.is_examined
    expected = (shown * pages.is_clicked / pages.propensity).sum() / (shown / pages.propensity).sum()
    assert rate.shape == (count,)
    assert rate[action] == pytest.approx(expected)


def test_the_editorial_page_leads_with_the_hero_and_ends_in_bestsellers(gathered):
    known = gathered.encoder.catalogue
    page = [known.module_ids[known.module[action]] for action in editorial.page_of(known)]
    assert page[:3] == ["hero", "popular", "new-in"]
    assert all(name.startswith("bestsellers-") for name in page[3:])


def test_thompson_s_posteriors_count_examined_slots_by_segment(gathered):
    policy = thompson.fit(gathered, 0)
    assert policy.clicked.sum() - policy.clicked.size == gathered.pages.is_clicked.sum()
    assert (policy.clicked + policy.unclicked - 2).sum() == gathered.pages.is_examined.sum()
    of_first = gathered.trace.observed.segment == 0
    assert (policy.clicked[0] - 1).sum() == gathered.pages.is_clicked[of_first].sum()


def test_linucb_solves_each_action_s_ridge_regression(gathered):
    policy = linucb.fit(gathered, 0, "click", ridge=2.0)
    page, slot = np.nonzero(gathered.pages.is_examined & (gathered.pages.placed == 3))
    x = np.c_[policy.states.scaled(gathered.pages.states[page]), np.ones(len(page))].astype(float)
    y = gathered.pages.is_clicked[page, slot].astype(float)
    error = np.r_[x @ policy.weight[3] - y]
    assert np.abs(x.T @ error + 2.0 * policy.weight[3]).max() < 1e-6


def test_linucb_s_bonus_is_larger_where_less_was_seen(gathered):
    policy = linucb.fit(gathered, 0, alpha=1.0)
    thin = replace(policy, inverse=policy.inverse * 4)
    x = np.r_[np.zeros(gathered.pages.states.shape[1]), 1.0]
    bonuses = [np.sqrt(x @ one.inverse[0] @ x) for one in (policy, thin)]
    assert bonuses[1] == pytest.approx(2 * bonuses[0])
    start = front.play(gathered.shop, policy, 200, 1).value
    assert not np.array_equal(start, front.play(gathered.shop, replace(thin, alpha=100.0), 200, 1).value)


@pytest.mark.parametrize("peer", [editorial, immediate, linucb, popularity, thompson])
def test_no_module_stands_twice_on_a_page(gathered, peer):
    module = gathered.encoder.catalogue.module
    decision = peer.fit(gathered, 0).decide(gathered.trace.observed, np.random.default_rng(0))
    assert decision.placed.shape == decision.propensity.shape == (len(gathered.pages), SLOT_COUNT)
    assert (np.diff(np.sort(module[decision.placed], 1), axis=1) > 0).all()


def test_a_bandit_s_choice_gives_way_to_its_next_where_the_module_stands_above():
    module = np.array([0, 0, 1])
    ranked = [[(0, 1.0), (1, 0.0), (2, 0.0)], [(1, 1.0), (2, 0.0)]]
    assert ccb._first_free(ranked, module) == [0, 2]


def test_a_bandit_reads_of_a_state_what_is_not_zero():
    assert ccb._shared_lines(np.array([[0.0, 1.5, 0.0, 2.0]])) == ["ccb shared |s 1:1.5 3:2"]


def test_pages_in_the_making_look_as_the_environment_shows_them(gathered):
    shop = SlotShop(gathered.shop, 3, is_renewed=True)
    shown = shop.reset(7)
    view = SlotView(gathered.shop, shop._observed)
    placed = np.zeros((3, SLOT_COUNT), np.int64)
    for slot in range(SLOT_COUNT - 1):
        assert np.array_equal(view.before(slot, placed), shown)
        placed[:, slot] = shown[:, -shop.action_count :].argmax(1)
        shown, *_ = shop.step(placed[:, slot])
    assert np.array_equal(view.before(SLOT_COUNT - 1, placed), shown)
