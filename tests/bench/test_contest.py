"""Does the contest play what is missing, keep it, and say honestly who stands where?"""

from __future__ import annotations

import json
import types
from dataclasses import replace

import numpy as np
import pytest

from services.common.errors import ConfigurationError
from services.local.bench import entering
from services.local.bench.policy import contest, entrants, sizes, standings
from services.local.bench.policy.entrants import OWN

TINY = replace(
    sizes.QUICK, log_sessions=600, test_sessions=400, recipe=replace(sizes.QUICK.recipe, step_count=40)
)
SIMPLE = ["popularity", "random", "LinUCB"]


def played(entrant, world, seed, value):
    return types.SimpleNamespace(entrant=entrant, world=world, seed=seed, value=value, fit_s=1.0, play_s=2.0)


@pytest.mark.slow
def test_a_contest_that_was_stopped_plays_only_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, said = tmp_path / "results", []

    def run():
        return contest.run([0], 2, "base", TINY, SIMPLE, 1, "test", folder, said.append)

    rows = run()
    assert len(said) == len(list(folder.iterdir())) == 2 + 3  # our own learns with both seeds
    assert {row.name for row in rows} == {OWN, *SIMPLE}
    for suffix in ("json", "md", "svg"):
        assert (tmp_path / "reports" / f"bench-policy-peers-base.{suffix}").stat().st_size
    (folder / "base-0-popularity-0.json").unlink()
    said.clear()
    again = run()
    assert [line.split(":")[0] for line in said] == ["base, world 0, seed 0, popularity"]
    assert again == rows


def test_results_of_another_size_are_played_again(tmp_path):
    result = contest.Result("base", 0, "random", 0, repr(TINY), 0.1, 0.0, 3.0, 1.0, 0.0, 0.0, 0.0)
    path = tmp_path / "base-0-random-0.json"
    path.write_text(json.dumps({name: getattr(result, name) for name in contest.Result.__slots__}))
    chosen = [entrant for entrant in entrants.ENTRANTS if entrant.name == "random"]
    assert list(contest._missing([0], [0], "base", TINY, chosen, tmp_path)) == []
    (match,) = contest._missing([0], [0], "base", sizes.Size(), chosen, tmp_path)
    assert match.names == ("random",)


def test_a_missing_package_is_told_before_anything_is_played(tmp_path, monkeypatch):
    monkeypatch.setattr(entering, "find_spec", lambda name: None)
    monkeypatch.setattr(contest, "play", lambda *_: pytest.fail("played"))
    with pytest.raises(ConfigurationError, match=r"vowpalwabbit not installed.*pip install '\.\[peers\]'"):
        contest.run([0], 1, "base", TINY, ["CCB (Vowpal Wabbit)"], 1, "test", tmp_path)


def test_an_entrant_nobody_knows_is_told():
    with pytest.raises(ConfigurationError, match="--entrants: got 'nobody'"):
        entering.named(entrants.ENTRANTS, OWN, ["nobody"])


def test_ratios_are_paired_by_world():
    """Worlds differ tenfold, and the peer earns half of what our own does in each."""
    results = [played(OWN, world, 0, 10.0**world) for world in range(3)]
    results += [played("half", world, 0, 10.0**world / 2) for world in range(3)]
    table = standings.standings(results, OWN)
    assert list(table) == [OWN, "half"]
    assert table["half"].ratio == pytest.approx(0.5)
    assert table["half"].ratio_interval == pytest.approx((0.5, 0.5))
    low, high = table["half"].value_interval
    assert low < table["half"].value / 3 < high
    assert table["half"].by_world == pytest.approx((0.5, 5.0, 50.0))


def test_seeds_widen_the_interval_of_a_single_world():
    results = [played(OWN, 0, seed, 1.0) for seed in range(3)]
    results += [played("shaky", 0, seed, value) for seed, value in enumerate((0.5, 1.0, 1.5))]
    low, high = standings.standings(results, OWN)["shaky"].ratio_interval
    assert 0.5 <= low < 0.9 and 1.1 < high <= 1.5


def test_one_result_alone_has_no_interval():
    table = standings.standings([played(OWN, 0, 0, 1.0), played("other", 0, 0, 0.5)], OWN)
    assert table["other"].ratio_interval is None
    assert "| other | 0.5000 | - | 0.500 | - | 1 | 2 | 1 |" in standings.markdown(list(table.values()), OWN)


def test_the_plot_names_every_entrant_and_its_share():
    results = [played(OWN, world, 0, 0.08) for world in range(2)]
    results += [played("popularity", world, 0, 0.04 + 0.01 * world) for world in range(2)]
    text = standings.plot(list(standings.standings(results, OWN).values()), OWN)
    assert OWN in text and "popularity" in text and "56%" in text


def test_entrants_have_files_of_their_own(tmp_path):
    paths = {contest._path(tmp_path, "base", 0, entrant.name, 0) for entrant in entrants.ENTRANTS}
    assert len(paths) == len(entrants.ENTRANTS)
    assert np.all([path.name.isascii() and " " not in path.name for path in paths])
