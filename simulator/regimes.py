"""By which laws do shoppers click, tire and make up their minds: which kinds of shop can be simulated?

The figures of the base regime are the prior of this simulator; the others change a few of them, so that a
learner meets shops that reward patience more, or less, or break what it assumes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np


class Examination(Enum):
    """How shoppers go down a page."""

    CASCADE = "cascade"
    """Slot by slot; a click, or giving up, ends the page (Craswell 2008)."""
    BROWSING = "browsing"
    """A slot is examined by its distance to the last click; several may be (Dupret & Piwowarski 2008)."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Regime:
    """The laws of one kind of shop. Shapes: Z = 3 stages, F = 3 families, P = 4 levels of patience."""

    name: str
    start_stage: np.ndarray
    """(Z,) how far shoppers are when they come."""
    start_patience: np.ndarray
    """(P,)"""
    target_boost: np.ndarray
    """(Z,) added to the click logit of a shelf about the target category."""
    stage_family: np.ndarray
    """(Z, F) added to the click logit."""
    affinity_weight: float = 1.2
    fatigue_weight: float = 0.7
    patience_scroll: np.ndarray
    """(P,) added to the probability of scrolling on."""
    scroll_range: tuple[float, float] = (0.70, 0.90)
    """Of a module's probability of scrolling on; its ends may be equal."""
    has_scroll_traits: bool = True
    """False where modules and templates do not differ in how they let shoppers scroll on."""
    buy: np.ndarray
    """(Z,) probability that a click on target ends in a purchase, for an average item."""
    cart: np.ndarray
    """(Z,)"""
    margin_share: np.ndarray
    """(F,) what is left of an item's margin: promotions cost."""
    stage_up: np.ndarray
    """(F,) probability that a click on target takes a shopper a stage further."""
    leave_after_buying: float = 0.6
    adopt: float = 0.5
    """Probability that a click off target changes the target, while browsing."""
    off_target_impatience: float = 0.35
    stop_impatience: float = 0.6
    tire: float = 0.7
    """Probability that a family tires who gives up on it, or clicked it in vain."""
    rest: float = 0.25
    """Probability, per page and family, that fatigue falls by one."""
    drift: float = 0.05
    """Probability that the target changes after a page without a click."""
    leave: float = 0.10
    """Probability of leaving after a page for reasons of one's own."""
    dwell: tuple[float, float] = (0.10, 0.80)
    """Probability of a long look, off and on target."""
    is_target_blind: bool = False
    """True where any click counts as one on target."""
    is_front_only: bool = False
    """True where every page is the front page."""
    examination: Examination = Examination.CASCADE
    browse_on: float = 0.85
    """BROWSING: probability of examining a slot right below the last click; falls with the distance."""
    click_on: float = 0.0
    """CASCADE: probability of going on down the page after a click."""
    scanner_share: float = 0.0
    """Share of shoppers who look at slots by their position alone, whatever stands above."""
    cannibalisation: float = 0.0
    """Taken off the click logit for each shelf above of the same category, or family where it has none."""
    shift_share: float = 0.0
    """How far the shop becomes another one in mid-course: weight of biases and tastes drawn anew."""
    shift_at: float = 0.5
    """Share of the sessions of a log before the change."""


BASE = Regime(
    name="base",
    start_stage=np.array((0.70, 0.22, 0.08)),
    start_patience=np.array((0.0, 0.10, 0.30, 0.60)),
    target_boost=np.array((0.4, 0.8, 1.2)),
    stage_family=np.array(((0.3, 0.2, -0.5), (0.0, 0.2, 0.4), (-0.2, 0.0, 0.9))),
    patience_scroll=np.array((0.0, -0.12, 0.0, 0.06)),
    buy=np.array((0.005, 0.03, 0.15)),
    cart=np.array((0.02, 0.08, 0.20)),
    margin_share=np.array((0.6, 1.0, 1.0)),
    stage_up=np.array((0.05, 0.30, 0.75)),
)
FRONT = replace(BASE, is_front_only=True)
"""The base regime on front pages alone: the decision problem that learners are compared on."""

FATIGUE = replace(FRONT, name="fatigue", fatigue_weight=1.1, tire=0.9, rest=0.12)
FUNNEL = replace(
    FRONT,
    name="funnel",
    stage_up=np.array((0.02, 0.15, 0.85)),
    buy=np.array((0.001, 0.015, 0.20)),
)
CONTROL = replace(
    FRONT,
    name="control",
    is_target_blind=True,
    fatigue_weight=0.0,
    tire=0.0,
    stage_up=np.full(3, 0.30),
    margin_share=np.ones(3),
    has_scroll_traits=False,
)
"""What is clicked makes no difference to what follows: the best page is the one with the most clicks."""

CANNIBALISATION = replace(FRONT, name="cannibalisation", cannibalisation=0.5)
SEVERAL_CLICKS = replace(FRONT, name="several-clicks", click_on=0.5)
SCANNERS = replace(FRONT, name="scanners", scanner_share=0.2)
BROWSING = replace(FRONT, name="browsing-model", examination=Examination.BROWSING)
SHIFT = replace(FRONT, name="shift", shift_share=0.5)

CASCADES = (FRONT, FATIGUE, FUNNEL, CONTROL)
"""Regimes in which the oracle is exact."""
ASSUMPTION_BREAKING = (CANNIBALISATION, SEVERAL_CLICKS, SCANNERS, BROWSING, SHIFT)
REGIMES = {regime.name: regime for regime in (*CASCADES, *ASSUMPTION_BREAKING)} | {"base": FRONT}
