"""What could anybody earn who knew the shop: all that is hidden, or all that can be inferred?

The one module, beside the shop itself, that reads hidden state; it writes scores and nothing else. Exact
for the regimes in which pages are cascades. Shapes: X contexts, H hidden states (type, target, stage,
patience, fatigue by family), A actions, M modules, S slots, B sessions, K types, C categories, F families.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from simulator import choice
from simulator.front import SLOT_COUNT, Acts, Decision, Front, Observed
from simulator.regimes import CASCADES
from simulator.session import BROWSE, HiddenState
from simulator.shopper import SEGMENT_ACCURACY
from simulator.world import MAX_FATIGUE, MAX_PATIENCE, STAGE_COUNT

SOLVABLE = CASCADES
"""Regimes that the oracle is exact for."""
_LEVELS = MAX_FATIGUE + 1
_TOLERANCE = 1e-3
_TEMPLATE_ROUNDS, _EXCHANGE_ROUNDS = 2, 2
_MAX_IMPROVEMENTS, _SWEEPS, _LAST_SWEEPS = 20, 4, 20


@dataclass(frozen=True, slots=True)
class Space:
    """The hidden states in C order of (type, target, stage, patience 1 to 3, fatigue of each family)."""

    shape: tuple[int, ...]
    type: np.ndarray
    target: np.ndarray
    stage: np.ndarray
    patience: np.ndarray
    fatigue: np.ndarray
    """(H, F)"""

    @classmethod
    def of(cls, front: Front) -> Space:
        types, categories = front.world.preference.shape
        shape = (types, categories, STAGE_COUNT, MAX_PATIENCE, _LEVELS, _LEVELS, _LEVELS)
        kind, target, stage, patience, *fatigue = (index.ravel() for index in np.indices(shape))
        return cls(shape, kind, target, stage, patience + 1, np.stack(fatigue, 1))

    def index_of(self, state: HiddenState) -> np.ndarray:
        """(B,) positions of living states."""
        parts = (state.kind, state.target, state.stage, state.patience - 1, *state.fatigue.T)
        return np.ravel_multi_index(parts, self.shape)


@dataclass(frozen=True, slots=True)
class Odds:
    """What a slot brings in one context, by hidden state and action; all (H, A).

    Attributes:
        click: probability of a click once examined; scroll: of going on after none.
        to_target: share of clicks that fall on the target; sale: probability that a click is a sale.
        by_category: (K, A, C) share of clicks by the category of the item.
    """

    click: np.ndarray
    scroll: np.ndarray
    to_target: np.ndarray
    sale: np.ndarray
    by_category: np.ndarray


def odds(front: Front, space: Space, context: int) -> Odds:
    """The odds of every action in a context."""
    law, family = front.world.regime, front.catalogue.family
    count = len(family)
    states = HiddenState(space.type, space.target, space.stage, space.patience, space.fatigue)
    placed = np.broadcast_to(np.arange(count), (len(space.type), count))
    at, kind, target = context, space.type[:, None], space.target[:, None]
    click = choice.click_probability(
        law,
        front.bias[None],
        front.affinity[at, placed, kind],
        front.target_share[at, placed, kind, target],
        family[placed],
        states.stage,
        states.fatigue,
    )
    scroll = choice.scroll_probability(law, np.broadcast_to(front.scroll[at], placed.shape), space.patience)
    by_category = np.moveaxis(front.target_share[at], 1, 0)
    if law.is_target_blind:
        to_target = np.ones(placed.shape)
        sale = np.broadcast_to(law.buy[space.stage][:, None], placed.shape)
    else:
        to_target = front.target_share[at, placed, kind, target]
        sale = law.buy[space.stage][:, None] * front.target_conversion[at, placed, kind, target]
    return Odds(click, scroll, to_target, sale, by_category)


@dataclass(frozen=True, slots=True)
class Following:
    """What is worth how much after a page, (H, A): with a click on an action, or giving up on it."""

    click: np.ndarray
    stop: np.ndarray


class Continuation:
    """What the mind does after a page, as expectations of a value function."""

    def __init__(self, front: Front, space: Space) -> None:
        self._law = front.world.regime
        self._space = space
        self._preference = front.world.preference
        self._family = front.catalogue.family
        self._margin = front.world.regime.margin_share[front.catalogue.family]

    def following(self, value: np.ndarray, odds: Odds) -> Following:
        """Values of clicks and of giving up, under the (H,) value of what comes after."""
        law, space, family = self._law, self._space, self._family
        stay = 1 - law.leave
        tensor = value.reshape(space.shape)
        rested = _rest(tensor, law.rest)
        tired = [_rest(_tire(tensor, 4 + index, law.tire), law.rest) for index in range(3)]
        up = _more_patient(rested)
        kept = stay * up.reshape(-1)
        raised = stay * _further(up).reshape(-1)
        bought = stay * (1 - law.leave_after_buying) * _back(up).reshape(-1)
        on = np.stack([kept + law.stage_up[index] * (raised - kept) for index in range(3)], 1)[:, family]
        click = odds.sale * (self._margin + bought[:, None]) + (odds.to_target - odds.sale) * on
        stop = np.stack([stay * self._drifted(_fade(mind, law.stop_impatience)) for mind in tired], 1)
        if law.is_target_blind:
            return Following(click, stop[:, family])
        faded = [stay * _fade(mind, law.off_target_impatience) for mind in tired]
        off = np.stack([mind.reshape(-1) for mind in faded], 1)[:, family]
        click = click + (1 - odds.to_target) * off
        # While browsing, a click off target may change the target to the category of the item.
        adopting = np.flatnonzero(space.stage == BROWSE)
        for index in range(3):
            actions = np.flatnonzero(family == index)
            by_target = np.moveaxis(faded[index], 1, 0).reshape(len(self._preference[0]), -1)
            own = off[adopting[:, None], actions]
            # (C, H / C) value with each target, at the other coordinates of each state
            other = self._without_target(adopting)
            share = odds.by_category[space.type[adopting]][:, actions].copy()
            share[np.arange(len(adopting)), :, space.target[adopting]] = 0
            gained = np.einsum("hac,ch->ha", share, by_target[:, other]) - share.sum(2) * own
            click[adopting[:, None], actions] += law.adopt * gained
        return Following(click, stop[:, family])

    def _drifted(self, tensor: np.ndarray) -> np.ndarray:
        """(H,) with the drift of the target after no click."""
        mean = np.einsum("kc,kc...->k...", self._preference, tensor)
        drifted: np.ndarray = (1 - self._law.drift) * tensor + self._law.drift * mean[:, None]
        return drifted.reshape(-1)

    def _without_target(self, states: np.ndarray) -> np.ndarray:
        """Positions of states among (type, stage, patience, fatigue...)."""
        space = self._space
        parts = np.unravel_index(states, space.shape)
        rest = (parts[0], *parts[2:])
        return np.ravel_multi_index(rest, (space.shape[0], *space.shape[2:]))


@dataclass(frozen=True, slots=True)
class Solution:
    """One context, solved.

    Attributes:
        value: (H,) of the page found for each state, and all that follows.
        page: (H, S) actions of that page.
        following: (H, A) values of clicks and of giving up.
        odds: of the context.
    """

    value: np.ndarray
    page: np.ndarray
    following: Following
    odds: Odds


def solve(front: Front, context: int, start: Solution | None = None) -> Solution:
    """Policy iteration: pages are bettered, then valued by some sweeps (Puterman & Shin 1978).

    Args:
        start: of a neighbouring context, to begin with.
    """
    space = Space.of(front)
    at = odds(front, space, context)
    continuation = Continuation(front, space)
    value = np.zeros(len(space.type)) if start is None else start.value
    page = None if start is None else start.page
    for _ in range(_MAX_IMPROVEMENTS):
        before = value
        slots = slots_of(at, continuation.following(value, at))
        found = best_pages(slots, front.catalogue.module)
        if page is not None:
            # A page once found is kept unless a better one was found: values only rise.
            is_kept = page_value(slots, page) >= page_value(slots, found)
            found = np.where(is_kept[:, None], page, found)
        page = found
        value = page_value(slots, page)
        for _ in range(_SWEEPS):
            value = page_value(slots_of(at, continuation.following(value, at)), page)
        if np.abs(value - before).max() < _TOLERANCE * float(value.max()):
            break
    assert page is not None
    for _ in range(_LAST_SWEEPS):
        value = page_value(slots_of(at, continuation.following(value, at)), page)
    return Solution(value, page, continuation.following(value, at), at)


@dataclass(frozen=True, slots=True)
class Slots:
    """Actions as slots of a cascade, (H, A).

    Attributes:
        worth, last_worth: what one brings above the last slot, and in it.
        passing: probability that the shopper goes on below.
    """

    worth: np.ndarray
    last_worth: np.ndarray
    passing: np.ndarray


def slots_of(at: Odds, following: Following) -> Slots:
    clicked = at.click * following.click
    unclicked = (1 - at.click) * following.stop
    return Slots(clicked + (1 - at.scroll) * unclicked, clicked + unclicked, (1 - at.click) * at.scroll)


def best_pages(slots: Slots, module: np.ndarray) -> np.ndarray:
    """(H, S) pages by the programme, bettered by exchanging what stands in one slot after the other.

    The programme takes actions in falling order of worth / (1 - passing), which is the best order by
    pairwise exchange, and picks the best S of them; that two templates of one module exclude each other,
    and that nobody goes on below the last slot, is what the exchange makes good.
    """
    page = programme(slots, module)
    value = page_value(slots, page)
    for _ in range(_EXCHANGE_ROUNDS):
        before = value
        for slot in range(SLOT_COUNT):
            page, value = _exchanged(slots, module, page, value, slot)
        for upper, lower in itertools.combinations(range(SLOT_COUNT), 2):
            swapped = page.copy()
            swapped[:, [upper, lower]] = page[:, [lower, upper]]
            page, value = _better(slots, page, value, swapped)
        if np.array_equal(before, value):
            break
    return page


def page_value(slots: Slots, page: np.ndarray) -> np.ndarray:
    """(H,) of (H, S) pages."""
    states = np.arange(len(page))
    value: np.ndarray = slots.last_worth[states, page[:, -1]]
    for slot in range(page.shape[1] - 2, -1, -1):
        action = page[:, slot]
        value = slots.worth[states, action] + slots.passing[states, action] * value
    return value


def programme(slots: Slots, module: np.ndarray) -> np.ndarray:
    """(H, S) pages, each module in the template that suits what usually stands below."""
    index = slots.worth / (1 - slots.passing)
    page = _ordered(slots, _template(index, module), index)
    # What a template lets pass is worth what stands below: about the page's value.
    for _ in range(_TEMPLATE_ROUNDS):
        below = page_value(slots, page)[:, None]
        page = _ordered(slots, _template(slots.worth + slots.passing * below, module), index)
    return page


def _template(score: np.ndarray, module: np.ndarray) -> np.ndarray:
    """(H, M) action of each module with the highest score."""
    first = np.flatnonzero(np.diff(module, prepend=-1))
    return np.stack(
        [
            begin + score[:, begin:end].argmax(1)
            for begin, end in zip(first, [*first[1:], len(module)], strict=True)
        ],
        1,
    )


def _ordered(slots: Slots, action: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(H, S) the best S of (H, M) actions in falling order of their index."""
    order = np.argsort(np.take_along_axis(index, action, 1), axis=1, kind="stable")
    action = np.take_along_axis(action, order, 1)  # from the bottom up
    worth, last, passing = (
        np.take_along_axis(part, action, 1) for part in (slots.worth, slots.last_worth, slots.passing)
    )
    states, count = np.arange(len(action)), action.shape[1]
    value = np.full((len(states), SLOT_COUNT + 1), -np.inf)  # with n slots from the bottom filled
    is_taken = np.zeros((count, len(states), SLOT_COUNT), bool)
    offered = np.empty((len(states), SLOT_COUNT))
    for place in range(count):
        offered[:, 0] = last[:, place]
        offered[:, 1:] = worth[:, place, None] + passing[:, place, None] * value[:, 1:-1]
        is_taken[place] = offered > value[:, 1:]
        np.maximum(value[:, 1:], offered, out=value[:, 1:])
    page = np.empty((len(states), SLOT_COUNT), np.int64)
    left = np.full(len(states), SLOT_COUNT)
    for place in range(count - 1, -1, -1):
        takes = (left > 0) & is_taken[place, states, np.maximum(left - 1, 0)]
        page[states[takes], SLOT_COUNT - left[takes]] = action[takes, place]
        left = left - takes
    return page


def _exchanged(
    slots: Slots, module: np.ndarray, page: np.ndarray, value: np.ndarray, slot: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best of each page with one slot given to any action whose module does not stand elsewhere."""
    states = np.arange(len(page))
    below = np.zeros(len(page))
    if slot < SLOT_COUNT - 1:
        below = slots.last_worth[states, page[:, -1]]
        for lower in range(SLOT_COUNT - 2, slot, -1):
            below = slots.worth[states, page[:, lower]] + slots.passing[states, page[:, lower]] * below
        own = slots.worth + slots.passing * below[:, None]
    else:
        own = slots.last_worth.copy()
    others = np.delete(page, slot, 1)
    for other in range(others.shape[1]):
        own[module[None, :] == module[others[:, other]][:, None]] = -np.inf
    best = own.argmax(1)
    exchanged = page.copy()
    exchanged[:, slot] = best
    return _better(slots, page, value, exchanged)


def _better(
    slots: Slots, page: np.ndarray, value: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    worth = page_value(slots, other)
    is_better = worth > value
    return np.where(is_better[:, None], other, page), np.where(is_better, worth, value)


class Clairvoyant:
    """Knows every mind: the latent optimum, which nobody can reach who only sees what shoppers do."""

    def __init__(self, solutions: list[Solution], space: Space) -> None:
        self._pages = np.stack([solution.page for solution in solutions])
        self._space = space
        self._state: HiddenState | None = None

    def know(self, state: HiddenState) -> None:
        self._state = state

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        assert self._state is not None
        placed = self._pages[observed.context, self._space.index_of(self._state)]
        return Decision(placed, np.ones(placed.shape))


@dataclass(slots=True)
class Filter:
    """The exact Bayes filter over hidden states, for the sessions of one batch.

    Attributes:
        belief: (sessions of the batch, H) float32; rows sum to 1.
    """

    front: Front
    space: Space
    odds: list[Odds]
    belief: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def begin(self, observed: Observed) -> None:
        """The belief before anything was seen but the segment."""
        world, space = self.front.world, self.space
        types = len(world.type_share)
        right = np.eye(types) * SEGMENT_ACCURACY + (1 - SEGMENT_ACCURACY) / types  # type, segment
        prior = np.concatenate((world.type_share[:, None] * right, world.type_share[:, None]), 1)
        prior = prior / prior.sum(0)
        law = world.regime
        fresh = (space.fatigue == 0).all(1)
        mind = (
            world.preference[space.type, space.target]
            * law.start_stage[space.stage]
            * law.start_patience[space.patience]
            * fresh
        )
        self.belief = (prior.T[observed.segment][:, space.type] * mind).astype(np.float32)

    def update(self, observed: Observed, decision: Decision, acts: Acts) -> None:
        """Takes in one page of the sessions in `observed.rows`; sessions that ended are forgotten."""
        for context in np.unique(observed.context):
            here = np.flatnonzero(observed.context == context)
            self._update_context(int(context), here, observed, decision, acts)

    def _update_context(
        self, context: int, here: np.ndarray, observed: Observed, decision: Decision, acts: Acts
    ) -> None:
        at, space = self.odds[context], self.space
        here = here[~acts.is_over[here]]
        if not len(here):
            return
        family = self.front.catalogue.family
        placed = decision.placed[here]
        last = acts.is_examined[here].shape[1] - 1 - acts.is_examined[here][:, ::-1].argmax(1)
        action = placed[np.arange(len(here)), last]
        is_clicked = acts.is_clicked[here].any(1)
        weight = self.belief[observed.rows[here]]
        passing = ((1 - at.click) * at.scroll).T.astype(np.float32)
        for slot in range(SLOT_COUNT - 1):
            above = np.flatnonzero(slot < last)
            weight[above] *= passing[placed[above, slot]]
        stopping = ((1 - at.click) * (1 - at.scroll)).T.astype(np.float32)
        ending = (1 - at.click).T.astype(np.float32)
        stops = np.flatnonzero(~is_clicked)
        at_end = last[stops] == SLOT_COUNT - 1
        weight[stops[at_end]] *= ending[action[stops[at_end]]]
        weight[stops[~at_end]] *= stopping[action[stops[~at_end]]]
        clicking = at.click.T.astype(np.float32)
        result = np.empty_like(weight)
        shape = (-1, *space.shape)
        for index in range(3):
            rows = stops[family[action[stops]] == index]
            if len(rows):
                result[rows] = self._after_stop(weight[rows].reshape(shape), index).reshape(len(rows), -1)
        clicks = np.flatnonzero(is_clicked)
        for index in range(3):
            rows = clicks[family[action[clicks]] == index]
            if len(rows):
                hit = weight[rows] * clicking[action[rows]]
                result[rows] = self._after_click(
                    hit.reshape(shape), index, at, action[rows], here[rows], acts
                ).reshape(len(rows), -1)
        total = result.sum(1, keepdims=True)
        self.belief[observed.rows[here]] = result / np.maximum(total, 1e-30)

    def _after_stop(self, weight: np.ndarray, family: int) -> np.ndarray:
        law = self.front.world.regime
        mass = (
            weight.sum(2, keepdims=True)
            * self.front.world.preference[None, :, :, None, None, None, None, None]
        )
        weight = (1 - law.drift) * weight + law.drift * mass
        weight = _push_patience(weight, law.stop_impatience)
        return _push_fatigue(weight, family, law.tire, law.rest)

    def _after_click(
        self,
        weight: np.ndarray,
        family: int,
        at: Odds,
        action: np.ndarray,
        here: np.ndarray,
        acts: Acts,
    ) -> np.ndarray:
        world, space = self.front.world, self.space
        rule = world.regime
        category = acts.category[here]
        count, types = len(here), space.shape[0]
        tail = (1,) * 5
        share = at.by_category[np.arange(types)[None], action[:, None], category[:, None]]  # (B, K)
        dwelled, carted, bought = acts.is_dwelled[here], acts.is_carted[here], acts.is_bought[here]
        on = np.zeros_like(weight)
        off = weight * share.reshape(count, types, 1, *tail)
        if rule.is_target_blind:
            on, off = off, np.zeros_like(weight)
        else:
            picked = np.arange(count)
            on[picked, :, category] = off[picked, :, category]
            off[picked, :, category] = 0
        # Of clicks on target: how readily such an item is bought, then put into the cart, then looked at.
        sale = at.sale.reshape(*space.shape, -1)[..., 0, 0, 0, 0, :]  # (K, C, Z, A)
        to_target = at.to_target.reshape(*space.shape, -1)[..., 0, 0, 0, 0, :]
        buys = (sale / np.maximum(to_target, 1e-12))[..., action]  # (K, C, Z, B)
        buys = np.moveaxis(buys, -1, 0)[..., None, None, None, None]
        cart = rule.cart[None, None, None, :, None, None, None, None]
        flags = (slice(None),) + (None,) * 7
        is_article = self.front.world.items.is_article[self.front.items[action, 0]]
        chance_of_cart = np.where(is_article[flags], 0.0, cart)
        on *= np.where(
            bought[flags], buys, (1 - buys) * np.where(carted[flags], chance_of_cart, 1 - chance_of_cart)
        )
        long = np.where(dwelled, rule.dwell[1], 1 - rule.dwell[1])
        on *= long.reshape(count, 1, 1, *tail).astype(np.float32)
        brief = np.where(dwelled, rule.dwell[0], 1 - rule.dwell[0])
        brief = np.where(bought | carted, 0.0, brief)
        off *= brief.reshape(count, 1, 1, *tail).astype(np.float32)
        # The mind on target: a stage up, more patient; after buying, back to browsing.
        step = np.zeros_like(on)
        step[:, :, :, 1:] = on[:, :, :, :-1]
        step[:, :, :, -1] += on[:, :, :, -1]
        up = rule.stage_up[family]
        moved = (1 - up) * on + up * step
        settled = np.zeros_like(on)
        settled[:, :, :, 0] = on.sum(3)
        on = np.where(bought[flags], settled, moved)
        eager = np.zeros_like(on)
        eager[..., 1:, :, :, :] = on[..., :-1, :, :, :]
        eager[..., -1, :, :, :] += on[..., -1, :, :, :]
        on = _push_fatigue(eager.astype(np.float32), None, 0.0, rule.rest)
        if rule.is_target_blind:
            return on
        # The mind off target: may adopt the category while browsing.
        adopted = rule.adopt * off[:, :, :, BROWSE]
        off[:, :, :, BROWSE] -= adopted
        picked = np.arange(count)
        moved_in = adopted.sum(2)  # (B, K, P, F, F, F)
        for row in picked:
            off[row, :, category[row], BROWSE] += moved_in[row]
        off = _push_patience(off, rule.off_target_impatience)
        return on + _push_fatigue(off, family, rule.tire, rule.rest)


class Qmdp:
    """Acts on the exact belief as if all became known after this page: the honest reference, no bound.

    Slots are filled top-down: the belief is weighted by how likely each mind is to come so far, and what
    stands below is valued by the programme over belief-averaged slots.

    Source: Littman, Cassandra & Kaelbling 1995, Learning policies for partially observable environments.
    """

    def __init__(self, front: Front, solutions: list[Solution], space: Space) -> None:
        self._filter = Filter(front, space, [solution.odds for solution in solutions])
        self._module = front.catalogue.module
        # (H, 3 A) worth, last worth, passing of each context, as one matrix product
        self._slots = [
            np.concatenate((slots.worth, slots.last_worth, slots.passing), 1).astype(np.float32)
            for slots in (slots_of(solution.odds, solution.following) for solution in solutions)
        ]

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        if not observed.page_index.any():
            self._filter.begin(observed)
        placed = np.empty((len(observed.rows), SLOT_COUNT), np.int64)
        for context in np.unique(observed.context):
            here = np.flatnonzero(observed.context == context)
            placed[here] = self._pages(self._filter.belief[observed.rows[here]], self._slots[context])
        return Decision(placed, np.ones(placed.shape))

    def belief(self, observed: Observed) -> np.ndarray:
        """(B, H) what is believed of the sessions as their page begins."""
        return self._filter.belief[observed.rows]

    def watch(self, observed: Observed, state: HiddenState, decision: Decision, acts: Acts) -> None:
        """Takes in what was done; of the arguments, the hidden state is not read."""
        del state
        self._filter.update(observed, decision, acts)

    def _pages(self, belief: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        count = len(self._module)
        weight = belief.copy()
        page = np.empty((len(belief), SLOT_COUNT), np.int64)
        is_free = np.ones((len(belief), count), bool)
        for slot in range(SLOT_COUNT):
            mean = (weight @ matrix) / np.maximum(weight.sum(1, keepdims=True), 1e-30)
            worth, last, passing = np.split(mean.astype(np.float64), 3, 1)
            left = SLOT_COUNT - slot
            own = (
                last if left == 1 else worth + passing * _rest_value(worth, last, passing, is_free, left - 1)
            )
            page[:, slot] = np.where(is_free, own, -np.inf).argmax(1)
            chosen = page[:, slot]
            is_free &= self._module != self._module[chosen][:, None]
            weight *= matrix[:, 2 * count + chosen].T
        return page


def _rest_value(
    worth: np.ndarray, last: np.ndarray, passing: np.ndarray, is_free: np.ndarray, slot_count: int
) -> np.ndarray:
    """(B, 1) value of the slots below, by the programme over what is free."""
    index = np.where(is_free, worth / (1 - passing), -np.inf)
    top = np.argsort(-index, axis=1)[:, : 2 * slot_count + 4]
    order = top[:, ::-1]
    worth, last, passing, is_free = (
        np.take_along_axis(part, order, 1) for part in (worth, last, passing, is_free)
    )
    value = np.full((len(worth), slot_count + 1), -np.inf)
    for place in range(order.shape[1]):
        offered = np.empty((len(worth), slot_count))
        offered[:, 0] = last[:, place]
        offered[:, 1:] = worth[:, place, None] + passing[:, place, None] * value[:, 1:-1]
        offered[~is_free[:, place]] = -np.inf
        value[:, 1:] = np.maximum(value[:, 1:], offered)
    return value[:, -1:]


def _rest(tensor: np.ndarray, rest: float) -> np.ndarray:
    """Expectation over every family's rest; axes 4 to 6 are fatigue."""
    for axis in (4, 5, 6):
        lower = np.concatenate((tensor.take([0], axis), tensor.take(range(_LEVELS - 1), axis)), axis)
        tensor = (1 - rest) * tensor + rest * lower
    return tensor


def _tire(tensor: np.ndarray, axis: int, tire: float) -> np.ndarray:
    """Expectation over one family's tiring."""
    higher = np.concatenate((tensor.take(range(1, _LEVELS), axis), tensor.take([_LEVELS - 1], axis)), axis)
    return (1 - tire) * tensor + tire * higher


def _more_patient(tensor: np.ndarray) -> np.ndarray:
    return np.concatenate((tensor[:, :, :, 1:], tensor[:, :, :, -1:]), 3)


def _fade(tensor: np.ndarray, impatience: float) -> np.ndarray:
    """Expectation over a loss of patience; without any left, the session is over."""
    lower = np.concatenate((np.zeros_like(tensor[:, :, :, :1]), tensor[:, :, :, :-1]), 3)
    return (1 - impatience) * tensor + impatience * lower


def _further(tensor: np.ndarray) -> np.ndarray:
    return np.concatenate((tensor[:, :, 1:], tensor[:, :, -1:]), 2)


def _back(tensor: np.ndarray) -> np.ndarray:
    return np.broadcast_to(tensor[:, :, :1], tensor.shape)


def _push_patience(weight: np.ndarray, impatience: float) -> np.ndarray:
    """Mass after a loss of patience, (B, K, C, Z, P, F, F, F); those with none left are gone."""
    result = (1 - impatience) * weight
    result[..., :-1, :, :, :] += impatience * weight[..., 1:, :, :, :]
    return result


def _push_fatigue(weight: np.ndarray, family: int | None, tire: float, rest: float) -> np.ndarray:
    """Mass after every family rested, and one tired."""
    for axis in (5, 6, 7):
        mass = np.moveaxis(weight, axis, 0)
        moved = (1 - rest) * mass
        moved[0] += rest * mass[0]
        moved[:-1] += rest * mass[1:]
        weight = np.moveaxis(moved, 0, axis)
    if family is not None:
        mass = np.moveaxis(weight, 5 + family, 0)
        moved = (1 - tire) * mass
        moved[-1] += tire * mass[-1]
        moved[1:] += tire * mass[:-1]
        weight = np.moveaxis(moved, 0, 5 + family)
    return weight
