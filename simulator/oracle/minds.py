"""What is on shoppers' minds, what does it make of every shelf, and how does a page change it?

Hidden states as an array, and expectations over them. Shapes: X contexts, H hidden states (type, target,
stage, patience, fatigue by family), A actions, K types, C categories, F families.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator import choice
from simulator.front.shop import Front
from simulator.session import BROWSE, HiddenState
from simulator.world import MAX_FATIGUE, MAX_PATIENCE, STAGE_COUNT

_LEVELS = MAX_FATIGUE + 1


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
