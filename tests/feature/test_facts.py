"""Is what one pass writes of a page's items what protobuf reads?"""

from __future__ import annotations

import numpy as np
import pytest

from planogram.feature.v1 import feature_pb2
from services.feature.items.facts import NAMES, NUMBERS, SHARES, Facts

IDS = ["a", "sku-2", "é" * 64, "sku-4"]
"""One of a byte, and one as long as an id may be."""
TEXTS = {"brand": ["", "Möbel", "b" * 300], "seller": ["us"], "category": ["garden", "küche"]}
CODES = {"brand": [2, 0, 1, 1], "seller": [0, 0, 0, 0], "category": [1, 0, 1, 0]}
COLUMNS = {
    "price_micros": np.array([0, 127, 128, 2**62], np.int64),
    "margin_micros": np.array([-1, 0, 5, -(2**62)], np.int64),
    "stock": np.array([0, 1, 2**31 - 1, 7], np.int32),
    "age_rating": np.array([0, 18, 0, 16], np.int32),
    "bid_micros": np.array([0, 0, 16_384, 1], np.int64),
    "first_seen_unix_s": np.array([0, 1_700_000_000, 2**40, 1], np.int64),
    "is_under_review": np.array([False, True, False, True]),
    "popularity": np.array([0, 0.1, 1, 1e-30], np.float32),
    "discount": np.array([1, 0, 0.25, 0.5], np.float32),
}


@pytest.fixture
def facts() -> Facts:
    names = [(np.array(TEXTS[name], np.object_), np.array(CODES[name], np.int32)) for name in NAMES]
    return Facts.of(np.array([one.encode() for one in IDS], np.bytes_), names, COLUMNS)


def by_protobuf(rows: list[int], columns: dict[str, np.ndarray]) -> feature_pb2.GatherPageResponse:
    response = feature_pb2.GatherPageResponse(item_ids=[IDS[row] for row in rows])
    for name in NAMES:
        getattr(response.item_facts, name).extend(TEXTS[name][CODES[name][row]] for row in rows)
    for name in (*NUMBERS, *SHARES):
        getattr(response.item_facts, name).extend(columns[name][rows].tolist())
    return response


@pytest.mark.parametrize("rows", [[0], [3, 1, 2, 0], [2, 2], [1] * 500])
def test_a_description_is_what_protobuf_would_write(facts: Facts, rows: list[int]) -> None:
    found = feature_pb2.GatherPageResponse.FromString(facts.describe(np.array(rows, np.int64)))
    assert found == by_protobuf(rows, COLUMNS)


def test_one_description_after_another_is_one_of_all(facts: Facts) -> None:
    halves = (facts.describe(np.array(rows, np.int64)) for rows in ([0, 1], [], [2, 3]))
    found = feature_pb2.GatherPageResponse.FromString(b"".join(halves))
    assert found == by_protobuf([0, 1, 2, 3], COLUMNS)


def test_columns_change_and_leave_those_of_before_alone(facts: Facts) -> None:
    new = {"stock": np.array([9, 9, 9, 9], np.int32), "discount": np.array([0.5, 0, 0, 1], np.float32)}
    rows = np.arange(4)
    changed = feature_pb2.GatherPageResponse.FromString(facts.changed(new).describe(rows))
    assert changed == by_protobuf([0, 1, 2, 3], COLUMNS | new)
    assert feature_pb2.GatherPageResponse.FromString(facts.describe(rows)) == by_protobuf(
        [0, 1, 2, 3], COLUMNS
    )


def test_every_fact_of_the_contract_is_told() -> None:
    told = {*NAMES, *NUMBERS, *SHARES}
    assert told == {field.name for field in feature_pb2.ItemFacts.DESCRIPTOR.fields}
