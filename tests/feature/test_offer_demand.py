"""What is learned of demand at different prices: against the truth, by hand, and only from views of one item."""

from __future__ import annotations

import math

import numpy as np
import pytest

from services.feature.offers import demand, evidence
from services.feature.offers.demand import PRIOR_DEVIATION, PRIOR_MEAN

CUTS = (0, 100, 200, 300)


def counts(truth, items_each, views, seed, rate=0.01):
    """Views and purchases of a shop in which every item stood at every cut for a week."""
    random = np.random.default_rng(seed)
    categories, exposures, purchases = {}, {}, {}
    for name, elasticity in truth.items():
        for number in range(items_each):
            item_id = f"{name}-{number:03d}"
            categories[item_id] = name
            own = rate * random.gamma(2.0) / 2
            for week in range(len(CUTS)):
                cut = CUTS[(week + number) % len(CUTS)]
                key = (item_id, week, 0, cut)
                exposures[key] = views
                mean = own * views * (1 - cut / 1_000) ** -elasticity * (1 + 0.2 * week)
                purchases[key] = int(random.poisson(mean))
    return exposures, purchases, categories


def drawn(*arguments):
    return evidence.count(*counts(*arguments))


def test_elasticities_are_found_and_their_intervals_hold_them():
    truth = {"garden": 1.0, "kitchen": 2.5, "living": 4.5}
    inside = 0
    for seed in range(8):
        learned = demand.fit(drawn(truth, 40, 500, seed))
        distance = np.abs(learned.elasticity - list(truth.values()))
        inside += int((distance < 1.96 * learned.deviation).sum())
        assert distance.max() < 1.0
    assert inside >= 20  # of 24; 22.8 are expected of intervals of 95 %


def test_a_category_without_purchases_is_believed_to_be_like_the_whole_and_less_surely():
    exposures, purchases, categories = counts({"garden": 1.0, "kitchen": 1.2}, 60, 1_000, 1)
    cells = evidence.count(exposures, purchases, {**categories, "new-000": "new"})
    learned = demand.fit(cells)
    place = list(cells.categories).index("new")
    assert learned.elasticity[place] == pytest.approx(learned.common, abs=1e-6)
    assert learned.elasticity[place] < 2.0 < PRIOR_MEAN
    assert learned.deviation[place] > 1.5 * max(np.delete(learned.deviation, place))


def test_without_a_log_the_prior_is_all_that_is_believed():
    learned = demand.fit(evidence.count({}, {}, {"a": "garden", "b": "kitchen"}))
    assert learned.elasticity == pytest.approx([PRIOR_MEAN] * 2)
    assert (learned.deviation >= PRIOR_DEVIATION).all()


def test_that_the_shop_cuts_what_sells_badly_is_no_answer_to_price():
    """Cut items sell a tenth of the others; no item stood at two prices, so nothing is learned of prices."""
    categories = {f"item-{number:02d}": "garden" for number in range(80)}
    keys = {item_id: (item_id, 0, 0, 200 * (place % 2)) for place, item_id in enumerate(categories)}
    exposures = dict.fromkeys(keys.values(), 1_000)
    purchases = {key: 2 if key[3] else 20 for key in keys.values()}
    learned = demand.fit(evidence.count(exposures, purchases, categories))
    pooled = math.log((40 * 2) / (40 * 20)) / -math.log(0.8)
    assert pooled < -10
    assert learned.elasticity[0] == pytest.approx(PRIOR_MEAN)


def test_one_item_at_two_prices_is_the_case_solved_by_hand():
    """Of 9,000 purchases 6,000 fell on the half of the views that were at half the price."""
    categories = {"a": "garden"}
    exposures = {("a", 0, 0, 0): 1e6, ("a", 0, 0, 500): 1e6}
    purchases = {("a", 0, 0, 0): 3_000, ("a", 0, 0, 500): 6_000}
    learned = demand.fit(evidence.count(exposures, purchases, categories))
    # Binomial: 6,000 of 9,000 are bought at the cut, odds of 2 = 2 ** elasticity, and its variance is 1 / (n p q).
    assert learned.elasticity[0] == pytest.approx(1.0, abs=0.01)
    by_hand = math.sqrt(1 / (9_000 * (2 / 3) * (1 / 3))) / math.log(2)
    assert learned.deviation[0] == pytest.approx(by_hand, rel=0.05)
    assert learned.shape[0] / learned.rate[0] * 1e6 == pytest.approx(3_000, rel=0.5)


def test_the_gradient_and_the_curvature_are_those_of_the_density():
    cells = drawn({"garden": 2.0, "kitchen": 3.0}, 5, 200, 3)
    design = demand._Design(cells)
    precision = design.precision(0.5)
    at = np.random.default_rng(0).normal(0, 0.3, design.width)
    _, gradient, curvature = demand._posterior(design, precision, at)
    step = 1e-5
    for place in range(design.width):
        moved = np.zeros(design.width)
        moved[place] = step
        up = demand._posterior(design, precision, at + moved)
        down = demand._posterior(design, precision, at - moved)
        assert gradient[place] == pytest.approx((up[0] - down[0]) / (2 * step), rel=1e-4, abs=1e-4)
        assert -curvature[place] == pytest.approx((up[1] - down[1]) / (2 * step), rel=1e-4, abs=1e-4)


def test_rows_in_parts_are_rows_at_once(monkeypatch):
    cells = drawn({"garden": 2.0, "kitchen": 3.0}, 20, 200, 4)
    whole = demand.fit(cells)
    monkeypatch.setattr(demand, "_ROWS_AT_ONCE", 7)
    assert len(demand._Design(cells).chunks()) > 10
    assert demand.fit(cells).elasticity == pytest.approx(whole.elasticity, abs=1e-9)
