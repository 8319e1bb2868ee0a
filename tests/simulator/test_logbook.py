"""The vectorised face writes the public log, exactly and nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planogram.events.v1 import events_pb2
from planogram.files import log
from planogram.policy.v1 import policy_pb2
from services.feature.servicer import shopper_event
from services.feature.shoppers.acts import ItemBrief
from services.feature.shoppers.known import session_message
from services.feature.shoppers.profile import Profile, apply_events, view
from simulator import logbook
from simulator.modules import BLUEPRINTS, PAGE_TYPES, TEMPLATES
from simulator.shopper import Population
from simulator.tally import Tally
from simulator.vectorised import UniformLayout, choose
from simulator.world import World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="module")
def tally(folder: Path, hidden: World, population: Population, as_of: datetime) -> Tally:
    return logbook.write(folder, hidden, population, 6_000, 2, as_of)


@pytest.fixture(scope="module")
def exposures(folder: Path, tally: Tally) -> list[events_pb2.Exposure]:
    return list(log.read_exposures(folder))


@pytest.fixture(scope="module")
def events(folder: Path, tally: Tally) -> pa.Table:
    return log.read_events(folder)


def test_the_same_seed_writes_the_same_bytes(
    tmp_path: Path, hidden: World, population: Population, as_of: datetime
) -> None:
    for name in ("first", "second"):
        logbook.write(tmp_path / name, hidden, population, 800, 2, as_of)
    assert _contents(tmp_path / "first") == _contents(tmp_path / "second")


def test_names_of_hidden_states_leave_no_trace(
    tmp_path: Path, hidden: World, population: Population, as_of: datetime
) -> None:
    order = [3, 5, 0, 1, 4, 2]
    logbook.write(tmp_path / "named", hidden, population, 3_000, 2, as_of)
    logbook.write(
        tmp_path / "renamed", hidden.relabelled(order), population.relabelled(order), 3_000, 2, as_of
    )
    assert _contents(tmp_path / "named") == _contents(tmp_path / "renamed")


def test_renaming_without_the_shoppers_changes_the_log(
    tmp_path: Path, hidden: World, population: Population, as_of: datetime
) -> None:
    """The canary can sing: where types matter, swapping them shows."""
    logbook.write(tmp_path / "named", hidden, population, 800, 2, as_of)
    logbook.write(tmp_path / "swapped", hidden.relabelled([1, 0, 2, 3, 4, 5]), population, 800, 2, as_of)
    assert _contents(tmp_path / "named") != _contents(tmp_path / "swapped")


def test_every_page_and_event_has_the_public_schema(folder: Path, tally: Tally) -> None:
    for path in folder.iterdir():
        schema = log.EVENTS if path.name.startswith("events") else log.EXPOSURES
        assert pq.read_schema(path).equals(schema)


def test_columns_of_an_exposure_repeat_its_payload(folder: Path, tally: Tally) -> None:
    table = log.read_exposure_table(folder)
    for row in table.slice(0, 300).to_pylist():
        exposure = events_pb2.Exposure.FromString(row["payload"])
        expected = log.exposure_row(exposure, row["payload"])
        assert row.pop("time").timestamp() == pytest.approx(expected.pop("time") / 1e6)
        assert row == expected


def test_propensities_are_uniform_over_what_was_feasible(exposures: list[events_pb2.Exposure]) -> None:
    for exposure in exposures:
        request = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
        blueprint = BLUEPRINTS[PAGE_TYPES.index(exposure.context.page_type)]
        pinned = {slot.pinned for slot in blueprint.slots} - {""}
        placed: set[str] = set()
        for slot, rule in zip(exposure.slots, blueprint.slots, strict=True):
            expected = {
                (index, template)
                for index, module in enumerate(request.modules)
                for template in range(len(module.templates))
                if module.module_id not in placed
                and (
                    module.module_id == rule.pinned
                    if rule.pinned
                    else module.module_id not in pinned
                    and (not rule.allowed or module.module_id in rule.allowed)
                )
            }
            feasible = slot.feasible
            choices = list(zip(feasible.module_index, feasible.template_index, strict=True))
            assert set(choices) == expected and len(choices) == len(expected)
            assert list(feasible.propensity) == [1 / len(expected)] * len(expected)
            assert list(feasible.q_value) == [0.0] * len(expected)
            assert slot.propensity == 1 / len(expected)
            assert (slot.module_index, slot.template_index) in expected
            placed.add(slot.module_id)


def test_what_was_shown_is_what_the_plan_offered(exposures: list[events_pb2.Exposure], hidden: World) -> None:
    for exposure in exposures:
        request = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
        assert request.context.page_type == exposure.context.page_type
        assert request.context.device == exposure.context.device
        assert request.context.time == exposure.context.time == exposure.time
        shown = [item.item_id for slot in exposure.slots for item in slot.items]
        assert len(shown) == len(set(shown))
        for slot in exposure.slots:
            module = request.modules[slot.module_index]
            template = module.templates[slot.template_index]
            assert (module.module_id, template.template_id) == (slot.module_id, slot.template_id)
            rows = [item.plan_row for item in slot.items]
            assert rows == list(module.rows[: template.max_item_count])
            assert len(rows) >= template.min_item_count == TEMPLATES[slot.template_id].min_items


def test_the_session_in_a_plan_is_what_earlier_events_say(
    exposures: list[events_pb2.Exposure], events: pa.Table
) -> None:
    clicks: dict[str, Counter[str]] = defaultdict(Counter)
    by_page = defaultdict(list)
    for event in events.to_pylist():
        by_page[event["page_id"]].append(event)
    pages: Counter[str] = Counter()
    checked = 0
    for exposure in exposures:
        session = policy_pb2.PlanPageRequest.FromString(exposure.plan_request).session
        key = exposure.session_key
        happened = by_page[exposure.page_id]
        is_robot = sum(event["type"] == "CLICK" for event in happened) > 1
        if not is_robot:
            assert session.page_index == pages[key]
            assert session.family_click_counts == dict(clicks[key])
            assert session.click_count == sum(clicks[key].values())
            checked += 1
        pages[key] += 1
        if not is_robot:
            clicks[key].update(event["family"] for event in happened if event["type"] == "CLICK")
    assert checked > 0.9 * len(exposures)


def test_recent_acts_in_a_plan_are_those_of_a_profile_that_events_build(
    exposures: list[events_pb2.Exposure], events: pa.Table, hidden: World
) -> None:
    """But for what was lost on the way: events are noisy, and the log's own plans are not."""
    items = hidden.items
    categories = {item: items.categories[items.category[place]] for place, item in enumerate(items.item_ids)}
    by_page = defaultdict(list)
    for row in events.to_pylist():
        by_page[row["page_id"]].append(log.event_of(row))
    profiles: dict[str, Profile] = defaultdict(Profile)
    equal, seen = Counter[str](), Counter[str]()
    for exposure in exposures:
        told = policy_pb2.PlanPageRequest.FromString(exposure.plan_request).session
        profile = profiles[exposure.session_key]
        found = session_message(view(profile, exposure.session_key))
        for name in (
            *("category_recent_interests", "family_recent_stops", "category_passes", "family_passes"),
            *("last_click_category", "is_last_click_dwelled"),
        ):
            wanted, got = getattr(told, name), getattr(found, name)
            if wanted:
                seen[name] += 1
                is_weights = name.startswith(("category", "family"))
                equal[name] += (
                    dict(got) == pytest.approx(dict(wanted), abs=0.02) if is_weights else got == wanted
                )
        apply_events(
            profile,
            b"",
            [shopper_event(event) for event in by_page[exposure.page_id]],
            lambda item: ItemBrief(categories[item], "", 0.0, None),
            1_000,
        )
    assert set(seen) == set(equal) and len(seen) == 6
    for name, count in seen.items():
        assert count > 50 and equal[name] > 0.8 * count, name


def test_first_pages_of_cold_shoppers_tell_nothing(exposures: list[events_pb2.Exposure]) -> None:
    states = set()
    for exposure in exposures:
        session = policy_pb2.PlanPageRequest.FromString(exposure.plan_request).session
        if not session.is_known:
            assert session.page_index == 0
            session.ClearField("segment")
            states.add(session.SerializeToString(deterministic=True))
    assert len(states) == 1


def test_logs_are_as_unclean_as_real_ones(folder: Path, events: pa.Table, tally: Tally) -> None:
    written = sum(pq.read_metadata(path).num_rows for path in folder.glob("events-*"))
    assert 0.001 < written / events.num_rows - 1 < 0.006
    clicks = Counter(
        page
        for page, kind in zip(*events.select(["page_id", "type"]).to_pydict().values(), strict=True)
        if kind == "CLICK"
    )
    robots = sum(count > 1 for count in clicks.values())
    assert 0 < robots < 0.08 * tally.rows[:, 0].sum()
    types = Counter(events["type"].to_pylist())
    assert {"IMPRESSION", "CLICK", "DWELL", "SEARCH", "CART_ADD", "PURCHASE", "DISMISSAL"} <= set(types)


def test_events_and_tally_tell_the_same_story(events: pa.Table, tally: Tally) -> None:
    table = events.to_pydict()
    per_page = Counter(
        page for page, kind in zip(table["page_id"], table["type"], strict=True) if kind == "CLICK"
    )
    human_clicks = sum(count == 1 for count in per_page.values())
    assert human_clicks == tally.rows[:, 1].sum()
    bought = table["type"].count("PURCHASE")
    assert bought <= tally.rows[:, 2].sum() <= bought + 5  # some are paid after the log ends


def test_choices_are_uniform_below_what_stands_above(layout: UniformLayout) -> None:
    offer = layout.offers[0]
    actions = choose(offer, np.random.default_rng(0).random((60_000, 6)))
    first = np.bincount(actions[:, 0], minlength=len(offer.module_of)) / 60_000
    assert first == pytest.approx(np.full(len(offer.module_of), 1 / len(offer.module_of)), abs=0.003)
    modules = offer.module_of[actions]
    assert all(len(set(row)) == 6 for row in modules[:2_000].tolist())
    below = actions[modules[:, 0] == 0]  # the hero, which has one template
    others = np.bincount(below[:, 1], minlength=len(offer.module_of))[1:] / len(below)
    assert others == pytest.approx(np.full(len(others), 1 / len(others)), abs=0.012)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
