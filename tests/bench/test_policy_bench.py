"""Does the benchmark of policies play, keep and sum up what it says?"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from services.common.errors import ConfigurationError
from services.local.bench.commands import _seeds
from services.local.bench.policy import log, run, sizes
from simulator import catalogue, world
from simulator.front import History

TINY = replace(
    sizes.QUICK,
    log_sessions=600,
    test_sessions=400,
    reference_sessions=40,
    recipe=replace(sizes.QUICK.recipe, step_count=40),
)


@pytest.mark.slow
def test_a_world_is_played_once_and_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    rows = run.run([0], "base", TINY, "test", say=said.append)
    names = [row.name for row in rows]
    assert {"uniform", "round 1: cascade", "qmdp", "gap from click order to QMDP closed, worst"} <= set(names)
    document = json.loads((tmp_path / "reports" / "bench-policy-base.json").read_text())
    assert [row["name"] for row in document] == names
    drawing = (tmp_path / "reports" / "bench-policy-base.svg").read_text()
    assert "as a share of the exact filter" in drawing and "round 1" in drawing
    monkeypatch.setattr(run, "play", lambda *_: pytest.fail("played again"))
    assert run.run([0], "base", TINY, "test", say=said.append) == rows


def test_the_figures_are_those_of_the_worlds():
    myopic = "one log: cascade, page discount 0"
    one = {"one log: click order": 1.0, "one log: cascade": 1.5, myopic: 1.1, "last round: click order": 1.2}
    two = {"one log: click order": 1.0, "one log: cascade": 1.3, myopic: 1.2, "last round: click order": 0.8}
    results = [one | {"round 1: cascade": 1.8, "qmdp": 2.2}, two | {"round 1: cascade": 1.5, "qmdp": 2.0}]
    rows = {row.name: row for row in run.summary(results)}
    assert rows["one log: cascade over click order"].ratio == pytest.approx(1.4)
    assert rows["one log: cascade over click order"].interval == pytest.approx((1.3, 1.5))
    assert rows["one log: page discount 0 over 1"].ratio == pytest.approx(2.3 / 2.8)
    assert rows["one log: page discount 0 over 1"].met is True
    assert rows["gap from click order to QMDP closed, mean"].value == pytest.approx((0.6 + 0.5) / 2)
    worst = rows["gap from click order to QMDP closed, worst"]
    assert worst.value == pytest.approx(0.5)
    assert worst.met is False


def test_seeds_are_ranges_or_lists():
    assert _seeds("100-102") == [100, 101, 102]
    assert _seeds("3,7") == [3, 7]
    for text in ("", "a", "5-3", "1-"):
        with pytest.raises(ConfigurationError, match="--worlds"):
            _seeds(text)


def test_modules_about_the_past_are_described_by_the_category_that_it_points_to():
    items = world.read_items(catalogue.make(0, sizes.DAY, 400), sizes.DAY)
    shop = log.build_shop(items, 0, log.RICH, replace(TINY, log_sessions=300))
    gathered = log.gather(shop, TINY)
    pages, observed = gathered.pages, gathered.trace.observed
    page = int(observed.category_clicks.max(1).argmax())
    described = pages.actions.of(np.array([page])).actions[0]
    about_latest = int(np.flatnonzero(shop.catalogue.history == History.LATEST)[0])
    alike = int(np.flatnonzero(shop.catalogue.category == observed.last_category[page])[0])
    start = gathered.encoder.fixed().shape[1]
    width = gathered.encoder.by_category(observed).shape[2]
    assert described[alike, start : start + width].any()
    assert np.array_equal(
        described[about_latest, start : start + width], described[alike, start : start + width]
    )
    both = np.array([about_latest, alike])
    assert np.array_equal(pages.actions.chosen(np.array([page, page]), both), described[both])


@pytest.mark.slow
def test_rich_worlds_are_learned_in_without_a_reference(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = {row.name: row for row in run.run([0], log.RICH, TINY, "test", say=lambda line: None)}
    assert rows["one log: cascade"].value > 0
    assert "qmdp" not in rows
