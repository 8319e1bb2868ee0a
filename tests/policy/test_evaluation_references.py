"""Do estimators say what independent implementations say, where both compute the same?

obp 0.4.1 knows bandits and slates of a fixed length; vw-estimators bandits, slates and their running
sequences of slots. Neither knows sessions.
"""

from __future__ import annotations

import numpy as np
import pytest
from estimators.bandits import ips as vw_ips
from estimators.bandits import snips as vw_snips
from estimators.slates import pseudo_inverse as vw_pseudo_inverse
from obp import ope

from services.policy.evaluation import estimators
from services.policy.evaluation.decisions import ActionValues, Decisions

COUNT, SLOT_COUNT, ACTION_COUNT = 400, 4, 5
WITHIN = {"rel": 1e-9, "abs": 1e-12}


@pytest.fixture(scope="module")
def bandit():
    """One decision a page, with values of every action."""
    generator = np.random.default_rng(0)
    served = generator.dirichlet(np.ones(ACTION_COUNT), COUNT)
    candidate = generator.dirichlet(np.ones(ACTION_COUNT), COUNT)
    values = generator.normal(size=(COUNT, ACTION_COUNT))
    actions = np.array([generator.choice(ACTION_COUNT, p=chances) for chances in served])
    rows = np.arange(COUNT)
    decisions = Decisions(
        served[rows, actions],
        candidate[rows, actions],
        generator.poisson(1, COUNT).astype(float),
        np.arange(COUNT + 1),
        np.arange(COUNT + 1),
        rows,
        page_values=ActionValues(
            values[rows, actions], (candidate * values).sum(1), (served * values).sum(1)
        ),
    )
    given = {
        "reward": decisions.rewards,
        "action": actions,
        "pscore": decisions.served,
        "action_dist": candidate[:, :, None],
        "estimated_rewards_by_reg_model": values[:, :, None],
    }
    return decisions, given


@pytest.fixture(scope="module")
def slates():
    """Pages on which every slot was examined."""
    generator = np.random.default_rng(1)
    total = COUNT * SLOT_COUNT
    return Decisions(
        generator.uniform(0.1, 1, total),
        generator.uniform(0, 1, total),
        generator.poisson(0.5, total).astype(float),
        np.arange(0, total + 1, SLOT_COUNT),
        np.arange(COUNT + 1),
        np.arange(COUNT),
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (estimators.importance_sampling, ope.InverseProbabilityWeighting()),
        (estimators.self_normalised, ope.SelfNormalizedInverseProbabilityWeighting()),
        (estimators.direct, ope.DirectMethod()),
        (estimators.doubly_robust, ope.DoublyRobust()),
        (estimators.cascade_doubly_robust, ope.DoublyRobust()),
    ],
)
def test_bandit_estimates_are_those_of_obp(bandit, ours, theirs):
    decisions, given = bandit
    assert ours(decisions.pages()).value == pytest.approx(theirs.estimate_policy_value(**given), **WITHIN)


@pytest.mark.filterwarnings("ignore:DataFrameGroupBy:FutureWarning")  # obp's own
def test_slate_estimates_are_those_of_obp(slates):
    pages = slates.pages()
    given = {
        "slate_id": pages.episode(),
        "reward": slates.rewards,
        "position": slates.slot_index(),
    }
    # obp wants the whole slate's propensity in every row, or the product so far.
    standard = ope.SlateStandardIPS(len_list=SLOT_COUNT).estimate_policy_value(
        **given,
        pscore=whole(slates.served),
        evaluation_policy_pscore=whole(slates.candidate),
    )
    cascade = ope.SlateRewardInteractionIPS(len_list=SLOT_COUNT).estimate_policy_value(
        **given,
        pscore_cascade=products(slates.served),
        evaluation_policy_pscore_cascade=products(slates.candidate),
    )
    assert estimators.importance_sampling(pages).value == pytest.approx(standard, **WITHIN)
    assert estimators.per_decision(pages).value == pytest.approx(cascade, **WITHIN)


def whole(chances):
    return np.repeat(chances.reshape(COUNT, SLOT_COUNT).prod(axis=1), SLOT_COUNT)


def products(chances):
    return np.cumprod(chances.reshape(COUNT, SLOT_COUNT), axis=1).ravel()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (estimators.importance_sampling, vw_ips.Estimator()),
        (estimators.self_normalised, vw_snips.Estimator()),
    ],
)
def test_bandit_estimates_are_those_of_vw(bandit, ours, theirs):
    decisions, _ = bandit
    for served, reward, candidate in zip(
        decisions.served, decisions.rewards, decisions.candidate, strict=True
    ):
        theirs.add_example(served, reward, candidate)
    assert ours(decisions.pages()).value == pytest.approx(theirs.get(), **WITHIN)


def test_slate_estimates_are_those_of_vw(slates):
    theirs = vw_pseudo_inverse.Estimator()
    shape = (COUNT, SLOT_COUNT)
    for served, candidate, earned in zip(
        slates.served.reshape(shape), slates.candidate.reshape(shape), slates.pages().returns(), strict=True
    ):
        theirs.add_example(served.tolist(), earned, candidate.tolist())
    assert estimators.pseudo_inverse(slates.pages()).value == pytest.approx(theirs.get(), **WITHIN)
