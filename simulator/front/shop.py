"""What can stand on front pages, and how does it please each type of shopper?

One page type, static contexts (season, daypart, device), modules that decide, items that are tabulated.
Shapes: B sessions, S slots, A actions (a module in a template), E shelves (what an action shows: one and the
same, or one for each category that a shopper's past may point to), M modules, X contexts, K types,
C categories, F families, L items of a shelf.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simulator import modules, shelves, world
from simulator.front.seen import History, Observed
from simulator.modules import BLUEPRINTS, HISTORY_MODULES, MODULES, SOURCES, TEMPLATES
from simulator.session import HiddenState, View
from simulator.shelves import Context, Shelf
from simulator.world import Items, World

SLOT_COUNT = len(BLUEPRINTS[modules.HOME].slots)
SEASON_COUNT, DAYPART_COUNT, DEVICE_COUNT = 4, 2, 3
DEVICE_SHARE = np.array((0.45, 0.45, 0.10))
_HISTORIES = (History.INTEREST, History.LATEST)
"""Of HISTORY_MODULES, in their order."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is public about the A actions of a front page, in the order of its blueprint.

    Attributes:
        module, family, source, template, category: (A,) indexes; category is -1 for none. Sources are those
            of `modules.SOURCES`, then those of `modules.HISTORY_MODULES`.
        history: (A,) of `History`: what decides on the category of an action that depends on the past.
    """

    module: np.ndarray
    family: np.ndarray
    source: np.ndarray
    template: np.ndarray
    category: np.ndarray
    history: np.ndarray
    category_count: int
    module_ids: tuple[str, ...]

    def categories(self, observed: Observed) -> np.ndarray:
        """(B, A) category that each action would be about on the next page; -1 for none."""
        if not self.history.any():
            return np.broadcast_to(self.category, (len(observed.rows), len(self.category)))
        by_history = observed.subjects()[:, self.history]
        return np.where(self.history != History.NONE, by_history, self.category)


@dataclass(frozen=True, slots=True)
class Front:
    """The front pages of a world in X contexts, tabulated.

    Attributes:
        season, daypart, device: (X,) of each context.
        first_shelf: (A,) shelf of each action that is about no category of the past.
        family, category: (E,) indexes; category is -1 for none.
        bias: (E,); scroll: (X, E); affinity: (X, E, K).
        target_share, target_conversion: (X, E, K, C).
        items: (E, L); share: (X, E, K, L).
        after: what the shop becomes in mid-course; None where it stays as it is.
    """

    world: World
    catalogue: Catalogue
    season: np.ndarray
    daypart: np.ndarray
    device: np.ndarray
    first_shelf: np.ndarray
    family: np.ndarray
    category: np.ndarray
    bias: np.ndarray
    scroll: np.ndarray
    affinity: np.ndarray
    target_share: np.ndarray
    target_conversion: np.ndarray
    items: np.ndarray
    share: np.ndarray
    after: Front | None = None

    @property
    def context_count(self) -> int:
        return len(self.season)

    @property
    def is_rich(self) -> bool:
        """True where some module depends on a shopper's past."""
        return bool(self.catalogue.history.any())

    def draw_contexts(self, count: int, random: np.random.Generator) -> np.ndarray:
        """(count,) contexts: seasons and dayparts alike, devices by their share."""
        weight = DEVICE_SHARE[self.device]
        return random.choice(self.context_count, count, p=weight / weight.sum())

    def shelves(self, observed: Observed, placed: np.ndarray) -> np.ndarray:
        """(B, S) shelves that actions show to sessions with these pasts."""
        if not self.is_rich:
            return placed
        history = self.catalogue.history[placed]
        subject = np.take_along_axis(observed.subjects(), history, 1)
        return self.first_shelf[placed] + np.where(history != History.NONE, subject + 1, 0)

    def view(self, context: np.ndarray, state: HiddenState, shelf: np.ndarray) -> View:
        """(B, S) pages of shelves in the eyes of B shoppers."""
        at, kind = context[:, None], state.kind[:, None]
        bias = self.bias[shelf]
        if self.world.regime.cannibalisation:
            bias = bias - self.world.regime.cannibalisation * self._alike_above(shelf)
        return View(
            bias=bias,
            scroll=self.scroll[at, shelf],
            affinity=self.affinity[at, shelf, kind],
            target_share=self.target_share[at, shelf, kind, state.target[:, None]],
            target_conversion=self.target_conversion[at, shelf, kind, state.target[:, None]],
            family=self.family[shelf],
            is_present=np.ones(shelf.shape, bool),
        )

    def _alike_above(self, shelf: np.ndarray) -> np.ndarray:
        """(B, S) number of slots above with the same category, or the same family and none."""
        category, family = self.category[shelf], self.family[shelf]
        label = np.where(category >= 0, category, -1 - family)
        return np.tril(label[:, :, None] == label[:, None, :], -1).sum(2)


def build(
    hidden: World,
    season_count: int = SEASON_COUNT,
    daypart_count: int = DAYPART_COUNT,
    is_rich: bool = False,
) -> Front:
    """The front pages of a world.

    Args:
        season_count, daypart_count: fewer than all begin at the world's own season.
        is_rich: adds modules that depend on a shopper's past.
    """
    made = _build(hidden, season_count, daypart_count, is_rich)
    if not hidden.regime.shift_share:
        return made
    return replace(made, after=_build(world.successor(hidden), season_count, daypart_count, is_rich))


def _build(hidden: World, season_count: int, daypart_count: int, is_rich: bool) -> Front:
    actions = [
        _Action(place, (shelf,), History.NONE)
        for place, group in enumerate(shelves.stock(hidden.items, Context(modules.HOME, -1)))
        for shelf in group
    ]
    if is_rich:
        actions += _of_the_past(hidden.items, actions[-1].module + 1)
    rows = [shelf for action in actions for shelf in action.shelves]
    seasons = [(hidden.season + step) % SEASON_COUNT for step in range(season_count)]
    times = [(season, daypart) for season in seasons for daypart in range(daypart_count)]
    tables = [shelves.tabulate(hidden.at(season, daypart), rows) for season, daypart in times]
    contexts = [(*moment, device) for moment in times for device in range(DEVICE_COUNT)]

    def by_context(name: str) -> np.ndarray:
        # (E, devices, ...) of each moment to (X, E, ...)
        stacked = np.stack([np.moveaxis(getattr(table, name), 1, 0) for table in tables])
        return stacked.reshape(-1, *stacked.shape[2:])

    catalogue = _catalogue(hidden, actions)
    season, daypart, device = np.array(contexts).T
    counts = [len(action.shelves) for action in actions]
    # Shelves of one action: about no category, then about each in turn.
    subject = np.concatenate([np.arange(count) - 1 for count in counts])
    return Front(
        world=hidden,
        catalogue=catalogue,
        season=season,
        daypart=daypart,
        device=device,
        first_shelf=np.cumsum([0, *counts[:-1]]),
        family=np.repeat(catalogue.family, counts),
        category=np.where(
            np.repeat(catalogue.history, counts) != History.NONE,
            subject,
            np.repeat(catalogue.category, counts),
        ),
        bias=tables[0].bias,
        scroll=by_context("scroll"),
        affinity=by_context("affinity"),
        target_share=by_context("target_share"),
        target_conversion=by_context("target_conversion"),
        items=tables[0].items,
        share=by_context("share"),
    )


@dataclass(frozen=True, slots=True)
class _Action:
    """A module, by its place, in one template, with the shelves that it may show."""

    module: int
    shelves: tuple[Shelf, ...]
    history: History


def _of_the_past(items: Items, first_module: int) -> list[_Action]:
    """Actions of the modules that depend on a shopper's past."""
    subjects = range(-1, len(items.categories))
    actions = []
    for place, (module, history) in enumerate(zip(HISTORY_MODULES.values(), _HISTORIES, strict=True)):
        by_subject = [shelves.drawn(items, module, Context(modules.HOME, subject)) for subject in subjects]
        actions += [_Action(first_module + place, shown, history) for shown in zip(*by_subject, strict=True)]
    return actions


def _catalogue(hidden: World, actions: list[_Action]) -> Catalogue:
    shown = [action.shelves[0] for action in actions]
    known = [(MODULES | HISTORY_MODULES)[shelf.module_id] for shelf in shown]
    names = hidden.items.categories
    sources = (*SOURCES, *(module.source for module in HISTORY_MODULES.values()))
    is_own = [module.category in names for module in known]
    return Catalogue(
        module=np.array([action.module for action in actions]),
        family=np.array([modules.FAMILIES.index(module.family) for module in known]),
        source=np.array([sources.index(module.source) for module in known]),
        template=np.array([list(TEMPLATES).index(shelf.template_id) for shelf in shown]),
        category=np.array(
            [names.index(module.category) if own else -1 for module, own in zip(known, is_own, strict=True)]
        ),
        history=np.array([action.history for action in actions], np.int64),
        category_count=len(names),
        module_ids=tuple(dict.fromkeys(shelf.module_id for shelf in shown)),
    )
