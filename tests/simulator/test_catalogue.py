"""The catalogue is reproducible, plausible and readable by every service."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from planogram.files import catalogue as files
from simulator import assortment, catalogue, drawing


def test_the_same_seed_and_day_give_the_same_bytes(tmp_path: Path, as_of: datetime) -> None:
    first = files.write(tmp_path / "first.parquet", catalogue.make(7, as_of, 600)).read_bytes()
    second = files.write(tmp_path / "second.parquet", catalogue.make(7, as_of, 600)).read_bytes()
    other = files.write(tmp_path / "other.parquet", catalogue.make(8, as_of, 600)).read_bytes()
    assert first == second
    assert first != other


def test_the_written_file_is_read_back_unchanged(tmp_path: Path, items: pa.Table) -> None:
    assert files.read(files.write(tmp_path / "items.parquet", items)).equals(items)


def test_it_holds_ten_thousand_items_with_five_percent_articles_in_every_category(items: pa.Table) -> None:
    assert items.num_rows == 10_000
    rows = Counter(zip(items["category"].to_pylist(), items["kind"].to_pylist(), strict=True))
    assert sum(count for (_, kind), count in rows.items() if kind == "article") == 500
    for category in assortment.CATEGORIES:
        assert rows[category, "product"] > 1_000
        assert rows[category, "article"] > 50


def test_no_title_stands_twice(items: pa.Table) -> None:
    titles = Counter(items["title"].to_pylist())
    assert titles.most_common(1)[0][1] == 1


def test_a_shelf_that_uses_up_its_words_goes_on_with_numbers(as_of: datetime) -> None:
    random = np.random.default_rng(0)
    subcategory = assortment.SUBCATEGORIES[0]
    few = replace(
        subcategory, kinds=subcategory.kinds[:1], sizes=subcategory.sizes[:1], colours=subcategory.colours[:2]
    )
    brands = catalogue._brands(subcategory.category, random)[:1]
    titles: set[str] = set()
    for number in range(300):
        catalogue._product(few, number, brands, titles, as_of, random)
    assert len(titles) == 300 and any(title.endswith(", no. 299") for title in titles)


def test_titles_are_finished_sentences_without_leftovers(items: pa.Table) -> None:
    for text in (*items["title"].to_pylist(), *items["description"].to_pylist()):
        assert not set("{}*=_") & set(text), text
        assert "  " not in text
        words = text.replace(",", "").split()
        assert all(first != second for first, second in itertools.pairwise(words)), text


def test_about_five_percent_of_items_entered_in_the_latest_week(items: pa.Table, as_of: datetime) -> None:
    first_seen = items["first_seen"].to_pylist()
    assert max(first_seen) <= as_of
    share = np.mean([time > as_of - timedelta(days=7) for time in first_seen])
    assert share == pytest.approx(0.05, abs=0.01)


def test_prices_margins_and_cuts_make_sense(items: pa.Table) -> None:
    is_product = np.array(items["kind"].to_pylist()) == "product"
    price = items["price_micros"].to_numpy()
    list_price = items["list_price_micros"].to_numpy()
    margin = items["margin_micros"].to_numpy()
    assert (price[~is_product] == 0).all()
    assert (price[is_product] > 0).all()
    assert (list_price >= price).all()
    assert 0.2 < (list_price > price)[is_product].mean() < 0.35
    assert (margin[is_product] > 0).all()
    assert (margin[is_product] < price[is_product]).all()
    assert (price % 10_000 == 0).all()  # whole cents


def test_quality_and_stock_vary(items: pa.Table) -> None:
    quality = items["quality"].to_numpy()
    assert quality.min() >= 0.05
    assert quality.max() <= 0.98
    assert quality.std() > 0.1
    assert 0.01 < (items["stock"].to_numpy() == 0).mean() < 0.05
    assert 0.03 < (items["bid_micros"].to_numpy() > 0).mean() < 0.09


def test_every_picture_is_well_formed_and_small(items: pa.Table) -> None:
    for svg in items["image_svg"].to_pylist():
        assert len(svg.encode()) < 1_536
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"


def test_every_subcategory_has_a_drawing_of_its_own() -> None:
    pictures = {
        subcategory.id: drawing.product(
            subcategory.id, "kitchen", subcategory.kinds[0], "#c96f4a", "#3d8186", 4
        )
        for subcategory in assortment.SUBCATEGORIES
    }
    assert len(set(pictures.values())) == len(assortment.SUBCATEGORIES) == 48


def test_colours_are_shaded_towards_white_and_black() -> None:
    assert drawing.shade("#808080", 1) == "#ffffff"
    assert drawing.shade("#808080", -1) == "#000000"
    assert drawing.shade("#804020", -0.5) == "#402010"


def test_an_id_names_its_subcategory(items: pa.Table) -> None:
    known = {subcategory.id: subcategory.category for subcategory in assortment.SUBCATEGORIES}
    for item_id, category in zip(items["item_id"].to_pylist(), items["category"].to_pylist(), strict=True):
        assert known[catalogue.subcategory_of(item_id)] == category
    assert catalogue.subcategory_of("B000-17") == ""


def test_too_small_a_catalogue_is_refused(as_of: datetime) -> None:
    with pytest.raises(ValueError, match="item_count: got 10, want 200 or more"):
        catalogue.make(0, as_of, 10)
