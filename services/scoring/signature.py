"""Which tensors does a click model read, and what does it answer?

A model brings its own signature in its manifest, so that versions of two encodings can be loaded at
once; SPECS is the one that models are trained for today. The feature service declares the same, and a
test of the contracts holds both fingerprints together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from planogram.common.v1 import tensor_pb2
from services.common.errors import InvalidRequest
from services.common.tensors import N, TensorSpec, fingerprint, read
from services.scoring.wire import Reader

HISTORY_LENGTH = 50
MAX_ITEM_COUNT = 2_000
MAX_INPUT = 1e6
"""Of a float input's size. Every feature is a logarithm, a share or a count, far below; squares and sums
of what is far above leave float32."""

SPECS = (
    TensorSpec(
        "item_ids",
        "int64",
        (N, 4),
        ("item", "category", "brand", "kind"),
        # 0 is unknown; others are 1 + crc32(text) % (cardinality - 1); kind: 1 product, 2 article.
        {"item": 16384, "category": 256, "brand": 1024, "kind": 4},
    ),
    TensorSpec(
        "item_numbers",
        "float32",
        (N, 10),
        (
            "log_price",
            "relative_price",  # log of price / median price of the category
            "discount",
            "quality",
            "age_log_days",
            "log_impressions",
            "click_rate",  # smoothed, 0 to 1, as is purchase_rate
            "purchase_rate",
            "trend",
            "is_sponsored",
        ),
    ),
    # Unit length; zeros where unknown.
    TensorSpec("item_vector", "float32", (N, 16)),
    TensorSpec(
        "history_ids",
        "int64",
        (HISTORY_LENGTH, 4),
        ("item", "category", "brand", "event"),
        # Newest first; 0 is padding; event is the number of the EventType.
        {"item": 16384, "category": 256, "brand": 1024, "event": 16},
    ),
    TensorSpec("history_numbers", "float32", (HISTORY_LENGTH, 2), ("log_age_hours", "relative_price")),
    TensorSpec(
        "shopper_numbers",
        "float32",
        (8,),
        (
            "log_events",
            "log_clicks",
            "log_purchases",
            "price_level",
            "session_pages",
            "session_clicks",
            "pages_without_click",
            "is_known",
        ),
    ),
    # Decayed mean of the vectors of items met lately, unit length or zeros.
    TensorSpec("shopper_vector", "float32", (16,)),
    # By hashed category id; sums to 1, or all 0.
    TensorSpec("category_affinity", "float32", (256,)),
    TensorSpec(
        "context_ids",
        "int64",
        (5,),
        ("page_type", "device", "hour", "weekday", "segment"),
        # hour 1 to 24, weekday 1 to 7; 0 is unknown.
        {"page_type": 8, "device": 4, "hour": 25, "weekday": 8, "segment": 64},
    ),
)
REVISION = "1"

OUTPUTS = ("click_probability", "purchase_probability")


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs of a model, in the order of its graph."""

    specs: tuple[TensorSpec, ...]
    revision: str
    fingerprint: str = field(init=False)
    item_specs: tuple[TensorSpec, ...] = field(init=False)
    shopper_specs: tuple[TensorSpec, ...] = field(init=False)
    reader: Reader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Once, not per request: the fingerprint alone takes half a millisecond.
        items = tuple(spec for spec in self.specs if spec.is_per_item)
        shoppers = tuple(spec for spec in self.specs if not spec.is_per_item)
        named = fingerprint(self.specs, self.revision)
        derived = {
            "fingerprint": named,
            "item_specs": items,
            "shopper_specs": shoppers,
            "reader": Reader(self.specs, named, MAX_ITEM_COUNT, MAX_INPUT),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


CURRENT = Signature(SPECS, REVISION)


def decode(
    signature: Signature,
    shopper_tensors: Mapping[str, tensor_pb2.Tensor],
    item_tensors: Mapping[str, tensor_pb2.Tensor],
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays that a model with this signature reads, each held against its spec.

    Raises:
        InvalidRequest: names the tensor, what it is and what it must be.
    """
    count = _item_count(signature.item_specs, item_tensors)
    return read(signature.specs, shopper_tensors, item_tensors, count, MAX_INPUT)


def to_manifest(signature: Signature) -> dict[str, Any]:
    """The signature as a manifest keeps it."""
    return {
        "revision": signature.revision,
        "inputs": [
            {
                "name": spec.name,
                "dtype": spec.dtype,
                "shape": list(spec.shape),
                "columns": list(spec.columns),
                "cardinality": dict(spec.cardinality),
            }
            for spec in signature.specs
        ],
    }


def from_manifest(document: Mapping[str, Any]) -> Signature:
    """The inverse of `to_manifest`; KeyError or TypeError for anything else."""
    specs = tuple(
        TensorSpec(
            str(entry["name"]),
            str(entry["dtype"]),
            tuple(int(length) for length in entry["shape"]),
            tuple(str(column) for column in entry["columns"]),
            {str(name): int(count) for name, count in entry["cardinality"].items()},
        )
        for entry in document["inputs"]
    )
    return Signature(specs, str(document["revision"]))


def zeros(signature: Signature, count: int) -> dict[str, np.ndarray[Any, Any]]:
    """Inputs of N = count items that say nothing."""
    return {
        spec.name: np.zeros([count if length == N else length for length in spec.shape], spec.dtype)
        for spec in signature.specs
    }


def _item_count(specs: Sequence[TensorSpec], tensors: Mapping[str, tensor_pb2.Tensor]) -> int:
    """N, by the first item tensor that was sent; the others are held against it."""
    for spec in specs:
        if spec.name in tensors:
            where = f"item_tensors[{spec.name}]"
            shape = tuple(tensors[spec.name].shape)
            if len(shape) != len(spec.shape):
                raise InvalidRequest(f"{where}.shape", shape, f"{len(spec.shape)} axes")
            if not 0 <= shape[0] <= MAX_ITEM_COUNT:
                raise InvalidRequest(f"{where}.shape[0]", shape[0], f"0 to {MAX_ITEM_COUNT} items")
            return shape[0]
    return 0
