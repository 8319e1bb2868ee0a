"""Are items near a taste found by inverted lists, and only those that may be?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planogram.feature.v1 import feature_pb2
from services.common import artifacts
from services.feature.indexes import neighbours
from services.feature.items import building, snapshot
from services.feature.items.overlay import overlay
from services.feature.pages.candidates import ModuleQuery, Visit, candidates
from services.feature.shoppers.taste import Taste
from services.feature.storage.journal import Journal, Offer

D = 16
FOR_YOU = feature_pb2.CANDIDATE_SOURCE_FOR_YOU


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """Vectors around 50 centres, their popularity, and an index of every second item."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(50, D))
    vectors = centres[random.integers(50, size=12_000)] + 0.5 * random.normal(size=(12_000, D))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    popularity = (0.1 * random.random(12_000)).astype(np.float32)
    path = tmp_path_factory.mktemp("index") / "neighbours.faiss"
    neighbours.write(path, vectors, popularity, np.arange(0, 12_000, 2))
    return vectors, popularity, path


def test_nearly_all_of_the_true_nearest_are_found_best_first(crowd: Any) -> None:
    vectors, popularity, path = crowd
    random = np.random.default_rng(1)
    is_allowed = (np.arange(len(vectors)) % 2 == 0) & (random.random(len(vectors)) < 0.9)
    found_by = neighbours.Neighbours(neighbours.read(path), is_allowed)
    shares = []
    for row in random.integers(len(vectors), size=100):
        scores = np.where(is_allowed, vectors @ vectors[row] + popularity, -np.inf)
        found = found_by.nearest(vectors[row], 20)
        assert is_allowed[found].all() and len(set(found.tolist())) == 20
        assert (np.diff(scores[found]) <= 1e-6).all()
        shares.append(np.isin(found, np.argsort(-scores)[:20]).mean())
    assert np.mean(shares) > 0.97


def test_fewer_than_wanted_are_found_where_fewer_are_allowed(crowd: Any) -> None:
    vectors, _, path = crowd
    is_allowed = np.zeros(len(vectors), np.bool_)
    is_allowed[[0, 3]] = True, True  # the second is not in the index
    assert neighbours.Neighbours(neighbours.read(path), is_allowed).nearest(vectors[0], 5).tolist() == [0]


def test_a_shop_with_an_index_recommends_what_comparing_all_gives(
    settings: Any, open_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "EXACT_COUNT", 0)
    journal = Journal(settings.state_path)
    store = open_store(settings.state_path)
    version = building.build(store, journal, settings.snapshots_path, datetime.now(UTC))
    journal.close()
    built = snapshot.load(settings.snapshots_path, version)
    assert built.neighbours is not None
    sold_out = built.columns.ids[np.flatnonzero(built.is_product_shown)[0]].decode()
    offer = Offer(sold_out, price_micros=5_000_000, stock=0, is_active=True, changed_us=2**60)
    random = np.random.default_rng(0)
    for generation in (built, overlay(built, [offer], 1)):
        plain = replace(generation, neighbours=None)
        for limit in (3, 10, 200):
            taste = random.normal(size=D).astype(np.float32)
            taste /= np.linalg.norm(taste)
            bought = np.flatnonzero(generation.is_product_shown)[-2:].astype(np.int32)
            visit = Visit(
                generation.newest_s, is_settled=True, bought_rows=bought, taste=Taste(taste, {}, 10)
            )
            query = ModuleQuery("m", FOR_YOU, limit)
            found = candidates(generation, query, visit).tolist()
            assert found == candidates(plain, query, visit).tolist() != []
            assert not set(found) & set(bought.tolist())
            assert generation is built or built.row_of(sold_out) not in found


def test_a_small_shop_has_no_index(settings: Any) -> None:
    version = artifacts.current_version(settings.snapshots_path)
    assert version and not (settings.snapshots_path / version / snapshot.INDEX_FILE).exists()
    assert snapshot.load(settings.snapshots_path, version).neighbours is None
