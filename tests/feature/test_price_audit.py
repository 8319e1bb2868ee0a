"""Do audits prove parity where it holds, and find planted breaches with the pages that show them?"""

from __future__ import annotations

import random
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from planogram.events.v1 import events_pb2
from planogram.files import log
from planogram.layout.v1 import ranking_pb2
from planogram.policy.v1 import policy_pb2
from services.common import cli
from services.feature.offers import audit, price_list
from services.feature.offers.audit import Kind
from services.feature.offers.price_list import Application, Row

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
ITEMS = tuple(f"item-{number}" for number in range(6))
PER_MINUTE = 4
CHANGE_AT = 30
"""Minute at which half of the items become a tenth cheaper."""


def page(number, minute, prices, generation, segment="a", seconds=0.0):
    """One page that sees all items; `prices` are by item, in the currency."""
    exposure = events_pb2.Exposure(
        page_id=f"page-{number}",
        shopper_key=f"{number % 7:032x}",
        session_key=f"{number:032x}",
        snapshot_version=generation,
        plan_request=policy_pb2.PlanPageRequest(session={"segment": segment}).SerializeToString(),
    )
    exposure.time.FromDatetime(BEGIN + timedelta(minutes=minute, seconds=seconds))
    inputs = ranking_pb2.RankingInputs(item_ids=list(prices))
    inputs.item_facts.price_micros.extend(round(1e6 * price) for price in prices.values())
    inputs.item_facts.discount.extend(1 - price / 100 for price in prices.values())
    exposure.ranking_inputs = zlib.compress(inputs.SerializeToString())
    slot = exposure.slots.add(slot_id="slot-0", module_id="deals", family="promotion")
    # The policy's own right: an offer is shown to some alone.
    for item_id in list(prices)[number % 3 :][:3]:
        slot.items.add(item_id=item_id)
    return exposure


def purchase(number, exposure, item_id, price, minutes=1.0):
    event = events_pb2.Event(
        event_id=f"bought-{number}",
        type=events_pb2.EVENT_TYPE_PURCHASE,
        page_id=exposure.page_id,
        item_id=item_id,
        slot_id="slot-0",
        shopper_key=exposure.shopper_key,
        session_key=exposure.session_key,
        quantity=1,
        price_micros=round(1e6 * price),
    )
    event.time.FromDatetime(exposure.time.ToDatetime(UTC) + timedelta(minutes=minutes))
    return event


def prices_at(minute):
    return {item: 90.0 if minute >= CHANGE_AT and place % 2 else 100.0 for place, item in enumerate(ITEMS)}


@pytest.fixture
def honest():
    """An hour of pages of a shop that changes prices once, and its purchases."""
    generator, pages, events = random.Random(3), [], []
    for minute in range(60):
        for part in range(PER_MINUTE):
            number = PER_MINUTE * minute + part
            prices = prices_at(minute)
            made = page(number, minute, prices, f"g{int(minute >= CHANGE_AT)}", "ab"[number % 2], 15.0 * part)
            pages.append(made)
            if part == 0:
                item = generator.choice(ITEMS)
                events.append(purchase(number, made, item, prices[item]))
    return pages, events


@pytest.fixture
def written(tmp_path):
    def write(pages, events):
        log.write(tmp_path / "log", "exposures", [log.exposure_row(one) for one in pages], "one")
        log.write(tmp_path / "log", "events", [log.event_row(one) for one in events], "one")
        return tmp_path / "log"

    return write


def listed(store, minute=CHANGE_AT):
    rows = [
        Row(item, "garden", 0.0, 100_000_000, 100_000_000, round(1e6 * price), "", "", "", 0, 0, 0, 0, 0, 0)
        for item, price in prices_at(minute).items()
    ]
    moment = round((BEGIN + timedelta(minutes=minute)).timestamp() * 1e6)
    version = price_list.publish(store, rows, moment, {"seed": 0})
    price_list.note(store, Application(version, moment))
    return version


def test_parity_is_proven_where_prices_change_for_all_at_once(honest, written, tmp_path):
    listed(tmp_path / "offers")
    report = audit.audit(written(*honest), tmp_path / "offers")
    assert report.is_proven
    assert report.by_segment == ()
    assert (report.page_count, report.price_count) == (240, 240 * len(ITEMS))
    assert report.cell_count == report.shared_count == report.segments_count == 2 * len(ITEMS)
    assert (report.purchase_count, report.unproven_count) == (60, 0)


def test_a_price_for_one_segment_is_found_with_its_pages_and_what_the_segment_pays(honest, written):
    pages, events = honest
    for number in (40, 44, 48):
        pages[number] = page(number, number / 4, prices_at(0) | {"item-2": 107.0}, "g0", "b")
    report = audit.audit(written(pages, events))
    (found,) = report.violations
    assert (found.kind, found.item_id) == (Kind.GENERATION, "item-2")
    assert (found.price_micros, found.wanted_micros) == (107_000_000, 100_000_000)
    assert (found.page_ids, found.count, found.where) == (("page-40", "page-44", "page-48"), 3, "g0")
    deviation = {one.segment: one.mean for one in report.by_segment}
    assert deviation["a"] == 0
    assert deviation["b"] > 0


def test_two_prices_at_one_moment_are_found_under_generations_of_their_own(honest, written):
    """Somebody's pages are made from items of their own: each generation is true to itself."""
    pages, events = honest
    for number in range(20, 100, 8):
        pages[number] = page(number, number / 4, prices_at(0) | {"item-4": 95.0}, "g0-b", "b")
    found, *charges = audit.audit(
        written(pages, [one for one in events if one.item_id != "item-4"])
    ).violations
    assert (found.kind, found.item_id, found.where) == (Kind.MOMENT, "item-4", "g0-b")
    assert (found.price_micros, found.wanted_micros, found.count) == (95_000_000, 100_000_000, 10)
    assert found.page_ids[0] == "page-20"
    assert charges == []


def test_a_change_may_take_five_seconds_to_reach_all_workers_and_no_longer(honest, written):
    pages, events = honest
    late = page(900, CHANGE_AT, prices_at(0), "g0", seconds=4.0)
    assert audit.audit(written([*pages, late], events)).is_proven
    later = page(901, CHANGE_AT, prices_at(0), "g0", seconds=14.0)
    found = audit.audit(written([*pages, later], events)).violations
    assert {one.kind for one in found} == {Kind.MOMENT}
    assert {one.item_id for one in found} == {"item-1", "item-3", "item-5"}


def test_a_price_that_comes_back_after_an_offer_is_no_breach(honest, written):
    pages, events = honest
    again = [page(1_000 + n, 90 + n, prices_at(0), "g2") for n in range(5)]
    assert audit.audit(written([*pages, *again], events)).is_proven


def test_who_pays_another_price_than_was_in_force_is_found(honest, written):
    pages, events = honest
    events.append(purchase(500, pages[8], "item-0", 104.0))
    (found,) = audit.audit(written(pages, events)).violations
    assert (found.kind, found.item_id, found.page_ids) == (Kind.CHARGE, "item-0", ("page-8",))
    assert (found.price_micros, found.wanted_micros, found.where) == (104_000_000, 100_000_000, "bought-500")


def test_who_pays_later_pays_what_the_page_said_or_what_is_in_force_then(honest, written):
    pages, events = honest
    shown_before = pages[4 * CHANGE_AT - 4]
    events += [purchase(600 + n, shown_before, "item-1", price, 10) for n, price in enumerate((100.0, 90.0))]
    assert audit.audit(written(pages, events)).is_proven
    # The new price before it is in force is nobody's price.
    events.append(purchase(700, pages[0], "item-1", 90.0))
    assert [one.where for one in audit.audit(written(pages, events)).violations] == ["bought-700"]


def test_what_the_log_cannot_prove_is_counted_and_not_passed_off_as_proven(honest, written):
    pages, events = honest
    pages[10].ranking_inputs = b""
    events += [purchase(800, pages[5], "item-0", 0.0), purchase(801, pages[5], "unheard-of", 5.0)]
    report = audit.audit(written(pages, events))
    assert (report.unpriced_count, report.unproven_count) == (1, 2)


def test_pages_at_another_price_than_that_of_the_list_are_found(honest, written, tmp_path):
    pages, events = honest
    version = listed(tmp_path / "offers")
    for number in range(200, 240):
        pages[number] = page(number, number / 4, prices_at(50) | {"item-0": 88.0}, "g2")
    events = [one for one in events if one.item_id != "item-0"]
    (found,) = audit.audit(written(pages, events), tmp_path / "offers").violations
    assert (found.kind, found.item_id, found.where) == (Kind.LIST, "item-0", version)
    assert (found.price_micros, found.wanted_micros, found.count) == (88_000_000, 100_000_000, 40)


def test_the_command_ends_with_an_error_and_names_the_page_where_parity_is_broken(honest, written, tmp_path):
    pages, events = honest
    arguments = ["audit", "prices", "--log", str(tmp_path / "log"), "--store", str(tmp_path / "offers")]
    written(pages, events)
    done = CliRunner().invoke(cli.application(), arguments)
    assert done.exit_code == 0, done.output
    assert "parity holds" in done.output
    pages[40] = page(40, 10, prices_at(0) | {"item-2": 107.0}, "g0", "b")
    written(pages, events)
    done = CliRunner().invoke(cli.application(), arguments)
    assert done.exit_code == 1
    assert "page-40" in done.output
    assert "parity does not hold" in done.output
