"""What would a candidate policy have earned on the shoppers of a log?

Every estimator takes episodes (pages, or sessions) and answers one contribution per episode, whose mean
is the estimate, so that all intervals work on all estimators.

Symbols, as in the formulas: episode e of E; its decisions t = 1..n, in order; rho_t candidate's over served
propensity of decision t; w_t = rho_1 ... rho_t, with w_0 = 1; w = w_n; r_t reward; G = sum of r_t; q_t and
v_t a model's value of the served action and its mean over the candidate's choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.policy.evaluation.decisions import ActionValues, Episodes
from services.policy.page import Array


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A value per episode, and where it comes from."""

    name: str
    contributions: Array
    """(E,)"""
    weights: Array
    """(E,) importance weight of each episode, as it entered."""

    @property
    def value(self) -> float:
        return float(self.contributions.mean())

    @property
    def effective_count(self) -> float:
        return effective_count(self.weights)


def effective_count(weights: Array) -> float:
    """How many episodes of equal weight would tell as much; 0 where all weights are 0.

    (sum of w)^2 / sum of w^2.

    Source: Kish 1965, Survey Sampling; Owen 2013, Monte Carlo theory, section 9.3.
    """
    largest = weights.max(initial=0.0)
    if largest == 0.0:
        return 0.0
    scaled = weights / largest  # weights of long sessions overflow when squared
    return float(scaled.sum() ** 2 / (scaled @ scaled))


def on_policy(episodes: Episodes) -> Estimate:
    """What the served policy earned: mean of G."""
    return Estimate("served", episodes.returns(), np.ones(len(episodes)))


def importance_sampling(episodes: Episodes) -> Estimate:
    """IPS: mean of w G. Unbiased where the served policy could choose all that the candidate would.

    Source: Horvitz and Thompson 1952; Precup et al. 2000.
    """
    weights = episodes.weights()
    return Estimate("IPS", weights * episodes.returns(), weights)


def self_normalised(episodes: Episodes) -> Estimate:
    """SNIPS: sum of w G / sum of w. Biased by O(1/E), within the range of G, of less variance.

    Contributions are value + w (G - value) / mean w, the estimate's linear part, so that intervals see the
    denominator's noise.

    Source: Swaminathan and Joachims 2015, The Self-Normalized Estimator for Counterfactual Learning.
    """
    weights, returns = episodes.weights(), episodes.returns()
    scale = weights.mean()
    if scale == 0.0:
        return Estimate("SNIPS", np.zeros(len(episodes)), weights)
    value = (weights @ returns) / weights.sum()
    return Estimate("SNIPS", value + weights * (returns - value) / scale, weights)


def clipped(episodes: Episodes, limit: float) -> Estimate:
    """Clipped IPS: mean of min(w, limit) G. Too low where G is positive; of known range.

    Source: Ionides 2008, Truncated Importance Sampling.
    """
    if limit < 1.0:
        raise ValueError(f"limit: got {limit}, want 1 or more")
    weights = np.minimum(episodes.weights(), limit)
    return Estimate("clipped IPS", weights * episodes.returns(), weights)


def per_decision(episodes: Episodes) -> Estimate:
    """Per-decision IS: mean of sum over t of w_t r_t. A reward is weighted by what came before it alone.

    On pages this is the reward-interaction IPS of McInerney et al. 2020, arXiv:2007.12986.

    Source: Precup et al. 2000, Eligibility Traces for Off-Policy Policy Evaluation.
    """
    return Estimate(
        "per-decision IS", episodes.total(episodes.cumulative() * episodes.rewards), episodes.weights()
    )


def direct(episodes: Episodes) -> Estimate:
    """Direct method: mean of v_1, the model's word alone. As wrong as the model; it never decides.

    Source: Dudik et al. 2011, arXiv:1103.4601.
    """
    values = _values(episodes)
    contributions = np.zeros(len(episodes))
    has_any = np.diff(episodes.offsets) > 0
    contributions[has_any] = values.expected[episodes.offsets[:-1][has_any]]
    return Estimate("direct", contributions, np.ones(len(episodes)))


def doubly_robust(episodes: Episodes) -> Estimate:
    """DR: mean of D_1, where D_t = v_t + rho_t (r_t + D_(t+1) - q_t) and D_(n+1) = 0.

    Unbiased whatever the model, of less variance where the model is good. With one decision it is the DR
    of Dudik et al. 2011, arXiv:1103.4601.

    Source: Jiang and Li 2016, arXiv:1511.03722, section 4.
    """
    values = _values(episodes)
    suffix = episodes.rewards - values.chosen  # becomes r_t + D_(t+1) - q_t, from the last step back
    for here, before in reversed(episodes.steps()):
        suffix[before] += values.expected[here] + episodes.ratios[here] * suffix[here]
    contributions = np.zeros(len(episodes))
    has_any = np.diff(episodes.offsets) > 0
    first = episodes.offsets[:-1][has_any]
    contributions[has_any] = values.expected[first] + episodes.ratios[first] * suffix[first]
    return Estimate("DR", contributions, episodes.weights())


def cascade_doubly_robust(pages: Episodes) -> Estimate:
    """Cascade-DR: mean of sum over slots t of w_t (r_t - q_t) + w_(t-1) v_t.

    For pages, with values to the page's end. The sum runs over examined slots: below them nothing is
    earned, and the model's value of a slot counts in that it may not be reached.

    Source: Kiyohara et al. 2022, arXiv:2202.01562.
    """
    values = _values(pages)
    cumulative = pages.cumulative()
    before = np.ones_like(cumulative)
    for here, above in pages.steps():
        before[here] = cumulative[above]
    terms = cumulative * (pages.rewards - values.chosen) + before * values.expected
    return Estimate("cascade-DR", pages.total(terms), pages.weights())


def pseudo_inverse(pages: Episodes) -> Estimate:
    """Pseudo-inverse: mean of G (1 - n + sum over t of rho_t).

    Unbiased where a page's reward is a sum of what each slot adds by itself, whatever stands in the others,
    and both policies draw slots independently of each other. Pages that draw without replacement, or end at
    a click, are so by approximation only: a second opinion of low variance. Slots that nobody examined have
    a factor of mean 1 and are left out.

    Source: Swaminathan et al. 2017, arXiv:1605.04812, example 4.
    """
    weights = 1.0 + pages.total(pages.ratios - 1.0)
    return Estimate("pseudo-inverse", weights * pages.returns(), weights)


def _values(episodes: Episodes) -> ActionValues:
    if episodes.values is None:
        raise ValueError("episodes.values: got None, want a model's values; fit them with fqe")
    return episodes.values
