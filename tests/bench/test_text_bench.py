"""Does the comparison of ways to read items' texts replace vectors alone, and judge new items apart?"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from planogram.files import catalogue as files
from services.common.errors import ConfigurationError
from services.feature.items import schema
from services.feature.shoppers.profile import POSITIVE_WEIGHTS
from services.local.bench.click import entrants as networks
from services.local.bench.click.case import Answer
from services.local.bench.text import case as cases
from services.local.bench.text import run, vectors
from services.scoring.training import data
from tests.scoring.conftest import Log

NAMES = [f"item-{number:03d}" for number in range(300)]
CATEGORIES = [f"category-{number % 7}" for number in range(300)]
BRANDS = [f"brand-{number % 11}" if number % 5 else "" for number in range(300)]
NOUNS = ("armchair", "planter", "kettle", "lamp", "rug", "desk", "towel")
TEXTS = {
    "title": [f"{NOUNS[number % 7]} in colour {number % 13}" for number in range(300)],
    "category": CATEGORIES,
    "brand": BRANDS,
    "description": [""] * 300,
}


@pytest.fixture(scope="module")
def items():
    return cases.catalogue(NAMES, CATEGORIES, BRANDS)


@pytest.fixture(scope="module")
def pages(tmp_path_factory, items):
    """A log whose items are those of the catalogue."""
    found = data.read(Log().write(tmp_path_factory.mktemp("log"), 120))
    _, row = np.unique(found.item["item_ids"], axis=0, return_inverse=True)
    codes = np.array(
        [
            [
                schema.hashed(NAMES[at], 16384),
                schema.hashed(CATEGORIES[at], 256),
                schema.hashed(BRANDS[at], 1024),
                1,
            ]
            for at in range(300)
        ],
        np.int32,
    )
    history = found.shopper["history_ids"].copy()
    seen = history[..., 3] > 0
    history[seen, :3] = codes[np.arange(seen.sum()) % 300, :3]
    return dataclasses.replace(
        found,
        item={**found.item, "item_ids": codes[row.reshape(-1)]},
        shopper={**found.shopper, "history_ids": history},
    )


def test_items_are_found_by_their_codes(pages, items):
    place = items.place(pages.item["item_ids"])
    for row in range(0, len(place), 97):
        assert schema.hashed(NAMES[place[row]], 16384) == pages.item["item_ids"][row, 0]
    assert items.place(np.array([[1, 2, 3, 1]])) == len(NAMES)


def test_vectors_alone_are_replaced(pages, items):
    known = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    found = cases.with_vectors(pages, items, known)
    np.testing.assert_array_equal(found.item["item_vector"], known[items.place(pages.item["item_ids"])])
    for name in set(pages.item) - {"item_vector"}:
        assert found.item[name] is pages.item[name]
    page = int((pages.shopper["history_ids"][..., 3] > 0).sum(1).argmax())
    history, numbers = (pages.shopper[name][page] for name in ("history_ids", "history_numbers"))
    mean = np.zeros(16)
    for (*codes, event), (log_age_hours, _) in zip(history, numbers, strict=True):
        if event in POSITIVE_WEIGHTS:
            age_days = max(np.expm1(3 * log_age_hours), 0) / 24
            mean += POSITIVE_WEIGHTS[event] * 0.5 ** (age_days / 7) * known[items.place(np.array(codes))]
    assert np.linalg.norm(mean) > 0
    taste = found.shopper["shopper_vector"][page]
    np.testing.assert_allclose(taste, mean / np.linalg.norm(mean), atol=1e-5)


def test_rows_that_are_left_keep_their_pages(pages):
    is_kept = np.zeros(len(pages.click), bool)
    first, last = pages.offsets[3], pages.offsets[4]
    is_kept[first:last:2] = True
    is_kept[pages.offsets[7]] = True
    found = cases.rows_of(pages, is_kept)
    assert found.page_count == 2 and found.offsets.tolist() == [0, len(range(first, last, 2)), is_kept.sum()]
    np.testing.assert_array_equal(found.times, pages.times[[3, 7]])
    np.testing.assert_array_equal(found.click, pages.click[is_kept])
    np.testing.assert_array_equal(found.item["item_ids"], pages.item["item_ids"][is_kept])


@pytest.mark.parametrize("entrant", [each for each in vectors.ENTRANTS if each.package in ("", "sklearn")])
def test_a_way_of_reading_answers_what_a_snapshot_could_hold(entrant):
    found = entrant.embed(TEXTS)
    assert found.shape == (300, schema.VECTOR_WIDTH) and found.dtype == np.float32
    if entrant.name == "nothing":
        assert not found.any()
        return
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    likeness = found @ found[0]
    assert likeness[7] > likeness[1], "another armchair is nearer than a planter"


def test_new_items_are_not_learned_from_and_judged_apart(pages, items, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []

    def guess(case, seed, architecture):
        seen.append(case)
        chance = np.where(cases.is_new(case.test, items), 0.3, 0.1)
        return Answer(np.full(len(case.valid.click), 0.1), chance, 1, 0.1, 0.1 * chance)

    monkeypatch.setattr(networks, "fit_own", guess)
    found = run.fit("words", pages, items, 0)
    (case,) = seen
    for part in (case.learned, case.valid):
        assert not cases.is_new(part, items).any()
    is_new = cases.is_new(case.test, items)
    assert 0.1 < is_new.mean() < 0.3
    for group, is_of_group in (("known", ~is_new), ("new", is_new)):
        chance = 0.3 if group == "new" else 0.1
        clicks = case.test.click[is_of_group].sum()
        ratio = chance * is_of_group.sum() / clicks
        assert found[group].figures["predicted_to_observed"] == pytest.approx(ratio)
        assert found[group].rows_of_who.sum() == is_of_group.sum()


def test_a_catalogue_of_another_shop_is_refused(tmp_path):
    log, catalogue = Log().write(tmp_path / "log", 60), tmp_path / "items.parquet"
    files.write(catalogue, files.COLUMNS.empty_table())
    with pytest.raises(ConfigurationError, match="holds no item of the log"):
        run.run(log, catalogue, 1, [vectors.OWN], "test", lambda line: None)
