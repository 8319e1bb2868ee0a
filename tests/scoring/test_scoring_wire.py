"""Is a request that is read as bytes the one that protobuf reads, and is all that is odd left to protobuf?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from planogram.common.v1 import tensor_pb2
from planogram.scoring.v1 import scoring_pb2
from services.common.errors import InvalidRequest
from services.common.tensors import N, TensorSpec, to_tensor
from services.scoring import wire
from services.scoring.signature import CURRENT, MAX_INPUT, MAX_ITEM_COUNT, Signature, decode, zeros

ODD = Signature(
    (
        TensorSpec("marks", "bool", (N, 3)),
        TensorSpec("kinds", "int32", (N, 2), ("kind", "size"), {"kind": 4, "size": 9}),
        TensorSpec("places", "int64", (N,), ("place",), {"place": 7}),
        TensorSpec("counts", "int64", (3,)),
        TensorSpec("levels", "float32", (2, 3)),
        TensorSpec("is_known", "bool", ()),
    ),
    "1",
)
"""Of every dtype, with lengths that divide by nothing, and a tensor without an axis."""
SIGNATURES = {"current": CURRENT, "odd": ODD}


def made(signature: Signature, count: int, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays that follow a signature, at random and up to its limits."""
    random, found = np.random.default_rng(seed), zeros(signature, count)
    for spec in signature.specs:
        array = found[spec.name]
        if spec.cardinality:
            rows = array.reshape(-1, len(spec.columns))
            rows[...] = random.integers(0, [spec.cardinality[column] for column in spec.columns], rows.shape)
        elif spec.dtype == "float32":
            array[...] = random.uniform(-MAX_INPUT, MAX_INPUT, array.shape)
        else:
            array[...] = random.integers(0, 2, array.shape)
    return found


def message(
    signature: Signature, arrays: dict[str, np.ndarray[Any, Any]], model_version: str | None = None
) -> scoring_pb2.ScoreItemsRequest:
    request = scoring_pb2.ScoreItemsRequest(
        schema_fingerprint=signature.fingerprint, model_version=model_version
    )
    for spec in signature.specs:
        tensors = request.item_tensors if spec.is_per_item else request.shopper_tensors
        tensors[spec.name].CopyFrom(to_tensor(arrays[spec.name]))
    return request


def careful(
    signature: Signature, content: bytes
) -> tuple[dict[str, np.ndarray[Any, Any]], str | None] | None:
    """What protobuf reads, where all of it follows the signature."""
    try:
        request = scoring_pb2.ScoreItemsRequest.FromString(content)
        if request.schema_fingerprint != signature.fingerprint:
            return None
        arrays = decode(signature, request.shopper_tensors, request.item_tensors)
    except (DecodeError, InvalidRequest):
        return None
    return arrays, request.model_version if request.HasField("model_version") else None


def assert_same(found: dict[str, np.ndarray[Any, Any]], wanted: dict[str, np.ndarray[Any, Any]]) -> None:
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name
        assert found[name].flags.aligned and found[name].flags.c_contiguous, name


@pytest.mark.parametrize("name", SIGNATURES)
@pytest.mark.parametrize("count", [0, 1, 2, 7, 200, MAX_ITEM_COUNT])
@pytest.mark.parametrize("model_version", [None, "click-7"])
def test_a_request_is_read_as_it_was_written(name: str, count: int, model_version: str | None) -> None:
    signature = SIGNATURES[name]
    arrays = made(signature, count)
    found = signature.reader.read(message(signature, arrays, model_version).SerializeToString())
    assert found is not None and found.model_version == model_version
    assert_same(found.arrays, arrays)


def change(data: st.DataObject, content: bytes) -> bytes:
    """Bytes with a few of them changed, left out, repeated or put in."""
    found = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(found)))
        size = data.draw(st.integers(0, 12))
        how = data.draw(st.sampled_from(["set", "cut", "repeat", "insert"]))
        if how == "set":
            found[place : place + size] = data.draw(st.binary(min_size=size, max_size=size))
        elif how == "cut":
            del found[place : place + size]
        elif how == "repeat":
            found[place:place] = found[place : place + size]
        else:
            found[place:place] = data.draw(st.binary(max_size=12))
    return bytes(found)


@pytest.mark.parametrize("name", SIGNATURES)
@given(st.data())
@settings(max_examples=400)
def test_bytes_of_any_kind_are_read_as_protobuf_reads_them_or_left_to_it(
    name: str, data: st.DataObject
) -> None:
    signature = SIGNATURES[name]
    whole = message(signature, made(signature, data.draw(st.integers(0, 3))), "v").SerializeToString()
    content = data.draw(st.one_of(st.just(change(data, whole)), st.binary(max_size=64)))
    found = signature.reader.read(content)
    if found is not None:
        wanted = careful(signature, content)
        assert wanted is not None and found.model_version == wanted[1]
        assert_same(found.arrays, wanted[0])


@pytest.mark.parametrize("name", SIGNATURES)
@given(st.data())
def test_a_number_out_of_bounds_is_declined(name: str, data: st.DataObject) -> None:
    signature = SIGNATURES[name]
    arrays = made(signature, 2)
    spec = data.draw(
        st.sampled_from([one for one in signature.specs if one.cardinality or one.dtype == "float32"])
    )
    array = arrays[spec.name]
    place = tuple(data.draw(st.integers(0, length - 1)) for length in array.shape)
    if spec.cardinality:
        limit = spec.cardinality[spec.columns[place[-1] if len(spec.columns) > 1 else 0]]
        bounds = np.iinfo(array.dtype)
        array[place] = data.draw(st.sampled_from([-1, limit, bounds.max, bounds.min]))
    else:
        above = float(np.nextafter(np.float32(MAX_INPUT), np.float32(np.inf)))
        array[place] = data.draw(st.sampled_from([np.nan, -np.nan, np.inf, -np.inf, above, -above, 3e38]))
    content = message(signature, arrays).SerializeToString()
    assert careful(signature, content) is None
    assert signature.reader.read(content) is None


def test_what_no_request_of_today_holds_is_declined() -> None:
    good = message(CURRENT, made(CURRENT, 2), "v")
    assert CURRENT.reader.read(good.SerializeToString()) is not None
    newer = good.SerializeToString() + b"\x98\x06\x01"  # a number in field 99
    assert CURRENT.reader.read(newer) is None and careful(CURRENT, newer) is not None
    for name in CURRENT.specs:
        fewer = scoring_pb2.ScoreItemsRequest.FromString(good.SerializeToString())
        tensors = fewer.item_tensors if name.is_per_item else fewer.shopper_tensors
        del tensors[name.name]
        assert CURRENT.reader.read(fewer.SerializeToString()) is None
    other = scoring_pb2.ScoreItemsRequest.FromString(good.SerializeToString())
    other.item_tensors["item_ids"].dtype = tensor_pb2.DATA_TYPE_INT32
    assert CURRENT.reader.read(other.SerializeToString()) is None
    other = scoring_pb2.ScoreItemsRequest.FromString(good.SerializeToString())
    other.schema_fingerprint = ODD.fingerprint
    assert CURRENT.reader.read(other.SerializeToString()) is None
    many = message(CURRENT, made(CURRENT, MAX_ITEM_COUNT + 1)).SerializeToString()
    assert CURRENT.reader.read(many) is None
    assert CURRENT.reader.read(b"") is None


@pytest.mark.parametrize("count", [0, 1, 200])
def test_an_answer_is_the_one_that_protobuf_writes(count: int) -> None:
    click = np.random.default_rng(count).random(count, np.float32)
    content = wire.answer(click, click / 2, "click-7", scoring_pb2.DEVICE_CPU)
    assert scoring_pb2.ScoreItemsResponse.FromString(content) == scoring_pb2.ScoreItemsResponse(
        click_probability=to_tensor(click),
        purchase_probability=to_tensor(click / 2),
        model_version="click-7",
        device=scoring_pb2.DEVICE_CPU,
    )


@given(st.lists(st.tuples(st.floats(width=32), st.floats(width=32)), max_size=5))
def test_probabilities_are_told_from_all_other_numbers(pairs: list[tuple[float, float]]) -> None:
    click, purchase = np.array(pairs, np.float32).reshape(-1, 2).T.copy()
    wanted = all(0 <= purchase <= click <= 1 for click, purchase in pairs)
    assert wire.are_probabilities(click, purchase) == wanted
