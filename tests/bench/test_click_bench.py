"""Does the comparison of click models fit what is missing, keep it, and say honestly who stands where?"""

from __future__ import annotations

import dataclasses
import types

import numpy as np
import pytest

from services.common.errors import ConfigurationError
from services.local.bench import entering
from services.local.bench.click import entrants, flat, run, table
from services.local.bench.click.case import Answer, Case
from services.local.bench.click.entrants import OWN, Entrant
from services.local.bench.click.peers.reading import platt
from services.scoring.training import data, train
from tests.scoring.conftest import Log


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return Log().write(tmp_path_factory.mktemp("log"), 120)


@pytest.fixture(scope="module")
def case(log):
    return Case(*train.split(data.read(log)))


def guessing(rate, noise=0.0):
    def fit(case, seed):
        generator = np.random.default_rng(seed)
        valid, test = (
            np.clip(rate + noise * generator.random(len(part.click)), 0, 1)
            for part in (case.valid, case.test)
        )
        return Answer(valid, test, 1, 0.1)

    return fit


def test_a_comparison_that_was_stopped_fits_only_what_is_missing(log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cheap = (Entrant(OWN, guessing(0.1, 0.05)), Entrant("half", guessing(0.5), is_seeded=False))
    monkeypatch.setattr(entrants, "ENTRANTS", cheap)
    said = []

    def compare():
        return run.run(log, 2, [], "test", tmp_path / "runs", said.append)

    rows = compare()
    assert [line.split(":")[0] for line in said[1:]] == [f"seed 0, {OWN}", "seed 0, half", f"seed 1, {OWN}"]
    for suffix in ("json", "md", "svg"):
        assert (tmp_path / "reports" / f"bench-click.{suffix}").stat().st_size
    (tmp_path / "runs" / "half-0.json").unlink()
    said.clear()
    assert compare() == rows
    assert [line.split(":")[0] for line in said[1:]] == ["seed 0, half"]


def test_results_of_another_recipe_are_made_again(log, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(entrants, "ENTRANTS", (Entrant(OWN, guessing(0.1)),))
    run.run(log, 1, [], "test", tmp_path / "runs", lambda line: None)
    monkeypatch.setattr(run, "Recipe", lambda: "another recipe")
    said = []
    run.run(log, 1, [], "test", tmp_path / "runs", said.append)
    assert len(said) == 2 and "another recipe" in said[0]


def test_an_entrant_that_nobody_knows_is_named():
    with pytest.raises(ConfigurationError, match="got 'oracle', want some of"):
        entering.named(entrants.ENTRANTS, OWN, ["oracle"])


def test_a_package_that_is_missing_is_named():
    with pytest.raises(ConfigurationError, match="no_such_package not installed"):
        entering.check_installed([Entrant("x", guessing(0.1), "no_such_package")], "bench-click")


def judged(entrant, loss, auc):
    loss, auc, rows = np.array(loss), np.array(auc), np.array([10.0, 30.0])
    figures = {
        "logloss": (loss * rows).sum() / 40,
        "gauc": np.nansum(auc * rows) / rows[~np.isnan(auc)].sum(),
    }
    figures |= {"auc": 0.5, "ece": 0.0, "page_ms": 1.0}
    return types.SimpleNamespace(
        entrant=entrant, figures=figures, loss_of_who=loss, auc_of_who=auc, rows_of_who=rows
    )


def test_differences_are_paired_over_shoppers():
    """One shopper's clicks are far harder than the other's, for both alike: the difference is sure."""
    runs = [judged("own", [0.1, 0.9], [0.9, np.nan]), judged("other", [0.2, 1.0], [0.8, np.nan])]
    own, other = table.standings(runs, "own")
    assert (own.entrant, own.worse_loss, own.worse_gauc) == ("own", None, None)
    assert other.worse_loss[0] == pytest.approx(0.1)
    np.testing.assert_allclose(other.worse_loss[1], (0.1, 0.1))
    assert other.worse_gauc[0] == pytest.approx(0.1)
    assert "| other | 0.80000 |" in table.markdown([own, other], "own")


def test_figures_of_several_seeds_have_intervals_by_student():
    runs = [judged("own", [loss, loss], [0.5, 0.5]) for loss in (0.1, 0.2, 0.3)]
    (own,) = table.standings(runs, "own")
    # 4.3027 is Student's t for two degrees of freedom; the deviation is 0.1.
    half = 4.3027 * 0.1 / 3**0.5
    np.testing.assert_allclose(own.intervals["logloss"], (0.2 - half, 0.2 + half), rtol=1e-4)


def test_a_ratio_of_too_few_clicks_is_left_out():
    (own,) = table.standings([judged("own", [0.1, 0.2], [0.5, 0.5])], "own")
    silent, known = (
        dataclasses.replace(own, figures={**own.figures, "worst_decile": ratio, "worst_segment": 1.04})
        for ratio in (float("nan"), 0.93)
    )
    assert " | - | 1.04 | " in table.markdown([silent], "own")
    assert " | 0.93 | 1.04 | " in table.markdown([known], "own")


def test_flat_rows_are_the_tensors_of_the_log(case):
    rows, test = flat.make(case.test), case.test
    assert len(rows.click) == len(test.click) == len(rows.numbers)
    column = dict(zip(rows.names, rows.numbers.T, strict=True))
    page = np.repeat(np.arange(test.page_count), np.diff(test.offsets))
    np.testing.assert_array_equal(column["quality"], test.item["item_numbers"][:, 3])
    np.testing.assert_array_equal(column["is_known"], test.shopper["shopper_numbers"][page, 7])
    np.testing.assert_array_equal(rows.codes["segment"], test.shopper["context_ids"][page, 4])
    for row in (0, 17, len(page) - 1):
        history, own = test.shopper["history_ids"][page[row]], test.item["item_ids"][row]
        same = [event for event in history if event[3] > 0 and event[1] == own[1] and own[1] > 0]
        assert column["same_category"][row] == pytest.approx(np.log1p(len(same)))
        likeness = test.item["item_vector"][row] @ test.shopper["shopper_vector"][page[row]]
        assert column["likeness"][row] == pytest.approx(likeness, abs=1e-6)


def test_platt_mends_odds_that_were_bent():
    generator = np.random.default_rng(0)
    odds = generator.normal(-2, 1, 50_000)
    observed = (generator.random(50_000) < 1 / (1 + np.exp(-odds))).astype(float)
    bent = 1 / (1 + np.exp(-(2 * odds + 1)))
    mended = platt(bent, observed)(bent)
    np.testing.assert_allclose(mended, 1 / (1 + np.exp(-odds)), atol=0.02)


def test_every_way_of_our_own_is_an_entrant():
    names = {entrant.name for entrant in entrants.ENTRANTS if not entrant.package}
    assert {OWN, "planogram, gru", "planogram, cnn", "planogram, mean", "planogram, transformer"} < names
    assert "planogram, mmoe" in names


def test_popularity_answers_for_every_item(case):
    popular = next(entrant for entrant in entrants.ENTRANTS if entrant.name == "popularity")
    found = run.fit(popular, case, 0, "a setting")
    assert dataclasses.asdict(found)["figures"]["auc"] > 0
    assert found.rows_of_who.sum() == len(case.test.click)
    assert {"worst_decile", "worst_segment"} < set(found.figures)
    mean = (found.loss_of_who * found.rows_of_who).sum() / found.rows_of_who.sum()
    assert mean == pytest.approx(found.figures["logloss"])
