"""A visit goes on as specified: each transition is held against its probability."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import modules, session
from simulator.choice import NO_SLOT, Walk
from simulator.session import DRAW_COUNT, Draw, HiddenState, Start, View
from simulator.world import World

N = 40_000


def state_of(stage: int = 0, patience: int = 2, target: int = 0, fatigue: int = 1) -> HiddenState:
    return HiddenState(
        np.zeros(N, int),
        np.full(N, target),
        np.full(N, stage),
        np.full(N, patience),
        np.full((N, 3), fatigue),
    )


def view_of(family: int) -> View:
    ones = np.ones((N, 1))
    return View(ones, ones, ones, ones, ones, np.full((N, 1), family), np.ones((N, 1), bool))


def walk_of(is_clicked: bool) -> Walk:
    return Walk(np.full(N, 0 if is_clicked else NO_SLOT), np.zeros(N, int))


def item_of(hidden: World, category: int, is_article: bool = False) -> np.ndarray:
    rows = np.flatnonzero((hidden.items.category == category) & (hidden.items.is_article == is_article))
    return np.full(N, rows[0])


@pytest.fixture
def draws() -> np.ndarray:
    return np.random.default_rng(0).random((N, DRAW_COUNT))


def test_a_session_begins_with_a_target_to_taste(hidden: World) -> None:
    kind = np.full(N, 3)
    state, page_type, category = session.begin(hidden, kind, np.random.default_rng(0).random((N, len(Start))))
    shares = np.bincount(state.target, minlength=6) / N
    assert shares == pytest.approx(hidden.preference[3], abs=0.01)
    assert (state.fatigue == 0).all()
    assert set(np.unique(state.patience)) == {1, 2, 3}
    assert (category[page_type == modules.HOME] == -1).all()
    assert (category[page_type == modules.SEARCH] == state.target[page_type == modules.SEARCH]).all()
    assert modules.CART not in page_type


@pytest.mark.parametrize(("stage", "probability"), [(0, 0.005), (1, 0.03), (2, 0.15)])
def test_an_on_target_click_sells_by_stage_and_item(
    hidden: World, draws: np.ndarray, stage: int, probability: float
) -> None:
    item = item_of(hidden, 0)
    step = session.react(hidden, state_of(stage), view_of(1), walk_of(True), item, draws)
    expected = probability * hidden.conversion[item[0]]
    assert step.outcome.is_bought.mean() == pytest.approx(expected, abs=3 * np.sqrt(expected / N))
    assert (step.outcome.is_carted >= step.outcome.is_bought).all()
    assert (step.state.stage[step.outcome.is_bought] == session.BROWSE).all()


@pytest.mark.parametrize(("family", "probability"), [(0, 0.05), (1, 0.30), (2, 0.75)])
def test_an_on_target_click_raises_the_stage_by_family(
    hidden: World, draws: np.ndarray, family: int, probability: float
) -> None:
    item = item_of(hidden, 0, is_article=family == 2)
    step = session.react(hidden, state_of(0), view_of(family), walk_of(True), item, draws)
    kept = ~step.outcome.is_bought
    assert (step.state.stage[kept] == 1).mean() == pytest.approx(probability, abs=0.01)
    assert (step.state.patience == 3).all()


def test_articles_are_never_bought_or_carted(hidden: World, draws: np.ndarray) -> None:
    step = session.react(hidden, state_of(2), view_of(2), walk_of(True), item_of(hidden, 0, True), draws)
    assert not step.outcome.is_bought.any()
    assert not step.outcome.is_carted.any()
    assert set(np.unique(step.outcome.page_type)) == {modules.HOME, modules.CATEGORY}


def test_an_off_target_click_may_change_the_target_while_browsing(hidden: World, draws: np.ndarray) -> None:
    item = item_of(hidden, 4)
    browsing = session.react(hidden, state_of(0), view_of(1), walk_of(True), item, draws)
    deciding = session.react(hidden, state_of(2), view_of(1), walk_of(True), item, draws)
    assert (browsing.state.target == 4).mean() == pytest.approx(0.5, abs=0.01)
    assert (deciding.state.target == 4).mean() == 0
    assert (browsing.state.patience == 1).mean() == pytest.approx(0.35, abs=0.01)
    assert not browsing.outcome.is_bought.any()


def test_giving_up_costs_patience_and_tires_of_the_family(hidden: World, draws: np.ndarray) -> None:
    step = session.react(
        hidden, state_of(0, fatigue=0), view_of(0), walk_of(False), item_of(hidden, 0), draws
    )
    assert (step.state.patience == 1).mean() == pytest.approx(0.6, abs=0.01)
    assert (step.state.fatigue[:, 0] == 1).mean() == pytest.approx(0.7, abs=0.01)
    assert (step.state.fatigue[:, 1:] == 0).all()
    moved = 0.05 * (1 - hidden.preference[0, 0])
    assert (step.state.target != 0).mean() == pytest.approx(moved, abs=0.005)
    assert step.outcome.is_gone.mean() == pytest.approx(0.10, abs=0.01)


def test_fatigue_wears_off(hidden: World, draws: np.ndarray) -> None:
    step = session.react(hidden, state_of(0, fatigue=2), view_of(0), walk_of(True), item_of(hidden, 0), draws)
    assert (step.state.fatigue[:, 2] == 1).mean() == pytest.approx(0.25, abs=0.01)


def test_long_looks_tell_the_target_but_not_surely(hidden: World, draws: np.ndarray) -> None:
    on = session.react(hidden, state_of(), view_of(1), walk_of(True), item_of(hidden, 0), draws)
    off = session.react(hidden, state_of(), view_of(1), walk_of(True), item_of(hidden, 3), draws)
    none = session.react(hidden, state_of(), view_of(1), walk_of(False), item_of(hidden, 3), draws)
    assert on.outcome.is_dwelled.mean() == pytest.approx(0.8, abs=0.01)
    assert off.outcome.is_dwelled.mean() == pytest.approx(0.1, abs=0.01)
    assert not none.outcome.is_dwelled.any()


def test_whoever_loses_all_patience_is_gone(hidden: World, draws: np.ndarray) -> None:
    step = session.react(
        hidden, state_of(0, patience=1), view_of(0), walk_of(False), item_of(hidden, 0), draws
    )
    assert step.outcome.is_gone[step.state.patience == 0].all()


def test_next_pages_are_about_what_was_clicked_or_wanted(hidden: World, draws: np.ndarray) -> None:
    clicked = session.react(hidden, state_of(2), view_of(1), walk_of(True), item_of(hidden, 3), draws).outcome
    stopped = session.react(hidden, state_of(2), view_of(1), walk_of(False), item_of(hidden, 3), draws)
    assert (clicked.category[clicked.page_type == modules.PRODUCT] == 3).all()
    for page_type in (modules.CATEGORY, modules.SEARCH):
        rows = stopped.outcome.page_type == page_type
        assert rows.mean() > 0.3
        assert (stopped.outcome.category[rows] == stopped.state.target[rows]).all()
    assert modules.PRODUCT not in stopped.outcome.page_type


def test_every_page_draws_from_its_own_columns() -> None:
    assert len({int(draw) for draw in Draw}) == len(Draw)
    assert len(Draw) - 1 + len(modules.FAMILIES) == DRAW_COUNT
