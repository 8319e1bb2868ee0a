"""Does a policy learn from what shoppers say of answers, and is it compared on the same pages?"""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from planogram.common.v1 import context_pb2
from services.layout.export import export
from services.local.bench.composer import learning, shop
from services.local.bench.help import contest, run
from services.local.bench.help.contest import Outcome
from services.local.bench.help.sizes import QUICK
from services.local.state import State
from services.policy.training import rewards
from services.policy.training.logged import DecidedPages
from simulator.questions import BOUGHT, BROWSING
from simulator.regimes import BASE


@pytest.mark.slow
def test_what_shoppers_say_of_answers_is_what_the_policy_learns_from(tmp_path):
    """From browsed help pages to a trained policy, whose pages are compared with others."""
    place = shop.found(State(tmp_path), 0, BASE)
    learning.know_the_past(place)
    report = contest.send(place, QUICK, QUICK.log_sessions, 1, run._DRAWING)
    export(place.state.segments, place.state.log)
    weights = rewards.load()
    decided = [
        page
        for page in DecidedPages(place.state.log, weights)
        if page.exposure.context.page_type == context_pb2.PAGE_TYPE_HELP
    ]
    assert report.help_page_count * 0.9 <= len(decided) <= report.help_page_count
    said = Counter(kind for page in decided for _, kind in page.seen.kinds)
    assert said["HELPFUL"] == report.helped_count > 0 and said["DISMISSAL"] > 0
    on_help = weights.on(context_pb2.PAGE_TYPE_HELP)
    worth = on_help.helpful * said["HELPFUL"] + on_help.dismissal * said["DISMISSAL"]
    assert sum(sum(page.seen.rewards) for page in decided) == pytest.approx(worth)
    for page in decided:
        slots, shape = page.exposure.slots, page.facts.shape
        answers = [place for place, slot in enumerate(slots) if slot.module_id.startswith("answer-")]
        assert answers and all(page.facts.relevance[slots[place].module_index, 0] for place in answers)
        assert all(shape.categories[slots[place].module_index].startswith("answer-") for place in answers)
        helped = [place for place, kind in page.seen.kinds if kind == "HELPFUL"]
        assert set(helped) == page.seen.clicked and (not helped or page.seen.lowest == helped[0])
        assert all(slot.propensity > 0 for slot in slots)

    contenders = run.contenders_of(place, QUICK)
    outcome = contest.compared(place, QUICK, contenders, run._DRAWING, report.bought_s)
    assert outcome.value.shape == (len(outcome.shopper), 3) and len(outcome.shopper) > 5
    assert (outcome.value[:, 0] != outcome.value[:, 2]).any()
    rows = {row.name: row for row in run.summary(outcome, 0)}
    assert rows[f"{run.RETRIEVAL}: helped of a help page"].value > 0.3


def test_figures_are_means_and_differences_with_intervals_over_shoppers(tmp_path, monkeypatch):
    value = np.array([[0.2, 0.1, 0.3], [0.2, 0.1, 0.3], [0.4, 0.2, 0.3]])
    state = np.array([BROWSING, BROWSING, BOUGHT])
    rows = {row.name: row for row in run.summary(Outcome(np.array([7, 7, 9]), state, value, value, value), 0)}
    gain = rows[f"{run.LEARNED} less {run.RETRIEVAL}"]
    assert gain.value == pytest.approx((0.1 + 0.1 - 0.1) / 3) and gain.met
    assert rows[f"{run.LEARNED} less {run.RETRIEVAL}, bought lately"].value == pytest.approx(-0.1)
    assert rows[f"{run.LEARNED} less {run.RETRIEVAL}, nothing bought lately"].n == 2
    monkeypatch.chdir(tmp_path)
    run.harness.report("help", list(rows.values()), "test")
    assert len(json.loads((tmp_path / "reports" / "bench-help.json").read_text())) == len(rows)


def test_the_error_of_a_mean_is_that_of_whole_shoppers():
    random = np.random.default_rng(0)
    cluster = np.repeat(np.arange(100), 5)
    found = []
    for _ in range(300):
        values = np.repeat(random.normal(0, 1, 100), 5) + random.normal(0, 0.2, 500)
        found.append(run.clustered(values, cluster))
    means, errors = np.array(found).T
    assert errors.mean() == pytest.approx(means.std(), rel=0.1)
