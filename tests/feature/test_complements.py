"""Does a cart get what goes with it, and not more of the same? On the synthetic shop, before any log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planogram.feature.v1 import feature_pb2
from planogram.files import catalogue
from services.common import artifacts
from services.feature.items.generation import Generation
from services.feature.items.snapshot import load
from services.feature.pages.candidates import ModuleQuery, Visit, candidates
from services.feature.pipeline.run import run
from services.feature.storage.journal import Journal
from services.feature.storage.store import Store
from simulator.catalogue import make, subcategory_of

LIMIT = 16
CART_COUNT = 200


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    folder = tmp_path_factory.mktemp("synthetic")
    items = make(seed=0, as_of=datetime.now(UTC), item_count=1_000)
    store, journal = Store(folder / "state", "", timedelta(days=400)), Journal(folder / "state")
    run(
        store=store,
        journal=journal,
        catalogue_path=catalogue.write(folder / "items.parquet", items),
        log_path=folder / "log",
        snapshots_path=folder / "snapshots",
        kept_count=16,
    )
    journal.close()
    store.close()
    version = artifacts.current_version(folder / "snapshots")
    assert version is not None
    return load(Path(folder, "snapshots"), version)


def found(generation: Generation, source: str, **visit: Any) -> np.ndarray:
    query = ModuleQuery("module", feature_pb2.CandidateSource.Value(f"CANDIDATE_SOURCE_{source}"), LIMIT)
    return candidates(generation, query, Visit(generation.newest_s + 1, is_settled=True, **visit))


@pytest.mark.parametrize("size", [1, 3, 6])
def test_a_cart_gets_complements_and_no_substitutes(generation: Generation, size: int) -> None:
    kinds = np.array([subcategory_of(item_id.decode()) for item_id in generation.columns.ids])
    random = np.random.default_rng(0)
    products = np.flatnonzero(generation.is_product_shown)
    shares: dict[str, list[float]] = {"BOUGHT_TOGETHER": [], "SIMILAR": []}
    for _ in range(CART_COUNT):
        cart = random.choice(products, size, replace=False).tolist()
        complements = found(generation, "BOUGHT_TOGETHER", cart_rows=cart)
        assert len(complements) >= LIMIT // 4 and not set(complements.tolist()) & set(cart)
        shares["BOUGHT_TOGETHER"].append(np.isin(kinds[complements], kinds[cart]).mean())
        alike = found(generation, "SIMILAR", item_row=cart[0])
        shares["SIMILAR"].append(np.isin(kinds[alike], kinds[cart]).mean())
    told = ", ".join(f"{name.lower()} {np.mean(share):.2%}" for name, share in shares.items())
    print(f"\n{size} in the cart; candidates of a kind that lies in it: {told}")
    assert np.mean(shares["BOUGHT_TOGETHER"]) < 0.01
    assert np.mean(shares["SIMILAR"]) > 0.8, "what is alike is of the same kind"


def test_what_is_bought_with_an_item_stays_though_it_is_alike(generation: Generation) -> None:
    first, second = np.flatnonzero(generation.is_product_shown)[[0, -1]].tolist()
    alike = next(
        row for row in generation.columns.similar[first].tolist() if generation.is_product_shown[row]
    )

    def with_companion(*anchors: int) -> Generation:
        companions = generation.columns.companions.copy()
        companions[list(anchors), 0] = alike
        return replace(generation, columns=replace(generation.columns, companions=companions))

    cart = [first, second]
    assert alike in found(with_companion(first), "BOUGHT_TOGETHER", cart_rows=cart)
    assert alike not in found(with_companion(second), "BOUGHT_TOGETHER", cart_rows=cart)


def test_the_page_of_an_article_has_those_nearest_to_it(generation: Generation) -> None:
    columns = generation.columns
    articles = generation.ranked["articles"].of(0)
    for row in articles[:20].tolist():
        others = found(generation, "ARTICLES", item_row=row).tolist()
        assert len(others) == LIMIT and row not in others
        nearness = columns.item_vector[articles] @ columns.item_vector[row]
        nearness[articles == row] = -2
        best = np.sort(nearness)[::-1][:LIMIT]
        assert columns.item_vector[others] @ columns.item_vector[row] == pytest.approx(best, abs=1e-6)
    ranked = found(generation, "ARTICLES", item_row=int(np.flatnonzero(generation.is_product_shown)[0]))
    assert ranked.tolist() == articles[:LIMIT].tolist(), "a product's page has them by rank"
