from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from planogram.events.v1 import events_pb2
from planogram.files import log as files
from services.common import cli
from services.common.errors import ConfigurationError
from services.policy.evaluation import arms, looks
from services.policy.evaluation.arms import Arms
from services.policy.evaluation.canary import Plan, Verdict
from services.policy.evaluation.looks import Course, Stage
from services.policy.training import rewards

START = datetime(2026, 6, 1, tzinfo=UTC)
READINGS = {"latency_p99_ms": 9.0, "error_share": 0.001, "top_module_exposure_share": 0.2}
OLD, NEW = "policy-1", "policy-2"

runner = CliRunner()


class LogOfArms:
    """A log of pages with one slot each, in the making."""

    def __init__(self):
        self.exposures, self.events = [], []

    def page(self, shopper, session, version, minute, is_bought=False, module="m1"):
        number = len(self.exposures)
        exposure = events_pb2.Exposure(
            page_id=f"p{number}", shopper_key=shopper, session_key=session, policy_version=version
        )
        exposure.time.FromDatetime(START + timedelta(minutes=minute))
        exposure.slots.add(slot_id="s1", module_id=module)
        self.exposures.append(files.exposure_row(exposure))
        self._event(exposure, "IMPRESSION", module)
        if is_bought:
            self._event(exposure, "PURCHASE", module)

    def _event(self, exposure, kind, module):
        event = events_pb2.Event(
            event_id=f"e{len(self.events)}",
            shopper_key=exposure.shopper_key,
            session_key=exposure.session_key,
            page_id=exposure.page_id,
            slot_id="s1",
            module_id=module,
            type=events_pb2.EventType.Value(f"EVENT_TYPE_{kind}"),
            margin_micros=4_000_000,
            quantity=1,
        )
        event.time.CopyFrom(files.timestamp(START + timedelta(minutes=len(self.events) * 1e-3)))
        self.events.append(files.event_row(event))

    def write(self, folder):
        files.write(folder, "exposures", self.exposures, "test")
        files.write(folder, "events", self.events, "test")
        return folder


def traffic(share, uplift, count, seed=0, first_minute=0.0, first_shopper=0):
    """Shoppers of one page each, some of whom buy."""
    generator, log = np.random.default_rng(seed), LogOfArms()
    for number in range(count):
        is_new = generator.random() < share
        is_bought = generator.random() < 0.2 + uplift * is_new
        shopper, minute = f"u{first_shopper + number}", first_minute + number / count
        module = f"m{number % 4}"
        log.page(shopper, f"v{first_shopper + number}", NEW if is_new else OLD, minute, is_bought, module)
    return log


def read(log, tmp_path, since=None):
    return arms.read(log.write(tmp_path), OLD, NEW, rewards.load(), since)


def test_a_shopper_counts_once_with_the_first_session(tmp_path):
    log = LogOfArms()
    log.page("ann", "a1", NEW, 0, is_bought=True)
    log.page("ann", "a1", NEW, 1)
    log.page("ann", "a2", NEW, 60, is_bought=True)
    log.page("bob", "b1", OLD, 2)
    found = read(log, tmp_path)
    assert found.is_candidate.tolist() == [True, False] and found.later_sessions == 1
    assert found.outcomes.tolist() == [pytest.approx(1.0 + 0.05 * 4), 0.0]


def test_who_met_both_versions_or_another_or_has_no_key_counts_for_neither(tmp_path):
    log = LogOfArms()
    log.page("ann", "a1", NEW, 0)
    log.page("ann", "a1", OLD, 1)
    log.page("bob", "b1", "policy-0", 2)
    log.page("", "c1", NEW, 3)
    log.page("dan", "d1", OLD, 4)
    found = read(log, tmp_path)
    assert len(found) == 1 and not found.is_candidate[0]
    assert found.left_out == {arms.BOTH: 1, arms.OTHER: 1, arms.UNKNOWN: 1}


def test_sessions_that_began_before_the_canary_are_no_part_of_it(tmp_path):
    log = LogOfArms()
    log.page("ann", "a1", OLD, 0)
    log.page("ann", "a2", NEW, 60)
    log.page("bob", "b1", OLD, 30)
    log.page("bob", "b1", NEW, 50)
    found = read(log, tmp_path, START + timedelta(minutes=45))
    assert found.is_candidate.tolist() == [True] and found.left_out == {}


def test_the_exposure_of_the_candidates_modules_is_read(tmp_path):
    log = LogOfArms()
    for number, module in enumerate(["m1", "m1", "m1", "m2"]):
        log.page(f"u{number}", f"v{number}", NEW, number, module=module)
    log.page("old", "old", OLD, 9, module="m3")
    assert read(log, tmp_path).top_module_exposure_share == pytest.approx(0.75)


def test_one_version_is_no_canary(tmp_path):
    with pytest.raises(ValueError, match="candidate: got policy-1, which is the incumbent"):
        arms.read(tmp_path, OLD, OLD, rewards.load())


def shoppers(share, uplift, count, seed=0, since=START):
    generator = np.random.default_rng(seed)
    is_candidate = generator.random(count) < share
    outcomes = generator.exponential(1.0, count) + uplift * is_candidate
    first = since.timestamp() * 1e6
    return Arms(is_candidate, outcomes, first + np.arange(count), {}, 0, 0.2)


def joined(*parts):
    columns = (
        np.concatenate([getattr(part, n) for part in parts]) for n in ("is_candidate", "outcomes", "times")
    )
    return Arms(*columns, {}, 0, 0.2)


def test_a_worse_candidate_is_killed_and_a_good_one_goes_on():
    course = looks.begin(OLD, NEW, 0.05, None, Plan())
    worse = looks.look(course, shoppers(0.05, -0.8, 20_000), Plan(), READINGS)
    assert worse.verdict is Verdict.KILL and "below zero" in worse.reasons[0]
    good = looks.look(course, shoppers(0.05, 0.8, 20_000), Plan(), READINGS)
    assert good.verdict is Verdict.ADVANCE and good.stage == 1


def test_stages_add_up_and_end_in_promotion():
    times = [START + timedelta(days=day) for day in range(3)]
    shares = (0.05, 0.25, 0.5)
    course = Course(OLD, NEW, tuple(map(Stage, shares, times)))
    parts = [
        shoppers(share, 0.4, 4_000, seed, at)
        for seed, (share, at) in enumerate(zip(shares, times, strict=True))
    ]
    found = looks.look(course, joined(*parts), Plan(), READINGS)
    assert found.count == 12_000 and found.verdict is Verdict.PROMOTE
    # The last stage's shoppers read as of the first one's share would be another draw than it was.
    with pytest.raises(ConfigurationError, match=r"--share: got 0\.05, but .* shoppers met the candidate"):
        looks.look(Course(OLD, NEW, (Stage(0.05, None),)), joined(*parts), Plan(), READINGS)


def test_a_share_is_that_of_the_stage_or_of_the_next():
    course = looks.begin(OLD, NEW, 0.05, None, Plan())
    assert course.continued(0.05, None, Plan()) is course
    with pytest.raises(ConfigurationError, match=r"--share: got 0\.25, want 0\.05, where the canary is$"):
        course.continued(0.25, START, Plan())
    ready = dataclasses.replace(course, verdict=Verdict.ADVANCE)
    assert ready.continued(0.25, START, Plan()).stages[-1] == Stage(0.25, START)
    with pytest.raises(ConfigurationError, match=r"want 0\.05, where the canary is, or 0\.25"):
        ready.continued(0.5, START, Plan())
    with pytest.raises(ConfigurationError, match=r"--since: got nothing, want when the share of 0\.25 began"):
        ready.continued(0.25, None, Plan())
    with pytest.raises(ConfigurationError, match=r"--share: got 0\.25, want 0\.05, where a canary begins"):
        looks.begin(OLD, NEW, 0.25, None, Plan())


def command(log, state, share, *more):
    base = ["evaluate", "canary", "--log", str(log), "--incumbent", OLD, "--candidate", NEW]
    return runner.invoke(cli.application(), [*base, "--share", str(share), "--state", str(state), *more])


GOOD = ("--latency-p99-ms", "9", "--error-share", "0.001")


def test_the_command_drives_a_canary_from_look_to_look(tmp_path):
    """The log grows between looks; the file remembers stages, and what they say is counted anew."""
    log, state = tmp_path / "log", tmp_path / "reports" / "canary.yaml"
    first = traffic(0.05, 0.6, 3_000)
    first.write(log)
    answer = command(log, state, 0.05, *GOOD)
    assert answer.exit_code == 0, answer.output
    assert f"{NEW}: advance, serve 25% of shoppers" in answer.output
    found = yaml.safe_load(state.read_text())
    assert found["verdict"] == "advance" and found["serve_share"] == 0.25
    assert found["arms"]["candidate"]["mean_earned"] > found["arms"]["incumbent"]["mean_earned"]
    assert found["readings"]["top_module_exposure_share"] == pytest.approx(0.25, abs=0.15)
    more = traffic(0.25, 0.6, 1_000, 1, first_minute=60.0, first_shopper=10_000)
    files.write(log, "exposures", more.exposures, "more")
    for row in more.events:
        row["event_id"] = f"more-{row['event_id']}"
    files.write(log, "events", more.events, "more")
    since = ("--since", (START + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%S"))
    answer = command(log, state, 0.25, *since, *GOOD)
    assert answer.exit_code == 0, answer.output
    assert [stage["share"] for stage in yaml.safe_load(state.read_text())["stages"]] == [0.05, 0.25]


def test_without_readings_a_canary_holds(tmp_path):
    log = traffic(0.05, 0.6, 3_000).write(tmp_path / "log")
    answer = command(log, tmp_path / "canary.yaml", 0.05)
    assert f"{NEW}: hold, serve 5% of shoppers" in answer.output
    assert "no reading of latency_p99_ms" in answer.output


def test_a_canary_that_is_over_stays_over(tmp_path):
    log, state = traffic(0.05, 0.0, 600).write(tmp_path / "log"), tmp_path / "canary.yaml"
    answer = command(log, state, 0.05, "--latency-p99-ms", "9", "--error-share", "0.5")
    assert f"{NEW}: kill, serve 0% of shoppers" in answer.output
    again = command(log, state, 0.05, *GOOD)
    assert "the canary of policy-2 is over: kill" in str(again.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--share", "0.1"], "--share: got 0.1, want one of"),
        (["--share", "0.05", "--candidate", OLD], "--candidate: got 'policy-1', which is the incumbent"),
    ],
)
def test_what_the_user_can_mend_is_said(tmp_path, arguments, message):
    base = ["evaluate", "canary", "--log", str(tmp_path), "--incumbent", OLD]
    base += [] if "--candidate" in arguments else ["--candidate", NEW]
    answer = runner.invoke(cli.application(), [*base, *arguments])
    assert message in str(answer.exception)


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "canary.yaml"
    path.write_text("stages: 3\n")
    with pytest.raises(ConfigurationError, match=r"canary\.yaml: TypeError"):
        looks.load(path)
    assert looks.load(tmp_path / "none.yaml") is None
