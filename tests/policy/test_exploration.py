from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.policy.exploration import Exploration, Mode, draw, probabilities

VALUES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60).map(np.array)


@given(
    values=VALUES,
    mode=st.sampled_from(Mode),
    epsilon=st.floats(0, 1),
    temperature=st.floats(1e-3, 100),
)
def test_propensities_are_a_distribution(values, mode, epsilon, temperature):
    result = probabilities(values, Exploration(mode, epsilon, temperature))
    assert result.shape == values.shape
    assert abs(result.sum() - 1.0) < 1e-9
    assert (result >= 0).all()
    if mode is not Mode.GREEDY:
        assert result.min() >= epsilon / len(values) - 1e-12


@given(values=VALUES, mode=st.sampled_from([Mode.EPSILON_GREEDY, Mode.SOFTMAX]))
def test_a_higher_value_is_never_served_less(values, mode):
    result = probabilities(values, Exploration(mode, 0.1, 0.2))
    order = np.argsort(values)
    assert (np.diff(result[order]) >= -1e-12).all()


def test_greedy_takes_the_first_of_equals():
    assert probabilities(np.array([1.0, 2.0, 2.0]), Exploration(Mode.GREEDY, 0.5, 1.0)).tolist() == [0, 1, 0]


def test_epsilon_greedy_by_hand():
    result = probabilities(np.array([1.0, 3.0, 2.0, 0.0]), Exploration(Mode.EPSILON_GREEDY, 0.2, 1.0))
    assert result == pytest.approx([0.05, 0.85, 0.05, 0.05])


def test_epsilon_greedy_shares_among_equals():
    result = probabilities(np.zeros(4), Exploration(Mode.EPSILON_GREEDY, 0.1, 1.0))
    assert result == pytest.approx([0.25] * 4)


def test_softmax_by_hand():
    # Values 0 and 2 have mean 1 and deviation 1: z-scores -1 and 1.
    result = probabilities(np.array([0.0, 2.0]), Exploration(Mode.SOFTMAX, 0.1, 0.5))
    preferred = np.exp(2) / (np.exp(2) + np.exp(-2))
    assert result == pytest.approx([0.9 * (1 - preferred) + 0.05, 0.9 * preferred + 0.05])


def test_softmax_does_not_depend_on_the_scale_of_values():
    values = np.array([0.1, 0.5, 0.7, 0.2])
    exploration = Exploration(Mode.SOFTMAX, 0.02, 0.2)
    assert probabilities(1e3 * values - 7, exploration) == pytest.approx(probabilities(values, exploration))


def test_softmax_of_values_that_differ_by_rounding_is_uniform():
    values = np.array([0.1 + 0.2, 0.3])
    assert probabilities(values, Exploration(Mode.SOFTMAX, 0.0, 0.01)) == pytest.approx([0.5, 0.5])


@given(
    weights=st.lists(st.integers(0, 5), min_size=1, max_size=12).filter(any),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_what_has_no_probability_is_never_drawn(weights, uniform):
    probability = np.array(weights) / sum(weights)
    assert probability[draw(probability, np.arange(len(weights)), uniform)] > 0


def test_a_draw_depends_on_ids_and_not_on_places():
    probability = np.array([0.5, 0.2, 0.3])
    permutation = np.array([2, 0, 1])
    for uniform in np.linspace(0, 0.999, 37):
        straight = draw(probability, np.arange(3), uniform)
        permuted = draw(probability[permutation], permutation, uniform)
        assert permutation[permuted] == straight
