from __future__ import annotations

import numpy as np
import pytest

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.files import log as files
from planogram.policy.v1 import policy_pb2
from services.common.errors import ConfigurationError
from services.feature.pipeline.clean import clean, write_set_aside
from services.policy import page, planner, space
from services.policy.exploration import Exploration, Mode
from services.policy.training import logged, rewards, transitions
from services.policy.training.pages import TERMINAL
from services.policy.training.transitions import PAGE_DISCOUNT


@pytest.fixture(scope="module")
def weights():
    return rewards.load()


@pytest.fixture(scope="module")
def read(log_folder, weights):
    return transitions.read(log_folder, weights)


def rewrite(shop, folder, page_count, change_exposure=None, keep_event=None):
    """A log like the shop's, changed."""
    shop.write(folder, page_count)
    exposures = list(files.read_exposures(folder))
    for exposure in exposures:
        if change_exposure:
            change_exposure(exposure)
    files.write(folder, "exposures", [files.exposure_row(exposure) for exposure in exposures], "test")
    if keep_event:
        rows = [row for row in files.read_events(folder).to_pylist() if keep_event(row)]
        files.write(folder, "events", rows, "test")
    return folder


def plant_bot(folder):
    """Eight pages of the log become one session that clicks everything, and the pipeline looks at it."""
    pages = {f"p{index}" for index in range(8)}
    exposures, clicks = [], []
    for exposure in files.read_exposures(folder):
        if exposure.page_id in pages:
            exposure.session_key = "bot"
            clicks += [
                {"page_id": exposure.page_id, "slot_id": slot.slot_id, "item_id": item.item_id}
                for slot in exposure.slots
                for item in slot.items
            ]
        exposures.append(files.exposure_row(exposure))
    rows = files.read_events(folder).to_pylist()
    moment = {row["page_id"]: row["time"] for row in rows}
    kept = [row for row in rows if row["page_id"] not in pages]
    kept += [
        {
            **click,
            "event_id": f"bot-{number}",
            "session_key": "bot",
            "type": "CLICK",
            "time": moment[click["page_id"]],
        }
        for number, click in enumerate(clicks)
    ]
    files.write(folder, "exposures", exposures, "test")
    files.write(folder, "events", kept, "test")
    items = frozenset(row["item_id"] for row in kept) - {""}
    write_set_aside(folder, clean(folder, items, {}, max(moment.values())))
    assert files.read_set_aside(folder).session_keys == {"bot"}
    return folder


def test_a_bot_that_clicks_everything_earns_no_reward(shop, tmp_path, weights):
    read = transitions.read(plant_bot(shop.write(tmp_path / "planted", 60)), weights)
    plain = transitions.read(shop.write(tmp_path / "plain", 60), weights)
    last_of_bot = max(
        files.micros(exposure.time)
        for exposure in files.read_exposures(tmp_path / "planted")
        if exposure.session_key == "bot"
    )
    human = plain.times > last_of_bot
    assert (read.page_count, read.skipped_count) == (60, 8)
    np.testing.assert_array_equal(read.times, plain.times[human])
    np.testing.assert_array_equal(read.rewards, plain.rewards[human])


def test_an_old_export_teaches_nothing_of_a_forgotten_shopper(shop, tmp_path, weights):
    shop.write(tmp_path, 60)
    exposures = list(files.read_exposures(tmp_path))
    for exposure in exposures[::3]:
        exposure.shopper_key = "a" * 32
    files.write(tmp_path, "exposures", [files.exposure_row(exposure) for exposure in exposures], "test")
    tombstone = {"shopper_digest": files.shopper_digest("a" * 32), "time": files.micros(exposures[20].time)}
    files.write(tmp_path, "forgotten", [tombstone], "test")
    times = {files.micros(exposures[place].time) for place in range(0, 21, 3)}
    read = transitions.read(tmp_path, weights)
    assert read.page_count == 60 - len(times)
    assert not times & set(read.times.tolist())


def test_decisions_and_links_are_those_of_a_plain_walk(log_folder, read, weights):
    """Held against a second reading of the log, session by session."""
    events = {}
    for row in files.read_events(log_folder).to_pylist():
        events.setdefault(row["page_id"], []).append(row)
    expected, waiting = [], {}
    for exposure in files.read_exposures(log_folder):
        acts = events[exposure.page_id]
        for position, slot in enumerate(exposure.slots):
            kinds = [row["type"] for row in acts if row["slot_id"] == slot.slot_id]
            if "IMPRESSION" not in kinds:
                break
            here = len(expected)
            if position == 0 and exposure.session_key in waiting:
                expected[waiting.pop(exposure.session_key)][1:] = [here, PAGE_DISCOUNT]
            elif position > 0:
                expected[here - 1][1:] = [here, 1.0]
            worth = weights.click * ("CLICK" in kinds)
            worth += ("PURCHASE" in kinds) * (weights.purchase + 4 * weights.purchase_margin)
            expected.append([worth, TERMINAL, 0.0])
            last = here
        waiting[exposure.session_key] = last
    found = np.stack([read.rewards, read.following, read.discounts], axis=1)
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-6)


def test_returns_by_hand(read):
    """Down one session, the return is the reward plus what follows, discounted."""
    returns = read.returns()
    longest = []
    for start in range(20):
        chain = [start]
        while read.following[chain[-1]] != TERMINAL:
            chain.append(int(read.following[chain[-1]]))
        longest = max(longest, chain, key=len)
    assert len(longest) > 4
    total = 0.0
    for decision in reversed(longest):
        total = float(read.rewards[decision]) + float(read.discounts[decision]) * total
        assert returns[decision] == pytest.approx(total, rel=1e-5)


def test_what_is_encoded_is_what_the_planner_saw(log_folder, read):
    """Serving and training meet: planning the logged request again shows the same features."""
    exposure = next(files.read_exposures(log_folder))
    facts = page.decode(policy_pb2.PlanPageRequest.FromString(exposure.plan_request))
    encoder, seen = space.PageEncoder(facts), []

    def values(progress, offer, actions):
        seen.append((encoder.state(progress), encoder.actions(progress, offer, actions)))
        return np.zeros(len(actions))

    planner.plan(facts, values, Exploration(Mode.EPSILON_GREEDY, 1.0, 1.0), facts.request.seed)
    decision = 0
    while read.times[decision] == read.times[0]:
        state, actions = seen[decision]
        np.testing.assert_array_equal(read.states[decision], state)
        logged = read.actions[read.offsets[decision] : read.offsets[decision + 1]]
        np.testing.assert_array_equal(logged, actions.astype(np.float16))
        decision += 1
    assert decision > 0


def test_a_click_ends_the_page(shop, tmp_path, weights):
    """Slots below a click that was followed by another impression are no successors of it."""
    folder = shop.write(tmp_path, 60)
    read = transitions.read(folder, weights)
    clicked = np.flatnonzero(read.rewards >= weights.click)
    assert len(clicked)
    assert (read.discounts[clicked] != 1.0).all()


def test_pages_without_a_policy_or_shown_otherwise_are_left_out(shop, tmp_path, weights):
    def change(exposure):
        number = int(exposure.page_id[1:])
        if number % 4 == 1:
            exposure.plan_request = b""
        if number % 4 == 2:
            exposure.is_propensity_void = True
        if number % 4 == 3:
            exposure.slots[0].module_index = -1

    read = transitions.read(rewrite(shop, tmp_path, 40, change), weights)
    assert read.page_count == 40 and read.skipped_count == 30
    assert len(np.unique(read.times)) == 10


def test_sessions_link_across_pages_that_are_left_out(shop, tmp_path, weights):
    def change(exposure):
        exposure.session_key = "one"
        if exposure.page_id == "p1":
            exposure.plan_request = b""

    read = transitions.read(rewrite(shop, tmp_path, 3, change), weights)
    assert (read.following == TERMINAL).sum() == 1 and read.following[-1] == TERMINAL


def test_a_log_without_impressions_says_so(shop, tmp_path, weights):
    folder = rewrite(
        shop, tmp_path, 10, keep_event=lambda row: row["type"] != "IMPRESSION" and not row["item_id"]
    )
    with pytest.raises(ValueError, match="none of 10 pages"):
        transitions.read(folder, weights)


def test_a_choice_that_is_not_among_the_feasible_is_named(shop, tmp_path, weights):
    def change(exposure):
        if exposure.page_id == "p3":
            exposure.slots[0].ClearField("feasible")

    with pytest.raises(files.LogFileError, match=r"page p3: slot s0: feasible"):
        transitions.read(rewrite(shop, tmp_path, 10, change), weights)


def test_rewards_by_hand(weights):
    assert weights.of_event("CLICK", 0, 0) == weights.click
    assert weights.of_event("IMPRESSION", 0, 0) == 0
    bought = weights.of_event("PURCHASE", 10_000_000, 2)
    assert bought == pytest.approx(weights.purchase + 20 * weights.purchase_margin)
    dear = weights.of_event("PURCHASE", 10**12, 1)
    assert dear == pytest.approx(weights.purchase + weights.margin_limit * weights.purchase_margin)
    assert weights.of_event("RETURN", 0, 1) < 0


def test_a_page_type_has_rewards_of_its_own(weights):
    on_help = weights.on(context_pb2.PAGE_TYPE_HELP)
    assert on_help.of_event("HELPFUL", 0, 0) == weights.helpful > 0
    assert on_help.of_event("PURCHASE", 10**7, 1) == 0 < weights.of_event("PURCHASE", 10**7, 1)
    assert on_help.click == weights.click  # what is not named stays
    assert weights.on(context_pb2.PAGE_TYPE_HOME) == weights
    exposure = events_pb2.Exposure(slots=[events_pb2.ExposedSlot(slot_id=name) for name in ("a", "b", "c")])
    acts = [
        ("IMPRESSION", "a", 0, 0),
        ("DISMISSAL", "a", 0, 0),
        ("HELPFUL", "b", 0, 0),
        ("PURCHASE", "b", 10**7, 1),
    ]
    exposure.context.page_type = context_pb2.PAGE_TYPE_HELP
    seen = logged.seen_on(exposure, acts, weights)
    assert seen.rewards == (on_help.dismissal, weights.helpful, 0.0)
    assert (seen.lowest, seen.clicked) == (1, {1})
    exposure.context.page_type = context_pb2.PAGE_TYPE_HOME
    seen = logged.seen_on(exposure, acts, weights)
    bought = weights.of_event("PURCHASE", 10**7, 1)
    assert seen.rewards == pytest.approx((weights.dismissal, weights.helpful + bought, 0.0))


def test_a_file_of_before_without_page_types_is_read(tmp_path):
    path = tmp_path / "rewards.yaml"
    path.write_text(rewards.DEFAULT.read_text().partition("helpful:")[0])
    found = rewards.load(path)
    assert found.helpful == 0 and found.on(context_pb2.PAGE_TYPE_HELP) == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text + "  helpp: {click: 1}\n", "page_types.helpp is unknown"),
        (lambda text: text + "  home: {clicks: 1}\n", "page_types.home: got"),
        (lambda text: text + "  home: {click: many}\n", "page_types.home.click: got 'many'"),
        (lambda text: text + "  home: {margin_limit: -1}\n", "page_types.home.margin_limit"),
        (lambda text: text.partition("page_types:")[0] + "page_types: 3\n", "page_types: got 3"),
        (lambda text: text.replace("click:", "clicks:"), "click is missing"),
        (lambda text: text + "extra: 1\n", "extra is unknown"),
        (lambda text: text.replace("click: 0.1", "click: many"), "click: got 'many'"),
        (lambda text: text.replace("click: 0.1", "click: .nan"), "click: got nan"),
        (lambda text: text.replace("margin_limit: 40.0", "margin_limit: -1"), "margin_limit"),
        (lambda text: "[1, 2]", "want a mapping"),
        (lambda text: "a: [", "line"),
        (lambda text: "click: 2026-13-45", "month must be in 1..12"),
        (lambda text: "click: !!bool many", "many"),
    ],
)
def test_a_bad_rewards_file_is_named_with_its_key(tmp_path, change, said):
    path = tmp_path / "rewards.yaml"
    path.write_text(change(rewards.DEFAULT.read_text()))
    with pytest.raises(ConfigurationError) as caught:
        rewards.load(path)
    assert str(path) in str(caught.value) and said in str(caught.value)
