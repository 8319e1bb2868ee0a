"""Do arrays survive the wire, and is every malformed tensor refused by name?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from planogram.common.v1 import tensor_pb2
from services.common.errors import InvalidRequest
from services.common.tensors import N, TensorSpec, fingerprint, from_tensor, to_tensor

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
        (tensor_pb2.Tensor(dtype=1, shape=[2**62, 0], data=b""), "tensor.shape"),
        (tensor_pb2.Tensor(dtype=1, shape=[0] + [2**31 - 1] * 7, data=b""), "tensor.shape"),
    ],
)
def test_a_malformed_tensor_is_refused_by_name(tensor, field):
    with pytest.raises(InvalidRequest) as caught:
        from_tensor(tensor)
    assert caught.value.field == field


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
