"""Does the proof of the evaluation play, keep and sum up what it says?"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from services.local.bench.evaluation import accuracy, click_head, contestants, pool, run, sizes, verdicts
from services.local.bench.evaluation.accuracy import Truth
from services.local.bench.evaluation.contestants import Contestant, Recording, one_page
from services.local.bench.evaluation.pool import Log
from services.local.bench.policy import sizes as shop_sizes
from services.local.bench.policy.contenders import Exploring
from services.local.bench.policy.front_pages import Encoder
from services.local.bench.policy.log import build_shop
from services.policy.evaluation import gate
from services.policy.evaluation.blending import Blending
from simulator import catalogue, front, oracle, world

TINY = replace(
    sizes.QUICK,
    shop=replace(
        shop_sizes.QUICK,
        log_sessions=300,
        test_sessions=200,
        recipe=replace(shop_sizes.QUICK.recipe, step_count=20),
    ),
    worse_count=3,
    held_out_sessions=40,
)


@pytest.fixture(scope="module")
def shop():
    items = world.read_items(catalogue.make(0, shop_sizes.DAY), shop_sizes.DAY)
    return build_shop(items, 0, "base", shop_sizes.QUICK)


@pytest.fixture(scope="module")
def rivals(shop) -> tuple[Contestant, Contestant]:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(2, len(shop.catalogue.module)))
    return tuple(one_page(name, score, Exploring(0.5, 0.1)) for name, score in zip("ab", scores, strict=True))


@pytest.mark.slow
def test_a_world_is_proved_once_and_read_again(tmp_path, monkeypatch):
    rows = run.run(0, TINY, "test", tmp_path, say=lambda line: None)
    names = [row.name for row in rows]
    assert "candidates found to be worse" in names
    assert "click head on served pages, learned from one log" in names
    assert "cold shoppers, pages 1 and 2: whole sessions" in names
    document = json.loads((tmp_path / "bench-evaluation-0.json").read_text())
    assert [row["name"] for row in document] == names
    assert (tmp_path / "bench-evaluation-0-power.svg").read_text().startswith("<?xml")
    monkeypatch.setattr(front, "play", lambda *_, **__: pytest.fail("played again"))
    assert run.run(0, TINY, "test", tmp_path, say=lambda line: None) == rows


def test_what_was_recorded_is_what_is_read_again(shop, rivals):
    incumbent, candidate = rivals
    module = shop.catalogue.module
    recording = Recording(incumbent, module)
    trace = front.play(shop, recording, 300, 3, is_traced=True).trace
    again = list(contestants.steps(incumbent, trace, module))
    for (pages, slot, chance), (same_pages, same_slot, recorded) in zip(
        again, recording.steps(trace), strict=True
    ):
        assert slot == same_slot and (pages == same_pages).all()
        assert recorded == pytest.approx(chance, abs=1e-6)
    asked = contestants.likelihoods(again, recording.steps(trace), trace, pool.STEPS)
    log = pool.of_trace(trace, asked)
    assert asked.candidate == pytest.approx(log.served, abs=1e-6)
    other = contestants.likelihoods(
        contestants.steps(candidate, trace, module), recording.steps(trace), trace, pool.STEPS
    )
    assert abs(other.candidate - log.served).max() > 0.01


def test_a_blend_is_played_as_it_is_judged(shop, rivals):
    """Weights of a blend's own log are 1: what is played is what the evaluation takes it for."""
    incumbent, candidate = rivals
    module = shop.catalogue.module
    blend = contestants.Blend(incumbent, candidate, 0.25, Blending.GEOMETRIC, module)
    trace = front.play(shop, blend, 200, 4, is_traced=True).trace
    both = (contestants.steps(who, trace, module) for who in (candidate, incumbent))
    asked = contestants.likelihoods(*both, trace, pool.STEPS)
    served = trace.decision.propensity[trace.acts.is_examined]
    assert asked.geometric[:, pool.STEPS.index(0.25)] == pytest.approx(served, abs=1e-9)


def test_a_part_reads_as_it_was_played(shop, rivals, tmp_path):
    incumbent, candidate = rivals
    size = replace(sizes.QUICK, pool_sessions=150, part_sessions=100)
    paths = pool.fill(tmp_path, shop, incumbent, candidate, size, lambda line: None)
    log, trace = pool.load_trace(paths[1])
    assert len(log) == 50 and len(pool.load(paths)) == 150
    asked = contestants.likelihoods(
        contestants.steps(candidate, trace, shop.catalogue.module),
        contestants.steps(incumbent, trace, shop.catalogue.module),
        trace,
        pool.STEPS,
    )
    assert asked.candidate == pytest.approx(log.candidate, abs=1e-6)
    assert asked.geometric == pytest.approx(log.geometric, abs=1e-6)


def test_drawn_sessions_bring_their_own_pages_and_slots():
    log = Log(
        served=np.full(6, 0.5, np.float32),
        candidate=np.full(6, 0.5, np.float32),
        geometric=np.full((6, len(pool.STEPS)), 0.5, np.float32),
        rewards=np.array([1, 2, 3, 4, 5, 6], np.float32),
        page_lengths=np.array([1, 2, 1, 2], np.uint8),
        session_lengths=np.array([2, 1, 1], np.uint8),
    )
    drawn = log.drawn(np.array([2, 0]))
    assert drawn.rewards.tolist() == [5, 6, 1, 2, 3]
    assert drawn.page_lengths.tolist() == [2, 1, 2] and drawn.session_lengths.tolist() == [1, 2]
    assert drawn.decisions(drawn.candidate).sessions().returns().tolist() == [11, 6]


def test_promotions_are_counted_among_the_worse_alone():
    judged = [{"verdict": verdict.value, "difference": -0.01} for verdict in gate.Verdict]
    rows = {row.name: row for row in verdicts.worse_rows({"tried": 5, "judged": judged}, 100)}
    assert rows["candidates found to be worse"].value == 3
    assert rows["worse candidates promoted"].value == pytest.approx(1 / 3)
    assert [row.value for row in verdicts.worse_rows({"tried": 5, "judged": []}, 100)] == [0]


def test_errors_and_coverage_are_against_the_truth():
    found = [
        {"blend": 0.1, "value": value, "lower": value - 0.1, "upper": value + 0.1}
        | {f"difference{end}": 0.0 for end in ("", "_lower", "_upper")}
        for value in (1.05, 0.8)
    ]
    rows = {row.name: row for row in accuracy.rows(found, {0.1: Truth(1.0, 0.01, 0.0, 0.01)}, 100)}
    assert rows["blend 0.1: mean absolute error"].value == pytest.approx((0.05 + 0.2) / 2)
    assert rows["blend 0.1: mean absolute error"].met is False
    assert rows["blend 0.1: coverage of the value's interval"].value == 0.5


def test_shares_have_exact_intervals():
    row = verdicts.proportion("x", 0, 10, "share", 0.5)
    assert row.interval == pytest.approx((0.0, 1 - 0.025**0.1))


def test_the_area_under_the_curve_is_that_counted_by_hand():
    """Of six pairs, a click was thought likelier in four, and as likely in one."""
    chances, clicked = np.array([0.9, 0.5, 0.5, 0.1, 0.3]), np.array([True, True, False, False, False])
    assert click_head.area(chances, clicked) == pytest.approx((3 + 2 + 0.5) / 6)


def test_the_best_that_can_be_foretold_is_right_on_average(shop):
    """Of every slot that was come to: clicks are as many as the exact filter expects, also by slot."""
    space = oracle.Space.of(shop)
    odds = [oracle.odds(shop, space, context) for context in range(shop.context_count)]
    onlooker = click_head.Onlooker(Encoder(shop), {}, oracle.Filter(shop, space, odds))
    trace = front.play(shop, front.Uniform(shop.catalogue), 600, 9, True, onlooker.watch).trace
    clicked, foretold = np.concatenate(onlooker.clicked), np.concatenate(onlooker.foretold["bayes"])
    assert len(clicked) == trace.acts.is_examined.sum()
    for low, high in ((0.0, 0.5), (0.5, 1.0), (0.0, 1.0)):
        ends = np.quantile(foretold, (low, high))
        here = (foretold >= ends[0]) & (foretold <= ends[1])
        error = np.sqrt((foretold[here] * (1 - foretold[here])).sum())
        assert abs(clicked[here].sum() - foretold[here].sum()) < 3.5 * error
    assert click_head.area(foretold, clicked) > 0.65
