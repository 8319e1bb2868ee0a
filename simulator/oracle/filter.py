"""What can be inferred of a mind from everything that was seen: the exact belief, page by page?

Shapes: B sessions, H hidden states (type, target, stage, patience, fatigue by family), K types,
C categories, Z stages, P levels of patience, F levels of fatigue.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.front.records import Decision
from simulator.front.seen import Acts, Observed
from simulator.front.shop import SLOT_COUNT, Front
from simulator.oracle.minds import Odds, Space
from simulator.session import BROWSE
from simulator.shopper import SEGMENT_ACCURACY


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
        own = np.eye(types)[world.segment_of]  # type, segment
        right = own * SEGMENT_ACCURACY + (1 - SEGMENT_ACCURACY) / types
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
