"""How does a visit go on: what changes in a shopper's mind after a page, and where do they go next?

Array functions without state of their own, used alike by both faces. Shapes: B sessions, S slots,
F families.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np

from simulator import choice, modules
from simulator.choice import NO_SLOT, Walk
from simulator.world import MAX_FATIGUE, MAX_PATIENCE, World

BROWSE, CONSIDER, DECIDE = range(3)
"""Stages."""

_ENTRY = np.array((0.62, 0.13, 0.11, 0.14, 0.0))
_AFTER_STOP = np.array(
    ((0.60, 0.25, 0.0, 0.15, 0.0), (0.35, 0.35, 0.0, 0.30, 0.0), (0.25, 0.35, 0.0, 0.40, 0.0))
)
"""Next page type by stage."""
_TO_CART = 0.35
_TO_PRODUCT = 0.80
_TO_OWN_CATEGORY = 0.70


class Start(IntEnum):
    """Columns of the uniform draws that begin a session."""

    TARGET = 0
    STAGE = auto()
    PATIENCE = auto()
    ENTRY = auto()


class Draw(IntEnum):
    """Columns of the uniform draws of a page, beside two per slot."""

    PICK = 0
    BUY = auto()
    LEAVE = auto()
    STAGE_UP = auto()
    PATIENCE = auto()
    TIRE = auto()
    ADOPT = auto()
    DRIFT = auto()
    NEW_TARGET = auto()
    EXIT = auto()
    DWELL = auto()
    CART = auto()
    NEXT = auto()
    REST = auto()
    """First of one per family; must stay the last."""


DRAW_COUNT = Draw.REST + len(modules.FAMILIES)


@dataclass(frozen=True, slots=True)
class HiddenState:
    """What is on the minds of B shoppers; the shop never sees it.

    Attributes:
        kind, target, stage: (B,) type, target category, stage.
        patience: (B,) 0 is gone.
        fatigue: (B, F).
    """

    kind: np.ndarray
    target: np.ndarray
    stage: np.ndarray
    patience: np.ndarray
    fatigue: np.ndarray

    def take(self, rows: np.ndarray) -> HiddenState:
        """The state of some of the sessions."""
        return HiddenState(
            self.kind[rows], self.target[rows], self.stage[rows], self.patience[rows], self.fatigue[rows]
        )


@dataclass(frozen=True, slots=True)
class View:
    """A page in the eyes of B shoppers, (B, S) each.

    Attributes:
        bias, scroll: how the slot draws the eye.
        affinity: how its items please this shopper.
        target_share: share of its clicks that fall on the target category.
        target_conversion: the same, each item weighted by how readily it is bought.
        family: index; anything where nothing stands.
        is_present: false below the page's last slot.
    """

    bias: np.ndarray
    scroll: np.ndarray
    affinity: np.ndarray
    target_share: np.ndarray
    target_conversion: np.ndarray
    family: np.ndarray
    is_present: np.ndarray


@dataclass(frozen=True, slots=True)
class Outcome:
    """What B shoppers did about a page, as far as a shop can see it. All (B,).

    Attributes:
        is_dwelled, is_carted, is_bought: false without a click.
        is_gone: true where the session is over.
        page_type: position in PAGE_TYPES of the next page.
        category: category that the next page is about; -1 for none.
    """

    is_clicked: np.ndarray
    is_dwelled: np.ndarray
    is_carted: np.ndarray
    is_bought: np.ndarray
    is_gone: np.ndarray
    page_type: np.ndarray
    category: np.ndarray


@dataclass(frozen=True, slots=True)
class Look:
    """How far B shoppers got on their pages.

    Attributes:
        purchase_probability: (B,) with which the page was going to sell.
        margin: (B,) expected, where a sale earns 1, or the share that its family leaves.
    """

    walk: Walk
    purchase_probability: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True, slots=True)
class Step:
    """What B shoppers did about a page, and their minds afterwards."""

    outcome: Outcome
    state: HiddenState


def begin(world: World, kind: np.ndarray, draws: np.ndarray) -> tuple[HiddenState, np.ndarray, np.ndarray]:
    """The minds with which B shoppers come, and the type and category of the pages that they enter by.

    Args:
        draws: (B, len(Start)) uniform on [0, 1).
    """
    target = _draw(world.preference[kind], draws[:, Start.TARGET])
    state = HiddenState(
        kind=kind,
        target=target,
        stage=_draw(world.regime.start_stage[None], draws[:, Start.STAGE]),
        patience=_draw(world.regime.start_patience[None], draws[:, Start.PATIENCE]),
        fatigue=np.zeros((len(kind), len(modules.FAMILIES)), np.int64),
    )
    page_type = _draw(_ENTRY[None], draws[:, Start.ENTRY])
    if world.regime.is_front_only:
        page_type = np.full(len(kind), modules.HOME)
    return state, page_type, _about(page_type, target)


def look(world: World, state: HiddenState, view: View, draws: np.ndarray) -> Look:
    """How far shoppers get on their pages.

    Args:
        draws: (B, S, 2) uniform on [0, 1).
    """
    click = click_probability(world, state, view)
    scroll = choice.scroll_probability(world.regime, view.scroll, state.patience)
    reached = choice.reach(click, scroll, view.is_present)
    sale = reached * click * sale_probability(world, state, view)
    margin = sale * world.regime.margin_share[view.family]
    return Look(choice.walk(click, scroll, view.is_present, draws), sale.sum(1), margin.sum(1))


def click_probability(world: World, state: HiddenState, view: View) -> np.ndarray:
    """(B, S) probability that a slot is clicked once it is looked at."""
    return choice.click_probability(
        world.regime, view.bias, view.affinity, view.target_share, view.family, state.stage, state.fatigue
    )


def sale_probability(world: World, state: HiddenState, view: View) -> np.ndarray:
    """(B, S) probability that a click on a slot ends in a purchase."""
    law = world.regime
    readiness = 1.0 if law.is_target_blind else view.target_conversion
    return np.minimum(law.buy[state.stage][:, None] * readiness, 1.0)


def react(
    world: World, state: HiddenState, view: View, walk: Walk, item: np.ndarray, draws: np.ndarray
) -> Step:
    """What shoppers do after the look, what it does to them, and where they go.

    Args:
        item: (B,) the item that was clicked; anything without a click.
        draws: (B, DRAW_COUNT) uniform on [0, 1).
    """
    law = world.regime
    is_clicked = walk.clicked != NO_SLOT
    item_category = world.items.category[item]
    is_article = world.items.is_article[item]
    family = view.family[np.arange(len(item)), walk.last]
    is_on_target = is_clicked & ((item_category == state.target) | law.is_target_blind)

    readiness = 1.0 if law.is_target_blind else world.conversion[item]
    buy_probability = np.where(is_on_target, np.minimum(law.buy[state.stage] * readiness, 1.0), 0.0)
    is_bought = draws[:, Draw.BUY] < buy_probability
    is_kept = is_on_target & ~is_bought & ~is_article
    is_carted = is_bought | (is_kept & (draws[:, Draw.CART] < law.cart[state.stage]))
    is_dwelled = is_clicked & (draws[:, Draw.DWELL] < np.where(is_on_target, law.dwell[1], law.dwell[0]))

    after = _change(world, state, family, item_category, is_clicked, is_on_target, is_bought, draws)
    is_gone = (
        (after.patience == 0)
        | (draws[:, Draw.EXIT] < law.leave)
        | (is_bought & (draws[:, Draw.LEAVE] < law.leave_after_buying))
    )
    page_type = _next_page(after, is_clicked, is_article, is_bought, is_carted, draws[:, Draw.NEXT])
    if law.is_front_only:
        page_type = np.full(len(item), modules.HOME)
    subject = np.where(is_clicked & (page_type != modules.SEARCH), item_category, after.target)
    outcome = Outcome(
        is_clicked, is_dwelled, is_carted, is_bought, is_gone, page_type, _about(page_type, subject)
    )
    return Step(outcome, after)


def _change(
    world: World,
    state: HiddenState,
    family: np.ndarray,
    item_category: np.ndarray,
    is_clicked: np.ndarray,
    is_on_target: np.ndarray,
    is_bought: np.ndarray,
    draws: np.ndarray,
) -> HiddenState:
    """The mind after a page."""
    law = world.regime
    is_off_target = is_clicked & ~is_on_target
    is_stop = ~is_clicked

    is_adopted = is_off_target & (state.stage == BROWSE) & (draws[:, Draw.ADOPT] < law.adopt)
    is_drifted = is_stop & (draws[:, Draw.DRIFT] < law.drift)
    drifted = _draw(world.preference[state.kind], draws[:, Draw.NEW_TARGET])
    target = np.where(is_adopted, item_category, np.where(is_drifted, drifted, state.target))

    is_raised = is_on_target & ~is_bought & (draws[:, Draw.STAGE_UP] < law.stage_up[family])
    stage = np.where(is_bought, BROWSE, np.minimum(state.stage + is_raised, DECIDE))

    impatience = np.where(
        is_stop, law.stop_impatience, np.where(is_off_target, law.off_target_impatience, 0.0)
    )
    is_impatient = draws[:, Draw.PATIENCE] < impatience
    patience = np.maximum(np.minimum(state.patience + is_on_target, MAX_PATIENCE) - is_impatient, 0)

    is_rested = draws[:, Draw.REST : Draw.REST + state.fatigue.shape[1]] < law.rest
    fatigue = np.maximum(state.fatigue - is_rested, 0)
    is_tired = (is_stop | is_off_target) & (draws[:, Draw.TIRE] < law.tire)
    fatigue[np.arange(len(family)), family] += is_tired
    return HiddenState(state.kind, target, stage, patience, np.minimum(fatigue, MAX_FATIGUE))


def _next_page(
    after: HiddenState,
    is_clicked: np.ndarray,
    is_article: np.ndarray,
    is_bought: np.ndarray,
    is_carted: np.ndarray,
    draw: np.ndarray,
) -> np.ndarray:
    """(B,) position in PAGE_TYPES."""
    after_click = np.where(draw < _TO_PRODUCT, modules.PRODUCT, modules.HOME)
    after_article = np.where(draw < _TO_OWN_CATEGORY, modules.CATEGORY, modules.HOME)
    after_carted = np.where(draw < _TO_CART, modules.CART, modules.PRODUCT)
    after_click = np.where(is_article, after_article, after_click)
    after_click = np.where(is_carted, after_carted, after_click)
    after_click = np.where(is_bought, modules.HOME, after_click)
    return np.where(is_clicked, after_click, _draw(_AFTER_STOP[after.stage], draw))


def _about(page_type: np.ndarray, category: np.ndarray) -> np.ndarray:
    """The category of a page; -1 on pages that are about none."""
    return np.where((page_type == modules.HOME) | (page_type == modules.CART), -1, category)


def _draw(shares: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """(B,) choices by rows of shares (B or 1, N) that sum to 1."""
    return np.minimum((shares.cumsum(1) <= draw[:, None]).sum(1), shares.shape[1] - 1)
