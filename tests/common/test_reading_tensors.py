"""Are tensors that do not follow their specs refused by name, and all others handed out as they came?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common import tensors
from services.common.errors import InvalidRequest
from services.common.tensors import N, TensorSpec, to_tensor

SPECS = (
    TensorSpec("ids", "int64", (N, 2), ("item", "brand"), {"item": 10, "brand": 5}),
    TensorSpec("numbers", "float32", (N, 3)),
    TensorSpec("places", "int64", (N,), ("place",), {"place": 7}),
    TensorSpec("history", "int64", (3, 1), ("item",), {"item": 10}),
    TensorSpec("counts", "int64", (2,)),
    TensorSpec("kinds", "int32", (N, 1), ("kind",), {"kind": 4}),
    TensorSpec("levels", "float32", (4,)),
    TensorSpec("marks", "bool", (N,)),
)
MOST, LARGEST = 4, 100.0


def good(count: int) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays up to the largest that are allowed."""
    random = np.random.default_rng(count)
    found: dict[str, np.ndarray[Any, Any]] = {}
    for spec in SPECS:
        shape = tuple(count if length == N else length for length in spec.shape)
        if spec.cardinality:
            limits = [spec.cardinality[column] for column in spec.columns]
            found[spec.name] = np.array(
                random.integers(0, limits, (*shape[:-1], len(limits)))
                if len(shape) > 1
                else random.integers(0, limits[0], shape),
                spec.dtype,
            )
        elif spec.dtype == "float32":
            found[spec.name] = random.uniform(-LARGEST, LARGEST, shape).astype(np.float32)
        else:
            found[spec.name] = random.integers(0, 2, shape).astype(spec.dtype)
    return found


def read(arrays: dict[str, np.ndarray[Any, Any]], count: int) -> dict[str, np.ndarray[Any, Any]]:
    wire = {name: to_tensor(array) for name, array in arrays.items()}
    per_item = {spec.name for spec in SPECS if spec.is_per_item}
    items = {name: tensor for name, tensor in wire.items() if name in per_item}
    shopper = {name: tensor for name, tensor in wire.items() if name not in per_item}
    return tensors.read(SPECS, shopper, items, count, LARGEST)


@pytest.mark.parametrize("count", range(MOST + 1))
def test_what_follows_its_specs_comes_as_it_was(count: int) -> None:
    arrays = good(count)
    found = read(arrays, count)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert np.array_equal(found[name], array), name


@given(st.data())
def test_any_id_or_number_out_of_bounds_is_refused_by_the_name_of_its_tensor(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, MOST))
    arrays = good(count)
    spec = data.draw(st.sampled_from([one for one in SPECS if one.cardinality or one.dtype == "float32"]))
    array = arrays[spec.name]
    place = tuple(data.draw(st.integers(0, length - 1)) for length in array.shape)
    if spec.cardinality:
        limit = spec.cardinality[spec.columns[place[-1] if len(spec.columns) > 1 else 0]]
        array[place] = data.draw(
            st.sampled_from([-1, limit, np.iinfo(array.dtype).max, np.iinfo(array.dtype).min])
        )
    else:
        array[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 1.01 * LARGEST, -3e38]))
    with pytest.raises(InvalidRequest) as caught:
        read(arrays, count)
    field = "item_tensors" if spec.is_per_item else "shopper_tensors"
    assert caught.value.field == f"{field}[{spec.name}]"


@pytest.mark.parametrize(
    ("name", "array", "field"),
    [
        ("ids", np.zeros((1, 2), np.int64), "item_tensors[ids]"),
        ("ids", np.zeros((2, 2), np.int32), "item_tensors[ids]"),
        ("numbers", np.zeros((2, 4), np.float32), "item_tensors[numbers]"),
        ("numbers", np.zeros((3, 2), np.float32), "item_tensors[numbers]"),
        ("history", np.zeros((3,), np.int64), "shopper_tensors[history]"),
        ("levels", np.zeros((4,), np.int32), "shopper_tensors[levels]"),
    ],
)
def test_another_shape_or_dtype_is_refused(name: str, array: Any, field: str) -> None:
    with pytest.raises(InvalidRequest, match=str(array.dtype)) as caught:
        read({**good(2), name: array}, 2)
    assert caught.value.field == field


@pytest.mark.parametrize("name", [spec.name for spec in SPECS])
def test_a_missing_tensor_is_refused(name: str) -> None:
    arrays = good(2)
    del arrays[name]
    with pytest.raises(InvalidRequest, match="absent") as caught:
        read(arrays, 2)
    assert f"[{name}]" in str(caught.value.field)


def test_what_contradicts_itself_is_refused_where_it_does() -> None:
    wire = {name: to_tensor(array) for name, array in good(2).items()}
    wire["numbers"].data = wire["numbers"].data[:-1]
    with pytest.raises(InvalidRequest) as caught:
        tensors.read(SPECS, wire, wire, 2)
    assert caught.value.field == "item_tensors[numbers].data"
