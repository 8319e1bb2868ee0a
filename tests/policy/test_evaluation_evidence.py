from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from planogram.files import log as files
from planogram.policy.v1 import policy_pb2
from services.policy import registry, servicer, space
from services.policy.evaluation import estimators, evaluate, evidence, gate
from services.policy.exploration import Exploration, Mode
from services.policy.registry import UNIFORM
from services.policy.training import rewards, transitions

UNIFORMLY = Exploration(Mode.EPSILON_GREEDY, 1.0, 1.0)
SOFTLY = Exploration(Mode.SOFTMAX, 0.05, 0.3)


@pytest.fixture(scope="module")
def weights():
    return rewards.load()


@pytest.fixture(scope="module")
def policy(outcome):
    return registry.open_policy(outcome.artifact)


@pytest.fixture(scope="module")
def fresh_log(shop, tmp_path_factory):
    """Pages that the policy did not learn from."""
    return shop.write(tmp_path_factory.mktemp("fresh"), 1_200, seed=5)


@pytest.fixture(scope="module")
def read(fresh_log, policy, weights):
    return evidence.read(fresh_log, policy, SOFTLY, weights, 0.9)


def change(source, folder, edit, page_count=40):
    """The first pages of a log, one of them edited."""
    exposures = list(files.read_exposures(source))[:page_count]
    edit(exposures)
    files.write(folder, "exposures", [files.exposure_row(exposure) for exposure in exposures], "test")
    files.write(folder, "events", files.read_events(source), "test")
    return folder, exposures


def test_decisions_are_those_that_training_reads(fresh_log, read, weights):
    """The same decisions, in the order of sessions instead of time."""
    learned = transitions.read(fresh_log, weights)
    assert len(learned) == len(read.transitions)
    order = np.lexsort((read.decisions.slot_index(), read.transitions.times))
    assert (read.transitions.states[order] == learned.states).all()
    assert (read.transitions.rewards[order] == learned.rewards).all()
    assert (read.decisions.served[order] == learned.propensities).all()
    assert (read.transitions.chosen[order] == learned.chosen).all()
    assert read.decisions.sessions().returns().sum() < learned.rewards.sum()  # later pages are discounted


def test_successors_are_the_next_slot_or_the_next_page(read):
    decisions, data = read.decisions, read.transitions
    page = decisions.pages().episode()
    session = decisions.sessions().episode()
    for here, following in enumerate(data.following.tolist()):
        if following == transitions.TERMINAL:
            assert here + 1 == len(data) or session[here + 1] != session[here]
            assert data.discounts[here] == 0
        else:
            assert following == here + 1 and session[following] == session[here]
            gap = page[following] - page[here]
            assert data.discounts[here] == pytest.approx(0.9**gap)


def test_probabilities_of_each_decision_sum_to_one(read):
    for chances in (read.candidate, read.served):
        sums = np.add.reduceat(chances, read.transitions.offsets[:-1])
        assert sums == pytest.approx(1)
    assert read.versions == {UNIFORM.version: read.decisions.page_count}
    assert read.left_out == {}


def test_the_served_policy_replayed_has_the_propensities_that_were_logged(
    fresh_log, policy, weights, tmp_path
):
    def serve(exposures):
        for exposure in exposures:
            request = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
            answer = servicer.answer(request, policy, SOFTLY)
            places = {
                (module.module_id, template.template_id): (index, position)
                for index, module in enumerate(request.modules)
                for position, template in enumerate(module.templates)
            }
            for slot, decision in zip(exposure.slots, answer.slots, strict=True):
                slot.propensity = decision.propensity
                slot.module_index, slot.template_index = places[decision.module_id, decision.template_id]
                del slot.items[:]
                slot.feasible.CopyFrom(decision.feasible)
                for row in decision.rows:
                    slot.items.add(plan_row=row)

    folder, _ = change(fresh_log, tmp_path, serve, 200)
    found = evidence.read(folder, policy, SOFTLY, weights)
    assert found.left_out == {} and len(found.decisions.served) > 300
    assert found.decisions.candidate == pytest.approx(found.decisions.served, abs=1e-12)
    assert len(np.unique(found.decisions.served)) > 100


def test_weighted_first_slots_earn_what_the_candidate_would(shop, read):
    """Clicks of this shop depend on template and family alone, so each page's expectation is known."""
    data, decisions = read.transitions, read.decisions
    column = {name: place for place, name in enumerate(space.ACTION)}
    is_grid = data.actions[:, column["template_grid"]] > 0
    is_deep = data.actions[:, column["family_deep"]] > 0
    chance = np.where(is_grid, 0.45, 0.1) * np.where(is_deep, 1.0, 0.4)
    expected = np.add.reduceat(chance * read.candidate, data.offsets[:-1])
    first = decisions.slot_index() == 0
    difference = (decisions.ratios() * (decisions.rewards > 0) - expected)[first]
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))
    assert expected[first].mean() > 1.3 * np.mean(decisions.rewards[first] > 0)


def test_columns_of_unequal_length_are_named(fresh_log, policy, weights, tmp_path):
    folder, _ = change(fresh_log, tmp_path, lambda pages: pages[3].slots[0].feasible.propensity.pop())
    with pytest.raises(files.LogFileError, match=r"slot s0: feasible: want columns of equal length"):
        evidence.read(folder, policy, SOFTLY, weights)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("void", evidence.VOID),
        ("no_plan", evidence.NO_POLICY),
        ("fallback", evidence.NO_POLICY),
        ("greedy", evidence.GREEDY),
        ("other_rules", evidence.OTHER_RULES),
    ],
)
def test_a_session_with_a_page_that_says_nothing_is_left_out(
    fresh_log, policy, weights, tmp_path, name, reason
):
    def edit(exposures):
        page = exposures[3]
        if name == "void":
            page.is_propensity_void = True
        elif name == "no_plan":
            page.plan_request = b""
        elif name == "fallback":
            page.slots[0].module_index = -1
        elif name == "greedy":
            request = policy_pb2.PlanPageRequest.FromString(page.plan_request)
            request.exploration.mode = policy_pb2.EXPLORATION_MODE_GREEDY
            page.plan_request = request.SerializeToString()
        else:
            feasible = page.slots[0].feasible
            del feasible.module_index[0], feasible.template_index[0], feasible.propensity[0]

    folder, exposures = change(fresh_log, tmp_path, edit)
    found = evidence.read(folder, policy, SOFTLY, weights)
    assert found.left_out == {reason: 1}
    sessions = {exposure.session_key for exposure in exposures}
    assert len(found.decisions) == len(sessions) - 1
    left = [exposure for exposure in exposures if exposure.session_key != exposures[3].session_key]
    assert found.decisions.page_count == len(left)


def test_sessions_that_the_candidate_learned_from_are_left_out(fresh_log, policy, weights):
    exposures = list(files.read_exposures(fresh_log))
    border = exposures[600].time.ToDatetime(UTC)
    found = evidence.read(fresh_log, policy, SOFTLY, weights, learned_until=border)
    begun = {}
    for exposure in exposures:
        begun.setdefault(exposure.session_key, exposure.time.ToDatetime(UTC))
    assert len(found.decisions) == sum(moment > border for moment in begun.values())
    assert found.left_out == {evidence.LEARNED: sum(moment <= border for moment in begun.values())}
    with pytest.raises(ValueError, match=r"none of .* sessions can be evaluated"):
        evidence.read(fresh_log, policy, SOFTLY, weights, learned_until=datetime.now(UTC))


def test_what_the_pipeline_set_aside_is_left_out(fresh_log, policy, weights, tmp_path):
    folder, exposures = change(fresh_log, tmp_path, lambda exposures: None)
    robot = exposures[0].session_key
    files.write(folder, "set-aside", [{"session_key": robot, "event_id": "", "reason": "robot"}], "test")
    found = evidence.read(folder, policy, SOFTLY, weights)
    assert found.left_out == {evidence.SET_ASIDE: 1}


def test_a_published_policy_says_what_it_learned_from(outcome, log_folder):
    until = evaluate.learned_until(outcome.artifact)
    last = list(files.read_exposures(log_folder))[-1].time.ToDatetime(UTC)
    assert timedelta(0) < last - until < timedelta(hours=3)  # the last tenth was held out
    old = dataclasses.replace(outcome.artifact, manifest={"data_window": [None, "2026-01-01T00:00:00+00:00"]})
    assert evaluate.learned_until(old) == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    with pytest.raises(evaluate.Incompatible, match="data_window: KeyError"):
        evaluate.learned_until(dataclasses.replace(old, manifest={}))


def test_pages_that_nobody_looked_at_stay_as_empty_pages(fresh_log, policy, weights, tmp_path):
    folder, exposures = change(fresh_log, tmp_path, lambda exposures: None)
    unseen = exposures[0].page_id
    kept = [row for row in files.read_events(folder).to_pylist() if row["page_id"] != unseen]
    files.write(folder, "events", kept, "test")
    found = evidence.read(folder, policy, SOFTLY, weights)
    assert found.decisions.page_count == len(exposures)
    assert np.diff(found.decisions.page_offsets)[0] == 0
    assert estimators.per_decision(found.decisions.sessions()).value > 0


def test_the_uniform_policy_on_its_own_log_shows_no_uplift(fresh_log, weights):
    found = evaluate.evaluate(
        fresh_log, UNIFORM, UNIFORMLY, weights, recipe=dataclasses.replace(evaluate.fqe.RECIPE, step_count=20)
    )
    assert found.decision.verdict is gate.Verdict.NO_UPLIFT_SHOWN and found.decision.blend == 1.0
    assert found.decision.difference == pytest.approx(0, abs=0.01)
    for row in found.rows:
        if row.estimator in ("IPS", "SNIPS", "per-decision IS", "pseudo-inverse"):
            served = [
                other.value
                for other in found.rows
                if other.estimator == "served" and other.level == row.level and other.blend == row.blend
            ]
            assert [row.value] == pytest.approx(served)
            assert row.effective_share == pytest.approx(1)
