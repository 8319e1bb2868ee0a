"""How do thousands of sessions run at once, on pages that a layout lays out?

Sessions of one batch advance page by page, in step. Shapes: B sessions, S slots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simulator import choice, modules, session
from simulator.session import DRAW_COUNT, Draw, HiddenState, Start, Step, View
from simulator.shelves import Table
from simulator.shopper import Population
from simulator.tally import COLUMNS, Tally
from simulator.world import World

MAX_PAGES = 60
BOT_PAGES = (8, 16)


class Layout(Protocol):
    """Decides what stands on pages."""

    table: Table

    def lay_out(
        self, page_type: np.ndarray, category: np.ndarray, kind: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        """(B, S) rows of the table, top-down; -1 below a page's last slot.

        Args:
            kind: (B,) hidden type, for pages that are tabulated per type; no policy may read it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Visitors:
    """B sessions as they begin: who comes, and whether it is a robot that takes so many pages."""

    shopper: np.ndarray
    kind: np.ndarray
    device: np.ndarray
    bot_pages: np.ndarray

    @property
    def is_bot(self) -> np.ndarray:
        return self.bot_pages > 0


@dataclass(frozen=True, slots=True)
class PageViews:
    """One page of each session that is still there, and all that was done on it.

    Attributes:
        rows: (B,) which sessions of the batch.
        index: pages of the session before this one.
        placed: (B, S) rows of the table.
        last, clicked: (B,) slots; clicked is NO_SLOT for none.
        item: (B,) catalogue index of what was clicked; -1 for none.
        subject: (B,) item that was clicked before; -1 for none.
        purchase_probability, margin: (B,) with which the page was going to sell, and what it was going to
            earn; hidden from the shop.
        is_bot: (B,) robots click the first item of every slot.
    """

    rows: np.ndarray
    index: int
    page_type: np.ndarray
    category: np.ndarray
    placed: np.ndarray
    last: np.ndarray
    clicked: np.ndarray
    item: np.ndarray
    subject: np.ndarray
    step: Step
    purchase_probability: np.ndarray
    margin: np.ndarray
    is_bot: np.ndarray
    is_over: np.ndarray


def invite(population: Population, count: int, random: np.random.Generator) -> Visitors:
    """Who comes to `count` sessions."""
    cumulative = population.traits.activity.cumsum()
    shopper = np.searchsorted(cumulative, random.random(count) * cumulative[-1], side="right")
    is_bot = population.traits.is_bot[shopper]
    return Visitors(
        shopper=shopper,
        kind=population.kind[shopper],
        device=population.traits.device[shopper],
        bot_pages=np.where(is_bot, random.integers(*BOT_PAGES, size=count), 0),
    )


def run(
    hidden: World,
    visitors: Visitors,
    layout: Layout,
    random: np.random.Generator,
    observe: Callable[[PageViews], None] = lambda views: None,
) -> Tally:
    """Runs a batch of sessions to their end.

    Args:
        observe: called for each page of the batch, in the order of the sessions' own time.

    Returns:
        The tally of the human sessions, in their order.
    """
    count = len(visitors.kind)
    tally = np.zeros((count, len(COLUMNS)))
    rows = np.arange(count)
    state, page_type, category = session.begin(hidden, visitors.kind, random.random((count, len(Start))))
    page_type = np.where(visitors.is_bot, modules.HOME, page_type)
    category = np.where(visitors.is_bot, -1, category)
    subject = np.full(count, -1)
    for index in range(MAX_PAGES):
        views = _view(hidden, visitors, layout, state, rows, index, page_type, category, subject, random)
        observe(views)
        outcome = views.step.outcome
        tally[rows] += np.stack(
            [
                np.ones(len(rows)),
                outcome.is_clicked,
                outcome.is_bought,
                views.purchase_probability,
                views.margin,
            ],
            1,
        )
        stays = ~views.is_over
        rows, state = rows[stays], views.step.state.take(stays)
        page_type, category, subject = outcome.page_type[stays], outcome.category[stays], views.item[stays]
        if not len(rows):
            break
    return Tally(tally[~visitors.is_bot])


def _view(
    hidden: World,
    visitors: Visitors,
    layout: Layout,
    state: HiddenState,
    rows: np.ndarray,
    index: int,
    page_type: np.ndarray,
    category: np.ndarray,
    subject: np.ndarray,
    random: np.random.Generator,
) -> PageViews:
    """Lays out one page for each session, and lets it be looked at."""
    device, is_bot = visitors.device[rows], visitors.is_bot[rows]
    placed = layout.lay_out(page_type, category, state.kind, random)
    view = _in_the_eyes_of(state, layout.table, placed, device)
    draws = random.random((len(rows), DRAW_COUNT))
    look = session.look(hidden, state, view, random.random((*placed.shape, 2)))
    walk = look.walk
    everything = np.arange(len(rows))
    shelf = placed[everything, walk.last]
    place = choice.pick(layout.table.share[shelf, device, state.kind], draws[:, Draw.PICK])
    is_clicked = walk.clicked != choice.NO_SLOT
    item = np.where(is_clicked, layout.table.items[shelf, place], -1)
    step = session.react(hidden, state, view, walk, item, draws)
    is_last = index == MAX_PAGES - 1
    return PageViews(
        rows=rows,
        index=index,
        page_type=page_type,
        category=category,
        placed=placed,
        last=np.where(is_bot, view.is_present.sum(1) - 1, walk.last),
        clicked=walk.clicked,
        item=np.where(is_bot, -1, item),
        subject=subject,
        step=_for_robots(step, is_bot),
        purchase_probability=look.purchase_probability,
        margin=look.margin,
        is_bot=is_bot,
        is_over=np.where(is_bot, index + 1 >= visitors.bot_pages[rows], step.outcome.is_gone) | is_last,
    )


def _in_the_eyes_of(state: HiddenState, table: Table, placed: np.ndarray, device: np.ndarray) -> View:
    devices, kinds = device[:, None], state.kind[:, None]
    return View(
        bias=table.bias[placed],
        scroll=table.scroll[placed, devices],
        affinity=table.affinity[placed, devices, kinds],
        target_share=table.target_share[placed, devices, kinds, state.target[:, None]],
        target_conversion=table.target_conversion[placed, devices, kinds, state.target[:, None]],
        family=table.family[placed],
        is_present=placed >= 0,
    )


def _for_robots(step: Step, is_bot: np.ndarray) -> Step:
    """Robots want nothing, and come back to the front page."""
    outcome = step.outcome
    human = ~is_bot
    return Step(
        session.Outcome(
            is_clicked=outcome.is_clicked & human,
            is_dwelled=outcome.is_dwelled & human,
            is_carted=outcome.is_carted & human,
            is_bought=outcome.is_bought & human,
            is_gone=outcome.is_gone,
            page_type=np.where(is_bot, modules.HOME, outcome.page_type),
            category=np.where(is_bot, -1, outcome.category),
        ),
        step.state,
    )
