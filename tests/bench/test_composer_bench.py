"""Does the proof on composed pages browse, learn, keep and sum up what it says?"""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from services.common.errors import ConfigurationError
from services.local.bench.commands import bench_composer
from services.local.bench.composer import faces, run, shop, sizes
from services.local.bench.composer.faces import Ratio, Strangers
from services.local.bench.policy.front_pages import Encoder, pages_of
from services.local.bench.policy.sizes import DAY
from services.policy.training import rewards
from simulator import catalogue, front, world
from simulator.regimes import FRONT

TINY = replace(sizes.QUICK, first_sessions=80, log_sessions=90, test_sessions=20, vectorised_sessions=60)


@pytest.mark.slow
def test_a_world_is_browsed_once_and_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "FULL_LOG", 200)
    said = []
    rows = run.run([0], TINY, "test", say=said.append)
    names = [row.name for row in rows]
    assert {"composed: cascade over click order", "composed over vectorised, same log"} <= set(names)
    document = json.loads((tmp_path / "reports" / "bench-composer-front.json").read_text())
    assert [row["name"] for row in document] == names
    values = json.loads((tmp_path / "reports" / "bench-composer" / "front-0.json").read_text())["values"]
    assert values["composed: degraded pages"] == 0
    assert values["composed: cascade"] != values["composed: click order"]
    monkeypatch.setattr(run, "play", lambda *_: pytest.fail("browsed again"))
    assert run.run([0], TINY, "test", say=said.append) == rows


def test_the_ratio_of_pairs_has_the_error_that_repetition_shows():
    random = np.random.default_rng(0)
    found = []
    for _ in range(400):
        luck = random.exponential(1.0, 500)
        found.append(Ratio.of(1.2 * luck + random.normal(0, 0.3, 500), luck + random.normal(0, 0.3, 500)))
    values = np.array([ratio.value for ratio in found])
    assert values.mean() == pytest.approx(1.2, abs=0.01)
    assert np.mean([ratio.standard_error for ratio in found]) == pytest.approx(values.std(), rel=0.15)


def test_worlds_are_averaged_and_faces_compared():
    def result(composed, played):
        names = ("composed", "same log", "full log, sales alone")
        ratios = dict.fromkeys(names, played) | {"composed": composed}
        return {
            f"{name}: {figure}": value
            for name, ratio in ratios.items()
            for figure, value in (
                ("ratio", ratio),
                ("ratio error", 0.04),
                ("cascade", ratio),
                ("click order", 1),
            )
        }

    rows = {row.name: row for row in run.summary([result(1.2, 1.3), result(1.0, 1.1)], sizes.Size())}
    composed = rows["composed: cascade over click order"]
    assert composed.value == pytest.approx(1.1)
    assert composed.interval == pytest.approx((1.1 - 1.96 * 0.04 / 2**0.5, 1.1 + 1.96 * 0.04 / 2**0.5))
    assert rows["composed over vectorised, same log"].ratio == pytest.approx(1.1 / 1.2)
    assert rows["composed over vectorised, same log"].met


def test_strangers_look_alike_whatever_their_segment():
    made = front.build(world.draw(world.read_items(catalogue.make(0, DAY, 400), DAY), 0, DAY, FRONT), 1, 1)
    trace = front.play(made, front.Uniform(made.catalogue), 50, 1, is_traced=True).trace
    other = replace(trace.observed, segment=(trace.observed.segment + 1) % len(made.world.type_share))
    known, unknown = Encoder(made), Strangers(made)
    assert (known.states(trace.observed) != known.states(other)).any()
    assert (unknown.states(trace.observed) == unknown.states(other)).all()


def test_a_result_of_another_encoding_is_made_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {
        f"{name}: {figure}": 1.0
        for name in ("composed", "same log")
        for figure in ("ratio", "ratio error", "cascade", "click order")
    }
    played = []
    monkeypatch.setattr(run, "play", lambda seed, *_: played.append(seed) or values)
    for revision in ("a", "a", "b"):
        monkeypatch.setattr(run.space, "FINGERPRINT", revision)
        run.run([7], TINY, "test", say=lambda line: None)
    assert played == [7, 7]


def test_acts_are_weighed_as_the_policy_service_weighs_events():
    """Each page's reward is the sum of what its events would bring, in the slot where the page ended."""
    made = front.build(world.draw(world.read_items(catalogue.make(0, DAY, 400), DAY), 0, DAY, FRONT), 1, 1)
    trace = front.play(made, front.Uniform(made.catalogue), 3_000, 1, is_traced=True).trace
    acts, weights = trace.acts, rewards.load()
    pages = faces._weighed(pages_of(Encoder(made), trace), trace)
    assert acts.is_bought.sum() > 5
    for page in [*np.flatnonzero(acts.is_bought), *range(200)]:
        events = [("CLICK", 0)] * int(acts.is_clicked[page].sum())
        events += [("DWELL", 0)] * int(acts.is_dwelled[page]) + [("CART_ADD", 0)] * int(acts.is_carted[page])
        if acts.is_bought[page]:
            events.append(("PURCHASE", round(shop.MARGIN * 1e6 * acts.margin[page].sum())))
        worth = sum(weights.of_event(kind, margin, 1) for kind, margin in events)
        assert pages.reward[page].sum() == pytest.approx(worth, abs=1e-5)
        assert np.count_nonzero(pages.reward[page]) == (worth > 0)


def test_the_environment_is_put_back(monkeypatch):
    monkeypatch.setenv("PLANOGRAM_POLICY_EPSILON", "0.5")
    with shop.environment({"PLANOGRAM_LAYOUT_LOG_PATH": "here"}):
        assert "PLANOGRAM_POLICY_EPSILON" not in os.environ
        assert os.environ["PLANOGRAM_LAYOUT_LOG_PATH"] == "here"
    assert os.environ["PLANOGRAM_POLICY_EPSILON"] == "0.5"
    assert "PLANOGRAM_LAYOUT_LOG_PATH" not in os.environ


def test_unknown_pages_are_refused():
    with pytest.raises(ConfigurationError, match=r"--pages: got 'half', want one of \['front', 'all'\]"):
        bench_composer(worlds="100", log_sessions=100, test_sessions=20, pages="half", quick=True)
