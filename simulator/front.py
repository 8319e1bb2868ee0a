"""How do thousands of sessions run on front pages that a policy lays out, as fast as arrays go?

The vectorised face of the shop for learning: one page type, static contexts (season, daypart, device),
modules decide, items are tabulated. What a policy gets to see is an `Observed`; what happened is a `Trace`
of public facts. Shapes: B sessions, P pages, S slots, A actions (a module in a template), M modules,
X contexts, K types, C categories, F families, L items of a shelf.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Protocol, TypeVar

import numpy as np

from simulator import choice, modules, session, shelves
from simulator.choice import NO_SLOT, Walk
from simulator.modules import BLUEPRINTS, MODULES, SOURCES, TEMPLATES
from simulator.regimes import Examination
from simulator.session import DRAW_COUNT, Draw, HiddenState, Start, View
from simulator.shelves import Context
from simulator.shopper import COLD_SHARE, SEGMENT_ACCURACY
from simulator.world import World

Rows = TypeVar("Rows")
"""A dataclass of arrays with one row each of the same things."""

SLOT_COUNT = len(BLUEPRINTS[modules.HOME].slots)
SEASON_COUNT, DAYPART_COUNT, DEVICE_COUNT = 4, 2, 3
DEVICE_SHARE = np.array((0.45, 0.45, 0.10))
MAX_PAGES = 40
BATCH = 4_096
DECAY = 0.75
"""Kept, from page to page, of what was observed recently."""
STOP, CLICK, PURCHASE = 1, 2, 3
"""Last outcomes; 0 is none."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is public about the A actions of a front page, in the order of its blueprint.

    Attributes:
        module, family, source, template, category: (A,) indexes; category is -1 for none.
    """

    module: np.ndarray
    family: np.ndarray
    source: np.ndarray
    template: np.ndarray
    category: np.ndarray
    category_count: int
    module_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Front:
    """The front pages of a world in X contexts, tabulated.

    Attributes:
        season, daypart, device: (X,) of each context.
        bias: (A,); scroll: (X, A); affinity: (X, A, K).
        target_share, target_conversion: (X, A, K, C).
        items: (A, L); share: (X, A, K, L).
    """

    world: World
    catalogue: Catalogue
    season: np.ndarray
    daypart: np.ndarray
    device: np.ndarray
    bias: np.ndarray
    scroll: np.ndarray
    affinity: np.ndarray
    target_share: np.ndarray
    target_conversion: np.ndarray
    items: np.ndarray
    share: np.ndarray

    @property
    def context_count(self) -> int:
        return len(self.season)

    def draw_contexts(self, count: int, random: np.random.Generator) -> np.ndarray:
        """(count,) contexts: seasons and dayparts alike, devices by their share."""
        weight = DEVICE_SHARE[self.device]
        return random.choice(self.context_count, count, p=weight / weight.sum())

    def view(self, context: np.ndarray, state: HiddenState, placed: np.ndarray) -> View:
        """(B, S) pages of actions in the eyes of B shoppers."""
        at, kind = context[:, None], state.kind[:, None]
        bias = self.bias[placed]
        if self.world.regime.cannibalisation:
            bias = bias - self.world.regime.cannibalisation * self._alike_above(placed)
        return View(
            bias=bias,
            scroll=self.scroll[at, placed],
            affinity=self.affinity[at, placed, kind],
            target_share=self.target_share[at, placed, kind, state.target[:, None]],
            target_conversion=self.target_conversion[at, placed, kind, state.target[:, None]],
            family=self.catalogue.family[placed],
            is_present=np.ones(placed.shape, bool),
        )

    def _alike_above(self, placed: np.ndarray) -> np.ndarray:
        """(B, S) number of slots above with the same category, or the same family and none."""
        category, family = self.catalogue.category[placed], self.catalogue.family[placed]
        label = np.where(category >= 0, category, -1 - family)
        return np.tril(label[:, :, None] == label[:, None, :], -1).sum(2)


def build(world: World, season_count: int = SEASON_COUNT, daypart_count: int = DAYPART_COUNT) -> Front:
    """The front pages of a world; fewer seasons and dayparts begin at the world's own season."""
    stocked = shelves.stock(world.items, Context(modules.HOME, -1))
    rows = [shelf for templates in stocked for shelf in templates]
    seasons = [(world.season + step) % SEASON_COUNT for step in range(season_count)]
    times = [(season, daypart) for season in seasons for daypart in range(daypart_count)]
    tables = [shelves.tabulate(world.at(season, daypart), rows) for season, daypart in times]
    contexts = [(*moment, device) for moment in times for device in range(DEVICE_COUNT)]

    def by_context(name: str) -> np.ndarray:
        # (A, devices, ...) of each moment to (X, A, ...)
        stacked = np.stack([np.moveaxis(getattr(table, name), 1, 0) for table in tables])
        return stacked.reshape(-1, *stacked.shape[2:])

    season, daypart, device = np.array(contexts).T
    return Front(
        world=world,
        catalogue=_catalogue(world, stocked),
        season=season,
        daypart=daypart,
        device=device,
        bias=tables[0].bias,
        scroll=by_context("scroll"),
        affinity=by_context("affinity"),
        target_share=by_context("target_share"),
        target_conversion=by_context("target_conversion"),
        items=tables[0].items,
        share=by_context("share"),
    )


@dataclass(slots=True)
class Observed:
    """What a shop knows of B sessions as a page of theirs begins; all of it public.

    Attributes:
        rows: (B,) which sessions of the batch.
        context: (B,); segment: (B,) K for none.
        page_index, cart_count, purchase_count, pages_without_click, last_outcome: (B,).
        last_category: (B,) of the latest click, -1 for none; last_dwelled: (B,) whether it was a long look.
        category_clicks, category_dwells: (B, C); family_clicks, family_stops: (B, F).
        recent_interest: (B, C) clicks, long looks twice, with decay; recent_stops: (B, F) with decay.
    """

    rows: np.ndarray
    context: np.ndarray
    segment: np.ndarray
    page_index: np.ndarray
    cart_count: np.ndarray
    purchase_count: np.ndarray
    pages_without_click: np.ndarray
    last_outcome: np.ndarray
    last_category: np.ndarray
    last_dwelled: np.ndarray
    category_clicks: np.ndarray
    category_dwells: np.ndarray
    family_clicks: np.ndarray
    family_stops: np.ndarray
    recent_interest: np.ndarray
    recent_stops: np.ndarray

    @classmethod
    def begin(
        cls, context: np.ndarray, segment: np.ndarray, category_count: int, family_count: int
    ) -> Observed:
        count = len(context)
        zero = np.zeros(count, np.int16)
        by_category = np.zeros((count, category_count), np.float32)
        by_family = np.zeros((count, family_count), np.float32)
        return cls(
            rows=np.arange(count),
            context=context,
            segment=segment,
            page_index=zero,
            cart_count=zero.copy(),
            purchase_count=zero.copy(),
            pages_without_click=zero.copy(),
            last_outcome=zero.copy(),
            last_category=np.full(count, -1),
            last_dwelled=np.zeros(count, bool),
            category_clicks=by_category,
            category_dwells=by_category.copy(),
            family_clicks=by_family,
            family_stops=by_family.copy(),
            recent_interest=by_category.copy(),
            recent_stops=by_family.copy(),
        )

    def take(self, chosen: np.ndarray) -> Observed:
        """A copy of some of the sessions."""
        return taken(self, chosen)

    def note(self, acts: Acts, category: np.ndarray, family: np.ndarray) -> None:
        """Takes note, in place, of what was done on a page.

        Args:
            category: (B,) of the item of the last click; family: (B,) of the slot clicked, or given up on.
        """
        is_clicked = acts.is_clicked.any(1)
        everyone = np.arange(len(family))
        self.page_index += 1
        self.cart_count += acts.is_carted
        self.purchase_count += acts.is_bought
        self.pages_without_click = np.where(is_clicked, 0, self.pages_without_click + 1)
        self.last_outcome = np.where(is_clicked, np.where(acts.is_bought, PURCHASE, CLICK), STOP)
        self.last_category = np.where(is_clicked, category, self.last_category)
        self.last_dwelled = np.where(is_clicked, acts.is_dwelled, self.last_dwelled)
        self.category_clicks[everyone, category] += is_clicked
        self.category_dwells[everyone, category] += acts.is_dwelled
        self.family_clicks[everyone, family] += is_clicked
        self.family_stops[everyone, family] += ~is_clicked
        self.recent_interest *= DECAY
        self.recent_stops *= DECAY
        self.recent_interest[everyone, category] += is_clicked + 2.0 * acts.is_dwelled
        self.recent_stops[everyone, family] += ~is_clicked


@dataclass(frozen=True, slots=True)
class Acts:
    """What B shoppers did on a page, as far as a shop can see it.

    Attributes:
        is_examined, is_clicked: (B, S); margin: (B, S) of what was bought there.
        category: (B,) of the item clicked last; 0 without a click.
        is_dwelled, is_carted, is_bought: (B,) of the last click.
        is_over: (B,) true where the session ended with this page.
    """

    is_examined: np.ndarray
    is_clicked: np.ndarray
    margin: np.ndarray
    category: np.ndarray
    is_dwelled: np.ndarray
    is_carted: np.ndarray
    is_bought: np.ndarray
    is_over: np.ndarray


@dataclass(frozen=True, slots=True)
class Decision:
    """B pages: (B, S) actions, and the probability of each given those above."""

    placed: np.ndarray
    propensity: np.ndarray


class Policy(Protocol):
    """Lays out front pages by what was observed."""

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Trace:
    """P pages of sessions in order of session and page.

    Attributes:
        session: (P,); observed: as the page began, its rows unused.
        acts: what was done; decision: what was shown.
    """

    session: np.ndarray
    observed: Observed
    decision: Decision
    acts: Acts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy was worth.

    Attributes:
        value: (sessions,) expected margin of each session, the noise of buying taken out.
        pages, clicks: (sessions,) numbers.
        first_pages: (sessions, 2) expected margin of pages 1 and 2.
        is_cold: (sessions,) true where no segment is known.
        trace: the pages; None unless asked for.
    """

    value: np.ndarray
    pages: np.ndarray
    clicks: np.ndarray
    first_pages: np.ndarray
    is_cold: np.ndarray
    trace: Trace | None


Watcher = Callable[[Observed, HiddenState, Decision, Acts], None]


def play(
    front: Front,
    policy: Policy,
    session_count: int,
    seed: int,
    is_traced: bool = False,
    watch: Watcher | None = None,
    reveal: Callable[[HiddenState], None] | None = None,
) -> Outcome:
    """Runs sessions to their end; the same seed brings the same shoppers with the same luck.

    Args:
        watch: sees every page with the hidden state behind it; for the oracle and its tests alone.
        reveal: is told the hidden state before each page is laid out; likewise.
    """
    batches = []
    for begun in range(0, session_count, BATCH):
        random = np.random.default_rng([front.world.seed, seed, begun, 0xF07])
        count = min(BATCH, session_count - begun)
        batches.append(_play_batch(front, policy, count, random, is_traced, watch, reveal))
    offsets = np.cumsum([0] + [len(batch.value) for batch in batches[:-1]])
    traces = [
        replace(batch.trace, session=batch.trace.session + offset)
        for batch, offset in zip(batches, offsets, strict=True)
        if batch.trace is not None
    ]
    return replace(
        concatenated([replace(batch, trace=None) for batch in batches]),
        trace=joined(traces) if is_traced else None,
    )


def joined(parts: list[Trace]) -> Trace:
    """One trace of several, one behind the other."""
    return Trace(
        session=np.concatenate([part.session for part in parts]),
        observed=concatenated([part.observed for part in parts]),
        decision=concatenated([part.decision for part in parts]),
        acts=concatenated([part.acts for part in parts]),
    )


def _play_batch(
    front: Front,
    policy: Policy,
    count: int,
    random: np.random.Generator,
    is_traced: bool,
    watch: Watcher | None,
    reveal: Callable[[HiddenState], None] | None,
) -> Outcome:
    world, catalogue = front.world, front.catalogue
    # Draws of mind and of choice come from streams of their own, so that policies share their luck.
    mind, taste = random.spawn(2)
    kind = mind.choice(len(world.type_share), count, p=world.type_share)
    segment = _segments(kind, len(world.type_share), mind)
    is_scanner = mind.random(count) < world.regime.scanner_share
    context = front.draw_contexts(count, mind)
    state, _, _ = session.begin(world, kind, mind.random((count, len(Start))))
    observed = Observed.begin(context, segment, catalogue.category_count, len(modules.FAMILIES))
    value, pages, clicks = np.zeros(count), np.zeros(count), np.zeros(count)
    first_pages = np.zeros((count, 2))
    parts: list[Trace] = []
    for index in range(MAX_PAGES):
        # The draws of everybody who began, so that a session's luck does not depend on the others'.
        rows = observed.rows
        page_draws = mind.random((count, DRAW_COUNT))[rows]
        slot_draws = mind.random((count, SLOT_COUNT, 3))[rows]
        if reveal is not None:
            reveal(state)
        decision = policy.decide(observed, taste)
        view = front.view(observed.context, state, decision.placed)
        acts, after, worth, family = _page(
            front, observed, state, decision, view, is_scanner[rows], page_draws, slot_draws
        )
        if index == MAX_PAGES - 1:
            acts = replace(acts, is_over=np.ones(len(rows), bool))
        value[rows] += worth
        pages[rows] += 1
        clicks[rows] += acts.is_clicked.any(1)
        if index < first_pages.shape[1]:
            first_pages[rows, index] = worth
        if watch is not None:
            watch(observed, state, decision, acts)
        if is_traced:
            everything = np.ones(len(rows), bool)
            parts.append(Trace(rows.copy(), observed.take(everything), decision, acts))
        observed.note(acts, acts.category, family)
        stays = ~acts.is_over
        observed, state = observed.take(stays), after.take(stays)
        if not stays.any():
            break
    trace = None
    if is_traced:
        trace = joined(parts)
        order = np.lexsort((trace.observed.page_index, trace.session))
        trace = Trace(
            trace.session[order],
            taken(trace.observed, order),
            taken(trace.decision, order),
            taken(trace.acts, order),
        )
    return Outcome(value, pages, clicks, first_pages, segment == len(world.type_share), trace)


def _page(
    front: Front,
    observed: Observed,
    state: HiddenState,
    decision: Decision,
    view: View,
    is_scanner: np.ndarray,
    page_draws: np.ndarray,
    slot_draws: np.ndarray,
) -> tuple[Acts, HiddenState, np.ndarray, np.ndarray]:
    """What was done, the minds afterwards, (B,) the expected margin, (B,) the family clicked or left."""
    world, law = front.world, front.world.regime
    everyone = np.arange(len(is_scanner))
    click = session.click_probability(world, state, view)
    scroll = choice.scroll_probability(law, view.scroll, state.patience)
    sale = session.sale_probability(world, state, view) * law.margin_share[view.family]
    if _is_cascade(front):
        walk = choice.walk(click, scroll, view.is_present, slot_draws[:, :, :2])
        slots = np.arange(SLOT_COUNT)
        is_examined = slots <= walk.last[:, None]
        is_clicked = slots == walk.clicked[:, None]
        worth = (choice.reach(click, scroll, view.is_present) * click * sale).sum(1)
    else:
        is_examined, is_clicked = _wander(front, click, scroll, is_scanner, slot_draws)
        walk = _last_of(is_examined, is_clicked)
        # Whoever is asked what followed from a click is told its expectation.
        worth = (is_clicked * sale).sum(1)
    action = decision.placed[everyone, walk.last]
    place = choice.pick(front.share[observed.context, action, state.kind], page_draws[:, Draw.PICK])
    hit = walk.clicked != NO_SLOT
    item = np.where(hit, front.items[action, place], -1)
    step = session.react(world, state, view, walk, item, page_draws)
    outcome = step.outcome
    family = view.family[everyone, walk.last]
    margin = np.zeros(click.shape, np.float32)
    margin[everyone, walk.last] = outcome.is_bought * law.margin_share[family]
    if law.click_on or law.examination is Examination.BROWSING:
        earlier = is_clicked & (np.arange(SLOT_COUNT) != walk.last[:, None])
        bought = earlier & (slot_draws[:, :, 1] < session.sale_probability(world, state, view))
        margin += bought * law.margin_share[view.family]
    category = np.where(hit, world.items.category[item], 0)
    acts = Acts(
        is_examined,
        is_clicked,
        margin,
        category,
        outcome.is_dwelled,
        outcome.is_carted,
        outcome.is_bought,
        outcome.is_gone,
    )
    return acts, step.state, worth, family


def _is_cascade(front: Front) -> bool:
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


def _segments(kind: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """(B,) what marketing takes shoppers for; `count` for those it does not know."""
    is_right = random.random(len(kind)) < SEGMENT_ACCURACY
    guess = random.integers(count, size=len(kind))
    is_cold = random.random(len(kind)) < COLD_SHARE
    return np.where(is_cold, count, np.where(is_right, kind, guess))


def _catalogue(world: World, stocked: list[list[shelves.Shelf]]) -> Catalogue:
    rows = [(place, shelf) for place, group in enumerate(stocked) for shelf in group]
    known = [MODULES[shelf.module_id] for _, shelf in rows]
    names = world.items.categories
    return Catalogue(
        module=np.array([place for place, _ in rows]),
        family=np.array([modules.FAMILIES.index(module.family) for module in known]),
        source=np.array([SOURCES.index(module.source) for module in known]),
        template=np.array([list(TEMPLATES).index(shelf.template_id) for _, shelf in rows]),
        category=np.array([names.index(module.category) if module.category else -1 for module in known]),
        category_count=len(names),
        module_ids=tuple(group[0].module_id for group in stocked),
    )


def taken(part: Rows, chosen: np.ndarray) -> Rows:
    """Some rows of a dataclass of arrays."""
    return type(part)(*(getattr(part, field.name)[chosen] for field in fields(part)))  # type: ignore[arg-type]


def concatenated(parts: list[Rows]) -> Rows:
    """Rows of dataclasses of arrays, one behind the other; what is None stays so."""
    columns = (
        [getattr(part, field.name) for part in parts]
        for field in fields(parts[0])  # type: ignore[arg-type]
    )
    return type(parts[0])(*(None if column[0] is None else np.concatenate(column) for column in columns))


class Uniform:
    """Draws each slot uniformly among the actions of modules that do not stand above."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._module = catalogue.module

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        count = len(observed.rows)
        is_free = np.ones((count, len(self._module)), bool)
        placed, propensity = np.empty((count, SLOT_COUNT), np.int64), np.empty((count, SLOT_COUNT))
        for slot in range(SLOT_COUNT):
            total = is_free.cumsum(1)
            wanted = (random.random(count) * total[:, -1]).astype(np.int64)
            placed[:, slot] = (total > wanted[:, None]).argmax(1)
            propensity[:, slot] = 1 / total[:, -1]
            is_free &= self._module != self._module[placed[:, slot]][:, None]
        return Decision(placed, propensity)
