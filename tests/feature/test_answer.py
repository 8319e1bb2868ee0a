"""Do the bytes that a page's answer is joined from say what setting its fields one by one would?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planogram.feature.v1 import feature_pb2
from services.common.tensors import fill
from services.feature.pages import answer
from services.feature.pages.placing import Placed


def test_modules_are_written_as_protobuf_would() -> None:
    # One byte, two and three of a varint; a module without candidates between others.
    found = {"first": [0, 127, 128], "none": [], "m" * 64: list(range(16_380, 16_390)), "last": [300]}
    positions = np.array([one for rows in found.values() for one in rows], np.int32)
    ends = np.cumsum([len(rows) for rows in found.values()])
    written = answer.modules(list(found), Placed(np.arange(20_000), positions, ends))
    assert list(written) == list(found)
    want = feature_pb2.GatherPageResponse()
    for module_id, rows in found.items():
        want.modules.add(module_id=module_id, rows=rows)
    assert feature_pb2.GatherPageResponse.FromString(b"".join(written.values())) == want


def test_a_page_may_have_no_modules() -> None:
    nothing = Placed(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
    assert answer.modules([], nothing) == {}


@pytest.mark.parametrize("count", [0, 1, 255])
def test_tensors_are_written_as_protobuf_would(count: int) -> None:
    random = np.random.default_rng(count)
    shopper: dict[str, Any] = {
        "vector": random.random(16).astype(np.float32),
        "ids": np.arange(50).reshape(10, 5),
    }
    item = {"numbers": random.random((count, 10)).astype(np.float32), "is_new": random.random(count) < 0.5}
    want = feature_pb2.GatherPageResponse()
    for fingerprint in ("a" * 64, "b" * 64):
        added = want.feature_sets.add(schema_fingerprint=fingerprint)
        for target, arrays in ((added.shopper_tensors, shopper), (added.item_tensors, item)):
            for name, array in arrays.items():
                fill(target[name], array)
    pieces = [*answer.feature_set("a" * 64, shopper, item), *answer.feature_set("b" * 64, shopper, item)]
    assert feature_pb2.GatherPageResponse.FromString(b"".join(pieces)) == want
