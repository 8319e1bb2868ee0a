"""How does a policy look that goes a step from what was served towards a candidate?

Two ways, both policies in their own right. A mixture follows the candidate with probability s in each slot:
weights stay above 1 - s, but what was hardly ever served is shown as often as s allows, and few weights
outweigh all others. A geometric blend averages logarithms, as a softmax of blended scores does: what was
hardly ever served stays rare. So mixtures suit logs that were served almost uniformly, and geometric blends
those of a policy that knows what it wants, with some exploration. `planogram bench evaluation` measures both.

Symbols: T decisions, A feasible actions of one, K = sum of A.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from services.policy.page import Array


class Blending(Enum):
    """A way to go a step."""

    MIXTURE = "mixture"
    """(1 - s) served + s candidate. Source: conservative policy iteration, Kakade and Langford 2002."""
    GEOMETRIC = "geometric"
    """served^(1 - s) candidate^s, normalised: of all policies the one of least (1 - s) KL(p, served) +
    s KL(p, candidate). Source: mirror descent on policies, Tomar et al. 2020, arXiv:2005.09814."""


def blended(
    served: Array, candidate: Array, share: float, offsets: Array, blending: Blending = Blending.GEOMETRIC
) -> Array:
    """(K,) probabilities of a blend, which sum to 1 over each decision.

    Args:
        served, candidate: (K,) probabilities of each decision's feasible actions.
        share: of the candidate, 0 to 1.
        offsets: (T + 1,) the actions of decision t are offsets[t] to offsets[t + 1]; one at least.

    Raises:
        ValueError: for a share outside, and where a geometric blend has nothing that both policies do.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share: got {share}, want 0 to 1")
    if blending is Blending.MIXTURE:
        return (1.0 - share) * served + share * candidate
    product = served ** (1.0 - share) * candidate**share
    total = np.add.reduceat(product, offsets[:-1])
    if not (total > 0).all():
        raise ValueError(f"candidate: shares no action with what was served in decision {total.argmin()}")
    result: Array = product / np.repeat(total, np.diff(offsets))
    return result
