"""Offers from the log to the page: counted, chosen, kept as lists, applied, and the same for every shopper."""

from __future__ import annotations

import asyncio
import json
import resource
import zlib
from dataclasses import replace
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from planogram.files import catalogue, log
from planogram.layout.v1 import ranking_pb2
from services.common import cli
from services.common.errors import ConfigurationError, Incompatible, NotFound
from services.common.testing import serve
from services.feature.__main__ import SERVICE
from services.feature.offers import applying, current, evidence, price_list
from services.feature.offers.price_list import Application, Row


def page(shop, number, prices, shown, minutes=0, family="deep", **fields):
    """A page that sees some items at (price, list price) and shows some of them in one slot."""
    exposure = events_pb2.Exposure(page_id=f"seen-{number}", session_key=f"{number:032x}", **fields)
    exposure.time.FromDatetime(shop.now - timedelta(days=20) + timedelta(minutes=minutes))
    inputs = ranking_pb2.RankingInputs(item_ids=list(prices))
    inputs.item_facts.price_micros.extend(round(1e6 * price) for price, _ in prices.values())
    inputs.item_facts.discount.extend(1 - price / listed for price, listed in prices.values())
    exposure.ranking_inputs = zlib.compress(inputs.SerializeToString())
    slot = exposure.slots.add(slot_id="slot-0", module_id="any", family=family)
    for item_id in shown:
        slot.items.add(item_id=item_id)
    return exposure


def row(item_id, price, previous=100.0):
    micros = (round(1e6 * amount) for amount in (100, previous, price))
    return Row(item_id, "garden", 1 - price / 100, *micros, "", "", "earns most", 1.0, 1.0, 1, 1, 1, 0.5)


@pytest.fixture
def written(tmp_path):
    def write(pages, events):
        log.write(tmp_path / "log", "exposures", [log.exposure_row(one) for one in pages], "one")
        log.write(tmp_path / "log", "events", [log.event_row(one) for one in events], "one")
        return tmp_path / "log"

    return write


def now_us(shop):
    return round(shop.now.timestamp() * 1e6)


def test_views_and_purchases_are_counted_by_item_week_family_and_cut(shop, written, make_event):
    at_list, cut = {"a": (100, 100), "b": (50, 50)}, {"a": (80, 100), "b": (50, 50)}
    pages = [
        page(shop, 0, at_list, ["a", "b"]),
        page(shop, 1, at_list, ["a"], 1),
        page(shop, 2, cut, ["a"], 2, family="promotion"),
        page(shop, 3, cut, ["a"], 3),  # never in view
        page(shop, 4, cut, ["unpriced"], 4),
    ]
    events = [
        make_event("IMPRESSION", shop.now, page_id=f"seen-{number}", slot_id="slot-0") for number in (0, 1, 4)
    ]
    bought = {"page_id": "seen-2", "slot_id": "slot-0", "item_id": "a", "price_micros": 80_000_000}
    events.append(make_event("PURCHASE", shop.now, **bought))  # its impression was lost
    categories = {"a": "garden", "b": "kitchen", "c": "garden"}
    found = evidence.read(written(pages, events), categories, 90, now_us(shop))
    cells = found.cells
    assert (cells.item_ids, cells.categories) == (["a", "b", "c"], ["garden", "kitchen"])
    assert cells.item.tolist() == [0, 0, 1]
    assert cells.period.tolist() == [2, 2, 2]
    assert [evidence.FAMILIES[family] for family in cells.family] == ["promotion", "deep", "deep"]
    assert cells.depth.tolist() == pytest.approx([0.22314, 0, 0], abs=1e-4)
    assert cells.exposures.tolist() == [1, 2, 1]
    assert cells.purchases.tolist() == [1, 0, 0]
    assert (found.page_count, found.unpriced_count) == (5, 0)
    begin = round((shop.now - timedelta(days=20)).timestamp() * 1e6)
    assert found.history["a"] == [(begin, 100_000_000), (begin + 120_000_000, 80_000_000)]
    assert found.history["b"] == [(begin, 50_000_000)]


def test_what_the_pipeline_set_aside_and_what_is_out_of_the_window_counts_nothing(shop, written, make_event):
    prices = {"a": (100, 100)}
    pages = [page(shop, number, prices, ["a"], number) for number in range(3)]
    pages.append(page(shop, 3, prices, ["a"], -60 * 24 * 100))
    pages[2].ranking_inputs = b""
    events = [make_event("IMPRESSION", shop.now, page_id=f"seen-{n}", slot_id="slot-0") for n in range(4)]
    folder = written(pages, events)
    log.write(folder, "set-aside", [{"session_key": f"{1:032x}", "event_id": "", "reason": "robot"}], "one")
    found = evidence.read(folder, {"a": "garden"}, 90, now_us(shop))
    assert found.cells.exposures.tolist() == [1]
    assert (found.page_count, found.unpriced_count) == (1, 1)


def test_a_shop_without_a_log_has_no_cells(shop, tmp_path):
    found = evidence.read(tmp_path / "nowhere", {"a": "garden"}, 90, now_us(shop))
    assert (len(found.cells.item), found.page_count) == (0, 0)


def test_a_list_is_kept_as_it_was_and_a_changed_one_is_refused(tmp_path):
    rows = [row("a", 80.0), row('b, "quoted"', 100.0)]
    version = price_list.publish(tmp_path, rows, 1_772_409_600_000_000, {"seed": 3})
    assert version.startswith("20260302T000000-")
    assert price_list.publish(tmp_path, rows, 1_772_409_600_000_000, {"seed": 3}) == version
    assert price_list.read(tmp_path, version) == rows
    assert price_list.newest(tmp_path) == version
    path = tmp_path / version / price_list.PRICES
    path.chmod(0o644)
    path.write_text(path.read_text().replace("80000000", "70000000"))
    with pytest.raises(Incompatible):
        price_list.read(tmp_path, version)


def test_a_store_without_lists_says_what_to_do(tmp_path):
    with pytest.raises(NotFound, match="offers choose"):
        price_list.newest(tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"version": "v"}', ""),
        (b'["v", 1]', ""),
        (b'{"version": "v", "applied_us": "1"}', " applied_us: got '1', want 0 to 2534"),
        (b'{"version": "v", "applied_us": -1}', " applied_us: got -1, want 0 to 2534"),
        (b'{"version": "v", "applied_us": 1, "begun_us": NaN}', " begun_us: got nan, want 0 to 2534"),
        (b'{"version": "v", "applied_us": ' + b"9" * 5_000 + b"}", " Exceeds the limit"),
        (b'{"version": 1, "applied_us": 1}', " version: got 1, want a text"),
        (b"[" * 100_000, ""),
        (b"\xff\0", ""),
    ],
)
def test_a_line_that_tells_of_no_list_is_named(tmp_path, line, said):
    whole = b'{"version": "v", "applied_us": 1}\n'
    (tmp_path / price_list.APPLIED).write_bytes(whole + line + b"\n" + whole)
    with pytest.raises(ConfigurationError, match=rf"applied.jsonl:2:{said}"):
        price_list.applied(tmp_path)


@pytest.mark.parametrize("cut", [1, 9, 20, 40])
def test_a_line_that_was_cut_short_keeps_nobody_from_the_others(tmp_path, cut):
    first, second = Application("one", 5, 4), Application("two", 9, 8)
    path = tmp_path / price_list.APPLIED
    price_list.note(tmp_path, replace(first, applied_us=0))
    before = path.read_bytes()
    price_list.note(tmp_path, replace(second, applied_us=0))
    path.write_bytes(path.read_bytes()[: len(before) + cut])
    assert price_list.applied(tmp_path) == [replace(first, applied_us=0)]
    price_list.note(tmp_path, replace(second, applied_us=0))
    assert price_list.applied(tmp_path) == [replace(first, applied_us=0), replace(second, applied_us=0)]
    path.write_bytes(path.read_bytes().rstrip())  # as editors leave files
    price_list.note(tmp_path, replace(first, begun_us=10, applied_us=0))
    assert len(price_list.applied(tmp_path)) == 3


def test_a_full_disk_leaves_the_list_of_applied_lists_as_it_was(tmp_path):
    price_list.note(tmp_path, Application("one", 0, 4))
    path = tmp_path / price_list.APPLIED
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
    try:
        with pytest.raises(OSError):
            price_list.note(tmp_path, Application("two", 0, 8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    price_list.note(tmp_path, Application("two", 0, 8))
    assert [one.version for one in price_list.applied(tmp_path)] == ["one", "two"]


def test_applied_lists_are_part_of_what_prices_were(tmp_path):
    for time, price, previous in ((50, 80.0, 100.0), (70, 100.0, 80.0)):
        version = price_list.publish(tmp_path, [row("a", price, previous)], time, {})
        price_list.note(tmp_path, Application(version, time))
    seen = {"a": [(10, 100_000_000), (52, 80_000_000)], "other": [(5, 1)]}
    merged = price_list.with_applied(seen, tmp_path)
    assert merged["a"] == [(10, 100_000_000), (50, 80_000_000), (70, 100_000_000)]
    assert merged["other"] == [(5, 1)]
    assert price_list.with_applied({}, tmp_path)["a"][0] == (0, 100_000_000)


async def priced(service, user, item_ids, consent=context_pb2.CONSENT_GRANTED):
    """Price and cut of items on a page of one shopper."""
    request = feature_pb2.GatherPageRequest(
        shopper=context_pb2.Shopper(user_id=user, session_id=f"visit of {user}", consent=consent),
        context=context_pb2.PageContext(
            page_type=context_pb2.PAGE_TYPE_HOME, device=context_pb2.DEVICE_PHONE
        ),
        modules=[
            feature_pb2.ModuleRequest(
                module_id="list", source=feature_pb2.CANDIDATE_SOURCE_LIST, item_ids=item_ids
            )
        ],
    )
    answer = await service.stub.GatherPage(request)
    facts = answer.item_facts
    prices = zip(facts.price_micros, facts.discount, facts.margin_micros, strict=True)
    return answer.snapshot_version, dict(zip(answer.item_ids, prices, strict=True))


class Calling:
    """The upstream of a service behind a stub."""

    def __init__(self, stub):
        self._stub = stub

    async def call(self, method, request, timeout_s, *, wait_for_ready=False):
        return await getattr(self._stub, method)(request, timeout=timeout_s)


async def test_shoppers_of_any_kind_see_the_same_prices_in_the_same_moment(service):
    """Heavy buyers, strangers and those without consent, before and after a price list."""
    items = [f"item-{number:03d}" for number in (0, 1, 2, 3, 4, 6, 7)]
    shoppers = [f"user-{number}" for number in range(9)] + ["nobody knows me"]

    async def everybody():
        asked = [priced(service, user, items) for user in shoppers]
        asked += [priced(service, "", items, context_pb2.CONSENT_REFUSED)]
        return await asyncio.gather(*asked)

    before = await everybody()
    assert len(before[0][1]) == len(items)
    assert all(one == before[0] for one in before)
    rows = [row(item_id, 2.0 + place / 4) for place, item_id in enumerate(items)]
    assert await applying.apply(Calling(service.stub), [*rows, row("unheard-of", 1.0)]) == ["unheard-of"]
    after = await everybody()
    assert all(one == after[0] for one in after)
    assert after[0][0] != before[0][0]
    assert {item: price for item, (price, *_) in after[0][1].items()} == {
        one.item_id: one.price_micros for one in rows
    }


def test_prices_are_written_into_a_catalogue_and_costs_stay(shop, tmp_path):
    path = catalogue.write(tmp_path / "items.parquet", shop.items)
    before = {item.item_id: item for item in current.items(path, tmp_path)}
    applying.write_catalogue(path, [row("item-001", 3.5)])
    after = {item.item_id: item for item in current.items(path, tmp_path)}
    assert after["item-001"].price_micros == 3_500_000
    assert after["item-001"].cost_micros == before["item-001"].cost_micros
    assert after["item-001"].list_price_micros == before["item-001"].list_price_micros
    assert all(after[item_id] == item for item_id, item in before.items() if item_id != "item-001")


@pytest.fixture
def command(settings, tmp_path, monkeypatch):
    """Runs the command line over the shop's copy; the store is `tmp_path / "offers"`."""
    for name in ("state_path", "catalogue_path", "log_path", "shopper_key_path"):
        monkeypatch.setenv(f"PLANOGRAM_FEATURE_{name.upper()}", str(getattr(settings, name)))

    def run(*arguments):
        return CliRunner().invoke(cli.application(), [*arguments, "--store", str(tmp_path / "offers")])

    return run


def test_the_command_writes_a_list_within_the_rules_and_the_same_one_again(command, shop, tmp_path):
    at = ("--at", f"{shop.now:%Y-%m-%dT%H:%M:%S}", "--seed", "4")
    done = command("offers", "choose", *at)
    assert done.exit_code == 0, done.output
    version = price_list.newest(tmp_path / "offers")
    assert version in done.output
    rows = price_list.read(tmp_path / "offers", version)
    priced_items = current.items(shop.catalogue_path, tmp_path / "state")
    assert [one.item_id for one in rows] == [item.item_id for item in priced_items]
    assert any(one.level > 0 for one in rows)
    cost = {item.item_id: item.cost_micros for item in priced_items}
    for one in rows:
        if one.level > 0:
            assert one.price_micros - cost[one.item_id] >= 0.08 * one.price_micros
    manifest = json.loads((tmp_path / "offers" / version / "manifest.json").read_text())
    assert set(manifest["elasticity"]) == {"garden", "kitchen", "living"}
    assert command("offers", "choose", *at).exit_code == 0
    assert price_list.newest(tmp_path / "offers") == version


def test_a_dry_run_sends_nothing_and_a_service_that_is_away_is_told(command, shop, tmp_path, monkeypatch):
    command("offers", "choose", "--at", f"{shop.now:%Y-%m-%dT%H:%M:%S}")
    done = command("offers", "apply", "--dry-run")
    assert done.exit_code == 0
    assert "nothing was sent" in done.output
    assert price_list.applied(tmp_path / "offers") == []
    monkeypatch.setattr(applying, "_TIMEOUT_S", 0.2)
    done = command("offers", "apply", "--target", "127.0.0.1:1")
    assert done.exit_code == 1
    assert "not all prices were applied" in done.output
    (begun,) = price_list.applied(tmp_path / "offers")
    assert begun.begun_us > 0 and begun.applied_us == 0  # how far it came, nobody knows


async def test_a_list_reaches_a_running_service_and_is_noted(command, shop, service, settings, tmp_path):
    moment = f"{shop.now:%Y-%m-%dT%H:%M:%S}"
    async with serve(service.servicer, SERVICE.add_to_server, SERVICE.full_name, SERVICE.roles) as address:
        assert command("offers", "choose", "--at", moment, "--seed", "4").exit_code == 0
        done = await asyncio.to_thread(command, "offers", "apply", "--target", address)
    assert done.exit_code == 0, done.output
    version = price_list.newest(tmp_path / "offers")
    rows = price_list.read(tmp_path / "offers", version)
    (application,) = price_list.applied(tmp_path / "offers")
    assert application.version == version
    changed = [one for one in rows if one.price_micros != one.previous_price_micros]
    _, seen = await priced(service, "user-1", [one.item_id for one in changed[:50]])
    assert len(seen) > 10
    assert all(seen[one.item_id][0] == one.price_micros for one in changed if one.item_id in seen)
    # What was pushed is what the next list begins from.
    items = current.items(shop.catalogue_path, settings.state_path)
    assert {item.item_id: item.price_micros for item in items} == {
        one.item_id: one.price_micros for one in rows
    }
