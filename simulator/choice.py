"""What does a shopper look at, click and pick on one page?

Array functions without state, used alike by both faces. Shapes: B shoppers, S slots, L items of a shelf,
C categories. Slots that do not exist have a click probability and a scroll probability of 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.regimes import Regime

NO_SLOT = -1


@dataclass(frozen=True, slots=True)
class Walk:
    """How far shoppers got on a page.

    Attributes:
        clicked: (B,) slot that was clicked, NO_SLOT for none.
        last: (B,) lowest slot that was looked at.
    """

    clicked: np.ndarray
    last: np.ndarray


def weigh(utility: np.ndarray, is_visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A shelf's affinity, and the share of its clicks that each item gets.

    Args:
        utility: (..., L) of the items in the order shown.
        is_visible: (..., L) false for what is out of view, and for padding.

    Returns:
        (...) log of the mean of exp(utility) over what is in view, -inf for an empty shelf; (..., L)
        softmax of utility over what is in view, 0 elsewhere.
    """
    weight = np.exp(utility) * is_visible
    total = weight.sum(-1)
    count = is_visible.sum(-1)
    is_empty = count == 0
    affinity = np.where(
        is_empty, -np.inf, np.log(np.where(is_empty, 1, total) / np.where(is_empty, 1, count))
    )
    return affinity, weight / np.where(is_empty, 1, total)[..., None]


def click_probability(
    law: Regime,
    bias: np.ndarray,
    affinity: np.ndarray,
    target_share: np.ndarray,
    family: np.ndarray,
    stage: np.ndarray,
    fatigue: np.ndarray,
) -> np.ndarray:
    """(B, S) probability that a slot is clicked once it is looked at.

    Args:
        bias, affinity: (B, S).
        target_share: (B, S) share of the shelf's clicks that fall on the target category.
        family: (B, S) index.
        stage: (B,).
        fatigue: (B, F).
    """
    logit = bias + law.affinity_weight * affinity + law.target_boost[stage][:, None] * target_share
    logit = logit + law.stage_family[stage[:, None], family]
    logit = logit - law.fatigue_weight * fatigue[np.arange(len(family))[:, None], family]
    return 1 / (1 + np.exp(-logit))


def scroll_probability(law: Regime, scroll: np.ndarray, patience: np.ndarray) -> np.ndarray:
    """(B, S) probability of looking at the next slot after no click."""
    return np.minimum(np.maximum(scroll + law.patience_scroll[patience][:, None], 0), 1)


def walk(click: np.ndarray, scroll: np.ndarray, is_present: np.ndarray, draws: np.ndarray) -> Walk:
    """Looks at slots from the top; stops at a click, where the shopper gives up, or at the end.

    Args:
        click, scroll: (B, S) probabilities.
        is_present: (B, S) false below the page's last slot.
        draws: (B, S, 2) uniform on [0, 1).
    """
    is_clicked = (draws[:, :, 0] < click) & is_present
    is_stop = is_clicked | (draws[:, :, 1] >= scroll) | ~is_present
    is_stop[:, -1] = True
    first = is_stop.argmax(1)
    # A page that ends before its widest neighbour stops at its own last slot.
    last = np.maximum(np.minimum(first, is_present.sum(1) - 1), 0)
    clicked = np.where(is_clicked[np.arange(len(last)), last], last, NO_SLOT)
    return Walk(clicked, last)


def reach(click: np.ndarray, scroll: np.ndarray, is_present: np.ndarray) -> np.ndarray:
    """(B, S) probability that a slot is looked at; arguments as for `walk`."""
    passed = np.cumprod((1 - click) * scroll, axis=1)
    reached = np.ones_like(passed)
    reached[:, 1:] = passed[:, :-1]
    return reached * is_present


def pick(share: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """(B,) place of the item that is clicked, by shares of (B, L) that sum to 1."""
    cumulative = share.cumsum(1)
    # Rounding must not let the largest draw fall off the end.
    return (cumulative > (draw * cumulative[:, -1])[:, None]).argmax(1)
