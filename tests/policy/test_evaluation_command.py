from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from services.common import cli
from services.policy import registry
from services.policy.evaluation import evaluate, evidence, gate, plots, report, table
from services.policy.evaluation.blending import Blending
from services.policy.exploration import Exploration, Mode
from services.policy.training import rewards

pytestmark = pytest.mark.slow

QUICK = dataclasses.replace(evaluate.fqe.RECIPE, step_count=20)

runner = CliRunner()


@pytest.fixture(scope="module")
def evaluation(shop, outcome, tmp_path_factory):
    folder = shop.write(tmp_path_factory.mktemp("later"), 900, seed=9)
    return evaluate.evaluate(
        folder, registry.open_policy(outcome.artifact), Exploration(Mode.SOFTMAX, 0.05, 0.3)
    )


def test_the_command_writes_a_report_and_a_decision(log_folder, outcome, tmp_path):
    """Of the log that the policy learned from, the part that it held out alone counts."""
    html, decision = tmp_path / "reports" / "evaluation.html", tmp_path / "reports" / "decision.yaml"
    models = outcome.artifact.path.parent
    base = ["evaluate", "policy", "--log", str(log_folder), "--models", str(models)]
    answer = runner.invoke(cli.application(), [*base, "--report", str(html), "--decision", str(decision)])
    assert answer.exit_code == 0, answer.output
    found = yaml.safe_load(decision.read_text())
    assert found["verdict"] in {verdict.value for verdict in gate.Verdict}
    assert f"{outcome.artifact.version}: {found['verdict']}" in answer.output
    assert found["candidate"]["version"] == outcome.artifact.version
    left_out = found["log"]["sessions_left_out"]
    assert list(left_out) == [evaluate.evidence.LEARNED]
    assert found["log"]["session_count"] < 0.2 * sum(left_out.values())
    assert outcome.artifact.version in html.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode", "boldly"], "--mode: got 'boldly', want one of"),
        (["--version", "dqn-none"], "version 'dqn-none' is not published"),
        (["--models", "/nowhere"], "/nowhere: nothing is published there"),
    ],
)
def test_what_the_user_can_mend_is_said(log_folder, outcome, tmp_path, arguments, message):
    base = ["evaluate", "policy", "--log", str(log_folder), "--models", str(outcome.artifact.path.parent)]
    answer = runner.invoke(cli.application(), [*base, *arguments])
    assert message in str(answer.exception)


def test_a_better_policy_is_worth_more_by_every_estimator(evaluation):
    """On pages, where weights are tame, at a small step."""
    by_name = {row.estimator: row for row in evaluation.rows if row.level == table.PAGE and row.blend == 0.25}
    assert len(by_name) == 6
    for name, row in by_name.items():
        assert row.interval.lower <= row.value <= row.interval.upper
        if name != "served":
            assert row.value > by_name["served"].value
    values = [row.value for name, row in by_name.items() if name != "served"]
    assert np.ptp(values) < 0.1 * np.mean(values)


def test_the_model_speaks_for_the_blend_that_it_follows_alone(evaluation):
    direct = [row.blend for row in evaluation.rows if row.estimator == "direct"]
    assert direct == [evaluation.shown_blend]
    assert evaluation.shown_blend == evaluation.decision.blend


def test_the_report_stands_alone_and_says_why(evaluation):
    html = report.render(evaluation, gate.Limits())
    assert not re.search(r"(src|href)=\"(?!data:)", html)
    for reason in evaluation.decision.reasons:
        assert reason in html
    assert html.count("data:image/svg+xml;base64,") == 6
    rows = html.count("<tr class=")
    assert rows == len(evaluation.rows)
    assert report.render(evaluation, gate.Limits()) == html


def test_a_report_of_insufficient_support_has_no_difference(evaluation):
    limits = gate.Limits(first_page_share=0.999)
    decision = gate.decide(evaluation.by_blend.__getitem__, limits, facts=evaluation.decision.facts)
    assert decision.verdict is gate.Verdict.INSUFFICIENT_SUPPORT
    html = report.render(dataclasses.replace(evaluation, decision=decision, shown_blend=0.1), limits)
    assert "Insufficient support" in html and "its bounds" not in html


def test_text_from_outside_is_escaped(evaluation):
    html = report.render(dataclasses.replace(evaluation, candidate="<script>"), gate.Limits())
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_reliability_bins_hold_all_sessions_in_order_of_expectation(evaluation):
    sessions = evaluation.decisions.sessions()
    expected, earned, errors = plots.reliability_bins(sessions, sessions.returns())
    assert (np.diff(expected) > 0).all() and len(expected) == 5
    assert earned.mean() == pytest.approx(sessions.returns().mean(), abs=0.05)
    assert (errors > 0).all()


def test_sessions_of_another_version_than_the_incumbent_are_left_out(log_folder, outcome):
    """The log was served by one version: all count for it, and none for another."""
    candidate, exploration = registry.open_policy(outcome.artifact), Exploration(Mode.SOFTMAX, 0.05, 0.3)
    weights = rewards.load()
    found = evidence.read(log_folder, candidate, exploration, weights, incumbent=registry.UNIFORM.version)
    assert evidence.OTHER_VERSION not in found.left_out
    with pytest.raises(ValueError, match=evidence.OTHER_VERSION):
        evidence.read(log_folder, candidate, exploration, weights, incumbent="dqn-other")


def test_the_way_with_the_larger_supported_step_is_taken(evaluation, shop, outcome, tmp_path):
    """The log was served uniformly: of a long step, a mixture stays the closer. Ties are geometric."""
    assert evaluation.blending is Blending.GEOMETRIC
    folder = shop.write(tmp_path, 900, seed=9)
    candidate, exploration = registry.open_policy(outcome.artifact), Exploration(Mode.SOFTMAX, 0.05, 0.3)

    def evaluated(share, way=None):
        limits = gate.Limits(first_page_share=share, session_share=0.001, session_count=1, session_tail=0.999)
        return evaluate.evaluate(folder, candidate, exploration, limits=limits, blending=way, recipe=QUICK)

    def shares(way):
        by_blend = evaluated(0.001, way).by_blend
        return np.array([gate.support_of(by_blend[blend]).first_page_share for blend in gate.BLENDS])

    geometric, mixture = shares(Blending.GEOMETRIC), shares(Blending.MIXTURE)
    longest = int(np.argmax(mixture - geometric))
    assert mixture[longest] > geometric[longest]
    between = (mixture[longest] + geometric[longest]) / 2  # what a mixture alone reaches with that step
    found, forced = evaluated(between), evaluated(between, Blending.GEOMETRIC)
    assert found.blending is Blending.MIXTURE and found.decision.facts["blending"] == "mixture"
    assert found.decision.blend == gate.BLENDS[longest]
    assert forced.decision.blend is None or forced.decision.blend < found.decision.blend
