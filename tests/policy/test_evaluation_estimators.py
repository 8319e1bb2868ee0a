from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.evaluation import estimators
from services.policy.evaluation.decisions import ActionValues, Decisions

WEIGHTED = (
    estimators.importance_sampling,
    estimators.self_normalised,
    estimators.per_decision,
    estimators.pseudo_inverse,
)


def column(*values):
    return np.array(values, float)


@pytest.fixture
def by_hand():
    """Two sessions: one of two pages (two slots, one slot), one of a page of a slot and an empty page."""
    return Decisions(
        served=column(0.5, 0.25, 0.5, 0.8),
        candidate=column(0.25, 0.5, 1.0, 0.4),
        rewards=column(1, 2, 4, 10),
        page_offsets=np.array([0, 2, 3, 4, 4]),
        session_offsets=np.array([0, 2, 4]),
        shoppers=np.array([0, 1]),
        page_discount=0.5,
        page_values=ActionValues(column(1, 1, 1, 1), column(2, 1, 3, 5), column(1, 1, 1, 1)),
        session_values=ActionValues(column(1, 1, 2, 1), column(2, 1, 4, 5), column(1, 1, 1, 1)),
    )


def test_weights_are_products_over_examined_slots(by_hand):
    """Ratios are .5, 2, 2, .5."""
    assert by_hand.pages().weights().tolist() == [1.0, 2.0, 0.5, 1.0]
    assert by_hand.sessions().weights().tolist() == [2.0, 0.5]
    assert by_hand.first_pages().weights().tolist() == [1.0, 0.5]
    assert by_hand.slot_index().tolist() == [0, 1, 0, 0]
    assert by_hand.page_index().tolist() == [0, 1, 0, 1]


def test_estimates_of_sessions_are_those_solved_by_hand(by_hand):
    """Returns are 1 + 2 + 4 / 2 = 5 and 10; weights 2 and .5."""
    sessions = by_hand.sessions()
    assert estimators.on_policy(sessions).value == 7.5
    assert estimators.importance_sampling(sessions).contributions.tolist() == [10.0, 5.0]
    assert estimators.self_normalised(sessions).value == pytest.approx(15 / 2.5)
    assert estimators.clipped(sessions, 1.5).contributions.tolist() == [7.5, 5.0]
    # .5 of 1, 1 of 2, 2 of 4 / 2
    assert estimators.per_decision(sessions).contributions.tolist() == [0.5 + 2 + 4, 5.0]
    assert estimators.direct(sessions).contributions.tolist() == [2.0, 5.0]
    # Last: 4/2 + 2 (4/2 - 2/2) = 4; second: 1 + 2 (2 + 4 - 1) = 11; first: 2 + .5 (1 + 11 - 1) = 7.5
    assert estimators.doubly_robust(sessions).contributions.tolist() == [7.5, 5 + 0.5 * (10 - 1)]


def test_estimates_of_pages_are_those_solved_by_hand(by_hand):
    pages = by_hand.pages()
    assert estimators.importance_sampling(pages).contributions.tolist() == [3.0, 8.0, 5.0, 0.0]
    assert estimators.per_decision(pages).contributions.tolist() == [2.5, 8.0, 5.0, 0.0]
    # (.5 (1-1) + 2) + (1 (2-1) + .5 1), 2 (4-1) + 3, .5 (10-1) + 5, and a page that nobody looked at
    assert estimators.cascade_doubly_robust(pages).contributions.tolist() == [3.5, 9.0, 9.5, 0.0]
    # 1 - 2 + .5 + 2 = 1.5, of 3
    assert estimators.pseudo_inverse(pages).contributions.tolist() == [4.5, 8.0, 5.0, 0.0]


def test_effective_samples_are_those_of_equal_weights():
    assert estimators.effective_count(np.full(7, 3.0)) == pytest.approx(7)
    assert estimators.effective_count(column(1, 0, 0)) == 1.0
    assert estimators.effective_count(column(3, 1)) == pytest.approx(16 / 10)
    assert estimators.effective_count(np.zeros(3)) == 0.0
    assert estimators.effective_count(column(1e200, 1e200)) == pytest.approx(2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"served": column(0.5, 0, 0.5, 0.8)}, r"decisions.served\[1\]: got 0.0, want above 0, to 1"),
        ({"served": column(0.5, 1.5, 0.5, 0.8)}, r"decisions.served\[1\]: got 1.5"),
        ({"candidate": column(0.5, 0.2, -0.1, 0.8)}, r"decisions.candidate\[2\]: got -0.1, want 0 to 1"),
        ({"rewards": column(0.5, np.nan, 1, 1)}, r"decisions.rewards\[1\]: got nan, want finite"),
        ({"rewards": column(1, 2)}, r"decisions.rewards: got shape \(2,\), want \(4,\)"),
        ({"page_offsets": np.array([0, 2, 3, 4, 5])}, r"decisions.page_offsets: got .*, want 0 to 4"),
        ({"page_offsets": np.array([0, 3, 2, 4, 4])}, r"page_offsets: length\[1\]: got -1, want 0 or more"),
        ({"session_offsets": np.array([0, 4, 4])}, r"session_offsets: length\[1\]: got 0, want 1 or more"),
        ({"shoppers": np.array([0])}, r"decisions.shoppers: got 1 values, want 2"),
        ({"page_discount": 1.5}, r"decisions.page_discount: got 1.5, want 0 to 1"),
        (
            {"page_values": ActionValues(column(1), column(1), column(1))},
            r"decisions.page_values.chosen: got shape \(1,\)",
        ),
    ],
)
def test_bad_decisions_name_the_field_the_value_and_the_limit(by_hand, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(by_hand, **change)


def test_a_model_is_asked_for_where_there_is_none(by_hand):
    bare = dataclasses.replace(by_hand, page_values=None).pages()
    with pytest.raises(ValueError, match=r"episodes\.values"):
        estimators.cascade_doubly_robust(bare)
    with pytest.raises(ValueError, match=r"limit: got 0\.5, want 1 or more"):
        estimators.clipped(bare, 0.5)


def test_a_blend_is_a_mixture_of_distributions(by_hand):
    half = by_hand.blended(0.5)
    assert half.candidate.tolist() == [0.375, 0.375, 0.75, 0.6000000000000001]
    assert half.page_values.expected.tolist() == [1.5, 1.0, 2.0, 3.0]
    assert by_hand.blended(0.0).ratios().tolist() == [1.0] * 4
    assert by_hand.blended(1.0).candidate.tolist() == by_hand.candidate.tolist()
    with pytest.raises(ValueError, match=r"share: got 1\.5"):
        by_hand.blended(1.5)


class CascadeShop:
    """Two pages of two slots and three modules; a click ends the page, and the second page remembers it.

    Small enough to walk every way through it.
    """

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.click = generator.uniform(0.1, 0.6, (2, 3))  # by whether something was clicked before
        self.go_on = generator.uniform(0.4, 0.9, 3)
        self.worth = generator.uniform(-1, 3, 3)
        self.served = generator.dirichlet(np.full(3, 3.0), 4)  # by page and slot
        self.candidate = generator.dirichlet(np.full(3, 1.0), 4)

    def distribution(self, chances, page, slot, above):
        """Without replacement: the module above leaves."""
        left = chances[2 * page + slot].copy()
        left[list(above)] = 0.0
        return left / left.sum()

    def pages(self, page, clicked_before):
        """(served probability of actions and outcome, steps of (served, candidate, reward), clicked)"""

        def walk(slot, above, probability, steps):
            if slot == 2:
                yield probability, steps, False
                return
            served = self.distribution(self.served, page, slot, above)
            candidate = self.distribution(self.candidate, page, slot, above)
            for module in range(3):
                if served[module] == 0.0:
                    continue
                here, click = probability * served[module], self.click[clicked_before, module]
                step = (served[module], candidate[module])
                yield here * click, [*steps, (*step, self.worth[module])], True
                missed = here * (1 - click)
                yield missed * (1 - self.go_on[module]), [*steps, (*step, 0.0)], False
                yield from walk(
                    slot + 1, (*above, module), missed * self.go_on[module], [*steps, (*step, 0.0)]
                )

        yield from walk(0, (), 1.0, [])

    def enumerate(self, policy_is_served):
        """Every session with its probability, as drawn by the served policy (or, swapped, the candidate)."""
        if not policy_is_served:
            self.served, self.candidate = self.candidate, self.served
        chances, sessions = [], []
        for probability, first, clicked in self.pages(0, 0):
            for chance, second, _ in self.pages(1, int(clicked)):
                chances.append(probability * chance)
                sessions.append((first, second))
        if not policy_is_served:
            self.served, self.candidate = self.candidate, self.served
        return np.array(chances), decisions_of(sessions)


def decisions_of(sessions, values=None):
    pages = list(itertools.chain.from_iterable(sessions))
    steps = list(itertools.chain.from_iterable(pages))
    served, candidate, rewards = np.array(steps, float).T
    return Decisions(
        served,
        candidate,
        rewards,
        np.concatenate([[0], np.cumsum([len(page) for page in pages])]),
        np.concatenate([[0], np.cumsum([len(session) for session in sessions])]),
        np.arange(len(sessions)),
        0.9,
    )


@pytest.mark.parametrize("seed", range(5))
def test_importance_weighting_is_unbiased_over_every_way_through_a_cascade(seed):
    shop = CascadeShop(seed)
    chances, decisions = shop.enumerate(policy_is_served=True)
    candidate_chances, as_candidate = shop.enumerate(policy_is_served=False)
    assert chances.sum() == pytest.approx(1) == candidate_chances.sum()
    truth = candidate_chances @ as_candidate.sessions().returns()
    assert abs(truth - chances @ decisions.sessions().returns()) > 1e-3
    for estimator in (estimators.importance_sampling, estimators.per_decision):
        assert chances @ estimator(decisions.sessions()).contributions == pytest.approx(truth, abs=1e-12)
    assert chances @ decisions.sessions().weights() == pytest.approx(1)
    # First pages: the candidate decides there alone.
    first = candidate_chances @ as_candidate.first_pages().returns()
    assert chances @ estimators.per_decision(decisions.first_pages()).contributions == pytest.approx(first)


@pytest.mark.parametrize("seed", range(5))
def test_doubly_robust_is_unbiased_whatever_the_model(seed):
    """Expected values must be the chosen ones' mean over the candidate; those are drawn at random."""
    shop, generator = CascadeShop(seed), np.random.default_rng(seed)
    model = generator.normal(size=(2, 2, 3, 3, 2))  # by page, slot, module above, module, clicked before
    chances, returns, sessions = [], [], []
    chosen, expected = [], []
    for probability, first, clicked, above in labelled(shop, 0, 0):
        for chance, second, _, above_second in labelled(shop, 1, int(clicked)):
            chances.append(probability * chance)
            sessions.append((first, second))
            for page, modules, was in ((0, above, 0), (1, above_second, int(clicked))):
                for slot, module in enumerate(modules):
                    table = model[page, slot, modules[slot - 1] if slot else 0, :, was]
                    left = shop.distribution(shop.candidate, page, slot, modules[:slot])
                    chosen.append(table[module])
                    expected.append(table @ left)
    values = ActionValues(np.array(chosen), np.array(expected), np.array(expected))
    decisions = dataclasses.replace(decisions_of(sessions), page_values=values, session_values=values)
    candidate_chances, as_candidate = shop.enumerate(policy_is_served=False)
    truth = candidate_chances @ as_candidate.sessions().returns()
    returns = estimators.doubly_robust(decisions.sessions()).contributions
    assert np.array(chances) @ returns == pytest.approx(truth, abs=1e-12)
    first = candidate_chances @ as_candidate.first_pages().returns()
    found = estimators.cascade_doubly_robust(decisions.first_pages()).contributions
    assert np.array(chances) @ found == pytest.approx(first, abs=1e-12)


def labelled(shop, page, clicked_before):
    """Ways through a page, with the modules that stood in its examined slots."""
    for probability, steps, clicked in shop.pages(page, clicked_before):
        modules: tuple[int, ...] = ()
        for slot, step in enumerate(steps):
            served = shop.distribution(shop.served, page, slot, modules)
            modules = (*modules, int(np.argmin(np.abs(served - step[0]))))
        yield probability, steps, clicked, modules


def test_pseudo_inverse_is_unbiased_where_slots_add_up():
    """Three slots drawn independently, whose rewards do not depend on each other; all are examined."""
    generator = np.random.default_rng(0)
    served, candidate = generator.dirichlet(np.ones(4), 3), generator.dirichlet(np.ones(4), 3)
    worth = generator.normal(size=(3, 4))
    chances, pages = [], []
    for modules in itertools.product(range(4), repeat=3):
        chances.append(np.prod([served[slot, module] for slot, module in enumerate(modules)]))
        pages.append(
            [(served[slot, m], candidate[slot, m], worth[slot, m]) for slot, m in enumerate(modules)]
        )
    decisions = decisions_of([(page,) for page in pages])
    found = np.array(chances) @ estimators.pseudo_inverse(decisions.pages()).contributions
    assert found == pytest.approx((candidate * worth).sum(), abs=1e-12)


@st.composite
def logs(draw):
    lengths = draw(
        st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=3), min_size=1, max_size=6).filter(
            lambda found: any(map(sum, found))
        )
    )
    count = sum(map(sum, lengths))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = ActionValues(*(generator.normal(size=count) for _ in range(3)))
    return Decisions(
        generator.uniform(0.05, 1, count),
        generator.uniform(0, 1, count),
        generator.normal(size=count),
        np.concatenate([[0], np.cumsum(list(itertools.chain.from_iterable(lengths)))]),
        np.concatenate([[0], np.cumsum([len(pages) for pages in lengths])]),
        generator.integers(0, 3, len(lengths)),
        page_discount=draw(st.sampled_from([1.0, 0.9, 0.0])),
        page_values=values,
        session_values=values,
    )


@given(logs())
@settings(max_examples=60, deadline=None)
def test_a_candidate_that_serves_alike_is_worth_what_was_served(decisions):
    alike = dataclasses.replace(decisions, candidate=decisions.served)
    for episodes in (alike.pages(), alike.sessions()):
        for estimator in WEIGHTED:
            assert np.allclose(estimator(episodes).value, episodes.returns().mean())
        assert estimators.effective_count(episodes.weights()) == pytest.approx(len(episodes))


@given(logs())
@settings(max_examples=60, deadline=None)
def test_the_two_forms_of_doubly_robust_are_one(decisions):
    """One runs backwards over rewards to come, the other forwards over weights so far."""
    for episodes in (decisions.pages(), decisions.sessions()):
        backwards = estimators.doubly_robust(episodes).contributions
        forwards = estimators.cascade_doubly_robust(episodes).contributions
        assert np.allclose(backwards, forwards, rtol=1e-9, atol=1e-9 * max(1, np.abs(forwards).max()))


@given(logs())
@settings(max_examples=60, deadline=None)
def test_doubly_robust_with_a_model_of_nothing_is_per_decision(decisions):
    zero = ActionValues(*(np.zeros(len(decisions.served)) for _ in range(3)))
    sessions = dataclasses.replace(decisions, session_values=zero).sessions()
    assert np.allclose(
        estimators.doubly_robust(sessions).contributions, estimators.per_decision(sessions).contributions
    )


@given(logs())
@settings(max_examples=60, deadline=None)
def test_self_normalised_stays_within_what_was_earned(decisions):
    sessions = decisions.sessions()
    if sessions.weights().sum() == 0.0:
        return
    returns = sessions.returns()
    value = estimators.self_normalised(sessions).value
    assert returns.min() - 1e-9 <= value <= returns.max() + 1e-9
    assert 1 - 1e-9 <= estimators.effective_count(sessions.weights()) <= len(sessions) + 1e-9


@given(logs(), st.floats(1, 20))
@settings(max_examples=60, deadline=None)
def test_clipping_never_adds_to_gains(decisions, limit):
    gains = dataclasses.replace(decisions, rewards=np.abs(decisions.rewards)).sessions()
    clipped = estimators.clipped(gains, limit)
    assert (clipped.contributions <= estimators.importance_sampling(gains).contributions + 1e-12).all()
    assert clipped.weights.max() <= limit
