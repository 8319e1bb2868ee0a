"""Is the snapshot what Feast holds, and does the service follow it without dropping a page?"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from prometheus_client import REGISTRY

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.common import artifacts
from services.common.errors import ConfigurationError, Incompatible, NotFound
from services.feature import build
from services.feature.items import building, live, schema
from services.feature.items.generation import SUBSTITUTE_COSINE, Generation
from services.feature.items.overlay import overlay
from services.feature.items.snapshot import load
from services.feature.storage.journal import Journal, Offer
from services.feature.storage.store import ITEM_VIEWS, Store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(settings: Any, open_store: Callable[..., Store]) -> Store:
    return open_store(settings.state_path)


def generation_of(settings: Any) -> Generation:
    version = artifacts.current_version(settings.snapshots_path)
    assert version is not None
    return load(settings.snapshots_path, version)


def run_builder(settings: Any) -> str:
    """The builder as operators run it: a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}",
        "PLANOGRAM_FEATURE_STATE_PATH": str(settings.state_path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.feature.build"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_snapshot_equals_feast_for_pushed_and_missing_ids(
    service: Any, settings: Any, open_store: Callable[..., Store]
) -> None:
    changes = [feature_pb2.ItemUpdate(item_id="item-003", price_micros=4_000_000, stock=9)]
    changes.append(feature_pb2.ItemUpdate(item_id="item-004", is_active=False))
    await service.stub.UpdateItems(feature_pb2.UpdateItemsRequest(items=changes))
    builder = open_store(settings.state_path)
    journal = Journal(settings.state_path)
    version = building.build(builder, journal, settings.snapshots_path, datetime.now(UTC))
    journal.close()
    built = load(settings.snapshots_path, version)
    store = service.servicer._store
    ids = [*(raw.decode() for raw in built.columns.ids.tolist()), "nowhere", "", "x" * 200]
    rows = built.rows_of(ids)
    assert list(rows[:-3]) == list(range(built.count)) and list(rows[-3:]) == [-1, -1, -1]
    columns = built.columns
    texts = {"category": built.categories, "brand": built.brands, "seller": built.sellers}
    for view in ITEM_VIEWS:
        found = await service.servicer._readers.submit(store.read, view, ids, datetime.now(UTC))
        assert [row is not None for row in found] == [row >= 0 for row in rows], view
        for place, stored in zip(rows[:-3], found, strict=False):
            for name, value in stored.values.items():
                if name in texts:
                    assert texts[name][getattr(columns, name)[place]] == value
                elif name == "title":
                    assert built.title(place) == value
                elif name == "vector":
                    assert np.array_equal(columns.item_vector[place], np.array(value, np.float32))
                elif name not in ("kind", "companions", "lifts", "recent_clicks", "recent_purchases"):
                    assert getattr(columns, name)[place] == pytest.approx(value), (view, name, place)
    pushed = columns.price_micros[built.row_of("item-003")], columns.stock[built.row_of("item-003")]
    assert pushed == (4_000_000, 9) and not columns.is_active[built.row_of("item-004")]


async def test_a_new_snapshot_is_taken_over_under_load(service: Any, settings: Any) -> None:
    request = feature_pb2.GatherPageRequest(
        shopper=context_pb2.Shopper(user_id="user-0", session_id="s", consent=1),
        context=context_pb2.PageContext(page_type=1),
        modules=[feature_pb2.ModuleRequest(module_id="m", source=5)],
        schema_fingerprints=[schema.FINGERPRINT],
    )
    before = (await service.stub.GatherPage(request)).snapshot_version
    swaps = REGISTRY.get_sample_value("planogram_feature_snapshot_swaps_total") or 0.0
    builder = asyncio.create_task(asyncio.to_thread(run_builder, settings))
    seen = [before]
    while seen[-1] == before and len(seen) < 5_000:
        response = await service.stub.GatherPage(request)
        assert response.item_ids and response.feature_sets
        seen.append(response.snapshot_version)
        await asyncio.sleep(0.01)
    assert await builder == seen[-1] != before
    assert response.snapshot_age_s < 60
    told = {
        name: REGISTRY.get_sample_value(f"planogram_feature_{name}") or 0.0
        for name in ("snapshot_swaps_total", "items", "snapshot_age_seconds", "snapshot_build_seconds")
    }
    assert told["snapshot_swaps_total"] == swaps + 1
    assert told["items"] == service.servicer._items.current.count
    assert 0 < told["snapshot_age_seconds"] < 60 and 0 < told["snapshot_build_seconds"] < 60


async def test_two_snapshots_are_kept(settings: Any, store: Store) -> None:
    journal = Journal(settings.state_path)
    first = artifacts.current_version(settings.snapshots_path)
    second, third = (
        building.build(store, journal, settings.snapshots_path, datetime.now(UTC)) for _ in range(2)
    )
    assert artifacts.versions(settings.snapshots_path) == [second, third]
    assert artifacts.current_version(settings.snapshots_path) == third != first
    # To roll back is to point at the one before.
    artifacts.point(settings.snapshots_path, second)
    assert generation_of(settings).snapshot_version == second


async def test_a_damaged_snapshot_is_refused_and_the_old_one_stays(service: Any, settings: Any) -> None:
    store, journal = service.servicer._store, Journal(settings.state_path)
    items = service.servicer._items
    before = items.current.version
    version = await service.servicer._writer.submit(
        building.build, store, journal, settings.snapshots_path, datetime.now(UTC)
    )
    # The service may have taken the sound one over already; break the next before it is current.
    for _ in range(100):
        await asyncio.sleep(0.02)
        if items.current.snapshot_version == version:
            break
    assert items.current.version != before
    broken = settings.snapshots_path / version.replace("T", "X")
    (settings.snapshots_path / version).rename(broken)
    file = broken / "click_rate.npy"
    file.write_bytes(file.read_bytes()[:-4] + b"\x00\x00\x00\x01")
    artifacts.point(settings.snapshots_path, broken.name)
    await asyncio.sleep(0.3)
    assert items.current.snapshot_version == version
    assert items._refused == broken.name


@pytest.mark.parametrize("key", ["built_s", "encodings", "columns"])
async def test_a_snapshot_whose_parts_do_not_fit_is_refused_and_changes_are_taken(
    service: Any, settings: Any, key: str
) -> None:
    items = service.servicer._items
    before = items.current.snapshot_version
    broken = settings.snapshots_path / f"broken-{key}"
    shutil.copytree(settings.snapshots_path / before, broken)
    manifest = json.loads((broken / "manifest.json").read_text())
    if key == "columns":
        np.save(broken / "stock.npy", np.zeros(3, np.int32))
        manifest["files"]["stock.npy"] = artifacts.sha256(broken / "stock.npy")
    else:
        del manifest[key]
    (broken / "manifest.json").write_text(json.dumps(manifest))
    with structlog.testing.capture_logs() as lines:
        artifacts.point(settings.snapshots_path, broken.name)
        await asyncio.sleep(0.5)
        change = feature_pb2.ItemUpdate(item_id="item-001", stock=7)
        answer = await service.stub.UpdateItems(feature_pb2.UpdateItemsRequest(items=[change]))
    assert answer.applied_count == 1
    assert items.current.snapshot_version == before
    (line,) = [line for line in lines if line["event"] == "snapshot_refused"]
    assert str(broken) in line["problem"]


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"../elsewhere"])
async def test_a_damaged_pointer_is_told_once_and_the_old_snapshot_stays(
    service: Any, settings: Any, content: bytes
) -> None:
    items = service.servicer._items
    before = items.current.snapshot_version
    with structlog.testing.capture_logs() as lines:
        (settings.snapshots_path / "current").write_bytes(content)
        await asyncio.sleep(0.5)
    assert items.current.snapshot_version == before
    assert [line["event"] for line in lines] == [live.SNAPSHOT_REFUSED]


def test_arrays_are_mapped_and_not_copied(settings: Any) -> None:
    generation = generation_of(settings)
    arrays = {name: getattr(generation.columns, name) for name in ("ids", "item_vector", "similar")}
    for name, array in {**arrays, **generation.encoded[schema.FINGERPRINT]}.items():
        while array.base is not None and not isinstance(array, np.memmap):
            array = array.base
        assert isinstance(array, np.memmap), name
        assert not array.flags.writeable


def test_neighbours_are_exact(settings: Any) -> None:
    generation = generation_of(settings)
    columns = generation.columns
    nearness = columns.item_vector @ columns.item_vector.T
    np.fill_diagonal(nearness, -2)
    nearness[:, columns.kind != 1] = -2
    for row in range(0, generation.count, 17):
        best = np.sort(nearness[row])[::-1][: columns.similar.shape[1]]
        assert nearness[row][columns.similar[row]] == pytest.approx(best, abs=1e-6)
        assert row not in columns.similar[row] and row not in columns.companions[row]


def test_bought_together_comes_before_complements(settings: Any, store: Store) -> None:
    generation = generation_of(settings)
    pulled = store.pull_latest("item_companions", datetime.now(UTC)).to_pylist()
    with_pairs = [row for row in pulled if row["companions"]]
    vectors = generation.columns.item_vector
    assert with_pairs, "the shop's log has pairs"
    for row in pulled:
        found = generation.columns.companions[generation.row_of(row["item_id"])]
        names = [generation.columns.ids[place].decode() for place in found if place >= 0]
        assert names[: len(row["companions"])] == row["companions"]
        assert len(names) == len(set(names))
        complements = found[len(row["companions"]) :]
        complements = complements[complements >= 0]
        nearness = vectors[complements] @ vectors[generation.row_of(row["item_id"])]
        assert (nearness < SUBSTITUTE_COSINE).all(), (
            "substitutes stand there only where they are bought together"
        )


def test_an_overlay_leaves_the_generation_below_alone(settings: Any) -> None:
    base = generation_of(settings)
    offers = [
        Offer("item-003", 77_000_000, 0, True, 2**60),
        Offer("item-004", 1, 1, False, 1),
        Offer("nowhere", 1, 1, True, 2**60),
    ]
    above = overlay(base, offers, 5)
    row, older = base.row_of("item-003"), base.row_of("item-004")
    assert above.columns.price_micros[row] == 77_000_000 != base.columns.price_micros[row]
    assert base.is_shown[row] and not above.is_shown[row]
    assert above.columns.price_micros[older] == base.columns.price_micros[older], "an older offer loses"
    assert above.version == f"{base.version}+5"
    assert above.candidates is not base.candidates and above.commons is not base.commons


def test_another_layout_or_nothing_is_refused(settings: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load(settings.snapshots_path, "nothing")
    version = artifacts.current_version(settings.snapshots_path)
    assert version is not None
    path = settings.snapshots_path / version / artifacts.MANIFEST
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "layout": 99}))
    with pytest.raises(Incompatible, match="layout"):
        load(settings.snapshots_path, version)


def test_an_encoding_that_a_snapshot_lacks_is_made_of_its_columns(settings: Any) -> None:
    version = artifacts.current_version(settings.snapshots_path)
    assert version is not None
    built = load(settings.snapshots_path, version)
    path = settings.snapshots_path / version / artifacts.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "encodings": {}}))
    found = load(settings.snapshots_path, version).encoded[schema.FINGERPRINT]
    for name, array in built.encoded[schema.FINGERPRINT].items():
        assert np.array_equal(found[name], array), name


async def test_a_service_without_a_snapshot_says_what_to_run(
    settings: Any, running: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="run `planogram build-features`"):
        async with running(settings.model_copy(update={"state_path": tmp_path / "empty"})):
            pass


def test_builder_without_a_pipeline_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLANOGRAM_FEATURE_STATE_PATH", str(tmp_path / "empty"))
    assert build.main() == 2
    assert "run `planogram build-features`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("query", "want"),
    [
        ("kettle", "kettle"),
        ("KETTLES", "kettle"),
        ("ketle", "kettle"),
        ("kettel", "kettle"),
        ("bookc", "bookcase"),
        ("plantér", "planter"),
    ],
)
def test_search_forgives_typing_errors(settings: Any, query: str, want: str) -> None:
    generation = generation_of(settings)
    rows = generation.search.search(query)
    assert len(rows) >= 15
    assert all(want in generation.title(row) for row in rows[:15])


def test_search_prefers_items_that_match_every_word(settings: Any) -> None:
    generation = generation_of(settings)
    titles = [generation.title(row) for row in generation.search.search("brass kettle")]
    assert titles[0] == "Brass kettle"
    first_partial = next(place for place, title in enumerate(titles) if title != "Brass kettle")
    assert "Brass kettle" not in titles[first_partial:]
    assert not len(generation.search.search("zzzzqqqq")) and not len(generation.search.search("!?"))
