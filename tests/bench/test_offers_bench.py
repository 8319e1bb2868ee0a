"""Do learned price cuts earn more than list prices and than one cut for all, where the answer to price is known?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from services.feature.offers.document import Floor, Rules
from services.local.bench import offers

RULES = Rules(
    levels=(0.1, 0.2, 0.3),
    margin_floor=Floor(share=0.05, amount=0.0),
    most_offers=1_000,
    longest_days=365,
    reference_days=0,
    exploration_share=0.02,
)


@pytest.fixture(scope="module")
def season():
    return offers.play(offers.build(1, 250, 10_000_000), RULES, 10, 1)


def test_learned_cuts_earn_more_than_list_prices_and_than_any_one_cut_for_all(season):
    later = season.margins[5:].mean()
    assert later > 1.02 * season.listed
    assert later > 1.02 * season.flat


def test_what_is_missing_to_the_best_prices_shrinks_to_less_than_half_of_what_they_gain(season):
    gain = season.best - season.listed
    assert (season.margins <= season.best + 1e-6).all()
    assert (season.best - season.margins[5:].mean()) / gain < 0.5
    assert season.margins[5:].mean() > season.margins[:2].mean()
    assert season.elasticity_error < 0.5


def test_the_best_prices_are_those_of_trying_all(season):
    shop = offers.build(1, 250, 1_000)
    best = offers._best(shop, RULES)
    for place in range(0, len(shop.items), 40):
        margins = {}
        for level in (0.0, *RULES.levels):
            prices = shop.list_prices.copy()
            prices[place] = offers._cut(shop, RULES, level)[place]
            margins[int(prices[place])] = shop.margin(prices)
        assert margins[int(best[place])] == pytest.approx(max(margins.values()))


def test_a_report_is_written_with_what_the_best_would_earn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = offers.run([2], 200, 200_000, 2, "planogram bench offers", lambda line: None)
    written = json.loads((tmp_path / "reports" / "bench-offers.json").read_text())
    assert len(written) == len(rows) == 14
    best = next(row for row in rows if "best by the law" in row.name)
    assert best.ratio is not None
    assert best.ratio >= 1
    assert all(np.isfinite(row.value) for row in rows)
