"""Does a shop's catalogue become this system's, and its categories the layout's?"""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from planogram.files import catalogue
from services.common.cli import application
from services.common.errors import ConfigurationError
from services.feature.importing import items
from services.feature.importing.mapping import CatalogueMapping
from services.layout import blueprint

MAPPING = """columns:
  item_id: sku
  title: name
  category: dept
  price_micros: {column: eur, times: 1000000}
"""


def run(*arguments: object):
    return CliRunner().invoke(application(), ["import", "catalogue", *map(str, arguments)])


@pytest.fixture
def files(tmp_path):
    (tmp_path / "items.csv").write_text(
        "sku,name,dept,eur\nB,Spade,Garten & Hof,7\nA,Teapot,Küche,19.99\nC,Hose,garten hof,3\nD,Tea,お茶,2\n"
    )
    (tmp_path / "items.yaml").write_text(MAPPING)
    return tmp_path


def test_items_are_mapped_and_layout_loads_their_categories(files):
    out, config = files / "var" / "items.parquet", files / "var" / "config"
    done = run(files / "items.csv", "--out", out, "--mapping", files / "items.yaml", "--config-out", config)
    assert done.exit_code == 0, done.output
    found = catalogue.read(out)
    assert found.column("item_id").to_pylist() == ["A", "B", "C", "D"]
    assert found.column("price_micros").to_pylist() == [19_990_000, 7_000_000, 3_000_000, 2_000_000]
    assert found.column("category").to_pylist()[:3] == ["kuche", "garten-hof", "garten-hof"]
    loaded = blueprint.load(config)
    assert loaded.category_names["garten-hof"] == {"en": "Garten & Hof"}
    assert set(loaded.category_names) == set(found.column("category").to_pylist())
    assert loaded.module("bestsellers-kuche") is not None


def test_an_edited_configuration_keeps_all_but_its_categories(files):
    config = files / "config"
    items.write_configuration(config, items.shipped_configuration(), {"one": "One"})
    (config / "rules.yaml").write_text("# mine\n")
    items.write_configuration(config, items.shipped_configuration(), {"two": "Two"})
    assert (config / "rules.yaml").read_text() == "# mine\n"
    assert list(blueprint.load(config).category_names) == ["two"]


def test_a_bad_item_is_named_and_nothing_is_written(files):
    (files / "items.csv").write_text("sku,name,dept,eur\nA,Teapot,Kitchen,1\nA,Spade,Garden,2\n")
    out = files / "var" / "items.parquet"
    done = run(
        files / "items.csv", "--out", out, "--mapping", files / "items.yaml", "--config-out", files / "config"
    )
    assert isinstance(done.exception, ConfigurationError)
    assert str(done.exception) == f"{files / 'items.csv'}: row 2: item_id: 'A' stands in row 1 already"
    assert not out.exists() and not (files / "config").exists()


def test_the_largest_categories_get_modules_and_no_page_overflows(tmp_path):
    path = tmp_path / "items.csv"
    lines = [f"i{n}-{m},t,c{n:02}" for n in range(30) for m in range(1 + n)]
    path.write_text("item_id,title,category\n" + "\n".join(lines) + "\n")
    found = items.read(path, CatalogueMapping(), "m")
    assert list(found.largest_categories) == [f"c{n}" for n in range(29, 13, -1)]
    config = items.write_configuration(
        tmp_path / "config", items.shipped_configuration(), found.largest_categories
    )
    assert len(blueprint.load(config).by_name["home"].modules) <= 56


def test_help_alone_says_how():
    text = CliRunner().invoke(application(), ["import", "catalogue", "--help"]).output
    for word in (
        "item_id: sku",
        "price_micros: {column: eur, times: 1000000}",
        "--config-out",
        "PLANOGRAM_LAYOUT_CONFIG_PATH",
    ):
        assert word in text
