"""Whole pages of an event log, held against the log read another way."""

from __future__ import annotations

import numpy as np
import pytest

from planogram.files import log as files
from planogram.policy.v1 import policy_pb2
from services.policy import page, space
from services.policy.training import page_log, rewards, transitions
from services.policy.training.pages import TERMINAL


@pytest.fixture(scope="module")
def weights():
    return rewards.load()


@pytest.fixture(scope="module")
def read(log_folder, weights):
    return page_log.read(log_folder, weights)


def test_pages_are_those_of_the_slot_wise_reading(log_folder, read, weights):
    """Every examined slot is one decision there: same places, rewards and propensities, in the same order."""
    slots = transitions.read(log_folder, weights)
    pages = read.pages
    assert (read.page_count, read.skipped_count) == (slots.page_count, slots.skipped_count)
    np.testing.assert_allclose(pages.reward[pages.is_examined], slots.rewards, rtol=1e-6)
    np.testing.assert_allclose(pages.propensity[pages.is_examined], slots.propensities)
    assert pages.is_examined.sum() == len(slots)


def test_a_page_is_encoded_as_it_began(log_folder, read):
    exposures = list(files.read_exposures(log_folder))
    described = read.pages.actions.of(np.arange(40))
    for index, exposure in enumerate(exposures[:40]):
        facts = page.decode(policy_pb2.PlanPageRequest.FromString(exposure.plan_request))
        state, actions, may_stand = space.describe(facts)
        np.testing.assert_array_equal(read.pages.states[index], state)
        np.testing.assert_allclose(described.actions[index], actions, rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(described.is_allowed[index], may_stand)
        chosen = read.pages.actions.chosen(np.full(3, index), read.pages.placed[index])
        np.testing.assert_array_equal(chosen, described.actions[index, read.pages.placed[index]])


def test_pages_of_a_session_follow_each_other(log_folder, read):
    sessions = [exposure.session_key for exposure in files.read_exposures(log_folder)]
    for index, following in enumerate(read.pages.following.tolist()):
        later = [other for other in range(index + 1, len(sessions)) if sessions[other] == sessions[index]]
        assert following == (later[0] if later else TERMINAL)


def test_signals_are_of_the_click_that_ended_the_page(log_folder, read):
    acts = {}
    for row in files.read_events(log_folder).to_pylist():
        acts.setdefault(row["page_id"], set()).add(row["type"])
    bought = [float("PURCHASE" in acts[exposure.page_id]) for exposure in files.read_exposures(log_folder)]
    place = page_log.SIGNALS.index("PURCHASE")
    np.testing.assert_array_equal(read.pages.signals[:, place], bought)
    assert 0 < np.mean(bought) < 1


def test_a_log_that_nobody_looked_at_is_refused(shop, tmp_path, weights):
    shop.write(tmp_path, 20)
    files.write(tmp_path, "events", [], "test")
    with pytest.raises(files.LogFileError, match="none of 20 pages"):
        page_log.read(tmp_path, weights)


def test_a_served_choice_that_was_not_planned_is_an_error(shop, tmp_path, weights):
    shop.write(tmp_path, 20)
    exposures = list(files.read_exposures(tmp_path))
    exposures[3].slots[0].module_index = 60
    files.write(tmp_path, "exposures", [files.exposure_row(exposure) for exposure in exposures], "test")
    with pytest.raises(files.LogFileError, match="page p3: slots"):
        page_log.read(tmp_path, weights)
