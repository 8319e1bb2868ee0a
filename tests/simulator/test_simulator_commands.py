"""The simulator's verbs do what they say, and its code stays outside the services."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from planogram.files import catalogue as files
from planogram.files import log
from simulator import commands, scene

SOURCES = sorted(Path(commands.__file__).parent.rglob("*.py"))


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    commands.register(app)
    return app


def test_a_catalogue_and_a_log_are_made_on_the_command_line(tmp_path: Path, app: typer.Typer) -> None:
    items, out = tmp_path / "items.parquet", tmp_path / "log"
    made = CliRunner().invoke(
        app, ["make-catalogue", "--out", str(items), "--items", "1500", "--as-of", "2026-06-01"]
    )
    assert made.exit_code == 0, made.output
    assert f"{items}: 1,500 items" in made.output
    assert files.read(items).num_rows == 1_500
    arguments = [
        "simulate",
        "--vectorised",
        "--page-views",
        "500",
        "--catalogue",
        str(items),
        "--out",
        str(out),
    ]
    written = CliRunner().invoke(app, [*arguments, "--as-of", "2026-06-01"])
    assert written.exit_code == 0, written.output
    assert "sessions of" in written.output
    assert log.read_exposure_table(out).num_rows >= 500


def test_a_shop_that_does_not_answer_fails_the_command(tmp_path: Path, app: typer.Typer) -> None:
    items = tmp_path / "items.parquet"
    CliRunner().invoke(app, ["make-catalogue", "--out", str(items), "--items", "1500"])
    arguments = ["simulate", "--page-views", "1", "--target", "127.0.0.1:1", "--catalogue", str(items)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "pages failed: UNAVAILABLE" in result.output


def test_any_shop_s_catalogue_will_do(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    rows = [
        f"sku{number},Thing {number},{'tools' if number % 2 else 'toys'},{number + 1}000000"
        for number in range(300)
    ]
    path.write_text("item_id,title,category,price_micros\n" + "\n".join(rows) + "\n")
    played = scene.load(path, 0, scene.day(None), shopper_count=100)
    assert played.world.items.categories == ("tools", "toys")
    assert played.world.utility.shape == (6, 300)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_simulator_knows_the_public_contract_alone(path: Path) -> None:
    tree = ast.parse(path.read_text())
    top = {node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            package = name.partition(".")[0]
            assert package not in ("storefront", "torch", "feast", "onnxruntime"), name
            if package == "services":
                assert path.name == "commands.py", f"{path.name} imports {name}"
                assert name in ("services.local",), name
                assert node not in top, f"{name} must be imported where it is needed"


def test_pages_are_told_in_lines_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr(commands, "LINE_EVERY_S", 0.0)
    with commands._progress(1_500) as advance:
        advance(700)
    assert "  700 of 1,500 pages after 0 s" in capsys.readouterr().out
