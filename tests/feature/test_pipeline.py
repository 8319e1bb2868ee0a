"""Does the pipeline count what happened, set aside what did not, and fill Feast?"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from planogram.files import log
from services.common import cli
from services.common.errors import ConfigurationError
from services.common.executor import BoundedExecutor
from services.feature.items.live import ItemChange, LiveItems
from services.feature.pipeline import vectors as vector_module
from services.feature.pipeline.clean import REASONS, clean, log_end, write_set_aside
from services.feature.pipeline.companions import companions
from services.feature.pipeline.run import run
from services.feature.pipeline.statistics import CLICK_PRIOR, NO_TOUCHES, Touches, item_statistics
from services.feature.pipeline.vectors import co_click_counts, item_vectors
from services.feature.reviews.ledger import ReviewLedger
from services.feature.shoppers import profile as profiles
from services.feature.shoppers import serialization
from services.feature.shoppers.acts import ShopperEvent
from services.feature.shoppers.known import known_of
from services.feature.shoppers.profile import apply_events
from services.feature.storage.journal import Journal, Offer
from services.feature.storage.store import OFFER, PROFILE, Row, Store

NOW = datetime(2026, 5, 1, tzinfo=UTC)
KEY, SESSION = "a" * 32, "b" * 32


@pytest.fixture
def cleaned(tmp_path: Path, make_event: Callable[..., Any]) -> Callable[..., Any]:
    """Cleans a log of the given events."""

    def run_(events: list[Any], forgotten: dict[str, int] | None = None) -> Any:
        log.write(tmp_path, "events", [log.event_row(event) for event in events], "x")
        return clean(tmp_path, frozenset({"known"}), forgotten or {}, NOW)

    return run_


def test_every_reason_is_counted_and_set_aside(
    cleaned: Callable[..., Any], make_event: Callable[..., Any]
) -> None:
    common = {"shopper_key": KEY, "session_key": SESSION, "item_id": "known"}
    before = NOW - timedelta(hours=1)
    good = make_event("CLICK", before, **common)
    fast = {"session_key": "c" * 32}
    steady = {"session_key": "d" * 32}
    events = [
        good,
        good,
        make_event("CLICK", before + timedelta(milliseconds=400), **common),
        make_event("CLICK", NOW + timedelta(seconds=1), **common),
        make_event("CLICK", datetime(1999, 1, 1, tzinfo=UTC), **common),
        make_event("DWELL", before, dwell_ms=10**9, **common),
        make_event("PURCHASE", before, quantity=5_000, **common),
        make_event("RATING", before, rating=6, **common),
        make_event("CLICK", before, shopper_key=KEY, session_key=SESSION),
        make_event("CLICK", before, shopper_key=KEY, session_key=SESSION, item_id="gone"),
        make_event("CLICK", before, shopper_key="f" * 32, item_id="known"),
        *(
            make_event("IMPRESSION", before + timedelta(seconds=n), page_id=f"fast-{n}", **fast)
            for n in range(25)
        ),
        *(
            make_event("CLICK", before + timedelta(minutes=n), page_id=f"m-{n}", item_id="known", **steady)
            for n in range(9)
        ),
    ]
    result = cleaned(events, {log.shopper_digest("f" * 32): round(NOW.timestamp() * 1e6)})
    assert result.counts == {
        "duplicate_id": 1,
        "duplicate_click": 1,
        "impossible_time": 2,
        "impossible_value": 3,
        "missing_item": 1,
        "unknown_item": 1,
        "forgotten_shopper": 1,
        "bot_rate": 25,
        "bot_behaviour": 9,
    }
    assert set(result.counts) == set(REASONS)
    assert result.events.column("event_id").to_pylist() == [good.event_id]
    assert result.events.num_rows + result.rejected.num_rows == len(events), "nothing is dropped silently"


def test_what_models_must_not_learn_from_is_named_beside_the_log(
    cleaned: Callable[..., Any], make_event: Callable[..., Any], tmp_path: Path
) -> None:
    before = NOW - timedelta(hours=1)
    person = {"session_key": SESSION, "item_id": "known"}
    good, late = make_event("CLICK", before, **person), make_event("CLICK", NOW + timedelta(1), **person)
    gone = make_event("CLICK", before, session_key=SESSION, item_id="gone")
    bot = [
        make_event(
            "CLICK", before + timedelta(minutes=n), page_id=f"m-{n}", item_id="known", session_key="bot"
        )
        for n in range(9)
    ]
    write_set_aside(tmp_path, cleaned([good, good, late, gone, *bot]))
    assert log.read_set_aside(tmp_path) == log.SetAside(frozenset({"bot"}), frozenset({late.event_id}))
    counted = log.read_counted_events(tmp_path).column("event_id").to_pylist()
    assert sorted(counted) == sorted([good.event_id, gone.event_id])


def test_people_are_no_bots(cleaned: Callable[..., Any], make_event: Callable[..., Any]) -> None:
    keen = [
        make_event(
            kind,
            NOW - timedelta(minutes=30 - n, seconds=s),
            page_id=f"p{n}",
            item_id="known",
            session_key=SESSION,
        )
        for n in range(12)
        for kind, s in (("CLICK", 30), ("DWELL", 10))
    ]
    assert sum(cleaned(keen).counts.values()) == 0


def test_a_robot_without_consent_is_known_by_its_page(
    cleaned: Callable[..., Any], make_event: Callable[..., Any], tmp_path: Path
) -> None:
    """Nobody's pages share the empty session key, so a robot's count alone, and a person's still count."""
    at = NOW - timedelta(hours=1)
    robot = [
        make_event(kind, at + timedelta(milliseconds=after), page_id="r", slot_id=f"s{slot}", item_id="known")
        for kind, after in (("IMPRESSION", 0), ("CLICK", 50))
        for slot in range(4)
    ]
    person = [
        make_event("CLICK", at + timedelta(milliseconds=n), page_id="p", slot_id=f"s{n}", item_id="known")
        for n in range(3)
    ]
    slow = [
        make_event(
            "CLICK", at + timedelta(milliseconds=334 * n), page_id="q", slot_id=f"s{n}", item_id="known"
        )
        for n in range(6)
    ]
    order = [
        make_event("PURCHASE", at, page_id="o", slot_id=f"s{n}", item_id="known", quantity=1)
        for n in range(6)
    ]
    shopper = [
        make_event("CLICK", at, page_id="k", slot_id=f"s{n}", item_id="known", session_key=SESSION)
        for n in range(6)
    ]
    found = cleaned([*robot, *person, *slow, *order, *shopper])
    assert {reason: count for reason, count in found.counts.items() if count} == {"bot_rate": len(robot)}
    write_set_aside(tmp_path, found)
    assert log.read_set_aside(tmp_path) == log.SetAside(
        frozenset(), frozenset(event.event_id for event in robot)
    )


def test_rates_are_posterior_means() -> None:
    quality = np.array([0.5, 0.5], np.float32)
    seen = Touches(np.array([0] * 950), np.zeros(950, np.int64))
    clicked = Touches(np.array([0] * 95), np.zeros(95, np.int64))
    found = item_statistics(quality, seen, clicked, NO_TOUCHES, 0)
    prior = (95 + 0.02 * 1_000) / (950 + 1_000)
    assert found.click_rate == pytest.approx([(95 + 50 * prior) / (950 + 50), prior], rel=1e-5)
    assert list(found.impression_count) == [950, 0]


def test_without_a_log_quality_orders_items() -> None:
    found = item_statistics(np.array([0.0, 0.5, 1.0], np.float32), NO_TOUCHES, NO_TOUCHES, NO_TOUCHES, 0)
    assert found.click_rate == pytest.approx([0.5 * CLICK_PRIOR, CLICK_PRIOR, 1.5 * CLICK_PRIOR])
    assert not found.trend.any()


def test_trend_rises_with_late_clicks_and_falls_with_early_ones() -> None:
    day = 86_400_000_000
    rows = np.array([0] * 30 + [1] * 30)
    times = np.array([27 * day] * 30 + [15 * day] * 30)
    found = item_statistics(
        np.full(3, 0.5, np.float32), NO_TOUCHES, Touches(rows, times), NO_TOUCHES, 28 * day
    )
    assert found.trend[0] > 0.5 and found.trend[1] < -0.1 and found.trend[2] == 0


def test_lift_of_a_case_solved_by_hand() -> None:
    baskets = [[0, 1], [0, 1], [0, 2], [3]]
    found = companions(baskets, 4)
    assert found.rows == [[1], [0], [], []], "one basket together is chance"
    assert found.lifts[0] == pytest.approx([2 * 4 / (3 * 2)])


def test_vectors_are_unit_long_and_place_like_words_together() -> None:
    texts = {
        "title": [f"{colour} {noun}" for noun in ("kettle", "spade") for colour in ("red", "blue", "oak")],
        "category": ["kitchen"] * 3 + ["garden"] * 3,
        "brand": ["acme"] * 6,
        "description": [""] * 6,
    }
    vectors = item_vectors(texts, {})
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    nearness = vectors @ vectors.T
    assert nearness[0, 1] > nearness[0, 3] and nearness[3, 4] > nearness[3, 0]
    assert np.array_equal(vectors, item_vectors(texts, {})), "a build can be repeated"


def test_vectors_of_many_items_equal_an_exact_decomposition() -> None:
    generator = np.random.default_rng(1)
    words = [f"word{n}" for n in range(60)]
    titles = [
        " ".join(generator.choice(words[10 * (row % 6) : 10 * (row % 6) + 14], 5)) for row in range(200)
    ]
    empty = [""] * 200
    texts = {"title": titles, "category": empty, "brand": empty, "description": empty}
    dense = vector_module._dense(vector_module._entries(texts, {}), 1536).astype(float)
    centred = dense - dense.mean(axis=0)
    _, _, right = np.linalg.svd(centred, full_matrices=False)
    projected = centred @ right[:16].T
    exact = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    # The signs of directions are free, so nearness is compared.
    found = item_vectors(texts, {})
    assert np.abs(found @ found.T - exact @ exact.T).max() < 0.02


def test_clicks_in_one_session_pull_items_together() -> None:
    texts = {name: [f"{name}{row}" for row in range(8)] for name in ("title", "category", "brand")}
    texts["description"] = [""] * 8
    sessions = [[0, 1]] * 20 + [[2, 3]] * 20
    near = item_vectors(texts, co_click_counts([*sessions, [0, 1, 1]]))
    far = item_vectors(texts, {})
    # 0 and 1 share no word; sharing company, they stand closer than without.
    assert co_click_counts([[0, 1, 1], [1, 2]]) == {0: {1: 1.0}, 1: {0: 1.0, 2: 1.0}, 2: {1: 1.0}}
    assert not np.allclose(near, far)


def test_pipeline_counts_the_whole_log(shop: Any) -> None:
    report = shop.report
    assert report.item_count == 300 and report.profile_count == 40
    assert report.materialized_profile_count == 40
    assert report.event_count == 40 * 3 * (4 * 2 + 2 * 2 + 2)
    assert not any(report.rejected.values())
    assert pq.read_table(report.rejected_path).num_rows == 0


def test_an_event_of_the_far_future_is_not_the_end_of_the_log(
    make_event: Callable[..., Any], tmp_path: Path
) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    events = [make_event("CLICK", moment, item_id="known") for moment in (now, now + timedelta(days=900))]
    log.write(tmp_path, "events", [log.event_row(event) for event in events], "x")
    found = log_end(tmp_path)
    assert found is not None
    assert abs(found - now) < timedelta(seconds=1)


def _items(settings: Any, store: Store, journal: Journal, writer: Any) -> LiveItems:
    return LiveItems(settings.snapshots_path, store, journal, ReviewLedger(settings.state_path), writer)


def test_replayed_profiles_equal_live_ones(shop: Any, settings: Any, open_store: Any) -> None:
    """The log replayed by the pipeline, against UpdateProfiles' own function event by event."""
    store = open_store(settings.state_path)
    items = _items(settings, store, Journal(settings.state_path), None)
    key = shop.pseudonyms.of("shopper", "user-7")
    profile, digests = profiles.Profile(), b""
    for row in log.read_events(shop.log_path).to_pylist():
        if row["shopper_key"] != key:
            continue
        event = log.event_of(row)
        one = ShopperEvent(
            event.event_id,
            event.time.ToMicroseconds(),
            event.type,
            event.session_key,
            event.page_id,
            event.module_id,
            event.family,
            event.category,
            event.item_id,
            event.rating,
            event.sequence,
        )
        digests, _, _ = apply_events(profile, digests, [one], items.brief, 1024)
    (stored,) = store.read(PROFILE, [key])
    assert stored.values["applied_event_ids"] == digests
    replayed = serialization.loads(stored.values["state"])
    replayed.written_us = profile.written_us
    assert replayed == profile


def test_day_zero_needs_no_log(shop: Any, tmp_path: Path, open_store: Any) -> None:
    report = run(
        store=open_store(tmp_path / "state"),
        journal=Journal(tmp_path / "state"),
        catalogue_path=shop.catalogue_path,
        log_path=tmp_path / "nothing",
        snapshots_path=tmp_path / "state" / "snapshots",
        kept_count=10,
    )
    assert report.item_count == 300 and report.profile_count == 0 and report.rejected_path is None
    assert (tmp_path / "state" / "snapshots" / report.snapshot_version / "manifest.json").is_file()


def test_a_rebuild_keeps_newer_profiles_and_pushes(
    shop: Any, settings: Any, open_store: Callable[..., Store]
) -> None:
    store, journal = open_store(settings.state_path), Journal(settings.state_path)
    key = shop.pseudonyms.of("shopper", "user-1")
    (row,) = store.read(PROFILE, [key])
    profile = serialization.loads(row.values["state"])
    profile.click_count, profile.written_us = 777, profile.written_us + 1
    values = {"state": serialization.dumps(profile, known_of(profile)), "applied_event_ids": b""}
    store.write(PROFILE, [Row(key, shop.now + timedelta(minutes=1), values)])
    changed = round(datetime.now(UTC).timestamp() * 1e6) + 10**6
    offer = Offer("item-001", 123, 7, True, changed)
    schema = store.arrow_schema(OFFER)
    columns = {name: [getattr(offer, name)] for name in schema.names[:-1]}
    store.push_offers(pa.table({**columns, schema.names[-1]: [changed]}, schema=schema))
    journal.push([offer])
    report = run(
        store=store,
        journal=journal,
        catalogue_path=shop.catalogue_path,
        log_path=shop.log_path,
        snapshots_path=settings.snapshots_path,
        kept_count=1024,
    )
    assert report.materialized_profile_count == 0, "the stored ones are as new"
    assert serialization.loads(store.read(PROFILE, [key])[0].values["state"]).click_count == 777
    assert store.read(OFFER, ["item-001"])[0].values["price_micros"] == 123


def test_a_push_keeps_what_another_worker_pushed_a_moment_ago(
    shop: Any, settings: Any, open_store: Any, tmp_path: Path
) -> None:
    store = open_store(settings.state_path)
    assert store.hold_writer_place()
    journals = [Journal(settings.state_path) for _ in range(2)]
    writer = BoundedExecutor("writes", 1, 1)
    workers = [_items(settings, store, journal, writer) for journal in journals]
    now_us = round(shop.now.timestamp() * 1e6)
    workers[0].update([ItemChange("item-001", 7_000_000, None, None)], now_us)
    workers[1].update([ItemChange("item-001", None, 3, None)], now_us)
    (offer,) = journals[0].offers()
    assert (offer.price_micros, offer.stock) == (7_000_000, 3)
    for journal in journals:
        journal.close()
    writer.close()


def test_a_lost_online_store_is_filled_again(
    shop: Any, settings: Any, open_store: Callable[..., Store]
) -> None:
    Journal(settings.state_path).push([Offer("item-001", 123, 7, True, 2**52)])
    for path in settings.state_path.glob("online.db*"):
        path.unlink()
    store = open_store(settings.state_path)
    report = run(
        store=store,
        journal=Journal(settings.state_path),
        catalogue_path=shop.catalogue_path,
        log_path=shop.log_path,
        snapshots_path=settings.snapshots_path,
        kept_count=1024,
    )
    assert report.materialized_profile_count == 40
    (pushed,) = store.read(OFFER, ["item-001"])
    assert pushed is not None and pushed.values["price_micros"] == 123


def test_a_running_service_keeps_its_profiles_to_itself(shop: Any, settings: Any, open_store: Any) -> None:
    holder, builder = open_store(settings.state_path), open_store(settings.state_path)
    assert holder.hold_writer_place()
    report = run(
        store=builder,
        journal=Journal(settings.state_path),
        catalogue_path=shop.catalogue_path,
        log_path=shop.log_path,
        snapshots_path=settings.snapshots_path,
        kept_count=1024,
    )
    assert not report.has_writer_place and report.materialized_profile_count == 0


def test_catalogue_mistakes_are_named(tmp_path: Path, shop: Any, open_store: Any) -> None:
    def attempt(path: Path) -> None:
        run(
            store=open_store(tmp_path / "state"),
            journal=Journal(tmp_path / "state"),
            catalogue_path=path,
            log_path=shop.log_path,
            snapshots_path=tmp_path / "snapshots",
            kept_count=10,
        )

    with pytest.raises(ConfigurationError, match="no such file"):
        attempt(tmp_path / "items.parquet")
    bad = tmp_path / "items.csv"
    bad.write_text("item_id,title,category,stock\na,A,c,1\nb,B,c,-1\n")
    with pytest.raises(ConfigurationError, match="row 2: stock: got -1, want 0 or more"):
        attempt(bad)


def test_join_features_adds_columns_row_for_row(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANOGRAM_FEATURE_STATE_PATH", str(settings.state_path))
    entities, output = tmp_path / "rows.parquet", tmp_path / "joined.parquet"
    table = pa.table({"item_id": ["item-002", "item-001"], "event_timestamp": [datetime.now(UTC)] * 2})
    pq.write_table(table, entities)
    features = ["--feature", "item_attributes:category", "--feature", "item_statistics:click_rate"]
    result = CliRunner().invoke(cli.application(), ["join-features", str(entities), str(output), *features])
    assert result.exit_code == 0, result.output
    joined = pq.read_table(output)
    assert joined.column("item_id").to_pylist() == ["item-002", "item-001"]
    assert joined.column("category").to_pylist() == ["living", "kitchen"]
    assert all(0 < rate < 1 for rate in joined.column("click_rate").to_pylist())


def test_build_features_prints_what_was_set_aside_and_tells_the_trainers(
    shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_event: Callable[..., Any]
) -> None:
    shutil.copytree(shop.log_path, tmp_path / "log")
    bot = [
        make_event(
            "CLICK", shop.now - timedelta(minutes=n), page_id=f"m-{n}", item_id="item-000", session_key="bot"
        )
        for n in range(9)
    ]
    log.write(tmp_path / "log", "events", [log.event_row(event) for event in bot], "bot")
    for name, value in (
        ("STATE_PATH", tmp_path / "state"),
        ("CATALOGUE_PATH", shop.catalogue_path),
        ("LOG_PATH", tmp_path / "log"),
    ):
        monkeypatch.setenv(f"PLANOGRAM_FEATURE_{name}", str(value))
    result = CliRunner().invoke(cli.application(), ["build-features"], env={"COLUMNS": "150"})
    assert result.exit_code == 0, result.output
    for text in ("bot_rate", "impossible_value", "300 items", "40 profiles", "rejected.parquet"):
        assert text in result.output
    assert log.read_set_aside(tmp_path / "log").session_keys == {"bot"}
