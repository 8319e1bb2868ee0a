from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from services.policy.evaluation import difference, gate, warranted
from services.policy.evaluation.decisions import Decisions
from services.policy.evaluation.warranted import Answer


def log(later, likes=0.5, count=3_000, seed=0):
    """Sessions of two pages with two choices on the first; the first choice brings `later` on the second.

    Args:
        likes: a policy's probability of the first choice.
    """
    generator = np.random.default_rng(seed)
    is_first = generator.random(count) < 0.5
    rewards = np.stack((generator.normal(1.0, 0.5, count), generator.normal(later * is_first, 0.5)), 1)
    candidate = np.stack((np.where(is_first, likes, 1 - likes), np.ones(count)), 1)
    return Decisions(
        served=np.tile([0.5, 1.0], count),
        candidate=candidate.ravel(),
        rewards=rewards.ravel(),
        page_offsets=np.arange(2 * count + 1),
        session_offsets=np.arange(0, 2 * count + 1, 2),
        shoppers=np.arange(count),
    )


def test_it_pays_where_a_choice_brings_more_later():
    found = warranted.ask(log(0.5, 0.9).blended, log(0.5, 0.5).blended)
    assert found.answer is Answer.WARRANTED and found.blend == 1.0
    assert found.far_sighted - found.short_sighted == pytest.approx(0.4 * 0.5, abs=0.04)
    assert 0 < found.bounds.lower < 0.2 < found.bounds.upper
    assert "above zero" in found.reasons[-1] and "not above" not in found.reasons[-1]


def test_nothing_is_shown_where_what_is_chosen_makes_no_difference():
    found = warranted.ask(log(0.0, 0.9).blended, log(0.0, 0.5).blended)
    assert found.answer is Answer.NOT_SHOWN and "not above zero" in found.reasons[-1]


def test_it_is_seldom_warranted_by_chance():
    answers = [warranted.ask(log(0.0, 0.9, 300, s).blended, log(0.0, 0.5, 300, s).blended) for s in range(60)]
    assert (
        sum(found.answer is Answer.WARRANTED for found in answers) <= 8
    )  # 3 allowed, 1.7 is their deviation


def test_both_policies_need_support_at_the_same_blend():
    limits = gate.Limits(first_page_share=0.9)
    found = warranted.ask(log(0.5, 1.0).blended, log(0.5, 0.5).blended, limits)
    assert found.blend == 0.25
    assert any(line.startswith("blend 0.5, far-sighted: first-page") for line in found.reasons)


def test_without_support_the_log_cannot_tell():
    limits = gate.Limits(session_count=1e6)
    found = warranted.ask(log(0.5, 0.9).blended, log(0.5, 0.5).blended, limits)
    assert found.answer is Answer.INSUFFICIENT_SUPPORT and found.bounds is None and found.blend is None


def test_a_difference_between_two_is_that_of_their_differences_to_what_was_served():
    one, other = log(0.5, 0.9), log(0.5, 0.3)
    found = difference.between(one, other)
    apart = difference.to_served(one).value - difference.to_served(other).value
    assert found.value == pytest.approx(apart)
    assert found.bounds.lower < found.value < found.bounds.upper


def test_a_difference_to_what_was_served_is_one_between_two():
    """The served policy's own weights are 1: both ways have the same bounds."""
    one = log(0.5, 0.9)
    assert difference.between(one, one.blended(0.0)).bounds == difference.to_served(one).bounds


def test_policies_of_two_logs_are_not_compared():
    with pytest.raises(ValueError, match=r"other\.rewards: got another log's"):
        difference.between(log(0.5), log(0.5, seed=1))
    valued = dataclasses.replace(log(0.5), shoppers=np.arange(3_000)[::-1].copy())
    with pytest.raises(ValueError, match=r"other\.shoppers"):
        difference.between(log(0.5), valued)
