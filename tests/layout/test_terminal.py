"""Is a page printed whatever it holds?"""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from planogram.layout.v1 import layout_pb2
from services.layout.terminal import print_page, titles_of


@pytest.fixture
def catalogue(tmp_path):
    pq.write_table(pa.table({"item_id": ["a", "b"], "title": ["Ant", "Bee"]}), tmp_path / "items.parquet")
    return tmp_path / "items.parquet"


def test_a_page_without_items_is_printed(catalogue):
    page = layout_pb2.Page(
        page_id="p1", slots=[layout_pb2.Slot(slot_id="top", title="Shop Kitchen", template_id="tile")]
    )
    assert titles_of(catalogue, page) == {}
    out = io.StringIO()
    print_page(Console(file=out, width=120), page, {})
    assert "Shop Kitchen" in out.getvalue()


def test_a_page_without_slots_is_printed(catalogue):
    page = layout_pb2.Page(page_id="p1")
    assert titles_of(catalogue, page) == {}
    print_page(Console(file=io.StringIO()), page, {})


def test_items_have_the_catalogues_titles(catalogue):
    slot = layout_pb2.Slot(items=[layout_pb2.Item(item_id="b"), layout_pb2.Item(item_id="z")])
    assert titles_of(catalogue, layout_pb2.Page(slots=[slot])) == {"b": "Bee"}
