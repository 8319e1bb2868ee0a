"""What do shoppers do on a front page, and what does it do to them?

Shapes: B sessions, S slots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator import choice, session
from simulator.choice import NO_SLOT, Walk
from simulator.front.seen import Acts, Observed
from simulator.front.shop import SLOT_COUNT, Front
from simulator.regimes import Examination
from simulator.session import DRAW_COUNT, Draw, HiddenState


@dataclass(frozen=True, slots=True)
class Luck:
    """The uniform draws of B pages: (B, DRAW_COUNT) of the mind, (B, S, 3) of the slots."""

    mind: np.ndarray
    slots: np.ndarray

    @classmethod
    def draw(cls, count: int, random: np.random.Generator) -> Luck:
        return cls(random.random((count, DRAW_COUNT)), random.random((count, SLOT_COUNT, 3)))


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of B pages.

    Attributes:
        state: the minds afterwards; hidden.
        worth: (B,) expected margin; hidden.
        family: (B,) of the slot clicked, or given up on.
        shelf_category, shelf_family: (B, S) of what stood on the pages; categories are -1 for none.
    """

    acts: Acts
    state: HiddenState
    worth: np.ndarray
    family: np.ndarray
    shelf_category: np.ndarray
    shelf_family: np.ndarray


def turn(
    front: Front,
    observed: Observed,
    state: HiddenState,
    placed: np.ndarray,
    is_scanner: np.ndarray,
    luck: Luck,
) -> Turn:
    """Lets B shoppers look at their (B, S) pages of actions."""
    world, law = front.world, front.world.regime
    everyone = np.arange(len(is_scanner))
    shelf = front.shelves(observed, placed)
    view = front.view(observed.context, state, shelf)
    click = session.click_probability(world, state, view)
    scroll = choice.scroll_probability(law, view.scroll, state.patience)
    sale = session.sale_probability(world, state, view) * law.margin_share[view.family]
    if is_cascade(front):
        walk = choice.walk(click, scroll, view.is_present, luck.slots[:, :, :2])
        slots = np.arange(SLOT_COUNT)
        is_examined = slots <= walk.last[:, None]
        is_clicked = slots == walk.clicked[:, None]
        worth = (choice.reach(click, scroll, view.is_present) * click * sale).sum(1)
    else:
        is_examined, is_clicked = _wander(front, click, scroll, is_scanner, luck.slots)
        walk = _last_of(is_examined, is_clicked)
        # Whoever is asked what followed from a click is told its expectation.
        worth = (is_clicked * sale).sum(1)
    last = shelf[everyone, walk.last]
    place = choice.pick(front.share[observed.context, last, state.kind], luck.mind[:, Draw.PICK])
    hit = walk.clicked != NO_SLOT
    item = np.where(hit, front.items[last, place], -1)
    step = session.react(world, state, view, walk, item, luck.mind)
    outcome = step.outcome
    family = view.family[everyone, walk.last]
    margin = np.zeros(click.shape, np.float32)
    margin[everyone, walk.last] = outcome.is_bought * law.margin_share[family]
    if law.click_on or law.examination is Examination.BROWSING:
        earlier = is_clicked & (np.arange(SLOT_COUNT) != walk.last[:, None])
        bought = earlier & (luck.slots[:, :, 1] < session.sale_probability(world, state, view))
        margin += bought * law.margin_share[view.family]
    acts = Acts(
        is_examined,
        is_clicked,
        margin,
        np.where(hit, world.items.category[item], 0),
        outcome.is_dwelled,
        outcome.is_carted,
        outcome.is_bought,
        outcome.is_gone,
    )
    return Turn(acts, step.state, worth, family, front.category[shelf], view.family)


def is_cascade(front: Front) -> bool:
    """Whether shoppers go down a page slot by slot, and a click ends it."""
    law = front.world.regime
    return law.examination is Examination.CASCADE and not law.click_on and not law.scanner_share


def _wander(
    front: Front, click: np.ndarray, scroll: np.ndarray, is_scanner: np.ndarray, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(B, S) slots examined and clicked by shoppers who are no plain cascade."""
    law = front.world.regime
    is_examined, is_clicked = np.zeros(click.shape, bool), np.zeros(click.shape, bool)
    is_going = np.ones(len(click), bool)
    since = np.ones(len(click))
    for slot in range(click.shape[1]):
        if law.examination is Examination.BROWSING:
            sees = draws[:, slot, 2] < law.browse_on**since
        else:
            by_position = draws[:, slot, 2] < 0.9 * 0.85**slot
            sees = is_going & (by_position | ~is_scanner)
        hits = sees & (draws[:, slot, 0] < click[:, slot])
        is_examined[:, slot], is_clicked[:, slot] = sees, hits
        since = np.where(hits, 1, since + 1)
        goes_on = np.where(is_scanner, True, draws[:, slot, 1] < scroll[:, slot])
        is_going &= np.where(hits, draws[:, slot, 2] < law.click_on, goes_on)
    is_examined[:, 0] |= ~is_examined.any(1)
    return is_examined, is_clicked


def _last_of(is_examined: np.ndarray, is_clicked: np.ndarray) -> Walk:
    """The last click, or the lowest slot examined."""
    width = is_examined.shape[1]
    lowest = width - 1 - is_examined[:, ::-1].argmax(1)
    last_click = width - 1 - is_clicked[:, ::-1].argmax(1)
    is_any = is_clicked.any(1)
    return Walk(np.where(is_any, last_click, NO_SLOT), np.where(is_any, last_click, lowest))
