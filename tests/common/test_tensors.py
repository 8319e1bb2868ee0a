"""Do arrays survive the wire, and is every malformed tensor refused by name?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from planogram.common.v1 import tensor_pb2
from services.common.errors import InvalidRequest
from services.common.tensors import Layout, N, TensorSpec, fingerprint, from_tensor, to_tensor

DTYPES = [np.dtype(name) for name in ("float32", "int64", "int32", "bool")]
IDS = TensorSpec("ids", "int64", (N, 2), ("item", "brand"), {"item": 10, "brand": 5})
NUMBERS = TensorSpec("numbers", "float32", (N, 3))


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0))
    )
)
def test_an_array_survives_the_wire(array):
    back = from_tensor(tensor_pb2.Tensor.FromString(to_tensor(array).SerializeToString()))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("tensor", "field"),
    [
        (tensor_pb2.Tensor(shape=[1], data=b"1234"), "tensor.dtype"),
        (tensor_pb2.Tensor(dtype=1, shape=[-1], data=b""), "tensor.shape"),
        (tensor_pb2.Tensor(dtype=1, shape=[1] * 9, data=b"1234"), "tensor.shape"),
        (tensor_pb2.Tensor(dtype=1, shape=[2], data=b"1234"), "tensor.data"),
        (tensor_pb2.Tensor(dtype=1, shape=[2**40, 2**40], data=b"1234"), "tensor.data"),
    ],
)
def test_a_malformed_tensor_is_refused_by_name(tensor, field):
    with pytest.raises(InvalidRequest) as caught:
        from_tensor(tensor)
    assert caught.value.field == field


def good():
    return {
        "ids": to_tensor(np.array([[1, 2], [9, 4]], np.int64)),
        "numbers": to_tensor(np.zeros((2, 3), np.float32)),
    }


def test_tensors_that_fit_their_specs_are_returned():
    found = Layout((IDS, NUMBERS), "item_tensors", 4).read(good(), 2)
    assert found["ids"].tolist() == [[1, 2], [9, 4]]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("ids", np.array([[1, 2], [10, 4]], np.int64)),
        ("ids", np.array([[1, 2], [-1, 4]], np.int64)),
        ("ids", np.array([[1, 2]], np.int64)),
        ("numbers", np.zeros((2, 4), np.float32)),
        ("numbers", np.zeros((2, 3), np.int32)),
        ("numbers", np.full((2, 3), np.nan, np.float32)),
        ("numbers", np.full((2, 3), np.inf, np.float32)),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused_by_name(name, array):
    with pytest.raises(InvalidRequest) as caught:
        Layout((IDS, NUMBERS), "item_tensors", 4).read({**good(), name: to_tensor(array)}, 2)
    assert caught.value.field == f"item_tensors[{name}]"


def test_a_missing_tensor_is_refused_by_name():
    with pytest.raises(InvalidRequest, match=r"item_tensors\[ids\]"):
        Layout((IDS,), "item_tensors", 4).read({}, 2)


def test_the_fingerprint_changes_with_every_part_of_the_encoding():
    base = fingerprint((IDS, NUMBERS))
    others = [
        fingerprint((NUMBERS, IDS)),
        fingerprint((IDS, NUMBERS), "2"),
        fingerprint(
            (TensorSpec("ids", "int64", (N, 2), ("item", "brand"), {"item": 11, "brand": 5}), NUMBERS)
        ),
        fingerprint(
            (TensorSpec("ids", "int64", (N, 2), ("brand", "item"), {"item": 10, "brand": 5}), NUMBERS)
        ),
        fingerprint((IDS, TensorSpec("numbers", "float32", (N, 4)))),
    ]
    assert len({base, *others}) == 6
    assert base == fingerprint((IDS, NUMBERS))
