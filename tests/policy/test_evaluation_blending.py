from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.policy.evaluation.blending import Blending, blended

SERVED, CANDIDATE = np.array([0.9, 0.1, 0.5, 0.5]), np.array([0.1, 0.9, 1.0, 0.0])
OFFSETS = np.array([0, 2, 4])


def test_a_geometric_blend_is_that_solved_by_hand():
    """Half way between (.9, .1) and (.1, .9) both are alike; what the candidate never shows stays unseen."""
    found = blended(SERVED, CANDIDATE, 0.5, OFFSETS)
    assert found == pytest.approx([0.5, 0.5, 1.0, 0.0])
    odds = (0.9 / 0.1) ** 0.9 * (0.1 / 0.9) ** 0.1
    assert blended(SERVED, CANDIDATE, 0.1, OFFSETS)[0] == pytest.approx(odds / (1 + odds))


def test_a_mixture_is_linear():
    found = blended(SERVED, CANDIDATE, 0.25, OFFSETS, Blending.MIXTURE)
    assert found == pytest.approx(0.75 * SERVED + 0.25 * CANDIDATE)


@pytest.mark.parametrize("blending", list(Blending))
def test_both_ends_are_the_policies_themselves(blending):
    assert blended(SERVED, CANDIDATE, 1.0, OFFSETS, blending) == pytest.approx(CANDIDATE)
    assert blended(SERVED, CANDIDATE, 0.0, OFFSETS, blending) == pytest.approx(SERVED)


@given(st.floats(0.01, 1.0), st.integers(0, 2**32 - 1), st.sampled_from(list(Blending)))
def test_blends_are_distributions_over_what_both_may_show(share, seed, blending):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 6, 4)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    served, candidate = (np.concatenate([generator.dirichlet(np.ones(n)) for n in lengths]) for _ in "ab")
    found = blended(served, candidate, share, offsets, blending)
    assert np.add.reduceat(found, offsets[:-1]) == pytest.approx(np.ones(4))
    assert (found >= 0).all()


def test_weights_of_what_was_hardly_served_stay_small_in_a_geometric_blend():
    served, candidate = np.array([1e-4, 1 - 1e-4]), np.array([1 - 1e-4, 1e-4])
    ends = np.array([0, 2])
    weights = {kind: blended(served, candidate, 0.1, ends, kind)[0] / served[0] for kind in Blending}
    assert weights[Blending.MIXTURE] > 900 and weights[Blending.GEOMETRIC] < 7


def test_a_share_outside_is_refused():
    with pytest.raises(ValueError, match=r"share: got 1\.5, want 0 to 1"):
        blended(SERVED, CANDIDATE, 1.5, OFFSETS)


def test_policies_that_share_no_action_have_no_geometric_blend():
    with pytest.raises(ValueError, match="shares no action with what was served in decision 1"):
        blended(np.array([0.5, 0.5, 1.0, 0.0]), np.array([0.5, 0.5, 0.0, 1.0]), 0.5, OFFSETS)
